import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Claim } from "../../src/core/store.ts";
import type { LuaScript, RedisReply } from "../../src/resque/client.ts";
import { readDeadDrains } from "../../src/resque/dead-drain.ts";
import { beatDrain as beatDrainScript } from "../../src/resque/generated/beat-drain.generated.ts";
import { readSlots as readSlotsScript } from "../../src/resque/generated/read-slots.generated.ts";
import { recoverDrain as recoverDrainScript } from "../../src/resque/generated/recover-drain.generated.ts";
import { releaseLease as releaseLeaseScript } from "../../src/resque/generated/release-lease.generated.ts";
import { samePayload as samePayloadScript } from "../../src/resque/generated/same-payload.generated.ts";
import { writeStatuses as writeStatusesScript } from "../../src/resque/generated/write-statuses.generated.ts";
import { recoverDrain } from "../../src/resque/recover-drain.ts";
import type { Setup } from "../support/setups.ts";
import {
  NOW_MS,
  ok,
  openWorld,
  payload,
  payloads,
  slots,
  type TestDrain,
  type TestDrainOptions,
  type World,
} from "./world.ts";

/** The scripts for a drain's life beside the exchanges: beat, close, read-slots, recover and same-payload. */
export function describeDrainScripts(kind: Setup): void {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** A registered drain with these payloads in its first slots. */
  const openDrain = async (
    raws: readonly (string | Uint8Array)[],
    options: TestDrainOptions = {},
  ): Promise<TestDrain & { readonly claims: readonly Claim[] }> => {
    const drain = world.drain(options);
    await world.push("q", ...raws);
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(raws.length) });
    return { ...drain, claims };
  };
  const call = (script: LuaScript, keys: readonly string[], args: readonly (string | number)[]) =>
    world.client.script({ script, keys, args });
  const score = async (drain: TestDrain): Promise<number> =>
    Number(String((await world.send(["ZSCORE", world.keys.drains, drain.member]))[0]));

  describe("beat-drain", () => {
    const beat = (drain: TestDrain, stats: readonly { slot: number; processed: number; failed: number }[] = []) =>
      drain.store.exchange({ seq: 9, attempt: 1, settle: [], fill: [], beat: stats });

    test("renews the lease and every worker's heartbeat, and shows the workers' figures", async () => {
      let nowMs = NOW_MS;
      const drain = await openDrain([payload(1)], { nowMs: () => nowMs, leaseMs: 9_000 });
      await world.endLeases();
      nowMs += 3_000;
      const stats = { slot: 1, processed: 5, failed: 2 };
      const beforeMs = Date.now();
      await beat(drain, [stats]);
      expect(await score(drain)).toBeGreaterThanOrEqual(beforeMs + 9_000);
      expect(await score(drain)).toBeLessThanOrEqual(Date.now() + 9_001);
      expect(await world.everything()).toMatchObject({
        "resque:workers:heartbeat": Object.fromEntries(drain.own.ids.map((id) => [id, "2026-11-20T18:51:00+00:00"])),
        [`resque:stat:processed:${drain.own.ids[1]}`]: "5",
        [`resque:stat:failed:${drain.own.ids[1]}`]: "2",
      });
      expect(await world.keyNames()).not.toContain(`resque:stat:processed:${drain.own.ids[0]}`);
    });

    test("returns 1 and its commands, figures or not", async () => {
      const { member, own } = await openDrain([payload(1)]);
      const keys = [world.keys.drains, world.keys.heartbeats, own.started[0] as string];
      const args = [member, 60_000, "now", own.ids.length, ...own.ids];
      expect(await call(beatDrainScript, keys, args)).toEqual([5, 1]);
      expect(await call(beatDrainScript, [...keys, own.stats[0] as string], [...args, 3])).toEqual([6, 1]);
    });

    test("returns 0 and writes nothing once another has recovered the drain", async () => {
      const drain = await openDrain([payload(1)]);
      await world.send(["DEL", drain.own.started[0] as string]);
      const before = await world.everything();
      const keys = [world.keys.drains, world.keys.heartbeats, drain.own.started[0] as string, "resque:stat"];
      expect(await call(beatDrainScript, keys, [drain.member, 1, "now", 1, "id", 3])).toEqual([2, 0]);
      expect(await world.everything()).toEqual(before);
    });
  });

  describe("close-drain", () => {
    test("removes every trace of a drain whose jobs have ended", async () => {
      const drain = await openDrain([payload(1)]);
      await drain.store.exchange({ seq: 2, attempt: 1, settle: drain.claims.map(ok), fill: [] });
      await drain.store.exchange({
        ...{ seq: 3, attempt: 1, settle: [], fill: [] },
        beat: slots(4).map((slot) => ({ slot, processed: 1, failed: 1 })),
      });
      expect(await drain.store.close()).toEqual({ released: 0 });
      expect(await world.everything()).toEqual({ "resque:queues": { q: true }, "resque:stat:processed": "1" });
    });

    test("gives what is in slots back to the heads of their queues, unchanged and in order", async () => {
      const drain = world.drain({ queues: ["a", "b"] });
      await world.push("a", payload(0), "not json");
      await world.push("b", payload(2), payload(3));
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(3) });
      expect(await drain.store.close()).toEqual({ released: 3 });
      expect(await world.everything()).toEqual({
        "resque:queue:a": [payload(0), "not json"],
        "resque:queue:b": [payload(2), payload(3)],
        "resque:queues": { a: true, b: true },
        "resque:stat:processed": "0",
      });
    });

    test("leaves other drains alone", async () => {
      const other = await openDrain([payload(1)]);
      const alone = await world.everything();
      const drain = await openDrain([payload(2)]);
      await drain.store.close();
      expect(await world.everything()).toEqual({ ...alone, "resque:queue:q": [payload(2)] });
      expect(await score(other)).toBeGreaterThan(Date.now());
    });

    test("may be repeated, and does nothing then", async () => {
      const drain = await openDrain(payloads(2));
      await drain.store.close();
      const before = await world.everything();
      await drain.store.close();
      expect(await world.everything()).toEqual(before);
    });

    test.each([
      ["a job of another drain's claim", '{"claim":"other.1.0","queue":"q","run_at":"now","payload":{}}'],
      ["what is none of Airlift's", '{"queue":"q","run_at":"now","payload":{}}'],
    ])("leaves %s in a slot, and the drain to whoever recovers it", async (_what, entry) => {
      const drain = await openDrain(payloads(2));
      const [, , third = ""] = drain.own.slots;
      await world.send(["SET", third, entry]);
      expect(await drain.store.close()).toEqual({ released: 2 });
      expect(await world.queued("q")).toEqual(payloads(2));
      const names = await world.keyNames();
      expect(names).toEqual(expect.arrayContaining([third, world.keys.drains]));
      expect(names).not.toContain(drain.own.slots[0]);
    });

    test.each([
      ["one of its slots", 1],
      ["any of its slots", 2],
    ])("keeps a drain when it cannot give back %s", async (_what, foreign) => {
      const drain = await openDrain(payloads(2), { slots: 2 });
      for (const slot of drain.own.slots.slice(0, foreign)) {
        const entry = (await world.get(slot)) as string;
        await world.send(["SET", slot, entry.replace('"queue":"q"', '"queue":"elsewhere"')]);
      }
      expect(await drain.store.close()).toEqual({ released: 2 - foreign });
      expect(await world.queued("q")).toEqual(payloads(2).slice(foreign));
      expect(await world.keyNames()).toEqual(expect.arrayContaining(drain.own.slots.slice(0, foreign)));
      expect(await world.keyNames()).toEqual(expect.arrayContaining([world.keys.drains, world.keys.workers]));

      await world.endLeases();
      const next = world.drain();
      for (const dead of (await next.store.survey()).dead) await next.store.recover(dead);
      expect(await world.queued("elsewhere")).toHaveLength(foreign);
      expect(await world.keyNames()).not.toContain(world.keys.drains);
    });
  });

  describe("read-slots", () => {
    test("tells what the slots hold without the payloads themselves", async () => {
      const long = payload("é".repeat(300));
      const { own, claims } = await openDrain([payload(1), long]);
      const head = (claim: Claim | undefined) =>
        `{"claim":"${claim?.token}","queue":"q","run_at":"2026-11-20T18:50:57Z","payload":`;
      expect(await call(readSlotsScript, own.slots, [10])).toEqual([
        2,
        [1, head(claims[0]), "{", payload(1).slice(-10), 2, head(claims[1]), "{", '\uFFFDééé"]}'],
      ]);
      expect(await call(readSlotsScript, own.slots.slice(2), [10])).toEqual([2, []]);
    });
  });

  describe("recover-drain", () => {
    const readDead = async () => {
      const drains = (await world.client.command(["ZRANGE", world.keys.drains, 0, -1, "WITHSCORES"])) as RedisReply;
      return readDeadDrains(drains, NOW_MS);
    };
    const recoverAll = async (crashLimit = 3, { failedQueues = false, maxFailed = 0 } = {}) => {
      const results = [];
      const usage = { commands: 0, requests: 0 };
      for (const dead of await readDead()) {
        const options = { crashLimit, failedQueues, maxFailed, statusTtlMs: 0, nowMs: NOW_MS, usage };
        results.push(await recoverDrain(world.client, world.keys, dead, options));
      }
      return results;
    };
    const crashed = (raw: string, crashes: number): string =>
      `${raw.trimEnd().slice(0, -1)},"airlift":{"crashes":${crashes}}}`;

    test("gives the jobs back to their queues' heads, in order, marked, and removes every trace", async () => {
      const drain = await openDrain(payloads(3));
      await drain.store.exchange({
        seq: 2,
        attempt: 1,
        settle: [],
        fill: [],
        beat: [{ slot: 0, processed: 1, failed: 1 }],
      });
      await world.push("q", payload(3));
      await world.endLeases();
      expect(await recoverAll()).toEqual([{ requeued: 3, failed: 0 }]);
      expect(await world.everything()).toEqual({
        "resque:queue:q": [...payloads(3).map((raw) => crashed(raw, 1)), payload(3)],
        "resque:queues": { q: true },
        "resque:stat:processed": "0",
      });
    });

    test("counts on from the crashes that a payload bears, nothing else of it changed", async () => {
      const raw = '{ "args":[1.0,12345678901234567890,{}],"2":0,"class":"Noop","é":"}}" }';
      await openDrain([raw]);
      for (const crashes of [1, 2]) {
        await world.endLeases();
        await recoverAll();
        const marked = `{ "args":[1.0,12345678901234567890,{}],"2":0,"class":"Noop","é":"}}" ,"airlift":{"crashes":${crashes}}}`;
        expect(await world.queued("q")).toEqual([marked]);
        const next = world.drain();
        const { claims } = await next.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
        expect(claims.map(({ job }) => job)).toMatchObject([{ kind: "job", class: "Noop", attempt: crashes + 1 }]);
      }
    });

    test("writes a job to failed at the crash limit, as Ruby's Resque::DirtyExit, with its producer's bytes", async () => {
      const drain = await openDrain([crashed(payload(1), 2), payload(2)]);
      await world.endLeases();
      expect(await recoverAll(3)).toEqual([{ requeued: 1, failed: 1 }]);
      expect(await world.failed()).toEqual([
        {
          failed_at: "2026/11/20 18:50:57 UTC",
          payload: JSON.parse(payload(1)),
          exception: "Resque::DirtyExit",
          error: expect.stringMatching(/died/),
          backtrace: [],
          worker: drain.own.ids[0],
          queue: "q",
        },
      ]);
      expect(await world.everything()).toEqual({
        "resque:failed": [expect.stringContaining(`"payload":${payload(1)},"exception":"Resque::DirtyExit","error":"`)],
        "resque:queue:q": [crashed(payload(2), 1)],
        "resque:queues": { q: true },
        "resque:stat:failed": "1",
        "resque:stat:processed": "1",
      });
    });

    test("with a crash limit of 1 fails at once, the bytes untouched", async () => {
      await openDrain([`${payload(1)} \n`]);
      await world.endLeases();
      expect(await recoverAll(1)).toEqual([{ requeued: 0, failed: 1 }]);
      const [entry] = (await world.everything())["resque:failed"] as string[];
      expect(entry).toContain(`"payload":${payload(1)} \n,"exception":"Resque::DirtyExit","error":"`);
    });

    const dieAgainAndAgain = async (raw: string) => {
      await openDrain([raw]);
      for (let crash = 1; crash <= 4; crash++) {
        await world.endLeases();
        await recoverAll();
        await world.drain().store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      }
      await world.endLeases();
      await recoverAll();
      const [left, ended] = [await world.queued("q"), await world.failed()];
      expect(left.length + ended.length).toBe(1);
    };
    const title =
      "loses no payload that is no job, and writes none into failed as it is, however often its drain dies: %s";
    test.each(["not json", "null", "[]", "{}", '{"class":1}', '"text"', "}", "{x}", '{"class":"A"} }'])(
      title,
      dieAgainAndAgain,
    );

    test("keeps bytes that are no UTF-8", async () => {
      const bytes = Buffer.from([...Buffer.from('{"class":"Noop","args":["'), 0xff, 0xc3, ...Buffer.from('"]}')]);
      await openDrain([bytes]);
      await world.endLeases();
      await recoverAll();
      const [reply] = await world.send(["LINDEX", world.keys.queue("q"), 0]);
      expect(reply).toEqual(Buffer.concat([bytes.subarray(0, -1), Buffer.from(',"airlift":{"crashes":1}}')]));
    });

    test.each([
      ["its lease was renewed", (drain: TestDrain) => ["ZADD", world.keys.drains, NOW_MS * 2, drain.member]],
      ["another has recovered it", (drain: TestDrain) => ["ZREM", world.keys.drains, drain.member]],
      ["a job was settled", (drain: TestDrain) => ["DEL", drain.own.slots[0] as string]],
      ["a slot was filled", (drain: TestDrain) => ["COPY", drain.own.slots[0] as string, drain.own.slots[3] as string]],
      [
        "a slot holds another claim",
        (drain: TestDrain) => ["SET", drain.own.slots[0] as string, '{"claim":"d.9","queue":"q"'],
      ],
    ] as const)("does nothing if, since it was read, %s", async (_what, change) => {
      const drain = await openDrain(payloads(2));
      await world.endLeases();
      const [dead] = await readDead();
      if (!dead) throw new Error("no dead drain");
      const usage = { commands: 0, requests: 0 };
      const readFirst: typeof world.client = {
        ...world.client,
        description: "",
        script: async (scriptCall, options) => {
          if (scriptCall.script === recoverDrainScript) await world.send(change(drain));
          return world.client.script(scriptCall, options);
        },
      };
      const before = { ...(await world.everything()) };
      const result = await recoverDrain(readFirst, world.keys, dead, {
        ...{ crashLimit: 3, failedQueues: false, maxFailed: 0, statusTtlMs: 0, nowMs: NOW_MS, usage },
      });
      expect(result).toEqual({ requeued: 0, failed: 0 });
      const after = await world.everything();
      for (const key of [
        "resque:workers",
        "resque:workers:heartbeat",
        drain.own.started[0] as string,
        drain.own.slots[1] as string,
      ]) {
        expect(after[key]).toEqual(before[key]);
      }
      expect(after).not.toHaveProperty(["resque:queue:q"]);
    });

    test("of two that recover at the same time, one does it", async () => {
      await openDrain(payloads(4));
      await world.endLeases();
      const results = (await Promise.all([recoverAll(), recoverAll(), recoverAll()])).flat();
      expect(results.reduce((sum, { requeued }) => sum + requeued, 0)).toBe(4);
      expect(await world.queued("q")).toEqual(payloads(4).map((raw) => crashed(raw, 1)));
    });

    test("with failed lists of queues, each entry goes to its queue's, and the list keeps its length", async () => {
      await openDrain([payload(1), payload(2)]);
      await world.endLeases();
      await world.send(["RPUSH", "resque:q_failed", "old"]);
      expect(await recoverAll(1, { failedQueues: true, maxFailed: 2 })).toEqual([{ requeued: 0, failed: 2 }]);
      const everything = await world.everything();
      const list = everything["resque:q_failed"] as string[];
      expect(
        list.map((entry) => JSON.parse(entry)).toSorted((a, b) => a.payload.args[0] - b.payload.args[0]),
      ).toMatchObject([
        { exception: "Resque::DirtyExit", payload: { class: "Noop", args: [1] } },
        { exception: "Resque::DirtyExit", payload: { class: "Noop", args: [2] } },
      ]);
      expect(everything["resque:failed_queues"]).toEqual({ q_failed: true });
      expect(everything).not.toHaveProperty(["resque:failed"]);
    });

    test.each([
      ["goes to failed gives its lock back", 1, null],
      ["goes to its queue keeps its lock", 2, "1795206569.du1"],
    ])("a unique job that %s", async (_what, crashLimit, left) => {
      const raw = '{"class":"A","args":[{"k":1}],"airlift":{"unique":"du1"}}';
      await openDrain([payload(1), raw]);
      await world.send(["SET", 'resque:lock:A:q:[{"k":1}]', "1795206569.du1"]);
      await world.endLeases();
      await recoverAll(crashLimit);
      expect(await world.get('resque:lock:A:q:[{"k":1}]')).toBe(left);
    });

    test.each([0, 60_000])(
      "with lists, statuses and locks of several jobs, each gets its own (a status' TTL of %i ms)",
      async (statusTtlMs) => {
        const drain = world.drain({ queues: ["a", "b"] });
        const job = (n: number, own: string) => `{"class":"A","args":[${n}],"airlift":{${own}}}`;
        await world.push("a", ...[1, 2].map((n) => job(n, `"crashes":2,"id":"i${n}","unique":"du${n}"`)));
        await world.push("b", job(3, '"crashes":2,"id":"i3","unique":"du3"'), job(4, '"id":"i4"'));
        await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(4) });
        const status = (n: number) => `{"enqueuedMs":${n},"queue":"x","class":"A","state":"running","claim":"d"}`;
        await world.send(
          ...[1, 3, 4].map((n) => ["SET", world.keys.job(`i${n}`), status(n), "PX", 9_000_000]),
          ["SET", "resque:lock:A:a:[1]", "9.du1"],
          ["SET", "resque:lock:A:a:[2]", "9.du9"],
          ["SET", "resque:lock:A:b:[3]", "9.du3"],
          ["HSET", world.keys.checkins, drain.own.ids[0] as string, "{}", "somebody else", "{}"],
        );
        await world.endLeases();
        const usage = { commands: 0, requests: 0 };
        const [dead] = await readDead();
        if (!dead) throw new Error("no dead drain");
        const options = { crashLimit: 3, failedQueues: true, maxFailed: 1, statusTtlMs, nowMs: NOW_MS, usage };
        if (kind.server === "redis-server") await world.countCommands();
        expect(await recoverDrain(world.client, world.keys, dead, options)).toEqual({ requeued: 1, failed: 3 });
        if (kind.server === "redis-server") expect(usage.commands).toBe(await world.countCommands());
        // One of them cuts a list; a script that the server must be sent first is another request.
        expect(usage.commands - usage.requests).toBe(29);
        const everything = await world.everything();
        const failedOf = (queue: string) => (everything[world.keys.failedOf(queue)] as string[]).length;
        expect([failedOf("a"), failedOf("b")]).toEqual([1, 1]);
        expect(everything["resque:failed_queues"]).toEqual({ a_failed: true, b_failed: true });
        expect(await world.queued("b")).toEqual([job(4, '"id":"i4","crashes":1')]);
        const statusOf = (n: number) =>
          everything[world.keys.job(`i${n}`)] as { ttlMs: number; value: string } | undefined;
        for (const [n, state] of [
          [1, "failed"],
          [3, "failed"],
          [4, "queued"],
        ] as const) {
          expect(JSON.parse(statusOf(n)?.value ?? "")).toMatchObject({ enqueuedMs: n, class: "A", state });
          const ttlMs = statusOf(n)?.ttlMs ?? 0;
          if (statusTtlMs === 0) expect(ttlMs).toBeGreaterThan(8_000_000);
          else expect(ttlMs).toBeLessThanOrEqual(60_000);
          expect(ttlMs).toBeGreaterThan(30_000);
        }
        if (statusTtlMs === 0) expect(statusOf(2)).toBeUndefined();
        else expect(JSON.parse(statusOf(2)?.value ?? "")).toMatchObject({ queue: "a", state: "failed", attempt: 3 });
        expect(everything[world.keys.checkins]).toEqual({ "somebody else": "{}" });
        const rest = [
          "airlift:checkins",
          "a_failed",
          "b_failed",
          "failed_queues",
          "queue:b",
          "queues",
          "stat:failed",
          "stat:processed",
        ];
        const names = Object.keys(everything).filter((name) => !name.startsWith(world.keys.job("")));
        expect(names).toEqual(["resque:lock:A:a:[2]", ...rest.map((name) => `resque:${name}`)].toSorted());
      },
    );

    test.each([
      ...["NaN", "-Infinity", "0x1f", "01", "1.", ".5", "+1", "1e", "1e+", "1.e5", "tru", "nil", '"\t"', '"\u0001"'],
      ...['"\\\\",NaN', '"\\"", NaN, "\\""'],
    ])("fails what only Redis takes for JSON as text inside a job: [%s]", async (args) => {
      const raw = `{"class":"A","args":[${args}],"airlift":{"crashes":2}}`;
      await openDrain([raw]);
      await world.endLeases();
      expect(await recoverAll()).toEqual([{ requeued: 0, failed: 1 }]);
      const [entry] = await world.failed();
      expect(entry?.payload).toEqual({ class: "MalformedPayload", args: [`{"class":"A","args":[${args}]}`] });
    });

    test.each([
      ...["0", "-0", "10", "-1.5", "1e5", "1E-5", "1.25e+10", "true,false,null", '"NaN"', '"01, \\"0x1f\\" +1"'],
      ...['"\\\\"', '"\\u0001"', '"\\ud83d"', '{"e":[]}', '"é"'],
    ])("fails with its producer's bytes what is JSON: [%s]", async (args) => {
      await openDrain([`{"class":"A","args":[${args}],"airlift":{"crashes":2}}`]);
      await world.endLeases();
      await recoverAll();
      const [entry] = (await world.everything())["resque:failed"] as string[];
      expect(entry).toContain(`"payload":{"class":"A","args":[${args}]},"exception":`);
    });

    test("a live drain is not among the dead", async () => {
      await openDrain(payloads(1));
      expect((await world.drain().store.survey()).dead).toEqual([]);
    });

    test("members that are no drain's are passed over", async () => {
      await openDrain(payloads(1));
      await world.endLeases();
      await world.send(["ZADD", world.keys.drains, 0, "garbage", 0, "{}", 0, '{"id":1}']);
      expect((await world.drain().store.survey()).dead).toHaveLength(1);
    });
  });

  describe("write-statuses", () => {
    const write = (token: string, isFirst: number) =>
      call(writeStatusesScript, ["slot", "status"], [token, 60_000, isFirst, `"claim":"${token}","state":"new"}`]);

    test.each(["d.1.0", "6f1d-40.1.0", "a+b%.1.0"])(
      "of %s: what the claim has written stays, if it is to",
      async (token) => {
        const old = `{"enqueuedMs":7,"state":"old","claim":"${token}"}`;
        await world.send(["SET", "slot", `{"claim":"${token}","queue":"q"}`], ["SET", "status", old]);
        expect(await write(token, 1)).toEqual([2, 0]);
        expect(await world.get("status")).toBe(old);
        expect(await write(token, 0)).toEqual([3, 1]);
        expect(await world.get("status")).toBe(`{"enqueuedMs":7,"claim":"${token}","state":"new"}`);
        expect(await write(`${token}0`, 0)).toEqual([2, 0]);
      },
    );
  });

  describe("release-lease", () => {
    test("deletes the holder's lease with what falls with it, once, and nobody else's", async () => {
      const release = (holder: string) => call(releaseLeaseScript, ["lease", "falls with it"], [holder]);
      await world.send(["SET", "lease", "me"], ["SET", "falls with it", "x"]);
      expect(await release("other")).toEqual([2, 0]);
      expect(await world.keyNames()).toEqual(["falls with it", "lease"]);
      expect(await release("me")).toEqual([3, 1]);
      expect(await world.keyNames()).toEqual([]);
      expect(await release("me")).toEqual([2, 0]);
    });
  });

  describe("same-payload", () => {
    test("tells of each slot whether it holds exactly the text", async () => {
      const { own } = await openDrain([payload("\uFFFD"), Uint8Array.of(0x22, 0xff, 0x22)]);
      const [genuine, broken, empty] = own.slots as [string, string, string];
      const texts = [payload("\uFFFD"), payload("\uFFFD\uFFFD"), '"\uFFFD"', "x"];
      expect(await call(samePayloadScript, [genuine, genuine, broken, empty], texts)).toEqual([2, [1, 0, 0, 0]]);
      expect(await call(samePayloadScript, [empty, genuine], ["", payload("\uFFFD")])).toEqual([2, [0, 1]]);
    });
  });
}
