import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LimitOptions } from "../../src/core/limit.ts";
import type { Claim, Detached } from "../../src/core/store.ts";
import {
  ok,
  openWorld,
  payload,
  payloads,
  raws,
  slots,
  type TestDrain,
  type TestDrainOptions,
  type World,
} from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type LimitedDrain, MINUTE_MS, openLimited, send, sends } from "./limited-drain.ts";

describe.each(setups().filter(({ server }) => server === "redis-server"))("what limits cost over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
    // Loads the scripts, so that no test pays for it.
    await world.push("q", send(0));
    const drain = openLimited(world, { running: 1 });
    await drain.fill(1);
    await drain.store.close();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  const open = (limit: LimitOptions, options?: TestDrainOptions): LimitedDrain => openLimited(world, limit, options);

  /** What the server has carried out for one call. */
  const cost = async (call: () => Promise<unknown>, drain: TestDrain): Promise<number> => {
    const before = drain.store.usage.commands;
    await world.countCommands();
    await call();
    const commands = await world.countCommands();
    expect(drain.store.usage.commands - before).toBe(commands);
    return commands;
  };
  /** An exchange in steady state: it settles and fills all slots, and the queue has more. */
  const steady = async (drain: LimitedDrain, count = 100): Promise<number> => {
    let { claims } = await drain.fill(count);
    ({ claims } = await drain.exchange({ settle: claims.map(ok), fill: slots(count) }));
    return cost(() => drain.exchange({ settle: claims.map(ok), fill: slots(count) }), drain);
  };
  const many = (count: number, make: (n: number) => string): string[] =>
    Array.from({ length: count }, (_, n) => make(n));

  test.each(["one queue", "two queues"])("no limit and no paused class: 5 commands, %s", async (title) => {
    const queues = title === "one queue" ? ["q"] : ["q", "r"];
    await world.push("q", ...payloads(300));
    await world.send(["SET", world.keys.pausedClasses, "[]"]);
    expect(await steady(openLimited(world, undefined, { slots: 100, queues }))).toBe(5);
  });

  test.each<[string, number[], number]>([
    ["the last of four: one pop", [0, 0, 0, 9], 5],
    ["two of four: a pop for each", [0, 2, 0, 9], 6],
    ["the last but one of four: another pop, for the last one", [0, 0, 2, 9], 6],
    ["each of four: a pop for each", [1, 1, 1, 1], 8],
    ["two of four, too few: a pop for each, and one that finds nothing", [1, 1, 0, 0], 7],
    // DEL for MSET
    ["none of four: one pop", [0, 0, 0, 0], 5],
  ])("jobs that wait in %s", async (_where, counts, commands) => {
    const queues = ["a", "b", "c", "d"];
    const drain = openLimited(world, undefined, { queues });
    await world.push("a", payload("first"));
    const { claims } = await drain.fill(1);
    for (const [index, queue] of queues.entries()) {
      if (counts[index]) await world.push(queue, ...payloads(counts[index], 10 * index));
    }
    let next: readonly Claim[] = [];
    const spent = await cost(async () => {
      next = (await drain.exchange({ settle: claims.map(ok), fill: slots(4) })).claims;
    }, drain);
    const all = counts.flatMap((count, index) => payloads(count, 10 * index));
    expect(raws(next)).toEqual(all.slice(0, 4));
    expect((await Promise.all(queues.map(world.queued))).flat()).toEqual(all.slice(4));
    expect(spent).toBe(commands);
  });

  test("a limit, but no job that it is for, and a paused class, but none of its jobs: 5 as well", async () => {
    await world.push("q", ...payloads(300));
    await world.send(["SET", world.keys.pausedClasses, '["Paused"]']);
    expect(await steady(open({ running: 1, rate: { jobs: 1, periodMs: 9 } }, { slots: 100 }))).toBe(5);
  });

  test("jobs of a class with a limit of those that run: 4 more", async () => {
    await world.push("q", ...sends(300));
    expect(await steady(open({ running: 100 }, { slots: 100 }))).toBe(9);
  });

  test("jobs of a class with a rate: 3 more, whatever the number of keys that are known", async () => {
    await world.push("q", ...many(300, (n) => send(n % 50)));
    expect(await steady(open({ rate: { jobs: 99, periodMs: MINUTE_MS }, by: [0] }, { slots: 100 }))).toBe(8);
  });

  test("a key of a rate that is new: one more", async () => {
    const drain = open({ rate: { jobs: 99, periodMs: MINUTE_MS }, by: [0] });
    await world.push("q", send("a"), send("b"), send("b"));
    const { claims } = await drain.fill(1);
    // EVALSHA, MGET, INCRBY, LPOP, HMGET, TIME, HSET, HRANDFIELD, MSET
    expect(await cost(() => drain.exchange({ settle: claims.map(ok), fill: [0] }), drain)).toBe(9);
  });

  test("both: 6 more", async () => {
    await world.push("q", ...sends(300));
    expect(await steady(open({ running: 100, rate: { jobs: 999, periodMs: MINUTE_MS } }, { slots: 100 }))).toBe(11);
  });

  test.each([10, 1_000])("what waits costs the same, be it %i jobs", async (count) => {
    await world.push("q", ...sends(count + 1));
    const [holder, drain] = [open({ running: 1 }), open({ running: 1 })];
    await holder.fill(1);
    await drain.fill(4);
    // EVALSHA, MGET, INCRBY, LPOP, TIME, ZRANGE, HGETALL, LRANGE, LPUSH
    expect(await cost(() => drain.fill(4), drain)).toBe(9);
  });

  test.each([10, 900])("jobs behind %i that wait: one more LPOP for any number of them", async (count) => {
    await world.push("q", ...sends(count + 1), ...payloads(50));
    const [holder, drain] = [open({ running: 1 }), open({ running: 1 }, { slots: 40 })];
    await holder.fill(1);
    await drain.fill(1);
    // … and MSET
    expect(await cost(() => drain.fill(40), drain)).toBe(11);
    expect(await world.queued("q")).toEqual([...sends(count, 1), ...payloads(10, 40)]);
  });

  test("what goes back does so in pieces no larger than what a drain claims", async () => {
    const sizes = [10, 70, 30, 30, 30, 5, 5, 90, 1];
    const stay = sizes.map((size, n) => send(n, "x".repeat(size)));
    await world.push("q", send("runs"), ...stay);
    const [holder, drain] = [open({ running: 1 }), open({ running: 1 }, { slots: 9, maxClaimBytes: 200 })];
    await holder.fill(1);
    await drain.fill(1);
    // From the end, in bytes: 31 + 120 + 35, then 35 + 60 + 60, then 60 + 100 + 40.
    expect(await cost(() => drain.fill(9), drain)).toBe(8 + 3);
    expect(await world.queued("q")).toEqual(stay);
  });

  test("what is over the bytes of a claim: one LPUSH, and no look behind it", async () => {
    await world.push("q", send("runs"), payload(0), payload("x".repeat(200)));
    const drain = open({ running: 9 }, { maxClaimBytes: 200 });
    const { claims } = await drain.fill(1);
    // EVALSHA, MGET, INCRBY, LPOP, LPUSH, MSET, HDEL of the place
    expect(await cost(() => drain.exchange({ settle: claims.map(ok), fill: slots(3) }), drain)).toBe(7);
    expect(await world.queued("q")).toEqual([payload("x".repeat(200))]);
  });

  test("jobs behind so many that their head is too far away: an LREM each", async () => {
    await world.push("q", ...sends(2_000), ...payloads(10));
    await world.send(["SET", world.keys.pausedClasses, '["Send"]']);
    const drain = openLimited(world, undefined, { slots: 8 });
    expect(await cost(() => drain.fill(8), drain)).toBe(6);
    // EVALSHA, MGET, INCRBY, LPOP, LRANGE, 8 LREM, the opening's 4, MSET, LPUSH
    expect(await cost(() => drain.fill(8), drain)).toBe(19);
    expect(await world.queued("q")).toEqual([...sends(2_000), ...payloads(2, 8)]);
  });

  describe("detached jobs", () => {
    const detached = (claim: Claim, afterMs = 60_000) => ({
      ...{ claim, outcome: { kind: "detached", afterMs, dispatch: async () => undefined } as const },
    });
    const limits = [
      ["with no limit", undefined, 0],
      ["with a rate", { rate: { jobs: 9, periodMs: MINUTE_MS } }, 0],
      ["with a limit of those that run", { running: 9 }, 1],
    ] as const;
    /** Hands so many jobs over; what that costs, and what the drain tells of them. */
    const handOver = async (drain: LimitedDrain, leaseMs?: number) => {
      await world.push("q", ...sends(3));
      const { claims } = await drain.fill(3);
      let handed: readonly Detached[] = [];
      const commands = await cost(async () => {
        const { detached: some } = await drain.exchange({ settle: claims.map((claim) => detached(claim, leaseMs)) });
        handed = some ?? [];
      }, drain);
      expect(handed).toHaveLength(3);
      return { commands, handed };
    };
    const openNow = (limit: LimitOptions | undefined) => openLimited(world, limit, { nowMs: Date.now });

    test.each(limits)("%s: handing over", async (_title, limit, more) => {
      // EVALSHA, MGET, INCRBY, ZADD, DEL; HSET, and HDEL as no job takes the places over
      expect((await handOver(openNow(limit))).commands).toBe(5 + 2 * more);
    });

    test.each(limits)("%s: acknowledging", async (_title, limit, more) => {
      const drain = openNow(limit);
      const { handed } = await handOver(drain);
      for (const [index, kind] of (["ok", "released"] as const).entries()) {
        const { ack, settlement } = handed[index] as Detached;
        const acknowledge = () => drain.store.settleDetached(ack, { ...settlement, outcome: { kind } });
        await acknowledge();
        // What is settled already costs EVALSHA, ZSCORE.
        expect(await cost(acknowledge, drain)).toBe(2);
      }
      const { ack, settlement } = handed[2] as Detached;
      const outcome = { kind: "ok" } as const;
      // EVALSHA, ZSCORE, INCRBY, ZREM; HDEL
      expect(await cost(() => drain.store.settleDetached(ack, { ...settlement, outcome }), drain)).toBe(4 + more);
    });

    test.each(limits)("%s: coming back to the queue", async (_title, limit, more) => {
      const drain = openNow(limit);
      await drain.store.promote();
      await handOver(drain, -MINUTE_MS);
      // ZRANGE, EXISTS, EVALSHA, TIME, ZRANGEBYSCORE, ZRANGE, SADD, RPUSH, ZREM; HDEL
      expect(await cost(drain.store.promote, drain)).toBe(9 + more);
    });
  });

  test("closing with a limit: 1 more", async () => {
    await world.push("q", ...sends(2));
    const [limited, free] = [open({ running: 1 }), openLimited(world)];
    await limited.settle((await limited.fill(1)).claims);
    await free.settle((await free.fill(1)).claims);
    const [withLimit, without] = [await cost(limited.store.close, limited), await cost(free.store.close, free)];
    expect([withLimit, without]).toEqual([7, 6]);
  });
});
