import { describe, expect, test } from "vitest";
import { ACCEPTED, detach } from "../../src/core/directive.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import { createStatusPolicy } from "../../src/core/job-status.ts";
import type { DetachedOutcome } from "../../src/core/outcome.ts";
import {
  type BenchOptions,
  createDrainBench,
  many,
  ofKind,
  type SeenExchange,
  START_MS,
  times,
} from "./drain-bench.ts";

const unavailable = new StoreError("unavailable", "away");

describe("what jobs tell", () => {
  const status = createStatusPolicy({ ttlMs: 1_000 }, []);
  const telling = {
    class: "Telling",
    perform(_args: unknown, job: JobContext) {
      void job.checkin("half");
      return new Promise<void>(() => undefined);
    },
  };

  test("is sent after a second by itself if no exchange comes that carries it", async () => {
    const bench = createDrainBench({ queue: ["Noop 5000"], deps: { status } });
    await bench.clock.advance(4_000);
    expect(bench.noted).toMatchObject([{ atMs: 1_000, started: [{ startedMs: START_MS }], checkins: [] }]);
    // … which asks for no jobs.
    expect(times(bench)).toEqual([0]);
  });

  test("of jobs that have ended is not sent", async () => {
    const ended = createDrainBench({ queue: ["Noop 500", "Noop 5000"], deps: { status } });
    await ended.clock.advance(4_000);
    expect(ended.noted.map(({ started }) => started.map(({ claim }) => claim.slot))).toEqual([[1]]);
    const brief = {
      class: "Brief",
      perform(_args: unknown, job: JobContext) {
        void job.checkin("half");
        return new Promise<void>((resolve) => ended.clock.setTimer(0, resolve));
      },
    };
    const untold = createDrainBench({ queue: ["Brief", "Noop 5000"], jobs: [brief], settings: { leaseMs: 60_000 } });
    await ended.clock.advance(10);
    await untold.clock.advance(4_000);
    expect([untold.settled, untold.noted]).toEqual([["Brief: ok"], []]);
  });

  test("travels with an exchange that comes sooner, and is not sent again", async () => {
    const bench = createDrainBench({ queue: ["Telling", "Noop 300"], jobs: [telling] });
    await bench.clock.advance(5_000);
    const [first, second] = bench.exchanges;
    expect([first?.notes, second?.notes?.checkins]).toMatchObject([undefined, [{ checkin: { message: "half" } }]]);
    expect(bench.noted).toEqual([]);
    expect(ofKind(bench, "job-checkin")).toEqual([
      { kind: "job-checkin", queue: "q", class: "Telling", slot: 0, message: "half", atMs: START_MS },
    ]);
  });

  test("is kept if it could not be sent, and is no reason to ask for jobs", async () => {
    let isDown = true;
    const bench = createDrainBench({
      queue: ["Noop 20000"],
      deps: { status },
      settings: { concurrency: 1 },
      store: (_bench, store) => ({
        async note(notes) {
          if (isDown) throw unavailable;
          return store.note(notes);
        },
      }),
    });
    await bench.clock.advance(3_500);
    isDown = false;
    await bench.clock.advance(2_500);
    expect([bench.noted.length, times(bench)]).toEqual([1, [0]]);
  });
});

describe("what a handler returns", () => {
  const answering = { class: "Answering", perform: () => 42 };
  const outcomeOf = (deps: BenchOptions["deps"]) => {
    const bench = createDrainBench({ queue: ["Answering"], jobs: [answering], ...(deps && { deps }) });
    return bench.clock.advance(10).then(() => bench.exchanges[1]?.settle[0]?.outcome);
  };

  test("is kept where results are, and nowhere else", async () => {
    const kept = { kind: "ok", result: 42 };
    expect(await outcomeOf(undefined)).toEqual({ kind: "ok" });
    expect(await outcomeOf({ status: createStatusPolicy({ ttlMs: 1_000 }, []) })).toEqual({ kind: "ok" });
    expect(await outcomeOf({ status: createStatusPolicy({ ttlMs: 1_000, results: true }, []) })).toEqual(kept);
    const ofOthers = createStatusPolicy(undefined, [{ class: "Other", status: { ttlMs: 1_000, results: true } }]);
    expect(await outcomeOf({ status: ofOthers })).toEqual({ kind: "ok" });
  });
});

describe("jobs that are sent elsewhere", () => {
  const ack = {} as JobAck;
  const answer = ({ settle }: SeenExchange) => ({
    detached: settle.flatMap(({ claim, outcome, ...others }) =>
      outcome.kind === "detached"
        ? [{ settlement: { ...others, claim, outcome: outcome as DetachedOutcome }, ack }]
        : [],
    ),
  });

  const createSending = (
    queue: readonly string[],
    ms: number,
    options: BenchOptions = {},
    told: unknown = ACCEPTED,
  ) => {
    const seen = { underWay: 0, most: 0 };
    const dispatch = (): Promise<unknown> => {
      seen.most = Math.max(seen.most, ++seen.underWay);
      return new Promise((resolve) =>
        bench.clock.setTimer(ms, () => {
          seen.underWay--;
          resolve(told);
        }),
      );
    };
    const perform = async ([name = ""]: readonly string[]) => {
      const ms = Number(name.split(" ")[1] ?? 0);
      if (ms > 0) await new Promise<void>((resolve) => bench.clock.setTimer(ms, resolve));
      return detach({ leaseMs: 30_000, dispatch });
    };
    const jobs = [{ class: "Sent", perform }];
    const bench = createDrainBench({ queue, jobs, answer, settings: { concurrency: 2 }, ...options });
    return { bench, seen };
  };

  test("are waited for, as many at once as jobs may run, and told once they have been sent", async () => {
    const { bench, seen } = createSending(many(6, "Sent"), 1_000);
    await bench.clock.advance(999);
    expect(ofKind(bench, "job-ended")).toEqual([]);
    await bench.clock.advance(60_000);
    expect(seen).toEqual({ underWay: 0, most: 2 });
    expect(bench.report).toMatchObject({ stopped: "empty", detached: 6, succeeded: 0, durationMs: 3_000 });
    expect(ofKind(bench, "job-ended").map(({ outcome }) => outcome.kind)).toEqual(many(6, "detached"));
  });

  test("that end all the same count as they ended, and make room under their limits", async () => {
    const { bench } = createSending(["Sent"], 1_000, {}, "done");
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ succeeded: 1, detached: 0, durationMs: 1_000 });
    expect(bench.calls.filter(([name]) => name === "settleDetached")).toEqual([["settleDetached", 1_000]]);
    const asked = times(bench).filter((ms) => ms === 1_000).length;
    const limitedAnswer = (params: SeenExchange) => ({ ...answer(params), isDrained: true, isLimited: true });
    const limited = createSending(["Sent"], 1_000, { answer: limitedAnswer }, "done").bench;
    await limited.clock.advance(60_000);
    expect([asked, times(limited).filter((ms) => ms === 1_000).length]).toEqual([0, 1]);
  });

  test.each<[string, BenchOptions["options"]]>([
    ["aborted", {}],
    ["deadline", { deadlineMs: 700 }],
  ])("go back unsent if the drain ends before they have left it: %s", async (stopped, options) => {
    const controller = new AbortController();
    const { signal } = controller;
    const store: BenchOptions["store"] = ({ clock }, store) => ({
      async exchange(params) {
        if (params.seq === 2) await new Promise<void>((resolve) => clock.setTimer(800, resolve));
        return store.exchange(params);
      },
    });
    const { bench, seen } = createSending(["Noop 10", "Sent 100", "Sent"], 1_000, {
      ...{ store, options: { signal, ...options } },
    });
    await bench.clock.advance(200);
    if (stopped === "aborted") controller.abort();
    await bench.clock.advance(60_000);
    expect([seen.most, bench.settled]).toEqual([0, ["Noop 10: ok", "Sent 100: released", "Sent: released"]]);
    expect(bench.report).toMatchObject({ stopped, succeeded: 1, detached: 0, released: 2 });
  });
});

describe("a host's limits", () => {
  test("of requests: where they are scarce, jobs that have ended wait longer for each other", async () => {
    const queue = ["Noop 400", "Noop 600", ...many(9, "Noop 9000")];
    const secondAt = async (maxRequests: number) => {
      const bench = createDrainBench({ queue, settings: { concurrency: 8 }, options: { maxRequests } });
      await bench.clock.advance(700);
      const [, second] = bench.exchanges;
      return [second?.atMs, second?.settle.length];
    };
    expect([await secondAt(900), await secondAt(90)]).toEqual([
      [450, 1],
      [650, 2],
    ]);
  });

  const uses = { requests: 0, invocations: 1 };
  const calling = { class: "Calling", uses, perform: () => undefined };

  test("are kept, with jobs to spare given back in order and without an exchange more", async () => {
    const queue = Array.from({ length: 30 }, (_, n) => `Calling ${n}`);
    const bench = createDrainBench({ queue, jobs: [calling], options: { maxInvocations: 7 } });
    await bench.clock.advance(60_000);
    expect(bench.begun).toHaveLength(7);
    expect(bench.report).toMatchObject({ stopped: "budget", succeeded: 7, remaining: 23 });
    expect(bench.queue).toEqual(queue.slice(7));
  });

  test("of requests: the drain ends in time, having used what it could", async () => {
    const bench = createDrainBench({ queue: many(300, "Noop 20"), options: { maxRequests: 40 } });
    await bench.clock.advance(60_000);
    const { stopped, requests = 0, succeeded = 0 } = bench.report ?? {};
    expect([stopped, bench.begun.length]).toEqual(["budget", succeeded]);
    expect(requests + succeeded).toBeLessThanOrEqual(40);
    expect(requests + succeeded).toBeGreaterThan(28);
    expect(bench.queue).toHaveLength(300 - succeeded);
  });

  test.each([16, 17])(
    "of %i requests: none is spared for looking about, but the lease is renewed",
    async (maxRequests) => {
      const bench = createDrainBench({ queue: ["Noop 25000"], options: { maxRequests } });
      await bench.clock.advance(60_000);
      expect(bench.report).toMatchObject({ succeeded: 1 });
      expect(bench.exchanges.filter(({ beat }) => beat).map(({ atMs }) => atMs)).toEqual([10_000, 20_000]);
      expect(bench.calls.map(([name]) => name)).toEqual(["hasWork", "survey", "close", "countQueued"]);
    },
  );
});

describe("a drain that is to end", () => {
  const createAborted = (options: BenchOptions) => {
    const controller = new AbortController();
    const { signal } = controller;
    return { controller, bench: createDrainBench({ ...options, options: { signal } }) };
  };

  test("asks for no more jobs while the last ones run", async () => {
    const { controller, bench } = createAborted({ queue: ["Noop 9000"], settings: { graceMs: 20_000 } });
    await bench.clock.advance(1_500);
    controller.abort();
    await bench.clock.advance(60_000);
    expect(bench.calls.filter(([name]) => name === "hasQueued")).toEqual([["hasQueued", 1_000]]);
    expect(bench.report).toMatchObject({ stopped: "aborted", succeeded: 1, durationMs: 9_000 });
  });

  test("begins none of those that it held in hand, though others end in its grace", async () => {
    const queue = [...many(40, "Noop 20"), ...many(9, "Noop 1200")];
    const { controller, bench } = createAborted({ queue, settings: { graceMs: 20_000 } });
    await bench.clock.advance(1_000);
    expect([bench.begun.length, bench.queue.length < 5]).toEqual([44, true]);
    controller.abort();
    await bench.clock.advance(60_000);
    expect([bench.begun.length, bench.queue.length]).toEqual([44, 5]);
    expect(bench.report).toMatchObject({ succeeded: 44, released: 2 });
  });

  test("waits for no rate any more", async () => {
    const { controller, bench } = createAborted({
      answer: () => ({ isLimited: true, isDrained: true, freesInMs: 3_000 }),
    });
    await bench.clock.advance(1_000);
    expect(bench.report).toBeUndefined();
    controller.abort();
    await bench.clock.advance(0);
    expect(bench.report).toMatchObject({ durationMs: 1_000 });
  });
});

test("what is due and turns out to be gone is no reason to ask for jobs", async () => {
  const bench = createDrainBench({
    queue: ["Noop 9000"],
    store: (_bench, store) => ({ survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS + 500 }) }),
  });
  await bench.clock.advance(900);
  expect([bench.calls.filter(([name]) => name === "promote"), times(bench)]).toEqual([[["promote", 500]], [0]]);
});

test("jobs in hand are no reason for an exchange by themselves", async () => {
  const bench = createDrainBench({ queue: many(60, "Noop 100"), settings: { concurrency: 4 } });
  await bench.clock.advance(60_000);
  expect(bench.report).toMatchObject({ succeeded: 60, durationMs: 1_500 });
  // Each moves two jobs at least, but for the first and the last.
  expect(bench.exchanges.slice(1, -1).filter(({ settle }) => settle.length < 2)).toEqual([]);
});

test("without anybody who listens all goes on as with", async () => {
  const telling = { class: "Telling", perform: (_args: unknown, job: JobContext) => job.checkin("half") };
  const answer = ({ settle }: SeenExchange) => ({ lost: settle });
  const bench = createDrainBench({ queue: ["Telling", "Noop 10"], jobs: [telling], answer, deps: { listeners: [] } });
  await bench.clock.advance(1_000);
  expect(bench.report).toMatchObject({ stopped: "empty", claimed: 2, lost: 2 });
  const usual = createDrainBench({ queue: ["Telling", "Noop 10"], jobs: [telling], deps: { listeners: [] } });
  await usual.clock.advance(10);
  expect(usual.report).toMatchObject({ stopped: "empty", succeeded: 2, durationMs: 10 });
});
