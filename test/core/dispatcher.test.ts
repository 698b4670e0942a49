import { expect, test } from "vitest";
import { createDispatcher, type DispatcherOptions, undetached } from "../../src/core/dispatcher.ts";
import { createDue } from "../../src/core/due.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import type { DetachedOutcome, Outcome } from "../../src/core/outcome.ts";
import { createTally } from "../../src/core/tally.ts";
import { createManualClock } from "./manual-clock.ts";

const ack = {} as JobAck;

function createBench(options: Partial<DispatcherOptions> = {}) {
  const clock = createManualClock();
  const tally = createTally();
  const due = createDue({ promote: async () => ({ promoted: 0, nextDueMs: undefined }) }, undefined, clock);
  const settled: string[] = [];
  const accepted: { settled: string[]; lost: number }[] = [];
  const told: [string, boolean | undefined][] = [];
  const freedMs: number[] = [];
  const logged: unknown[] = [];
  const note = (message: string, fields?: object) => void logged.push({ message, ...fields });
  const dispatcher = createDispatcher({
    ...{ clock, tally, due, calling: <T>(call: (attempt: number) => Promise<T>) => call(1) },
    logger: { debug: note, info: note, warn: note, error: note },
    store: {
      async settleDetached(_ack, { outcome }) {
        settled.push(outcome.kind);
        return true;
      },
    },
    accept: (settlements, lost) =>
      void accepted.push({ settled: settlements.map(({ outcome }) => outcome.kind), lost: lost.length }),
    tellEnded: ({ outcome }, isDispatched) => void told.push([outcome.kind, isDispatched]),
    onFree: (ms) => void freedMs.push(ms),
    ...options,
  });
  const dispatch = (send: DetachedOutcome["dispatch"], afterMs = 10_000): void => {
    const outcome = { kind: "detached", afterMs, dispatch: send } as const;
    const job = { kind: "job", class: "A", args: [], raw: "{}", attempt: 1, retries: 0 } as const;
    const claim = { slot: 0, token: "d.1.1", queue: "q", job };
    dispatcher.expect();
    dispatcher.dispatch([{ settlement: { claim, outcome }, ack }], 1);
  };
  return { clock, tally, due, dispatcher, dispatch, settled, accepted, told, freedMs, logged };
}

const never = () => new Promise<undefined>(() => undefined);
const after = (bench: { readonly clock: ReturnType<typeof createManualClock> }, ms: number, outcome?: Outcome) => () =>
  new Promise<Outcome | undefined>((resolve) => bench.clock.setTimer(ms, () => resolve(outcome)));

test("a job that was sent is told and counted as detached, and its place is free after that time", async () => {
  const bench = createBench();
  bench.dispatch(after(bench, 300));
  expect(bench.dispatcher.size).toBe(1);
  await bench.clock.advance(299);
  expect([bench.told, bench.tally.detached, bench.freedMs]).toEqual([[], 0, []]);
  await bench.clock.advance(1);
  expect([bench.told, bench.tally.detached, bench.freedMs]).toEqual([[["detached", true]], 1, [300]]);
  expect([bench.dispatcher.size, bench.settled, bench.accepted, bench.clock.pendingMs]).toEqual([0, [], [], []]);
});

test("jobs count as under way from their end on, those too that turn out to be lost", () => {
  const bench = createBench();
  const { dispatcher } = bench;
  for (let n = 0; n < 5; n++) dispatcher.expect();
  expect(dispatcher.size).toBe(5);
  dispatcher.dispatch([], 2);
  expect(dispatcher.size).toBe(3);
  bench.dispatch(never);
  expect(dispatcher.size).toBe(4);
  dispatcher.dispatch([], 9);
  expect(dispatcher.size).toBe(1);
});

test("a job that ended all the same is settled, and told as what it ended", async () => {
  const bench = createBench();
  bench.dispatch(async () => ({ kind: "postponed", afterMs: 700 }));
  await bench.clock.advance(5);
  expect([bench.settled, bench.told]).toEqual([["postponed"], [["postponed", undefined]]]);
  expect([bench.accepted, bench.tally.detached]).toEqual([[{ settled: ["postponed"], lost: 0 }], 0]);
  // The drain knows when it is due, without having looked.
  expect(bench.due.nextMs).toBe(bench.clock.nowMs() - 5 + 700);
});

test("… and is lost if its lease had ended", async () => {
  const bench = createBench({ store: { settleDetached: async () => false } });
  bench.dispatch(async () => ({ kind: "ok" }));
  await bench.clock.advance(0);
  expect([bench.accepted, bench.due.nextMs]).toEqual([[{ settled: ["ok"], lost: 1 }], undefined]);
});

test("… but is not, if the first of two calls has settled it and only its reply was lost", async () => {
  let calls = 0;
  const bench = createBench({
    store: {
      async settleDetached() {
        if (++calls === 1) throw new Error("the reply is lost");
        return false;
      },
    },
    calling: <T>(call: (attempt: number) => Promise<T>) => call(1).catch(() => call(2)),
  });
  bench.dispatch(async () => ({ kind: "ok" }));
  await bench.clock.advance(0);
  expect(bench.accepted).toEqual([{ settled: ["ok"], lost: 0 }]);
});

test("… and counts as lost, and is told in the log, if that could not be written", async () => {
  const error = new Error("away");
  const bench = createBench({ store: { settleDetached: () => Promise.reject(error) } });
  bench.dispatch(async () => ({ kind: "ok" }));
  await bench.clock.advance(0);
  expect([bench.accepted, bench.freedMs]).toEqual([[{ settled: ["ok"], lost: 1 }], [0]]);
  expect(bench.logged).toMatchObject([{ queue: "q", class: "A", error }]);
});

test("nobody waits for a job beyond its lease, and who sends it is told", async () => {
  const bench = createBench();
  let aborts = 0;
  bench.dispatch((_ack, { signal }) => {
    signal.addEventListener("abort", () => aborts++);
    return never();
  }, 500);
  await bench.clock.advance(499);
  expect([aborts, bench.dispatcher.size]).toEqual([0, 1]);
  await bench.clock.advance(1);
  expect([aborts, bench.dispatcher.size, bench.told]).toEqual([1, 0, [["detached", true]]]);
});

test("when the drain ends, what is on its way is left to its lease, and what comes then is given back unsent", async () => {
  const bench = createBench();
  const reasons: unknown[] = [];
  bench.dispatch((_ack, { signal }) => {
    signal.addEventListener("abort", () => reasons.push(signal.reason));
    return never();
  });
  bench.dispatcher.expect();
  const reason = new Error("time is up");
  bench.dispatcher.abort(reason);
  expect(bench.dispatcher.size).toBe(1);
  await bench.clock.advance(0);
  expect([reasons, bench.dispatcher.size, bench.tally.detached]).toEqual([[reason], 0, 1]);
  bench.dispatch(() => Promise.reject(new Error("is not sent")));
  await bench.clock.advance(0);
  expect([bench.settled, bench.told.at(-1)]).toEqual([["released"], ["released", undefined]]);
  expect(bench.clock.pendingMs).toEqual([]);
});

test("what says, when the drain ends, that it was not sent yet is given back", async () => {
  const bench = createBench();
  bench.dispatch(
    (_ack, { signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve({ kind: "released" }))),
  );
  bench.dispatcher.abort(new Error("time is up"));
  await bench.clock.advance(0);
  expect([bench.settled, bench.tally.detached]).toEqual([["released"], 0]);
});

test("one that has been sent is not aborted any more", async () => {
  const bench = createBench();
  let signal: AbortSignal | undefined;
  bench.dispatch(async (_ack, options) => {
    signal = options.signal;
    return undefined;
  });
  await bench.clock.advance(20_000);
  bench.dispatcher.abort(new Error("time is up"));
  expect(signal?.aborted).toBe(false);
});

test("without time to dispatch, what is to be detached is given back, and nothing else", () => {
  expect(undetached({ kind: "detached", afterMs: 1, dispatch: never })).toEqual({ kind: "released" });
  expect(undetached({ kind: "ok" })).toEqual({ kind: "ok" });
});
