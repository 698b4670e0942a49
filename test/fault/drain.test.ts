import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { slotsFor } from "../../src/core/exchange-loop.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { ATTEMPTS, type Behaviour, type DrainPlan, DrainWorld, type Mishap, type QueuedJob } from "./drain-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Math.ceil(Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 200) / 4);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_120);
/** Drains wait before they send again, so several series run at once. */
const LANES = 10;

const mishap = fc.oneof(
  { arbitrary: fc.constant<Mishap>("none"), weight: 12 },
  { arbitrary: fc.constantFrom<Mishap>("request-lost", "request-late", "request-late", "reply-lost"), weight: 4 },
  { arbitrary: fc.constantFrom<Mishap>("crash", "freeze"), weight: 1 },
);
const plan: fc.Arbitrary<DrainPlan> = fc.record({
  concurrency: fc.integer({ min: 1, max: 3 }),
  queues: fc.constantFrom(["a", "b"], ["b", "a"], ["*"], ["a=3", "b"]),
  mishaps: fc.array(mishap, { maxLength: 14, size: "max" }),
  startsAfter: fc.nat(12),
  latency: fc.nat(5),
});
const job: fc.Arbitrary<QueuedJob> = fc.record({
  queue: fc.constantFrom("a", "b"),
  behaviour: fc.oneof(
    { arbitrary: fc.constantFrom<Behaviour>("ok", "at-once", "slow", "throw", "flaky", "doomed"), weight: 12 },
    { arbitrary: fc.constant<Behaviour>("never"), weight: 1 },
  ),
});
const jobs = fc.array(job, { minLength: 1, maxLength: 40, size: "max" });

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

describe("whole drains at once on an unreliable network", () => {
  let server: TestRedis;
  let redis: Redis;
  let client: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    client = ioredis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await client.close();
    await server.close();
  });

  let worlds = 0;
  const play = async (plans: readonly DrainPlan[], todo: readonly QueuedJob[]): Promise<void> => {
    const world = new DrainWorld(redis, client, `world${++worlds}`);
    await world.enqueue(todo);
    const endings = await world.run(plans);
    const last = await world.finish();

    expect(last.at(-1)?.stopped).toBe("empty");
    expect(await world.traces()).toEqual([]);
    expect([...world.runs.keys()].sort((a, b) => a - b)).toEqual([...world.behaviours.keys()]);
    expect(await world.failed()).toEqual(world.failing);
    expect(await world.counters()).toEqual({
      processed: sum(todo.map(({ behaviour }) => ATTEMPTS[behaviour].attempts)),
      failures: sum(todo.map(({ behaviour }) => ATTEMPTS[behaviour].failures)),
    });

    const wasted = plans.map(() => 0);
    for (const [id, drains] of world.runs) {
      // A frozen drain may start a job that another has taken back from it and run meanwhile.
      const well = drains.filter((index) => !endings[index]?.isFaulty);
      if (well.length > 1)
        throw new Error(`job ${id} was run by ${drains}, though only a fault lets a job be run again`);
      for (const index of drains) {
        if (drains.length > 1 && endings[index]?.isFaulty) wasted[index] = (wasted[index] ?? 0) + 1;
      }
    }
    // No more than was in flight.
    for (const [index, { concurrency }] of plans.entries())
      expect(wasted[index]).toBeLessThanOrEqual(slotsFor(concurrency));
    for (const { report, isFaulty } of endings) {
      if (isFaulty || !report) continue;
      const { claimed, succeeded, failed, retried, released } = report;
      expect(report.lost).toBe(0);
      // A late request may have claimed jobs that the drain never saw, and gave back when it closed.
      expect(released).toBeGreaterThanOrEqual(claimed - succeeded - failed - retried);
    }
    if (endings.some(({ isFaulty }) => isFaulty)) return;
    const reports = [...endings.map(({ report }) => report), ...last];
    const total = (count: "succeeded" | "failed" | "retried"): number =>
      sum(reports.map((report) => report?.[count] ?? 0));
    expect([total("succeeded"), total("failed")]).toEqual([todo.length - world.failing.length, world.failing.length]);
    expect(total("retried")).toBe(sum(todo.map(({ behaviour }) => ATTEMPTS[behaviour].attempts - 1)));
  };

  test("every job is run, again only if its drain crashed or froze, and is counted once", {
    timeout: 60_000 + RUNS * 100,
  }, async () => {
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      fc.assert(fc.asyncProperty(fc.tuple(plan, plan), jobs, play), {
        numRuns: Math.ceil(RUNS / LANES),
        seed: SEED + lane,
      }),
    );
    await Promise.all(lanes);
    expect(worlds).toBeGreaterThanOrEqual(RUNS);
  });
});
