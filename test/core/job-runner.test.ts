import { describe, expect, test } from "vitest";
import { ACCEPTED, detach, release, retry } from "../../src/core/directive.ts";
import type { Perform } from "../../src/core/job.ts";
import { createJobRunner, type JobRunnerOptions } from "../../src/core/job-runner.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Claim } from "../../src/core/store.ts";
import { createManualClock } from "./manual-clock.ts";

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = (): Promise<never> => new Promise(() => undefined);

function createBench({ timeoutMs = 60_000, ...options }: Partial<JobRunnerOptions<Claim>> = {}) {
  const manual = createManualClock();
  let spentMs = 0;
  const clock = { ...manual, nowMs: () => manual.nowMs() + spentMs };
  const ends: { slot: number; outcome: Outcome; durationMs: number }[] = [];
  const runner = createJobRunner({
    clock,
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    runHandler: (run) => run(),
    perform: (definition, args, context) => definition.perform(args, context),
    random: () => 0,
    timeoutMs,
    onEnd: ({ slot }, outcome, durationMs) => void ends.push({ slot, outcome, durationMs }),
    ...options,
  });
  const start = (slot: number, perform: Perform<readonly unknown[]>, limitMs?: number): void => {
    const job = { kind: "job", class: "A", args: [], raw: "{}", attempt: 1, retries: 0 } as const;
    const definition = { class: "A", perform, ...(limitMs === undefined ? {} : { timeoutMs: limitMs }) };
    runner.start({ slot, token: "d.1", queue: "q", job }, job, definition);
  };
  /** Keeps the loop busy so long. */
  const compute = (ms: number): void => {
    spentMs += ms;
  };
  const advance = (ms: number): Promise<void> => manual.advance(ms);
  return { clock: manual, runner, ends, start, compute, advance };
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

describe("a job that computes", () => {
  const busy = /^the job took 150 ms, its time limit being 100 ms; it kept the event loop busy/;

  test.each([
    [150, "failed"],
    [100, "ok"],
  ])("for %i ms at once under a limit of 100: %s", (ms, kind) => {
    const { ends, start, compute } = createBench({ timeoutMs: 100 });
    start(0, () => compute(ms));
    expect(ends).toMatchObject([{ outcome: { kind }, durationMs: ms }]);
    if (kind === "failed")
      expect(ends).toMatchObject([{ outcome: { failure: { message: expect.stringMatching(busy) } } }]);
  });

  test("beyond its limit in its first part is late, though others end before it", async () => {
    const { clock, ends, start, compute } = createBench({ timeoutMs: 100 });
    start(0, async () => compute(150));
    start(1, async () => undefined);
    await clock.advance(0);
    expect(ends).toMatchObject([
      { slot: 0, outcome: timedOut },
      { slot: 1, outcome: { kind: "ok" } },
    ]);
  });

  test("beyond its limit later on is late, and those that it kept from ending are not", async () => {
    const { clock, ends, start, compute } = createBench({ timeoutMs: 100 });
    const open: (() => void)[] = [];
    const wait = () => new Promise<void>((resolve) => open.push(resolve));
    start(0, () => wait().then(() => compute(150)));
    // Whoever ends first is taken to have kept the loop busy.
    start(1, () => wait().then(macrotask));
    for (const each of open) each();
    await clock.advance(0);
    expect(ends).toMatchObject([
      { slot: 0, outcome: timedOut, durationMs: 150 },
      { slot: 1, outcome: { kind: "ok" }, durationMs: 150 },
    ]);
  });

  test("fails as what it threw, however late", () => {
    const { ends, start, compute } = createBench({ timeoutMs: 100 });
    start(0, () => {
      compute(150);
      throw new RangeError("boom");
    });
    expect(ends).toMatchObject([{ outcome: { kind: "failed", failure: { exception: "RangeError" } } }]);
  });
});

describe("a job ends once", () => {
  test("though its handler goes on beyond its time limit, and takes no other with it", async () => {
    const { clock, runner, ends, start } = createBench();
    const lasting = (ms: number, end: "resolve" | "reject") => () =>
      new Promise<void>((resolve, reject) =>
        clock.setTimer(ms, () => (end === "resolve" ? resolve() : reject(new Error("late")))),
      );
    start(0, lasting(200, "resolve"), 100);
    start(1, lasting(300, "reject"), 100);
    start(2, lasting(500, "resolve"));
    await clock.advance(400);
    expect([ends.map(({ slot }) => slot), runner.size]).toEqual([[0, 1], 1]);
    await clock.advance(100);
    expect(ends.slice(2)).toMatchObject([{ slot: 2, outcome: { kind: "ok" } }]);
  });

  test("though its host fails it by an error out of the blue, before or after", async () => {
    const fails: ((error: unknown) => void)[] = [];
    const { clock, runner, ends, start } = createBench({
      runHandler(run, fail) {
        fails.push(fail);
        return run();
      },
    });
    start(0, async () => undefined);
    start(1, never);
    await clock.advance(0);
    fails[0]?.(new Error("too late"));
    expect(runner.size).toBe(1);
    fails[1]?.(new RangeError("out of the blue"));
    fails[1]?.(new Error("again"));
    expect(ends).toMatchObject([
      { slot: 0, outcome: { kind: "ok" } },
      { slot: 1, outcome: { kind: "failed", failure: { exception: "RangeError" } } },
    ]);
  });
});

describe("what a handler returns", () => {
  test.each([
    [true, 42, { kind: "ok", result: 42 }],
    [true, null, { kind: "ok", result: null }],
    [true, undefined, { kind: "ok" }],
    [false, 42, { kind: "ok" }],
    [undefined, 42, { kind: "ok" }],
  ])("where results are kept (%s): %o", (keeps, result, outcome) => {
    const { ends, start } = createBench(keeps === undefined ? {} : { keepsResult: () => keeps });
    start(0, () => result);
    expect(ends[0]?.outcome).toStrictEqual(outcome);
  });

  test("by a directive is that", () => {
    const { ends, start } = createBench();
    start(0, () => release({ afterMs: 70 }));
    start(1, () => retry({ afterMs: 80 }));
    expect(ends.map(({ outcome }) => outcome)).toEqual([
      { kind: "postponed", afterMs: 70 },
      {
        ...{ kind: "retrying", afterMs: 80 },
        failure: { exception: "Retry", message: "the handler asked for another attempt", backtrace: [] },
      },
    ]);
  });

  test("as a directive that cannot be read fails the job", () => {
    const { ends, start } = createBench();
    start(0, () => Object.assign({ kind: "explode" }, { [Symbol.for("airlift.directive")]: true }));
    expect(ends).toMatchObject([{ outcome: { kind: "failed", failure: { exception: "TypeError" } } }]);
  });

  test("to be sent elsewhere: what that uses is heard until it has been sent", async () => {
    const used: number[] = [];
    const { ends, start } = createBench({ onUsed: (_from, { requests = 0 }) => void used.push(requests) });
    start(0, (_args, job) =>
      detach({
        leaseMs: 1_000,
        async dispatch() {
          job.used({ requests: 2 });
          queueMicrotask(() => setImmediate(() => job.used({ requests: 3 })));
          return ACCEPTED;
        },
      }),
    );
    const outcome = ends[0]?.outcome;
    if (outcome?.kind !== "detached") throw new Error("is not detached");
    await outcome.dispatch({} as never, { signal: new AbortController().signal });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(used).toEqual([2]);
  });
});

test("hooks are told what the handler told, or why it was stopped", async () => {
  const told: unknown[] = [];
  const hooks = {
    afterJob: (_definition: unknown, _job: unknown, { kind }: Outcome, what: unknown) =>
      void told.push([kind, what instanceof Error ? what.name : what]),
  };
  const { clock, runner, start, compute } = createBench({ hooks, timeoutMs: 100 });
  start(0, () => 42);
  start(0, () => release());
  start(0, () => Promise.reject(new RangeError("x")));
  start(0, () => compute(150));
  start(0, never);
  await clock.advance(100);
  start(0, never);
  start(1, never, 90_000);
  await runner.abort(new Error("time is up"), 0);
  start(0, never);
  await runner.abort(new Error("time is up"), 1);
  const late = ["failed", "TimeoutError"];
  expect(told.toSorted()).toEqual(
    [
      ["ok", 42],
      ["postponed", undefined],
      ["failed", "RangeError"],
      late,
      late,
      late,
      late,
      ["released", undefined],
    ].toSorted(),
  );
});

test("one timer is set for the job whose limit ends first, and is set anew only for one that ends sooner", async () => {
  const timers: number[] = [];
  const manual = createManualClock();
  const clock = {
    ...manual,
    setTimer(ms: number, callback: () => void) {
      timers.push(ms);
      return manual.setTimer(ms, callback);
    },
  };
  const { start } = createBench({ clock });
  start(0, never, 500);
  start(1, never, 900);
  start(2, never, 500);
  expect(timers).toEqual([500]);
  start(3, never, 200);
  expect([timers, manual.pendingMs]).toEqual([[500, 200], [200]]);
  await manual.advance(200);
  expect([timers, manual.pendingMs]).toEqual([[500, 200, 300], [300]]);
});

test("a handler beyond its time limit finds that in its signal", async () => {
  const { clock, start } = createBench();
  const reasons: string[] = [];
  start(
    0,
    (_args, { signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason.name));
      return never();
    },
    100,
  );
  await clock.advance(99);
  expect(reasons).toEqual([]);
  await clock.advance(1);
  expect(reasons).toEqual(["TimeoutError"]);
});

test("a handler is told when its time is up: at its limit, or with the drain's, whichever is sooner", () => {
  const deadlines: number[] = [];
  const note: Perform<readonly unknown[]> = (_args, { deadlineMs }) => void deadlines.push(deadlineMs);
  const startMs = 1_000_000;
  createBench({ timeoutMs: 700 }).start(0, note);
  const { start } = createBench({ timeoutMs: 700, endMs: startMs + 500 });
  start(0, note);
  start(1, note, 300);
  expect(deadlines).toEqual([startMs + 700, startMs + 500, startMs + 300]);
});

test("a handler is heard as long as it runs", () => {
  const told: number[] = [];
  const { start } = createBench({ onCheckIn: ({ slot }) => void told.push(slot) });
  start(3, (_args, job) => job.checkin("half"));
  expect(told).toEqual([3]);
});

test.each<[what: string, dispatch: () => Promise<unknown>, outcome: object, told: unknown[]]>([
  ["returns a result", async () => 42, { kind: "ok" }, ["ok", 42]],
  [
    "returns a directive",
    async () => release({ afterMs: 7 }),
    { kind: "postponed", afterMs: 7 },
    ["postponed", undefined],
  ],
  [
    "throws",
    () => Promise.reject(new RangeError("x")),
    { kind: "failed", failure: { exception: "RangeError" } },
    ["failed", "x"],
  ],
])("a dispatch that %s ends the job as its handler would", async (_what, dispatch, outcome, expected) => {
  const told: unknown[] = [];
  const hooks = {
    afterJob: (_definition: unknown, _job: unknown, { kind }: Outcome, what: unknown) =>
      void told.push([kind, what instanceof Error ? what.message : what]),
  };
  for (const options of [{ hooks }, {}]) {
    const { ends, start } = createBench(options);
    start(0, () => detach({ leaseMs: 1_000, dispatch }));
    const detached = ends[0]?.outcome;
    if (detached?.kind !== "detached") throw new Error("is not detached");
    expect(await detached.dispatch({} as never, { signal: new AbortController().signal })).toMatchObject(outcome);
  }
  expect(told).toEqual([["detached", undefined], expected]);
});
