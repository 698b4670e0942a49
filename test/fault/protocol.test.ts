import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { FORM_COUNT } from "./payload-forms.ts";
import { DRAINS, type Fate, type Step, World } from "./protocol-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 200);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_120);

// Most of what goes wrong goes wrong within one drain.
const drain = fc.oneof({ arbitrary: fc.constant(0), weight: 2 }, { arbitrary: fc.nat(DRAINS - 1), weight: 3 });
const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>("delivered"), weight: 4 },
  { arbitrary: fc.constantFrom<Fate>("request-lost", "request-late", "request-late", "reply-lost"), weight: 1 },
);
const outcome = fc.constantFrom("ok", "ok", null, "failed", "released", "requeued");
const enqueue = fc.record({
  kind: fc.constant("enqueue" as const),
  queue: fc.nat(1),
  forms: fc.array(fc.nat(FORM_COUNT - 1), { minLength: 1, maxLength: 4 }),
});
const exchange = fc.record({
  kind: fc.constant("exchange" as const),
  drain,
  outcomes: fc.array(outcome, { maxLength: 3 }),
  fill: fc.nat(3),
  beats: fc.boolean(),
  fate,
});
const close = fc.record({ kind: fc.constant("close" as const), drain, fate });
const crash = fc.record({ kind: fc.constant("crash" as const), drain });
const expire = fc.record({ kind: fc.constant("expire" as const), drain });
const duplicate = fc.record({ kind: fc.constant("duplicate" as const), ago: fc.nat(12) });
const arrive = fc.record({ kind: fc.constant("arrive" as const), ago: fc.nat(6) });
const plain = fc.oneof(
  { arbitrary: exchange, weight: 10 },
  { arbitrary: enqueue, weight: 3 },
  { arbitrary: arrive, weight: 3 },
  { arbitrary: duplicate, weight: 2 },
  { arbitrary: expire, weight: 2 },
  { arbitrary: close, weight: 1 },
  { arbitrary: crash, weight: 1 },
);
const recover = fc.record({
  kind: fc.constant("recover" as const),
  drain,
  meanwhile: fc.array(plain, { maxLength: 3 }),
  fate,
});
const step: fc.Arbitrary<Step> = fc.oneof({ arbitrary: plain, weight: 20 }, { arbitrary: recover, weight: 2 });
const program = fc
  .tuple(enqueue, fc.array(step, { maxLength: 60, size: "max" }))
  .map(([first, steps]) => [first, ...steps]);

describe("drains on an unreliable network", () => {
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

  const play = async (steps: readonly Step[]): Promise<void> => {
    await redis.flushall();
    const world = new World(redis, client);
    await world.run(steps);
    await world.finish();
    expect(await world.ledger.traces()).toEqual([]);
  };

  describe("no settlement ends a job that it was not meant for", () => {
    const exchange = { kind: "exchange", drain: 0, outcomes: [], fill: 0, beats: false, fate: "delivered" } as const;
    const enqueue = { kind: "enqueue", queue: 0, forms: [0] } as const;
    const arrive = { kind: "arrive", ago: 0 } as const;

    test("when a claim arrives after its repetition's job has ended, and the settlement is repeated", () =>
      play([
        enqueue,
        { ...exchange, fill: 1, fate: "request-late" },
        exchange,
        { ...exchange, outcomes: ["ok"], fate: "reply-lost" },
        enqueue,
        arrive,
        exchange,
      ]));

    test("when a claim is carried out twice, and then the settlement", () =>
      play([
        enqueue,
        { ...exchange, fill: 1 },
        { ...exchange, outcomes: ["ok"] },
        enqueue,
        { kind: "duplicate", ago: 1, evenOfLiving: true },
        { kind: "duplicate", ago: 1 },
      ]));

    test("when a claim and a settlement arrive after the job was given back by the close", () =>
      play([
        enqueue,
        { ...exchange, fill: 1, fate: "request-late" },
        exchange,
        { ...exchange, outcomes: ["ok"], fate: "request-late" },
        { kind: "close", drain: 0, fate: "delivered" },
        { ...exchange, drain: 1 },
        { ...exchange, drain: 1, fill: 1 },
        enqueue,
        { kind: "arrive", ago: 1 },
        arrive,
      ]));
  });

  // A failing run is worth the time to shrink it.
  test("every job is at every moment in one place, unchanged, and ends once", {
    timeout: 60_000 + RUNS * 50,
  }, async () => {
    await fc.assert(fc.asyncProperty(program, play), { numRuns: RUNS, seed: SEED });
  });
});
