import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { ATTEMPTS, type DrainPlan, DrainWorld, type Mishap, type QueuedJob } from "./drain-world.ts";
import type { Fate } from "./protocol-world.ts";
import { DRAINS, type SingleStep, SingleWorld } from "./single-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 200);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_121);

const drain = fc.nat(DRAINS - 1);
const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>("delivered"), weight: 4 },
  { arbitrary: fc.constantFrom<Fate>("request-lost", "request-late", "request-late", "reply-lost"), weight: 1 },
);
const of = <Kind extends SingleStep["kind"]>(kind: Kind) => ({ kind: fc.constant(kind) });
const step: fc.Arbitrary<SingleStep> = fc.oneof(
  { arbitrary: fc.record({ ...of("enter"), drain, fate }), weight: 6 },
  {
    arbitrary: fc.record({
      ...of("exchange"),
      ...{ drain, fate, settle: fc.nat(2), fill: fc.nat(2), beats: fc.boolean() },
    }),
    weight: 10,
  },
  { arbitrary: fc.record({ ...of("enqueue"), jobs: fc.integer({ min: 1, max: 3 }) }), weight: 3 },
  { arbitrary: fc.record({ ...of("close"), drain, fate }), weight: 2 },
  { arbitrary: fc.record(of("freeze")), weight: 3 },
  { arbitrary: fc.record({ ...of("arrive"), ago: fc.nat(6) }), weight: 2 },
  { arbitrary: fc.record({ ...of("duplicate"), ago: fc.nat(12) }), weight: 2 },
  { arbitrary: fc.record({ ...of("recover"), drain }), weight: 1 },
  { arbitrary: fc.record({ ...of("crash"), drain }), weight: 1 },
);
const mishap = fc.oneof(
  { arbitrary: fc.constant<Mishap>("none"), weight: 8 },
  { arbitrary: fc.constantFrom<Mishap>("request-lost", "request-late", "reply-lost", "crash", "freeze"), weight: 1 },
);
const plan: fc.Arbitrary<DrainPlan> = fc.record({
  concurrency: fc.integer({ min: 1, max: 4 }),
  queues: fc.constant(["a", "b"]),
  mishaps: fc.array(mishap, { maxLength: 25, size: "max" }),
  startsAfter: fc.nat(12),
  latency: fc.integer({ min: 1, max: 12 }),
});
const job: fc.Arbitrary<QueuedJob> = fc.record({
  queue: fc.constantFrom("a", "b"),
  behaviour: fc.constantFrom("ok", "at-once", "throw", "slow", "flaky"),
});
const program = fc.array(step, { maxLength: 60, size: "max" });

describe("single drains on an unreliable network", () => {
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

  test("none claims but the one whose lease it is, whatever is lost, late, repeated or frozen, and no job stays behind", {
    timeout: 60_000 + RUNS * 50,
  }, async () => {
    let claims = 0;
    let turns = 0;
    const play = async (steps: readonly SingleStep[]): Promise<void> => {
      await redis.flushall();
      const world = new SingleWorld(redis, client);
      await world.run([{ kind: "enqueue", jobs: 3 }, ...steps]);
      expect(await world.finish()).toBe(0);
      claims += world.claims;
      turns += world.turns;
    };
    await fc.assert(fc.asyncProperty(program, play), { numRuns: RUNS, seed: SEED });
    // Otherwise nothing was tested.
    expect(claims).toBeGreaterThan(RUNS * 3);
    expect(turns).toBeGreaterThan(RUNS * 1.4);
  });

  test("whole drains at once: every job ends once, and is counted once", { timeout: 60_000 + RUNS * 200 }, async () => {
    let worlds = 0;
    let busy = 0;
    const play = async (plans: readonly DrainPlan[], jobs: readonly QueuedJob[]): Promise<void> => {
      const world = new DrainWorld(redis, client, `single${++worlds}`, { single: true });
      await world.enqueue(jobs);
      for (const { report } of await world.run(plans)) if (report?.stopped === "busy") busy++;
      expect((await world.finish()).at(-1)?.stopped).toBe("empty");
      expect(await world.traces()).toEqual([]);
      expect([...world.runs.keys()].sort((a, b) => a - b)).toEqual([...world.behaviours.keys()]);
      expect(await world.failed()).toEqual(world.failing);
      const attempts = jobs.map(({ behaviour }) => ATTEMPTS[behaviour]);
      expect(await world.counters()).toEqual({
        processed: attempts.reduce((sum, { attempts: count }) => sum + count, 0),
        failures: attempts.reduce((sum, { failures }) => sum + failures, 0),
      });
    };
    const jobs = fc.array(job, { minLength: 1, maxLength: 30, size: "max" });
    await fc.assert(fc.asyncProperty(fc.tuple(plan, plan, plan), jobs, play), { numRuns: RUNS / 2, seed: SEED });
    expect(busy).toBeGreaterThan(RUNS / 10);
  });
});
