import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Claim, Settlement } from "../../src/core/store.ts";
import { createExchangeCall, type ExchangeContext, type ExchangeOptions } from "../../src/resque/exchange-call.ts";
import type { ExchangeReply } from "../../src/resque/exchange-reply.ts";
import type { Setup } from "../support/setups.ts";
import { failed, NOW_MS, ok, openWorld, payload, payloads, slots, type TestDrain, type World } from "./world.ts";

const failure = { exception: "Declined", message: 'no "money"', backtrace: ["pay.ts:1"] };
const retrying = (claim: Claim, afterMs = 5_000): Settlement => ({
  claim,
  outcome: { kind: "retrying", failure, afterMs },
});
const ended = (claim: Claim, outcome: Outcome): Settlement => ({ claim, outcome });

/** What the exchange script does with jobs that wait, are dropped, go to failed lists of their queues, or hold unique locks. */
export function describeWaitingExchange(kind: Setup): void {
  let world: World;
  let drain: TestDrain;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    await world.flush();
    drain = world.drain();
  });

  const exchange = async (
    seq: number,
    { settle = [], fill = [] }: { settle?: readonly Settlement[]; fill?: readonly number[] },
    context: Partial<ExchangeContext> = {},
    options: Partial<ExchangeOptions> = {},
  ): Promise<ExchangeReply> => {
    const params = { seq, attempt: 1, settle, fill };
    const at = { isOpening: seq === 1, nowMs: NOW_MS, ...options };
    const { call, read } = createExchangeCall({ ...drain.context, ...context }, params, ["a", "b"], at);
    return read(await world.client.script(call));
  };
  const claim = async (...raws: string[]): Promise<readonly Claim[]> => {
    await world.push("a", ...raws);
    return (await exchange(1, { fill: slots(raws.length) })).claims;
  };
  const waiting = async (): Promise<Record<string, string>> =>
    ((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>;
  const stats = async () => [await world.get(world.keys.processed), await world.get(world.keys.failures)];

  describe("an attempt that is followed by another", () => {
    test("waits with its failure, its payload one retry older, and counts as Ruby counts it", async () => {
      const [job] = (await claim('{"class":"A","args":[1.0,[],"é"]}')) as [Claim];
      await exchange(2, { settle: [retrying(job)] });
      const entry =
        `{"id":"${job.token}-0","queue":"a","attempt":2,"failed_at":"2026/11/20 18:50:57 UTC","exception":"Declined",` +
        `"error":"no \\"money\\"","payload":{"class":"A","args":[1.0,[],"é"],"airlift":{"retries":1}}}`;
      expect(await waiting()).toEqual({ [entry]: String(NOW_MS + 5_000) });
      expect(await stats()).toEqual(["1", "1"]);
      expect(await world.get(drain.own.slots[0] as string)).toBeNull();
      expect(await world.queued("a")).toEqual([]);
    });

    test("keeps what its payload already bears, in place of it", async () => {
      const raw = '{"class":"A","args":[],"airlift":{"crashes":1,"retries":1,"unique":"u.1"}}';
      const [job] = (await claim(raw)) as [Claim];
      await exchange(2, { settle: [retrying(job)] });
      const [entry] = Object.keys(await waiting());
      expect(JSON.parse(entry as string)).toMatchObject({
        attempt: 4,
        payload: { airlift: { crashes: 1, retries: 2, unique: "u.1" } },
      });
    });

    test("of jobs with the same payload all wait", async () => {
      const jobs = await claim(payload(1), payload(1), payload(1));
      await exchange(2, { settle: jobs.map((job) => retrying(job)) });
      expect(Object.keys(await waiting())).toHaveLength(3);
      expect(await stats()).toEqual(["3", "3"]);
    });

    test("costs one ZADD and one INCRBY more, however many they are", async () => {
      const jobs = await claim(payload(1), payload(2), payload(3));
      const { innerCommands } = await exchange(2, { settle: jobs.map((job) => retrying(job)) });
      // MGET, INCRBY, ZADD, INCRBY, DEL
      expect(innerCommands).toBe(5);
    });

    test("is settled once, though its request comes twice", async () => {
      const [job] = (await claim(payload(1))) as [Claim];
      await exchange(2, { settle: [retrying(job)] });
      const { lost } = await exchange(2, { settle: [retrying(job)] });
      expect(lost).toHaveLength(1);
      expect(Object.keys(await waiting())).toHaveLength(1);
      expect(await stats()).toEqual(["1", "1"]);
    });

    test("whose error is long is told in short", async () => {
      const [job] = (await claim(payload(1))) as [Claim];
      const outcome: Outcome = { kind: "retrying", failure: { ...failure, message: "x".repeat(4_000) }, afterMs: 1 };
      await exchange(2, { settle: [ended(job, outcome)] });
      const [entry] = Object.keys(await waiting());
      expect(JSON.parse(entry as string).error).toHaveLength(500);
    });
  });

  test("a postponed job waits unchanged and uncounted", async () => {
    const [job] = (await claim('{ "class":"A","args":[1.0] } ')) as [Claim];
    await exchange(2, { settle: [ended(job, { kind: "postponed", afterMs: 1_000 })] });
    const entry = `{"id":"${job.token}-0","queue":"a","attempt":1,"payload":{ "class":"A","args":[1.0] } }`;
    expect(await waiting()).toEqual({ [entry]: String(NOW_MS + 1_000) });
    expect(await stats()).toEqual(["0", null]);
  });

  test("a discarded job is done, a dropped one has failed and is kept nowhere", async () => {
    const [first, second, third] = (await claim(payload(1), payload(2), payload(3))) as [Claim, Claim, Claim];
    await exchange(2, {
      settle: [
        ended(first, { kind: "discarded", reason: "old" }),
        ok(second),
        ended(third, { kind: "dropped", failure }),
      ],
    });
    expect(await stats()).toEqual(["3", "1"]);
    expect(await world.failed()).toEqual([]);
    expect(await waiting()).toEqual({});
    expect(await Promise.all(drain.own.slots.map(world.get))).toEqual([null, null, null, null]);
  });

  test("all ways to end ride on one exchange", async () => {
    const jobs = await claim(...slots(4).map((n) => payload(n)));
    const [a, b, c, d] = jobs as [Claim, Claim, Claim, Claim];
    const { lost } = await exchange(2, {
      settle: [retrying(a), failed(b), ended(c, { kind: "dropped", failure }), ended(d, { kind: "released" })],
    });
    expect(lost).toEqual([]);
    expect(Object.keys(await waiting())).toHaveLength(1);
    expect(await world.failed()).toMatchObject([{ payload: { args: [1] } }]);
    expect(await world.queued("a")).toEqual([payload(3)]);
    expect(await stats()).toEqual(["3", "3"]);
  });

  describe("a failed entry", () => {
    test("bears the producer's payload again, without what counted attempts", async () => {
      const raw = '{"class":"A","args":[1.0],"airlift":{"crashes":1,"retries":5}}';
      const [job] = (await claim(raw)) as [Claim];
      await exchange(2, { settle: [failed(job)] });
      const [entry] = (await world.everything())[world.keys.failed] as string[];
      expect(entry).toContain('"payload":{"class":"A","args":[1.0]},"exception"');
    });

    test("keeps the lock's and the status' ids", async () => {
      const raw = '{"class":"A","args":[],"airlift":{"retries":5,"unique":"u1","id":"j1"}}';
      const [job] = (await claim(raw)) as [Claim];
      await exchange(2, { settle: [failed(job)] });
      const [entry] = (await world.everything())[world.keys.failed] as string[];
      expect(entry).toContain('"payload":{"class":"A","args":[],"airlift":{"unique":"u1","id":"j1"}},"exception"');
    });

    test("goes to its queue's own list by option, as Ruby's multi-queue backend has it", async () => {
      await world.push("b", payload(2), "not json");
      const jobs = await claim(payload(1));
      const [other, malformed] = (await exchange(2, { fill: [1, 2] })).claims as [Claim, Claim];
      const settle = [...jobs, other, malformed].map((job) => failed(job));
      const { innerCommands } = await exchange(3, { settle }, { failedQueues: true });
      const everything = await world.everything();
      expect(everything[world.keys.failed]).toBeUndefined();
      expect(everything["resque:a_failed"]).toHaveLength(1);
      expect(everything["resque:b_failed"]).toHaveLength(2);
      expect(everything["resque:failed_queues"]).toEqual({ a_failed: true, b_failed: true });
      expect(JSON.parse((everything["resque:b_failed"] as string[])[1] as string).payload).toEqual({
        class: "MalformedPayload",
        args: ["not json"],
      });
      expect(await stats()).toEqual(["3", "3"]);
      // MGET, INCRBY, RPUSH to each of two lists, SADD, INCRBY, DEL
      expect(innerCommands).toBe(7);
    });

    test("names its queue's list though it is the only one", async () => {
      const [job] = (await claim(payload(1))) as [Claim];
      await exchange(2, { settle: [failed(job)] }, { failedQueues: true });
      expect((await world.everything())["resque:failed_queues"]).toEqual({ a_failed: true });
    });

    test("pushes the oldest out of a list that is full, by option", async () => {
      await world.send(["RPUSH", world.keys.failed, "old 1", "old 2"]);
      const jobs = await claim(payload(1), payload(2));
      await exchange(2, { settle: jobs.map((job) => failed(job)) }, { maxFailed: 3 });
      const list = (await world.everything())[world.keys.failed] as string[];
      expect(list).toHaveLength(3);
      expect(list[0]).toBe("old 2");
      expect(list.slice(1).map((entry) => JSON.parse(entry).payload.args)).toEqual([[1], [2]]);
    });
  });

  describe("a unique lock", () => {
    const lock = "resque:lock:A:a:[1]";
    const freeing = { lockOf: () => ({ key: lock, id: "du1" }) };

    test.each([
      ["bears the job's id", "1795206569.du1", null],
      ["bears another's id", "1795206569.du2", "1795206569.du2"],
      ["is node-resque's", "1795206569", "1795206569"],
      ["tells when the job was due", "1795206569.1795200000.du1", null],
    ])("that %s", async (_what, value, left) => {
      const [job] = (await claim(payload(1))) as [Claim];
      await world.send(["SET", lock, value]);
      const { innerCommands } = await exchange(2, { settle: [ok(job)] }, {}, freeing);
      expect(await world.get(lock)).toBe(left);
      // MGET, INCRBY, DEL: nothing more than without a lock.
      expect(innerCommands).toBe(3);
    });

    test.each<Outcome>([
      { kind: "failed", failure },
      { kind: "dropped", failure },
      { kind: "discarded", reason: undefined },
    ])("is freed with a job that is over: $kind", async (outcome) => {
      const [job] = (await claim(payload(1))) as [Claim];
      await world.send(["SET", lock, "1795206569.du1"]);
      await exchange(2, { settle: [ended(job, outcome)] }, {}, freeing);
      expect(await world.get(lock)).toBeNull();
    });

    test.each<Outcome>([
      { kind: "retrying", failure, afterMs: 1 },
      { kind: "postponed", afterMs: 1 },
      { kind: "released" },
      { kind: "requeued" },
    ])("stays with a job that comes again: $kind", async (outcome) => {
      const [job] = (await claim(payload(1))) as [Claim];
      await world.send(["SET", lock, "1795206569.du1"]);
      await exchange(2, { settle: [ended(job, outcome)] }, {}, freeing);
      expect(await world.get(lock)).toBe("1795206569.du1");
    });

    test("is freed beside failures that go to their queues' own lists", async () => {
      await world.push("b", payload(2));
      const [first] = (await claim(payload(1))) as [Claim];
      const [second] = (await exchange(2, { fill: [1] })).claims as [Claim];
      await world.send(["SET", lock, "1795206569.du1"]);
      const settle = [failed(first), failed(second)];
      await exchange(3, { settle }, { failedQueues: true }, freeing);
      const everything = await world.everything();
      expect(everything[lock]).toBeUndefined();
      expect(everything["resque:a_failed"]).toHaveLength(1);
      expect(everything["resque:b_failed"]).toHaveLength(1);
      expect(everything["resque:failed_queues"]).toEqual({ a_failed: true, b_failed: true });
    });

    test("of several is freed where its own job is over: not that of one that is lost, nor one that is another's", async () => {
      const claims = await claim(...payloads(4));
      const lockOf = ({ slot }: Claim) => ({ key: `lock${slot}`, id: `d${slot}` });
      const values = ["9.d0", "9.d1", "9.d2", "9.d9"];
      await world.send(...values.map((value, slot) => ["SET", `lock${slot}`, value]));
      await world.send(["DEL", drain.own.slots[2] as string]);
      const settle = claims.map((job, index) => (index % 2 === 0 ? failed(job) : ok(job)));
      await exchange(2, { settle }, { failedQueues: true }, { lockOf });
      expect((await world.keyNames()).filter((name) => name.startsWith("lock"))).toEqual(["lock2", "lock3"]);
    });

    test("stays if the settlement is lost", async () => {
      const [job] = (await claim(payload(1))) as [Claim];
      await world.send(["SET", lock, "1795206569.du1"]);
      await world.send(["DEL", drain.own.slots[0] as string]);
      await exchange(2, { settle: [ok(job)] }, {}, freeing);
      expect(await world.get(lock)).toBe("1795206569.du1");
    });
  });
}
