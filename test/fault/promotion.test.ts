import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { type Other, PromotionWorld, SECONDS, type Step } from "./promotion-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 150);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_120);

const second = fc.nat(SECONDS - 1);
const delay = fc.record({
  kind: fc.constant("delay" as const),
  form: fc.constantFrom("ours" as const, "ours" as const, "node" as const, "retry" as const, "no-job" as const),
  second,
  copies: fc.integer({ min: 1, max: 3 }),
});
const proceed = fc.record({
  kind: fc.constant("proceed" as const),
  actor: fc.nat(2),
  fate: fc.constantFrom(...(["delivered", "delivered", "delivered", "request-lost", "reply-lost"] as const)),
});
const duplicate = fc.record({ kind: fc.constant("duplicate" as const), ago: fc.nat(6) });
const change = fc.record({ kind: fc.constantFrom("cancel" as const, "reschedule" as const), job: fc.nat(20), second });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: proceed, weight: 14 },
  { arbitrary: delay, weight: 4 },
  { arbitrary: change, weight: 1 },
  { arbitrary: duplicate, weight: 1 },
);
const program = fc
  .tuple(fc.array(delay, { minLength: 1, maxLength: 4 }), fc.array(step, { maxLength: 80, size: "max" }))
  .map(([first, steps]) => [...first, ...steps]);
/**
 * resque-scheduler reads a list before it watches it. What is taken out of it in between it promotes all the same, and what is put into it
 * in between it drops; so nobody changes the list of a second that is due but those that promote.
 */
function withoutRubysRaces(steps: readonly Step[]): Step[] {
  const start = steps.findIndex(({ kind }) => kind !== "delay");
  return steps.filter((step, at) => at < start || !changesLists(step));
}

function changesLists(step: Step): boolean {
  return step.kind === "cancel" || step.kind === "reschedule" || (step.kind === "delay" && step.form !== "retry");
}

describe("promotion on an unreliable network", () => {
  let server: TestRedis;
  let redis: Redis;
  let theirs: Redis;
  let client: RedisClient;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    theirs = new Redis(server.url);
    client = ioredis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    theirs.disconnect();
    await client.close();
    await server.close();
  });

  test.each<Other>(["none", "node", "ruby"])(
    "every job is promoted exactly once, or cancelled; beside two drains: %s",
    {
      timeout: 60_000 + RUNS * 100,
    },
    async (other) => {
      const play = async (steps: readonly Step[]): Promise<void> => {
        await redis.flushall();
        const world = new PromotionWorld(redis, client, theirs, other);
        await world.run(steps);
        await world.finish();
      };
      const steps = other === "ruby" ? program.map(withoutRubysRaces) : program;
      await fc.assert(fc.asyncProperty(steps, play), { numRuns: RUNS, seed: SEED });
    },
  );
});
