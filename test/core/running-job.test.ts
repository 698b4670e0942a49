import { describe, expect, test } from "vitest";
import { abortRun, RunningJob, type RunningJobOptions, type RunState } from "../../src/core/running-job.ts";
import type { Claim } from "../../src/core/store.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const job = { kind: "job", class: "A", args: [7], raw: '{"a":1}', attempt: 3, retries: 2, id: "x" } as const;
const claim: Claim = { slot: 4, token: "d.4", queue: "q", job };

function createBench(options: Partial<RunningJobOptions<Claim>> = {}) {
  const state: RunState = { isOver: false };
  const told: unknown[] = [];
  const used: unknown[] = [];
  const running = new RunningJob(
    claim,
    job,
    { class: "A", perform: () => undefined, uses: { requests: 5 } },
    {
      ...{ logger: silent, deadlineMs: 99, state },
      onCheckIn: ({ slot }, change) => void told.push([slot, change]),
      onUsed: (from, to) => void used.push([from.requests, to.requests, to.connections, to.invocations]),
      ...options,
    },
  );
  return { running, state, told, used };
}

test("a handler is told all about its job", () => {
  const { running } = createBench();
  const { queue, class: name, args, raw, attempt, retries, id, deadlineMs } = running;
  expect({ queue, name, args, raw, attempt, retries, id, deadlineMs }).toEqual({
    ...{ queue: "q", name: "A", args: [7], raw: '{"a":1}', attempt: 3, retries: 2, id: "x", deadlineMs: 99 },
  });
  expect([running.context, running.resources]).toEqual([{}, {}]);
});

describe("what a handler tells", () => {
  test("is passed on with its claim as long as the job runs, and never waited for", async () => {
    const { running, state, told } = createBench();
    await Promise.all([running.checkin("half"), running.progress(1, 2)]);
    expect(told).toMatchObject([
      [4, { message: "half" }],
      [4, { done: 1, total: 2 }],
    ]);
    state.isOver = true;
    await Promise.all([running.checkin("late"), running.progress(2, 2)]);
    expect(told).toHaveLength(2);
  });

  test("breaks nothing where nobody listens", async () => {
    const { logger, deadlineMs, state } = { logger: silent, deadlineMs: 1, state: { isOver: false } };
    const running = new RunningJob(claim, job, { class: "A", perform: () => undefined }, { logger, deadlineMs, state });
    await running.checkin("half");
    await running.progress(1);
    expect(running.used({ requests: 1 })).toBeUndefined();
  });
});

describe("what a handler says that it uses", () => {
  test("goes in the place of what its class says, then of what it said before; what is not named is none", () => {
    const { running, used } = createBench();
    running.used({ requests: 2, invocations: 1 });
    running.used({ requests: 9, connections: 3 });
    expect(used).toEqual([
      [5, 2, 0, 1],
      [2, 9, 3, 0],
    ]);
  });

  test.each([{ requests: -1 }, { requests: Number.NaN }, { connections: "2" as never }])(
    "%o is no count, and not heard",
    (uses) => {
      const { running, used } = createBench();
      running.used(uses);
      running.used({ requests: 1 });
      expect(used).toEqual([[5, 1, 0, 0]]);
    },
  );

  test("is not heard after the job's end, but while it is sent elsewhere", () => {
    const { running, state, used } = createBench();
    state.isOver = true;
    running.used({ requests: 2 });
    expect(used).toEqual([]);
    state.isDispatching = true;
    running.used({ requests: 3 });
    expect(used).toEqual([[5, 3, 0, 0]]);
    running.used({ requests: -3 });
    expect(used).toHaveLength(1);
  });
});

test("its signal is one, aborted with the reason, whether it was asked for before or not", () => {
  const reason = new Error("time is up");
  const early = createBench();
  const { signal } = early.running;
  expect([early.running.signal === signal, signal.aborted]).toEqual([true, false]);
  abortRun(early.state, reason);
  expect([signal.aborted, signal.reason]).toEqual([true, reason]);
  const late = createBench();
  abortRun(late.state, reason);
  expect([late.running.signal.aborted, late.running.signal.reason]).toEqual([true, reason]);
});
