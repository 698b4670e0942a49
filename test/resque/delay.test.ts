import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { cancelDelayed, type DelayedMatch, rescheduleDelayed, takeDelayed } from "../../src/resque/cancel-delayed.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { delayCommands, toDelayedSeconds } from "../../src/resque/delay.ts";
import { countDelayed, listDelayed, scanDelayed } from "../../src/resque/delayed-list.ts";
import { encodePayload } from "../../src/resque/payload.ts";
import { type DelayedWorld, NOW_SECONDS, nodeItem, openDelayedWorld, rubyItem } from "../conformance/delayed-world.ts";
import { setups } from "../support/setups.ts";

const AT = NOW_SECONDS + 100;
const noop = (...args: unknown[]): DelayedMatch => ({ queue: "q", class: "Noop", args });

describe("the second of an instant", () => {
  test("is the one in which it lies", () => {
    expect([0, 999, 1_000, 1_795_206_569_999].map((ms) => toDelayedSeconds(ms))).toEqual([0, 0, 1, 1_795_206_569]);
    expect(toDelayedSeconds(new Date(1_600))).toBe(1);
  });

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    9e15,
    new Date(Number.NaN),
    "1000x",
    "1000",
    null,
    true,
    [],
  ] as never[])("is none: %s", (at) => {
    expect(() => toDelayedSeconds(at, "in")).toThrow(UsageError);
    expect(() => toDelayedSeconds(at, "in")).toThrow(/^in: expected a date or milliseconds since 1970, got /);
  });
});

describe.each(setups())("delayed jobs over $name", (kind) => {
  let world: DelayedWorld;
  beforeAll(async () => {
    world = await openDelayedWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const delayed = async (...jobs: (readonly [args: unknown[], atSeconds: number])[]): Promise<void> => {
    const commands = jobs.flatMap(([args, atSeconds]) =>
      delayCommands(world.keys, { queue: "q", payload: encodePayload("Noop", args), atSeconds }),
    );
    await world.client.transaction(commands);
  };

  describe("are written", () => {
    test("where and as resque-scheduler 5.0 writes them", async () => {
      const payload = encodePayload("Noop", [1, "hi"]);
      await world.client.transaction(delayCommands(world.keys, { queue: "bench", payload, atSeconds: 1_795_206_569 }));
      expect(await world.everything()).toEqual({
        "resque:delayed:1795206569": ['{"class":"Noop","args":[1,"hi"],"queue":"bench"}'],
        "resque:delayed_queue_schedule": { "1795206569": "1795206569" },
        'resque:timestamps:{"class":"Noop","args":[1,"hi"],"queue":"bench"}': { "delayed:1795206569": true },
      });
    });

    test("as often as they are delayed, in order", async () => {
      await delayed([[1], AT], [[2], AT], [[1], AT], [[1], AT + 1]);
      expect(await world.everything()).toEqual({
        [`resque:delayed:${AT}`]: [rubyItem("q", 1), rubyItem("q", 2), rubyItem("q", 1)],
        [`resque:delayed:${AT + 1}`]: [rubyItem("q", 1)],
        "resque:delayed_queue_schedule": { [AT]: String(AT), [AT + 1]: String(AT + 1) },
        [`resque:timestamps:${rubyItem("q", 1)}`]: { [`delayed:${AT}`]: true, [`delayed:${AT + 1}`]: true },
        [`resque:timestamps:${rubyItem("q", 2)}`]: { [`delayed:${AT}`]: true },
      });
    });

    test("and promoted as the payloads that they were, Airlift's member included", async () => {
      const payload = encodePayload("A", [[], {}, "\u2028"], { unique: "d1", id: "x" });
      await world.client.transaction(delayCommands(world.keys, { queue: "q", payload, atSeconds: NOW_SECONDS }));
      await world.promote();
      expect(await world.queued("q")).toEqual([payload]);
    });
  });

  describe("are cancelled", () => {
    const cancel = (match: DelayedMatch) => cancelDelayed(world.client, world.keys, match);

    test("whoever wrote them, at all their times, and leave nothing behind", async () => {
      await delayed([[1], AT], [[1], AT]);
      await world.delay(AT + 5, rubyItem("q", 1));
      await world.delay(AT + 6, nodeItem("q", 1));
      expect(await cancel(noop(1))).toEqual([
        ...Array(3).fill({ raw: rubyItem("q", 1), queue: "q" }),
        { raw: nodeItem("q", 1), queue: "q" },
      ]);
      expect(await world.keyNames()).toEqual([]);
    });

    test("and others stay as they are", async () => {
      await delayed([[1], AT], [[2], AT], [[1, 1], AT]);
      await world.delay(AT, rubyItem("b", 1), '{"class":"Other","args":[1],"queue":"q"}');
      expect(await cancel(noop(1))).toHaveLength(1);
      expect((await world.everything())[`resque:delayed:${AT}`]).toEqual([
        rubyItem("q", 2),
        rubyItem("q", 1, 1),
        rubyItem("b", 1),
        '{"class":"Other","args":[1],"queue":"q"}',
      ]);
      expect((await world.everything())["resque:delayed_queue_schedule"]).toEqual({ [AT]: String(AT) });
      expect(await cancel(noop(3))).toEqual([]);
    });

    test("of one time only, which others cut and node-resque rounds", async () => {
      await delayed([[1], AT], [[1], AT + 1]);
      await world.delay(AT, nodeItem("q", 1));
      await world.delay(AT + 1, nodeItem("q", 1));
      expect(await cancel({ ...noop(1), atMs: AT * 1_000 + 500 })).toEqual([
        { raw: rubyItem("q", 1), queue: "q" },
        { raw: nodeItem("q", 1), queue: "q" },
      ]);
      expect(await world.everything()).toEqual({
        [`resque:delayed:${AT}`]: [nodeItem("q", 1)],
        [`resque:delayed:${AT + 1}`]: [rubyItem("q", 1)],
        "resque:delayed_queue_schedule": { [AT]: String(AT), [AT + 1]: String(AT + 1) },
        [`resque:timestamps:${nodeItem("q", 1)}`]: { [`delayed:${AT}`]: true },
        [`resque:timestamps:${rubyItem("q", 1)}`]: { [`delayed:${AT + 1}`]: true },
      });
    });

    test("by what they say, in any queue and any form", async () => {
      const forms = [
        '{"class":"Noop","args":[1.0,{"a":[],"b":"\\u003c"}],"queue":"q"}',
        '{"class":"Noop","args":[1,{"b":"<","a":[]}],"queue":"b","airlift":{"id":"x.1"}}',
        '{ "queue" : "c", "class":"Noop","args":[1,{"b":"<","a":[]}]}',
      ];
      const others = [
        '{"class":"Noop","args":[1,{"a":[]}],"queue":"q"}',
        '{"class":"Noop","args":[1,{"a":[],"b":"<","c":1}],"queue":"q"}',
        '{"class":"Noop","args":[1,{"a":{},"b":"<"}],"queue":"q"}',
        '{"class":"Noop","args":[1,{"a":[],"b":"<"},null],"queue":"q"}',
        '{"class":"Noope","args":[1,{"a":[],"b":"<"}],"queue":"q"}',
        "no job",
      ];
      for (const [n, item] of [...forms, ...others].entries()) await world.delay(AT + n, item, item);
      const match = { class: "Noop", args: [1, { b: "<", a: [] }] };
      expect(await cancel({ ...match, queue: "q" })).toEqual([]);
      expect(await cancel({ ...match, queue: "b", isThorough: true })).toEqual(
        Array(2).fill({ raw: forms[1], queue: "b" }),
      );
      expect((await cancel(match)).map(({ queue }) => queue)).toEqual(["q", "q", "c", "c"]);
      expect((await listDelayed(world.client, world.keys)).entries.map(({ raw }) => raw)).toEqual(
        others.flatMap((item) => [item, item]),
      );
      expect((await world.keyNames()).filter((name) => name.includes("timestamps"))).toHaveLength(others.length);
    });

    test("by what they say, a number beyond 2^53 as a Float or as an Integer", async () => {
      const forms = ["1.0e+16", "10000000000000000", "1e16", "10000000000000000.0"];
      const others = ["10000000000000001", "1.0e+17", '"10000000000000000"', "null"];
      for (const number of [...forms, ...others]) {
        await world.delay(AT, `{"class":"Noop","args":[[${number}]],"queue":"q"}`);
      }
      for (const args of [[[1e16]], [[10n ** 16n]]]) {
        const taken = await cancel({ class: "Noop", args, queue: "q", isThorough: true });
        expect(taken.map(({ raw }) => /\[\[(.*)\]\]/.exec(raw)?.[1])).toEqual(forms);
        for (const { raw } of taken) await world.delay(AT, raw);
      }
    });

    test("by what they say and their time", async () => {
      await delayed([[1], AT], [[1], AT + 1], [[1], AT + 2]);
      await world.delay(AT, nodeItem("b", 1));
      await world.delay(AT + 1, nodeItem("b", 1));
      const taken = await cancel({ class: "Noop", args: [1], atMs: AT * 1_000 + 700 });
      expect(taken.map(({ raw }) => raw).toSorted()).toEqual([rubyItem("q", 1), nodeItem("b", 1)].toSorted());
      expect(
        (await listDelayed(world.client, world.keys)).entries.map(({ atSeconds, raw }) => [
          Number(atSeconds) - AT,
          raw,
        ]),
      ).toEqual([
        [0, nodeItem("b", 1)],
        [1, rubyItem("q", 1)],
        [2, rubyItem("q", 1)],
      ]);
    });

    test("by what they say among thousands, of one second and of many", async () => {
      const many = Array.from({ length: 1_500 }, (_, n) => rubyItem("q", n % 3, "x".repeat(1_000)));
      await world.send(["RPUSH", world.keys.delayed(AT), ...many], ["ZADD", world.keys.delayedSchedule, AT, AT]);
      for (let n = 1; n <= 1_100; n++) await world.delay(AT + n, rubyItem("q", n % 3, "x".repeat(1_000)));
      const { length } = await cancel({ class: "Noop", args: [1, "x".repeat(1_000)] });
      expect(length).toBe(500 + 367);
      expect(await countDelayed(world.client, world.keys)).toBe(2_600 - 867);
    });

    test("not once they have been promoted, or their book is all that is left", async () => {
      await delayed([[1], NOW_SECONDS]);
      await world.send(["SADD", `resque:timestamps:${rubyItem("q", 2)}`, `delayed:${AT}`, "nonsense"]);
      await world.promote();
      expect(await cancel(noop(1))).toEqual([]);
      expect(await cancel(noop(2))).toEqual([]);
      expect(await world.queued("q")).toEqual(['{"class":"Noop","args":[1]}']);
      expect((await world.everything())[`resque:timestamps:${rubyItem("q", 2)}`]).toEqual({ nonsense: true });
    });

    test("one by one as they were read, by their text", async () => {
      const odd = '{"class" : 7, "x":[1.0]} ';
      await world.delay(AT, odd, rubyItem("q", 1), odd, "é\uFFFD");
      const remove = async (raw: string) =>
        (await takeDelayed(world.client, world.keys, [{ raw, queue: "q", atSeconds: String(AT) }], {})).length;
      expect(await remove(odd)).toBe(2);
      expect(await remove(odd)).toBe(0);
      expect(await remove("é\uFFFD")).toBe(1);
      expect((await world.everything())[`resque:delayed:${AT}`]).toEqual([rubyItem("q", 1)]);
      expect(await remove(rubyItem("q", 1))).toBe(1);
      expect(await world.keyNames()).toEqual([]);
    });
  });

  describe("are moved to another time", () => {
    const reschedule = (match: DelayedMatch, toMs: number) => rescheduleDelayed(world.client, world.keys, match, toMs);

    test("whoever wrote them, with their text unchanged", async () => {
      await delayed([[1], AT], [[1], AT + 1], [[2], AT]);
      await world.delay(AT, rubyItem("q", 1), nodeItem("q", 1));
      expect(await reschedule(noop(1), (AT + 9) * 1_000 + 999)).toHaveLength(4);
      expect(await world.everything()).toEqual({
        [`resque:delayed:${AT}`]: [rubyItem("q", 2)],
        [`resque:delayed:${AT + 9}`]: [rubyItem("q", 1), rubyItem("q", 1), rubyItem("q", 1), nodeItem("q", 1)],
        "resque:delayed_queue_schedule": { [AT]: String(AT), [AT + 9]: String(AT + 9) },
        [`resque:timestamps:${rubyItem("q", 1)}`]: { [`delayed:${AT + 9}`]: true },
        [`resque:timestamps:${rubyItem("q", 2)}`]: { [`delayed:${AT}`]: true },
        [`resque:timestamps:${nodeItem("q", 1)}`]: { [`delayed:${AT + 9}`]: true },
      });
      expect(await reschedule(noop(1), (AT + 9) * 1_000)).toEqual([]);
    });

    test("by what they say", async () => {
      const item = '{"class":"Noop","args":[1.0],"queue":"b","airlift":{"unique":"d1"}}';
      await world.delay(AT, item);
      expect(await reschedule({ class: "Noop", args: [1] }, 9_000)).toEqual([{ raw: item, queue: "b" }]);
      expect((await world.everything())["resque:delayed:9"]).toEqual([item]);
    });

    test("not if they were promoted meanwhile, and nothing is left of the attempt", async () => {
      await delayed([[1], NOW_SECONDS], [[2], AT]);
      await world.send(["DEL", world.keys.delayed(NOW_SECONDS)]);
      const before = await world.everything();
      expect(await reschedule(noop(1), (AT + 9) * 1_000)).toEqual([]);
      const { [`resque:timestamps:${rubyItem("q", 1)}`]: _book, ...rest } = before;
      expect(await world.everything()).toEqual(rest);
      expect(await reschedule(noop(1), AT * 1_000)).toEqual([]);
      expect(await world.everything()).toEqual(rest);
    });

    test("and stand behind those that wait there, as often as they were delayed", async () => {
      await delayed([[2], AT + 9], [[1], AT], [[3], AT], [[1], AT]);
      expect(await reschedule(noop(1), (AT + 9) * 1_000)).toHaveLength(2);
      expect((await world.everything())[`resque:delayed:${AT + 9}`]).toEqual([2, 1, 1].map((n) => rubyItem("q", n)));
    });

    test.each([
      ["others", [[2]]],
      ["one that is alike", [[1], [2]]],
    ])("not if they were promoted meanwhile, and %s that wait at that time stay as they are", async (_what, there) => {
      await delayed(...there.map((args) => [args, AT + 9] as const));
      const before = await world.everything();
      await delayed([[1], AT]);
      await world.send(["DEL", world.keys.delayed(AT)], ["ZREM", world.keys.delayedSchedule, AT]);
      expect(await reschedule(noop(1), (AT + 9) * 1_000)).toEqual([]);
      expect(await world.everything()).toEqual(before);
    });

    test("not to a time that is none", async () => {
      await delayed([[1], AT]);
      await expect(reschedule(noop(1), Number.NaN)).rejects.toThrow(/^to: expected a date/);
    });
  });

  describe("are listed", () => {
    const list = async (page?: { offset?: number; limit?: number }) =>
      (await listDelayed(world.client, world.keys, page)).entries.map(({ atSeconds, raw }) => [
        Number(atSeconds) - AT,
        raw,
      ]);

    test("in the order of time, whoever wrote them, with what they hold", async () => {
      await world.delay(AT + 1, nodeItem("b", [], {}));
      await delayed([[12345678901234567890n], AT]);
      expect((await listDelayed(world.client, world.keys)).entries).toEqual([
        {
          kind: "job",
          raw: '{"class":"Noop","args":[12345678901234567890],"queue":"q"}',
          queue: "q",
          class: "Noop",
          args: [12345678901234567890n],
          atSeconds: String(AT),
          atMs: AT * 1_000,
          cut: expect.anything(),
          isNodes: false,
        },
        expect.objectContaining({
          kind: "job",
          queue: "b",
          class: "Noop",
          args: [[], {}],
          atMs: AT * 1_000 + 1_000,
          isNodes: true,
        }),
      ]);
    });

    test("a page at a time, however they are spread", async () => {
      const all: [number, string][] = [];
      for (const [second, count] of [
        [-2, 0],
        [-1, 0],
        [0, 3],
        [1, 1],
        [2, 0],
        [3, 5],
        [4, 1],
      ] as const) {
        for (let n = 0; n < count; n++) all.push([second, rubyItem("q", second, n)]);
        await world.send(["ZADD", world.keys.delayedSchedule, AT + second, AT + second]);
        await world.delay(AT + second, ...all.filter(([at]) => at === second).map(([, item]) => item));
      }
      for (let offset = 0; offset <= 11; offset++) {
        for (const limit of [1, 2, 4, 100])
          expect(await list({ offset, limit })).toEqual(all.slice(offset, offset + limit));
      }
      expect(await list()).toEqual(all);
      expect(await countDelayed(world.client, world.keys)).toBe(10);
    });

    test("what is no job among them, with the reason", async () => {
      await world.delay(AT, "no job", rubyItem("q", 1), Buffer.from("\xff{", "latin1"), '{"class":"A"}');
      expect((await listDelayed(world.client, world.keys)).entries).toMatchObject([
        { kind: "malformed", raw: "no job", queue: undefined, reason: "it is not valid JSON" },
        { kind: "job" },
        { kind: "malformed" },
        { kind: "malformed", reason: "expected queue to be a non-empty string" },
      ]);
    });

    test("hundreds of seconds, and none", async () => {
      expect(await list()).toEqual([]);
      expect(await countDelayed(world.client, world.keys)).toBe(0);
      for (let n = 0; n < 1_100; n++) await world.delay(AT + n, rubyItem("q", n));
      expect(await list({ offset: 1_095, limit: 10 })).toEqual(
        [1095, 1096, 1097, 1098, 1099].map((n) => [n, rubyItem("q", n)]),
      );
      expect(await countDelayed(world.client, world.keys)).toBe(1_100);
      const seen: string[] = [];
      for await (const entries of scanDelayed(world.client, world.keys)) seen.push(...entries.map(({ raw }) => raw));
      expect(seen).toEqual(Array.from({ length: 1_100 }, (_, n) => rubyItem("q", n)));
    });

    test.each([{ offset: -1 }, { limit: 0 }, { limit: 1_001 }, { offset: 0.5 }])(
      "not by a page that is none: %o",
      async (page) => {
        await expect(list(page)).rejects.toThrow(/expected a whole number from/);
      },
    );
  });

  test("cost so many commands as docs/keys.md says", async () => {
    const spend = async (run: (options: { usage: { commands: number; requests: number } }) => Promise<unknown>) => {
      const usage = { commands: 0, requests: 0 };
      await world.countCommands();
      await run({ usage });
      if (kind.server === "redis-server") expect(await world.countCommands()).toBe(usage.commands);
      return usage.commands;
    };
    const { client, keys } = world;
    // The server knows the script after its first call.
    await cancelDelayed(client, keys, { ...noop(1), atMs: 0 });
    await delayed([[1], AT], [[1], AT + 1]);
    expect(await spend((options) => cancelDelayed(client, keys, noop(1), options))).toBe(2 + 1 + 2 * 3 + 1);
    await delayed([[1], AT]);
    expect(await spend((options) => rescheduleDelayed(client, keys, noop(1), 9_000, options))).toBe(2 + 1 + 7);
    expect(await spend((options) => listDelayed(client, keys, options))).toBe(3);
    expect(await spend((options) => countDelayed(client, keys, options))).toBe(2);
    const places = [{ raw: rubyItem("q", 1), queue: "q", atSeconds: "9" }];
    expect(await spend((options) => takeDelayed(client, keys, places, options))).toBe(5);
  });
});

// Only a real redis-server has ACLs, and it refuses a command the same way over TCP and HTTP.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");

describe.skipIf(!setup)("moving delayed jobs, refused a command", () => {
  let world: DelayedWorld;
  let client: RedisClient | undefined;
  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openDelayedWorld(setup);
  });
  afterAll(async () => {
    await client?.close();
    await world[Symbol.asyncDispose]();
  });
  beforeEach(() => world.flush());

  test.each(["zadd", "rpush", "lrem", "rpop", "sadd", "srem", "exists", "zrem"])(
    "%s, loses none and doubles none",
    async (command) => {
      await client?.close();
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
      client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      await world.delay(AT, rubyItem("q", 1), rubyItem("q", 2), rubyItem("q", 1));
      await world.delay(AT + 9, rubyItem("q", 3));
      await rescheduleDelayed(client, world.keys, noop(1), (AT + 9) * 1_000).catch((error: unknown) => {
        expect(error).toMatchObject({ name: "StoreError" });
      });
      const everything = await world.everything();
      const items = [`resque:delayed:${AT}`, `resque:delayed:${AT + 9}`].flatMap(
        (key) => (everything[key] ?? []) as string[],
      );
      expect(items.toSorted()).toEqual([1, 1, 2, 3].map((n) => rubyItem("q", n)));
      expect(Object.keys(everything["resque:delayed_queue_schedule"] ?? {})).toEqual(
        expect.arrayContaining(Object.keys(everything).flatMap((key) => /delayed:(\d+)$/.exec(key)?.[1] ?? [])),
      );
    },
  );
});
