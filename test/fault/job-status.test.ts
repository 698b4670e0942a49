import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { ATTEMPTS, type Behaviour, type DrainPlan, DrainWorld, type Mishap, type QueuedJob } from "./drain-world.ts";
import { type Tear, tornClient } from "./torn-client.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Math.ceil(Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 200) / 4);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_121);
/** Drains wait before they send again, so several series run at once. */
const LANES = 10;
const TTL_MS = 600_000;

const mishap = fc.oneof(
  { arbitrary: fc.constant<Mishap>("none"), weight: 10 },
  { arbitrary: fc.constantFrom<Mishap>("request-lost", "request-late", "reply-lost"), weight: 4 },
  { arbitrary: fc.constantFrom<Mishap>("crash", "freeze", "freeze"), weight: 2 },
);
const plan: fc.Arbitrary<DrainPlan> = fc.record({
  concurrency: fc.integer({ min: 1, max: 3 }),
  queues: fc.constantFrom(["a", "b"], ["b", "a"], ["*"]),
  mishaps: fc.array(mishap, { maxLength: 14, size: "max" }),
  startsAfter: fc.nat(12),
  latency: fc.nat(5),
});
const job: fc.Arbitrary<QueuedJob> = fc.record({
  queue: fc.constantFrom("a", "b"),
  behaviour: fc.constantFrom<Behaviour>("ok", "at-once", "slow", "throw", "flaky", "doomed"),
});
const jobs = fc.array(job, { minLength: 1, maxLength: 30, size: "max" });
const tears: fc.Arbitrary<Tear[]> = fc.array(
  fc.record({ pipeline: fc.nat(40), items: fc.integer({ min: 1, max: 3 }) }),
  { maxLength: 6 },
);
/** Drains take their jobs down with them, at once or after a while. */
const crashLimit = fc.constantFrom(1, 2, 1_000);

describe("statuses on an unreliable network", () => {
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
  const play = async (
    plans: readonly DrainPlan[],
    todo: readonly QueuedJob[],
    torn: readonly Tear[],
    limit: number,
  ): Promise<void> => {
    const network = tornClient(client, torn);
    const namespace = `statuses${++worlds}`;
    const options = { status: { ttlMs: TTL_MS }, crashLimit: limit };
    const world = new DrainWorld(redis, network, namespace, options);
    await world.enqueue(todo);
    await world.run(plans);
    network.mend();
    await world.finish();

    expect(await world.traces()).toEqual([]);
    const failed = new Set(await world.failed());
    const statuses = await world.statuses();
    for (const [id, { behaviour, queue }] of todo.entries()) {
      const status = statuses[id];
      const state = failed.has(id) ? "failed" : "done";
      expect([id, status?.state, status?.queue, status?.class]).toEqual([id, state, queue, behaviour]);
      expect(status?.enqueuedMs).toBeGreaterThan(0);
      expect(status?.failure === undefined).toBe(state === "done");
      if (status?.failure?.exception !== "Resque::DirtyExit") {
        expect(status?.attempt).toBeGreaterThanOrEqual(ATTEMPTS[behaviour].attempts);
      }
    }
    for (const id of todo.keys()) {
      const ttlMs = await redis.pttl(createKeys(namespace).job(`job-${id}`));
      expect(ttlMs).toBeGreaterThan(0);
      expect(ttlMs).toBeLessThanOrEqual(TTL_MS);
    }
    await redis.del(...todo.map((_, id) => createKeys(namespace).job(`job-${id}`)));
  };

  test("a job that is over has the status of its end, whatever was lost, torn or came late on the way", {
    timeout: 60_000 + RUNS * 200,
  }, async () => {
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      fc.assert(fc.asyncProperty(fc.tuple(plan, plan, plan), jobs, tears, crashLimit, play), {
        numRuns: Math.ceil(RUNS / LANES),
        seed: SEED + lane,
      }),
    );
    await Promise.all(lanes);
    expect(worlds).toBeGreaterThanOrEqual(RUNS);
  });
});
