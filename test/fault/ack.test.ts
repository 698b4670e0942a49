import fc from "fast-check";
import { afterAll, beforeAll, describe, test } from "vitest";
import { openWorld, type World } from "../conformance/world.ts";
import { type Setup, setups } from "../support/setups.ts";
import { AckWorld, DRAINS, type Fate, OUTCOMES, type Step } from "./ack-world.ts";

/** More with AIRLIFT_PROPERTY_RUNS; another series with AIRLIFT_PROPERTY_SEED. */
const RUNS = Number(process.env["AIRLIFT_PROPERTY_RUNS"] ?? 60);
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_121);

const drain = fc.nat(DRAINS - 1);
/** Mostly the latest that are there. */
const job = fc.oneof({ arbitrary: fc.nat(1), weight: 3 }, { arbitrary: fc.nat(9), weight: 1 });
const ending = fc.constantFrom(...OUTCOMES);
const fate: fc.Arbitrary<Fate> = fc.constantFrom("delivered", "delivered", "delivered", "request-lost", "reply-lost");
const kind = <const K extends Step["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);
const push = fc.record({ kind: kind("push"), count: fc.integer({ min: 1, max: 3 }) });
const claim = fc.record({ kind: kind("claim"), drain, count: fc.integer({ min: 1, max: 3 }) });
const detach = fc.record({ kind: kind("detach"), drain, fate, dies: fc.boolean() });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: kind("acknowledge"), job, ending, fate }), weight: 5 },
  { arbitrary: claim, weight: 7 },
  { arbitrary: detach, weight: 7 },
  { arbitrary: fc.record({ kind: kind("lease-ends"), job }), weight: 6 },
  { arbitrary: fc.record({ kind: kind("promote") }), weight: 7 },
  { arbitrary: fc.record({ kind: kind("duplicate"), ago: fc.nat(5) }), weight: 2 },
  { arbitrary: push, weight: 1 },
  { arbitrary: fc.record({ kind: kind("settle"), drain, ending }), weight: 1 },
  { arbitrary: fc.record({ kind: kind("crash"), drain }), weight: 1 },
  { arbitrary: fc.record({ kind: kind("recover") }), weight: 1 },
);
const program = fc
  .tuple(push, fc.array(step, { maxLength: 70, size: "max" }))
  .map(([first, steps]): Step[] => [first, ...steps]);

describe("acknowledgements on an unreliable network", () => {
  let world: World;
  beforeAll(async () => {
    const [setup] = setups().toSorted(
      (a, b) => Number(b.name === "redis-server-tcp") - Number(a.name === "redis-server-tcp"),
    );
    world = await openWorld(setup as Setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const play = async (steps: readonly Step[]): Promise<void> => {
    await world.flush();
    const jobs = new AckWorld(world);
    await jobs.run(steps);
    await jobs.finish();
  };

  test("every job is settled exactly once or runs again; none is lost, and each is counted", {
    timeout: 60_000 + RUNS * 500,
  }, async () => {
    await fc.assert(fc.asyncProperty(program, play), { numRuns: RUNS, seed: SEED });
  });

  test("an acknowledgement whose request was lost takes effect when it arrives at last, once", async () => {
    const acknowledge = { kind: "acknowledge", job: 0, ending: "ok" } as const;
    await play([
      { kind: "push", count: 1 },
      { kind: "claim", drain: 0, count: 1 },
      { kind: "detach", drain: 0, fate: "reply-lost", dies: false },
      { ...acknowledge, fate: "request-lost" },
      { kind: "duplicate", ago: 0 },
      { kind: "duplicate", ago: 0 },
      { ...acknowledge, fate: "delivered" },
    ]);
  });

  test("a lease that ends while the acknowledgement is on its way: the job runs again, whoever is heard first", async () => {
    const before: Step[] = [
      { kind: "push", count: 1 },
      { kind: "claim", drain: 0, count: 1 },
      { kind: "detach", drain: 0, fate: "delivered", dies: false },
      { kind: "acknowledge", job: 0, ending: "failed", fate: "request-lost" },
      { kind: "lease-ends", job: 0 },
    ];
    await play([...before, { kind: "duplicate", ago: 0 }, { kind: "promote" }]);
    await play([...before, { kind: "promote" }, { kind: "duplicate", ago: 0 }, { kind: "claim", drain: 1, count: 1 }]);
  });
});
