import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { CLASSES, DRAINS, KEYS, type Loss, type Step, UniqueWorld } from "./unique-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 150);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_120);

const [setup] = [...setups()].reverse().filter(({ transport }) => transport === "tcp");

let world: AppWorld;
beforeAll(async () => {
  if (!setup) throw new Error("no setup over TCP");
  world = await openAppWorld(setup);
});
afterAll(() => world[Symbol.asyncDispose]());

const loss: fc.Arbitrary<Loss | undefined> = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: fc.record({ at: fc.integer({ min: 1, max: 4 }), carriedOut: fc.boolean() }), weight: 1 },
);
const of = { class: fc.constantFrom(...CLASSES), key: fc.nat(KEYS - 1), isDelayed: fc.boolean() };
const drain = fc.nat(DRAINS - 1);
const enqueue: fc.Arbitrary<Step> = fc.record({ kind: fc.constant("enqueue" as const), ...of, loss });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: enqueue, weight: 6 },
  {
    arbitrary: fc.record({ kind: fc.constant("claim" as const), drain, count: fc.integer({ min: 1, max: 3 }), loss }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      drain,
      outcome: fc.constantFrom("ok", "ok", "failed", "retrying", "postponed", "released", "requeued", "discarded"),
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ kind: fc.constant("crash" as const), drain }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("recover" as const) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant("promote" as const) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant("cancel" as const), ...of }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("expire" as const), class: of.class }), weight: 1 },
);
const program = fc
  .tuple(enqueue, fc.array(step, { maxLength: 60, size: "max" }))
  .map(([first, rest]) => [first, ...rest]);

test("a lock has one living job, and a job its lock, until that ends", { timeout: 60_000 + RUNS * 200 }, async () => {
  const play = async (steps: readonly Step[]): Promise<void> => {
    await world.flush();
    const unique = new UniqueWorld(world);
    await unique.run(steps);
    await unique.finish();
  };
  await fc.assert(fc.asyncProperty(program, play), { numRuns: RUNS, seed: SEED });
  expect.hasAssertions();
});
