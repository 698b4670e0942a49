import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type DelayedWorld,
  NOW_MS,
  NOW_SECONDS,
  nodeItem,
  openDelayedWorld,
  rubyItem,
} from "../conformance/delayed-world.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("promotion over $name", (kind) => {
  let world: DelayedWorld;
  beforeAll(async () => {
    world = await openDelayedWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  describe("of delayed jobs", () => {
    test("moves what is due to its queue's tail, in Ruby's form, and leaves nothing else of it", async () => {
      await world.push("q", payload("waiting"));
      await world.delay(NOW_SECONDS - 60, rubyItem("q", 1), nodeItem("q", 2));
      await world.delay(NOW_SECONDS, rubyItem("q", 3), '{"class":"A","args":[],"queue":"b","airlift":{"id":"x"}}');
      await world.delay(NOW_SECONDS + 1, rubyItem("q", 4));
      expect(await world.promote()).toMatchObject({ promoted: 4, failed: 0, nextDueMs: NOW_MS + 1_000 });
      expect(await world.everything()).toEqual({
        "resque:queues": { q: true, b: true },
        "resque:queue:q": [payload("waiting"), payload(1), payload(2), payload(3)],
        "resque:queue:b": ['{"class":"A","args":[],"airlift":{"id":"x"}}'],
        "resque:delayed_queue_schedule": { [NOW_SECONDS + 1]: String(NOW_SECONDS + 1) },
        [`resque:delayed:${NOW_SECONDS + 1}`]: [rubyItem("q", 4)],
        [`resque:timestamps:${rubyItem("q", 4)}`]: { [`delayed:${NOW_SECONDS + 1}`]: true },
      });
    });

    test("does nothing where nothing waits", async () => {
      expect(await world.promote()).toMatchObject({ promoted: 0, failed: 0, nextDueMs: undefined });
      expect(await world.keyNames()).toEqual([]);
    });

    test("keeps the order of time, and of a second's list", async () => {
      for (const second of [3, 1, 2]) {
        await world.delay(NOW_SECONDS - 10 + second, ...[0, 1, 2].map((n) => rubyItem("q", second * 10 + n)));
      }
      await world.promote();
      expect(await world.queued("q")).toEqual([10, 11, 12, 20, 21, 22, 30, 31, 32].map((n) => payload(n)));
    });

    test("takes any queue and class, known or not", async () => {
      const queues = ["q", "ünï:*", 'a"b\\', "x,y", "\u2028"];
      await world.delay(NOW_SECONDS, ...queues.map((queue) => rubyItem(queue, queue)));
      expect(await world.promote({ queues: [] })).toMatchObject({ promoted: 5 });
      for (const queue of queues) expect(await world.queued(queue)).toEqual([payload(queue)]);
      expect((await world.everything())["resque:queues"]).toEqual(Object.fromEntries(queues.map((q) => [q, true])));
    });

    test("keeps every byte of a payload", async () => {
      const args = '[1.0,-0,1e2,12345678901234567890,[],{},"\\/\\u2028<&>",",\\"queue\\":\\"q\\"",{"a":0,"queue":"q"}]';
      await world.delay(NOW_SECONDS, `{"class":"A","args":${args},"queue":"q","z":{"queue":"q"}} `);
      await world.delay(NOW_SECONDS, `{ "queue" : "q" , "class":"A","args":${args}}`);
      await world.promote();
      expect(await world.queued("q")).toEqual([
        `{"class":"A","args":${args},"z":{"queue":"q"}} `,
        `{  "class":"A","args":${args}}`,
      ]);
    });

    test("takes what is no UTF-8 with its exact bytes", async () => {
      const latin = (text: string) => Buffer.from(text, "latin1");
      await world.delay(
        NOW_SECONDS,
        latin('{"class":"A","args":["\xff\xc3"],"queue":"q"}'),
        rubyItem("q", "\uFFFD"),
        latin('{"class":"\xe9","queue":"q","args":["\xf0\x9f"]}'),
        rubyItem("q", 1),
      );
      expect(await world.promote()).toMatchObject({ promoted: 4, failed: 0, nextDueMs: undefined });
      expect(await world.bytes(world.keys.queue("q"))).toEqual([
        '{"class":"A","args":["\xff\xc3"]}',
        Buffer.from(payload("\uFFFD")).toString("latin1"),
        '{"class":"\xe9","args":["\xf0\x9f"]}',
        payload(1),
      ]);
      const names = await world.keyNames();
      // Those of the two whose texts no client can write stay.
      expect(names.filter((name) => name.includes("timestamps"))).toHaveLength(2);
      expect(names.filter((name) => name.includes("delayed"))).toEqual([]);
    });

    test("takes an item as often as it was delayed, and keeps the book of its other times", async () => {
      const item = rubyItem("q", 1);
      await world.delay(NOW_SECONDS, item, item, rubyItem("q", 2));
      await world.delay(NOW_SECONDS - 1, item);
      await world.delay(NOW_SECONDS + 9, item);
      expect(await world.promote()).toMatchObject({ promoted: 4 });
      expect(await world.queued("q")).toEqual([1, 1, 1, 2].map((n) => payload(n)));
      expect(await world.everything()).toMatchObject({
        [`resque:timestamps:${item}`]: { [`delayed:${NOW_SECONDS + 9}`]: true },
        "resque:delayed_queue_schedule": { [NOW_SECONDS + 9]: String(NOW_SECONDS + 9) },
      });
      expect(await world.keyNames()).not.toContain(`resque:timestamps:${rubyItem("q", 2)}`);
    });

    test("takes one that comes alone, and keeps the book of its other time", async () => {
      const item = rubyItem("q", 1);
      await world.delay(NOW_SECONDS, item);
      await world.delay(NOW_SECONDS + 9, item);
      expect(await world.promote()).toMatchObject({ promoted: 1, nextDueMs: NOW_MS + 9_000 });
      expect(await world.everything()).toEqual({
        "resque:queues": { q: true },
        "resque:queue:q": [payload(1)],
        "resque:delayed_queue_schedule": { [NOW_SECONDS + 9]: String(NOW_SECONDS + 9) },
        [`resque:delayed:${NOW_SECONDS + 9}`]: [item],
        [`resque:timestamps:${item}`]: { [`delayed:${NOW_SECONDS + 9}`]: true },
      });
    });

    test("a key that should be a list, or a book, and is none stays, and keeps nothing back", async () => {
      const { keys } = world;
      await world.delay(NOW_SECONDS - 2, "gone");
      await world.send(["SET", keys.delayed(NOW_SECONDS - 2), "x"], ["DEL", keys.timestamps("gone")]);
      await world.delay(NOW_SECONDS - 1, rubyItem("q", 1));
      await world.send(["SET", keys.timestamps(rubyItem("q", 1)), "y"]);
      expect(await world.promote()).toMatchObject({ promoted: 1, failed: 0, nextDueMs: undefined });
      expect(await world.everything()).toEqual({
        "resque:queues": { q: true },
        "resque:queue:q": [payload(1)],
        [keys.delayed(NOW_SECONDS - 2)]: "x",
        [keys.timestamps(rubyItem("q", 1))]: "y",
      });
    });

    test("strikes seconds off the schedule that hold nothing any more, as Ruby's removal leaves them", async () => {
      await world.send(["ZADD", world.keys.delayedSchedule, NOW_SECONDS - 5, NOW_SECONDS - 5]);
      await world.delay(NOW_SECONDS + 5, rubyItem("q", 1));
      expect(await world.promote()).toMatchObject({ promoted: 0, nextDueMs: NOW_MS + 5_000 });
      expect((await world.everything())["resque:delayed_queue_schedule"]).toEqual({
        [NOW_SECONDS + 5]: String(NOW_SECONDS + 5),
      });
    });

    test("puts what is no job into failed, and goes on", async () => {
      const bad = ["not json é", '{"class":"A","args":[1]}', '{"args":[1],"queue":"b"}', "\uFFFD"];
      await world.delay(NOW_SECONDS, rubyItem("q", 1), ...bad, Buffer.from("\xff\x01\xe9", "latin1"), rubyItem("q", 2));
      expect(await world.promote({ worker: "host:1:q" })).toMatchObject({
        promoted: 2,
        failed: 5,
        nextDueMs: undefined,
      });
      expect(await world.queued("q")).toEqual([payload(1), payload(2)]);
      const failed = await world.failed();
      expect(failed.map(({ payload }) => payload)).toEqual(
        [...bad, "\xff\x01\xe9"].map((raw) => ({ class: "MalformedPayload", args: [raw] })),
      );
      expect(failed[0]).toEqual({
        failed_at: "2026/11/20 20:29:29 UTC",
        payload: { class: "MalformedPayload", args: ["not json é"] },
        exception: "MalformedPayload",
        error: "the delayed item is not a job: it is not valid JSON",
        backtrace: [],
        worker: "host:1:q",
        queue: "",
      });
      expect(failed[2]).toMatchObject({ queue: "b", error: expect.stringContaining("expected class") });
      expect(await world.everything()).toMatchObject({ "resque:stat:processed": "5", "resque:stat:failed": "5" });
    });

    test("puts a job whose queue has no name, or a key that is no list, into failed", async () => {
      await world.send(["SET", world.keys.queue('b"'), "x"]);
      const latin = Buffer.from('{"class":"A","args":["\xff"],"queue":"\xfe"}', "latin1");
      await world.delay(NOW_SECONDS, latin, rubyItem('b"', 1), rubyItem("q", 2));
      expect(await world.promote()).toMatchObject({ promoted: 1, failed: 2, nextDueMs: undefined });
      expect(await world.queued("q")).toEqual([payload(2)]);
      expect(await world.failed()).toMatchObject([
        { payload: { class: "MalformedPayload" }, error: expect.stringContaining("its queue is not valid UTF-8") },
        { payload: { class: "Noop", args: [1] }, queue: 'b"', error: expect.stringContaining("holds no list") },
      ]);
    });

    test("moves thousands of one second, and hundreds of seconds", async () => {
      const many = Array.from({ length: 2_300 }, (_, n) => rubyItem(n % 2 === 0 ? "q" : "b", n));
      await world.send(
        ["RPUSH", world.keys.delayed(NOW_SECONDS - 9_000), ...many],
        ...many.map((item) => ["SADD", world.keys.timestamps(item), `delayed:${NOW_SECONDS - 9_000}`]),
        ["ZADD", world.keys.delayedSchedule, NOW_SECONDS - 9_000, NOW_SECONDS - 9_000],
      );
      for (let n = 0; n < 230; n++) await world.delay(NOW_SECONDS - 230 + n, rubyItem("c", n));
      await world.delay(NOW_SECONDS + 7, rubyItem("c", "later"));
      expect(await world.promote()).toMatchObject({ promoted: 2_530, failed: 0, nextDueMs: NOW_MS + 7_000 });
      expect(await world.queued("q")).toEqual(payloads(2_300).filter((_, n) => n % 2 === 0));
      expect(await world.queued("b")).toEqual(payloads(2_300).filter((_, n) => n % 2 === 1));
      expect(await world.queued("c")).toEqual(payloads(230));
      expect((await world.keyNames()).filter((name) => /delayed:|timestamps:/.test(name))).toHaveLength(2);
    });

    test("moves items that are large, one by one if it must", async () => {
      const large = [0, 1, 2].map((n) => rubyItem("q", n, "x".repeat(700_000)));
      await world.delay(NOW_SECONDS, ...large, rubyItem("q", 3));
      expect(await world.promote()).toMatchObject({ promoted: 4 });
      expect((await world.queued("q")).map((raw) => raw.length > 700_000)).toEqual([true, true, true, false]);
    });

    test("stops at so many jobs, and says that more are due", async () => {
      await world.delay(NOW_SECONDS - 2, rubyItem("q", 1), rubyItem("q", 2), rubyItem("q", 3));
      await world.delay(NOW_SECONDS - 1, rubyItem("q", 4), rubyItem("q", 5));
      expect(await world.promote({ maxJobs: 2 })).toMatchObject({ promoted: 2, nextDueMs: NOW_MS - 2_000 });
      expect(await world.promote({ maxJobs: 2 })).toMatchObject({ promoted: 2, nextDueMs: NOW_MS - 1_000 });
      expect(await world.promote({ maxJobs: 2 })).toMatchObject({ promoted: 1, nextDueMs: undefined });
      expect(await world.queued("q")).toEqual(payloads(5, 1));
      expect(await world.keyNames()).toEqual(["resque:queue:q", "resque:queues"]);
    });
  });

  describe("where a resque-scheduler leads", () => {
    beforeEach(() => world.send(["SET", "resque:resque:resque_scheduler_master_lock", "host:1", "EX", "180"]));

    test("leaves to it what has just become due, and looks again when it should have looked", async () => {
      await world.delay(NOW_SECONDS - 179, rubyItem("q", 1));
      await world.wait(NOW_MS, "q", payload("retry"));
      expect(await world.promote()).toMatchObject({ promoted: 1, nextDueMs: NOW_MS + 1_000 });
      expect(await world.queued("q")).toEqual([payload("retry")]);
      await world.delay(NOW_SECONDS - 200, rubyItem("q", 2));
      expect(await world.promote()).toMatchObject({ promoted: 1, nextDueMs: NOW_MS + 1_000 });
      expect(await world.promote({ redisNowMs: NOW_MS - 100_000 })).toMatchObject({
        promoted: 0,
        nextDueMs: NOW_MS - 95_000,
      });
      expect(await world.queued("q")).toEqual([payload("retry"), payload(2)]);
    });

    test("does its work when it is three minutes late", async () => {
      await world.delay(NOW_SECONDS - 180, rubyItem("q", 1));
      expect(await world.promote()).toMatchObject({ promoted: 1, nextDueMs: undefined });
    });
  });

  describe("of jobs that wait for their next attempt", () => {
    test("moves what is due to its queue's tail, byte for byte", async () => {
      const raw = '{"class":"A","args":[1.0,[],{},"\\u2028"],"airlift":{"retries":1}}';
      await world.push("q", payload("waiting"));
      const error = 'bad ","payload":{} \\","payload":';
      await world.wait(NOW_MS - 1, "q", raw, { failed_at: "2026/11/20 18:50:57 UTC", exception: "E", error });
      await world.wait(NOW_MS, "q", payload(2));
      const later = await world.wait(NOW_MS + 1, "q", payload(3));
      expect(await world.promote()).toMatchObject({ promoted: 2, failed: 0, nextDueMs: NOW_MS + 1 });
      expect(await world.everything()).toEqual({
        "resque:queues": { q: true },
        "resque:queue:q": [payload("waiting"), raw, payload(2)],
        "resque:airlift:retries": { [later]: String(NOW_MS + 1) },
      });
    });

    test("takes queues that nobody has named", async () => {
      const queues = ["q", "ünï:*", 'a","b\\', "\uFFFD"];
      for (const [n, queue] of queues.entries()) await world.wait(NOW_MS - 10 + n, queue, payload(n));
      expect(await world.promote()).toMatchObject({ promoted: 4, failed: 0, nextDueMs: undefined });
      for (const [n, queue] of queues.entries()) expect(await world.queued(queue)).toEqual([payload(n)]);
    });

    test("puts what Airlift did not write, and what has a queue that is none, into failed, and goes on", async () => {
      await world.send(["ZADD", world.keys.retries, 1, "whatever"], ["SET", world.keys.queue("b"), "x"]);
      await world.wait(NOW_MS, "b", payload(1));
      await world.wait(NOW_MS, "q", payload(2));
      expect(await world.promote({ queues: ["b", "q"] })).toMatchObject({
        promoted: 1,
        failed: 2,
        nextDueMs: undefined,
      });
      expect(await world.queued("q")).toEqual([payload(2)]);
      expect(await world.failed()).toMatchObject([
        { payload: { class: "MalformedPayload", args: ["whatever"] }, exception: "MalformedPayload" },
        { payload: { class: "Noop", args: [1] }, exception: "QueueError", queue: "b" },
      ]);
    });

    test.each(['"\xff"', '"\\q"', '"\n"', '"a\x00"'])("fails one whose queue no client can name: %j", async (name) => {
      const member = Buffer.from(`{"id":"a","queue":${name},"attempt":2,"payload":{}}`, "latin1");
      await world.send(["ZADD", world.keys.retries, 1, member]);
      await world.wait(NOW_MS, "q", payload(2));
      expect(await world.promote()).toMatchObject({ promoted: 1, failed: 1, nextDueMs: undefined });
      const [entry] = await world.failed();
      expect(Buffer.from(entry?.payload.args[0] as string, "latin1")).toEqual(member);
    });

    test.each([
      '{"id":"a","queue":"q","attempt":2}',
      '{"id":"a","queue":"q","attempt":2,"payload":{"class":"A"',
      '{"id":"a","queue":"unnamed","attempt":2}',
      '{"id":"a","queue":"unnamed","attempt":2,"payload":{"class":"A"',
    ])("fails one that is cut short, whether its queue is known or not: %s", async (member) => {
      await world.send(["ZADD", world.keys.retries, 1, member]);
      expect(await world.promote()).toMatchObject({ promoted: 0, failed: 1, nextDueMs: undefined });
      expect(await world.failed()).toMatchObject([
        { payload: { class: "MalformedPayload", args: [member] }, queue: "" },
      ]);
    });

    test("moves thousands, stops at so many jobs, and says that more are due", async () => {
      const members = Array.from({ length: 1_700 }, (_, n) => [
        n,
        `{"id":"${n}","queue":"q","attempt":2,"payload":${payload(n)}}`,
      ]);
      await world.send(["ZADD", world.keys.retries, ...members.flat()]);
      await world.delay(NOW_SECONDS, rubyItem("q", "delayed"));
      expect(await world.promote({ maxJobs: 1_650 })).toMatchObject({ promoted: 1_650, nextDueMs: 1_650 });
      expect(await world.promote()).toMatchObject({ promoted: 51, nextDueMs: undefined });
      expect(await world.queued("q")).toEqual([...payloads(1_700), payload("delayed")]);
    });
  });

  describe("costs", () => {
    const spend = async (): Promise<number> => {
      await world.countCommands();
      const { commands } = await world.promote();
      if (kind.server === "redis-server") {
        // MULTI and EXEC of the test's own are none; a script that the server does not know yet is sent twice.
        expect(await world.countCommands()).toBe(commands);
      }
      return commands;
    };

    test("so many commands and requests as docs/keys.md says", async () => {
      await world.delay(NOW_SECONDS, rubyItem("q", 0));
      await world.wait(NOW_MS, "q", payload(0));
      await world.promote();
      expect(await spend()).toBe(5);
      await world.delay(NOW_SECONDS, ...Array.from({ length: 500 }, (_, n) => rubyItem("q", n)));
      expect(await spend()).toBe(5 + 7 + 1 + 2);
      await world.delay(NOW_SECONDS, ...Array.from({ length: 1_500 }, (_, n) => rubyItem("q", n)));
      expect(await spend()).toBe(5 + 7 + 1 + 2 + 1 + 7 + 1 + 2);
      for (let n = 0; n < 20; n++) await world.delay(NOW_SECONDS - n, rubyItem("q", n), rubyItem("b", n));
      expect(await spend()).toBe(5 + 7 + 2 + 2 * 20);
      for (let n = 0; n < 20; n++) await world.wait(NOW_MS - n, "q", payload(n));
      expect(await spend()).toBe(5 + 3);
      await world.wait(NOW_MS, "q", payload(1));
      expect((await world.promote()).requests).toBe(1);
      await world.delay(NOW_SECONDS, rubyItem("q", 0));
      expect((await world.promote()).requests).toBe(3);
      await world.delay(NOW_SECONDS, rubyItem("q", 0));
      expect(await spend()).toBe(5 + 7 + 1 + 2);
      // Its book tells of another time, so it loses a line and is not removed.
      await world.delay(NOW_SECONDS + 9, rubyItem("q", 0));
      await world.delay(NOW_SECONDS, rubyItem("q", 0));
      expect(await spend()).toBe(5 + 7 + 1 + 2 + 1);
    });
  });
});
