import { expect, test } from "vitest";
import type { Perform } from "../../src/core/job.ts";
import { createJobRunner } from "../../src/core/job-runner.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { createManualClock } from "./manual-clock.ts";

const never = (): Promise<never> => new Promise(() => undefined);

function createBench({ timeoutMs = 60_000 } = {}) {
  const clock = createManualClock();
  const ends: { slot: number; outcome: Outcome; durationMs: number }[] = [];
  const runner = createJobRunner({
    clock,
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    runHandler: (run) => run(),
    perform: (definition, args, context) => definition.perform(args, context),
    random: () => 0,
    timeoutMs,
    onEnd: ({ slot }, outcome, durationMs) => ends.push({ slot, outcome, durationMs }),
  });
  const start = (slot: number, perform: Perform<readonly unknown[]>, limitMs?: number): void => {
    const job = { kind: "job", class: "A", args: [], raw: "{}", attempt: 1, retries: 0 } as const;
    const definition = { class: "A", perform, ...(limitMs === undefined ? {} : { timeoutMs: limitMs }) };
    runner.start({ slot, token: "d.1", queue: "q", job }, job, definition);
  };
  return { clock, runner, ends, start };
}

const timedOut = { kind: "failed", failure: { exception: "TimeoutError" } };

test("each job has its own time limit, and one timer serves them all", async () => {
  const { clock, runner, ends, start } = createBench({ timeoutMs: 300 });
  start(0, never, 200);
  start(1, never);
  start(2, never, 100);
  expect(clock.pendingMs).toHaveLength(1);
  await clock.advance(99);
  expect(ends).toEqual([]);
  await clock.advance(1_000);
  expect(ends).toMatchObject([
    { slot: 2, outcome: timedOut, durationMs: 100 },
    { slot: 0, outcome: timedOut, durationMs: 200 },
    { slot: 1, outcome: timedOut, durationMs: 300 },
  ]);
  expect([runner.size, clock.pendingMs]).toEqual([0, []]);
});

test("a job that ends in time leaves no limit behind it", async () => {
  const { clock, runner, ends, start } = createBench();
  start(0, async () => undefined, 100);
  await clock.advance(0);
  expect(ends).toMatchObject([{ slot: 0, outcome: { kind: "ok" } }]);
  runner.dispose();
  expect(clock.pendingMs).toEqual([]);
});

test("an abort releases what does not end at once, and fails what had its whole time", async () => {
  const { clock, runner, ends, start } = createBench();
  const reasons: unknown[] = [];
  const listen: Perform<readonly unknown[]> = (_args, { signal }) => {
    signal.addEventListener("abort", () => reasons.push(signal.reason));
    return never();
  };
  const giveIn: Perform<readonly unknown[]> = (_args, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  start(0, listen);
  start(4, giveIn);
  await clock.advance(5_000);
  start(1, listen);
  start(2, (_args, { signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())));
  start(3, giveIn);
  await clock.advance(5_000);
  const reason = new Error("time is up");
  await runner.abort(reason, 10_000);
  expect(reasons).toEqual([reason, reason]);
  expect(ends.toSorted((a, b) => a.slot - b.slot)).toMatchObject([
    { slot: 0, outcome: timedOut },
    { slot: 1, outcome: { kind: "released" } },
    { slot: 2, outcome: { kind: "ok" } },
    { slot: 3, outcome: { kind: "released" } },
    { slot: 4, outcome: timedOut },
  ]);
  expect(runner.size).toBe(0);
});

test("a signal that is asked for late is aborted already", async () => {
  const { runner, start } = createBench();
  let ask: () => boolean = () => false;
  start(0, (_args, job) => {
    ask = () => job.signal.aborted;
    return never();
  });
  await runner.abort(new Error("time is up"), Number.POSITIVE_INFINITY);
  expect(ask()).toBe(true);
});

test("of jobs without a limit of their own the longest run is remembered", async () => {
  const { clock, runner, start } = createBench();
  const after = (ms: number) => () => new Promise<void>((resolve) => clock.setTimer(ms, resolve));
  start(0, after(30));
  start(1, after(70));
  start(2, after(500), 1_000);
  await clock.advance(600);
  expect(runner.longestMs).toBe(70);
});
