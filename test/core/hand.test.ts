import { expect, test } from "vitest";
import { createHand, type HandOptions } from "../../src/core/hand.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { type AnyJobDefinition, createRegistry } from "../../src/core/registry.ts";
import type { Claim, ClaimedJob } from "../../src/core/store.ts";
import type { ManualClock } from "./manual-clock.ts";
import { createManualClock } from "./manual-clock.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Bench extends Partial<HandOptions<Claim>> {
  readonly jobs?: (clock: ManualClock) => readonly AnyJobDefinition[];
}

function createBench({ jobs, ...options }: Bench = {}) {
  const clock = (options.clock as ManualClock | undefined) ?? createManualClock();
  const log: string[] = [];
  const ends: { slot: number; outcome: Outcome; durationMs: number }[] = [];
  let idles = 0;
  const runsMs: number[] = [];
  const hand = createHand<Claim>({
    ...{ clock, concurrency: 2, unknownClass: "fail", timeoutMs: 60_000, logger: silent, hooks: undefined },
    registry: createRegistry(jobs?.(clock) ?? []),
    runHandler: (run) => run(),
    perform: (definition, args, context) => definition.perform(args, context),
    random: () => 0,
    elsewhere: () => 0,
    endMs: Number.POSITIVE_INFINITY,
    budget: { begin: ({ class: name }) => void log.push(`budget ${name}`), correct: () => undefined },
    fits: () => true,
    onStart: ({ slot }) => void log.push(`start ${slot}`),
    onCheckIn: () => undefined,
    keepsResult: () => false,
    finish: ({ slot }, outcome, durationMs) => void ends.push({ slot, outcome, durationMs }),
    onRun: (ms) => void runsMs.push(ms),
    onIdle: () => idles++,
    ...options,
  });
  const take = (slot: number, job: Partial<Extract<ClaimedJob, { kind: "job" }>> | "malformed" = {}): void => {
    const read: ClaimedJob =
      job === "malformed"
        ? { kind: "malformed", raw: "x", reason: "no JSON", isBinary: false }
        : { kind: "job", class: "A", args: [], raw: "{}", attempt: 1, retries: 0, ...job };
    hand.take({ slot, token: `d.${slot}`, queue: "q", job: read });
  };
  return { clock, hand, take, log, ends, runsMs, idles: () => idles, slots: () => ends.map(({ slot }) => slot) };
}

const lasting = (ms: number) => (clock: ManualClock) => [
  { class: "A", perform: () => new Promise<void>((resolve) => clock.setTimer(ms, resolve)) },
];

test("as many jobs run as the concurrency says, the others wait in order, and one that ends lets the next begin", async () => {
  const { clock, hand, take, log, runsMs, idles } = createBench({ jobs: lasting(100) });
  for (const slot of [4, 2, 7]) take(slot);
  expect([hand.size, hand.waiting, hand.isIdle, log]).toEqual([3, 3, false, []]);
  hand.pump();
  expect([hand.size, hand.waiting, log]).toEqual([3, 1, ["start 4", "budget A", "start 2", "budget A"]]);
  await clock.advance(100);
  expect([hand.size, hand.waiting, log.slice(4), idles()]).toEqual([1, 0, ["start 7", "budget A"], 0]);
  await clock.advance(100);
  expect([hand.size, hand.isIdle, idles(), runsMs]).toEqual([0, true, 1, [100, 100, 100]]);
});

test("jobs that are being sent elsewhere take places, too", () => {
  const { hand, take, log } = createBench({ jobs: lasting(100), elsewhere: () => 1 });
  take(0);
  take(1);
  hand.pump();
  expect(log).toEqual(["start 0", "budget A"]);
});

test("how long it took is not told of a job that is to be sent elsewhere", async () => {
  const directive = { kind: "detach", leaseMs: 1_000, dispatch: () => undefined };
  Object.defineProperty(directive, Symbol.for("airlift.directive"), { value: true });
  const { hand, take, ends, runsMs } = createBench({ jobs: () => [{ class: "A", perform: () => directive }] });
  take(0);
  hand.pump();
  expect([ends.map(({ outcome }) => outcome.kind), runsMs]).toEqual([["detached"], []]);
});

test("a job that would not fit into the time that is left is given back unbegun", () => {
  const asked: unknown[] = [];
  const { hand, take, ends, log, idles } = createBench({
    jobs: () => [{ class: "A", timeoutMs: 7_000, perform: () => undefined }],
    fits(ms) {
      asked.push(ms);
      return false;
    },
  });
  take(0);
  hand.pump();
  expect(ends).toEqual([{ slot: 0, outcome: { kind: "released" }, durationMs: 0 }]);
  expect([asked, log, idles()]).toEqual([[7_000], [], 1]);
});

test.each([
  ["fail", "failed"],
  ["requeue", "requeued"],
  ["leave", "requeued"],
] as const)("unknown classes: with %s they are %s", (unknownClass, kind) => {
  const { hand, take, ends, log } = createBench({ unknownClass });
  take(0, { class: "B" });
  hand.pump();
  expect([ends, log]).toMatchObject([[{ slot: 0, outcome: { kind }, durationMs: 0 }], []]);
});

test("what cannot be run fails and says why, whatever is done about unknown classes", () => {
  const { hand, take, ends, log } = createBench({ jobs: lasting(1), unknownClass: "requeue" });
  const refusal = { exception: "Refused", message: "no more", backtrace: [] };
  take(0, "malformed");
  take(1, { refusal });
  hand.pump();
  expect(ends).toMatchObject([
    { outcome: { kind: "failed", failure: { exception: "MalformedPayload" } }, durationMs: 0 },
    { outcome: { kind: "failed", failure: refusal } },
  ]);
  expect(log).toEqual([]);
});

test("what was not begun is given back, once, and what runs goes on", async () => {
  const { clock, hand, take, ends } = createBench({ jobs: lasting(100) });
  for (const slot of [0, 1, 2, 3]) take(slot);
  hand.pump();
  hand.release();
  hand.release();
  const released = { outcome: { kind: "released" }, durationMs: 0 };
  expect(ends).toEqual([
    { slot: 2, ...released },
    { slot: 3, ...released },
  ]);
  expect([hand.size, hand.waiting]).toEqual([2, 0]);
  await clock.advance(100);
  expect(ends.slice(2)).toMatchObject([{ outcome: { kind: "ok" } }, { outcome: { kind: "ok" } }]);
});

/** A clock that jobs move by computing. */
function computing(ms: number, options: { readonly standsStill?: true } = {}) {
  const clock = createManualClock();
  let spentMs = 0;
  const moved = { ...clock, ...options, nowMs: () => clock.nowMs() + spentMs } as ManualClock;
  const jobs = () => [
    {
      class: "A",
      perform() {
        spentMs += ms;
      },
    },
  ];
  return { clock: moved, jobs };
}

test("jobs that compute leave the loop to others after 10 ms in a row, and then go on", async () => {
  const { clock, hand, take, slots, idles } = createBench(computing(4));
  for (let slot = 0; slot < 7; slot++) take(slot);
  hand.pump();
  expect(slots()).toEqual([0, 1, 2]);
  // Who calls in between begins none.
  hand.pump();
  expect([slots().length, idles()]).toEqual([3, 0]);
  await clock.yield();
  expect(slots()).toEqual([0, 1, 2, 3, 4, 5]);
  await clock.yield();
  expect([slots(), idles()]).toEqual([[0, 1, 2, 3, 4, 5, 6], 1]);
});

test("exactly 10 ms are enough", () => {
  const { hand, take, slots } = createBench(computing(5));
  for (let slot = 0; slot < 3; slot++) take(slot);
  hand.pump();
  expect(slots()).toEqual([0, 1]);
});

test("where the clock stands still while a job computes, four are begun in a row", async () => {
  const { clock, hand, take, slots } = createBench(computing(0, { standsStill: true }));
  for (let slot = 0; slot < 9; slot++) take(slot);
  hand.pump();
  expect(slots()).toEqual([0, 1, 2, 3]);
  await clock.yield();
  expect(slots()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("jobs that do not keep the loop busy are all begun in one go", () => {
  const { hand, take, slots } = createBench(computing(0));
  for (let slot = 0; slot < 100; slot++) take(slot);
  hand.pump();
  expect(slots()).toHaveLength(100);
});
