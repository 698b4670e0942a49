import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { LIMITED_DRAINS, type LimitedClass, type LimitFate, type LimitStep, LimitsWorld } from "./limits-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 200);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_120);

const drain = fc.nat(LIMITED_DRAINS - 1);
const fate = fc.oneof(
  { arbitrary: fc.constant<LimitFate>("delivered"), weight: 5 },
  { arbitrary: fc.constantFrom<LimitFate>("request-lost", "request-late", "request-late", "reply-lost"), weight: 1 },
);
const job = fc.tuple(fc.constantFrom<LimitedClass>("One", "Tenant", "Tenant", "Rate", "Both", "Free"), fc.nat(2));
const enqueue = fc.record({
  kind: fc.constant("enqueue" as const),
  queue: fc.nat(1),
  jobs: fc.array(job, { minLength: 1, maxLength: 6 }),
});
const exchange = fc.record({
  kind: fc.constant("exchange" as const),
  drain,
  outcomes: fc.array(fc.constantFrom("ok", "ok", null, "released", "requeued", "detached", "detached-briefly"), {
    maxLength: 3,
  }),
  fill: fc.nat(3),
  beats: fc.boolean(),
  fate,
});
const acknowledge = fc.record({
  kind: fc.constant("acknowledge" as const),
  ago: fc.nat(4),
  outcome: fc.constantFrom("ok", "ok", "released", "requeued", "postponed"),
  fate,
});
const ADMINS: readonly LimitStep[] = [
  { kind: "admin", change: "run" },
  { kind: "admin", change: "remove" },
];
const step: fc.Arbitrary<LimitStep> = fc.oneof(
  { arbitrary: exchange, weight: 12 },
  { arbitrary: enqueue, weight: 3 },
  { arbitrary: acknowledge, weight: 3 },
  { arbitrary: fc.record({ kind: fc.constant("promote" as const), drain }), weight: 1 },
  { arbitrary: fc.constantFrom<LimitStep>(...ADMINS), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("arrive" as const), ago: fc.nat(6) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant("close" as const), drain, fate }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("crash" as const), drain }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("oversleep" as const), drain }), weight: 1 },
  { arbitrary: fc.constant({ kind: "expire" } as const), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("recover" as const), drain }), weight: 1 },
);
const program = fc
  .tuple(enqueue, enqueue, fc.array(step, { maxLength: 60, size: "max" }))
  .map(([first, second, steps]) => [first, second, ...steps]);

describe("limits on an unreliable network", () => {
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
  const play = async (steps: readonly LimitStep[]): Promise<void> => {
    const world = new LimitsWorld(redis, client, `limits${++worlds}`);
    await world.run(steps);
    expect(await world.finish()).toEqual([]);
  };

  // A failing run is worth the time to shrink it.
  test("none is ever exceeded, a place is held by each job that runs and by no other, and nothing that may start waits", {
    timeout: 60_000 + RUNS * 200,
  }, async () => {
    await fc.assert(fc.asyncProperty(program, play), { numRuns: RUNS, seed: SEED });
  });
});
