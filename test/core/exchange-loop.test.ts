import { getEventListeners } from "node:events";
import { beforeEach, describe, expect, test } from "vitest";
import { release } from "../../src/core/directive.ts";
import type { DrainOptions } from "../../src/core/drain-deps.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import {
  type BenchOptions,
  createDrainBench,
  many,
  moves,
  ofKind,
  type SeenExchange,
  START_MS,
  type StoreChange,
  times,
  timesOf,
} from "./drain-bench.ts";

/** Exchanges take so long, and are carried out at their end. */
const slowExchange =
  (ms: number): StoreChange =>
  ({ clock }, store) => ({
    async exchange(params) {
      await new Promise<void>((resolve) => clock.setTimer(ms, resolve));
      return store.exchange(params);
    },
  });
const unavailable = new StoreError("unavailable", "away");

describe("a drain with a long job", () => {
  test("renews its lease each third of it, looks for dead drains then, and leaves no timer behind", async () => {
    const bench = createDrainBench({ queue: ["Noop 25000"] });
    await bench.clock.advance(60_000);
    expect(bench.exchanges.map(({ seq, atMs, beat }) => [seq, atMs, beat])).toEqual([
      [1, 0, undefined],
      [2, 10_000, []],
      [3, 20_000, []],
      [4, 25_000, undefined],
    ]);
    expect(timesOf(bench, "survey")).toEqual([0, 10_000, 20_000]);
    expect(bench.report).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect(bench.clock.pendingMs).toEqual([]);
  });

  test("renews its lease as often while short jobs end beside it, and shows what they did", async () => {
    const bench = createDrainBench({ queue: ["Noop 25000", ...many(8, "Noop 3000")], settings: { concurrency: 2 } });
    await bench.clock.advance(60_000);
    const beats = bench.exchanges.filter(({ beat }) => beat);
    expect(beats.map(({ atMs }) => atMs)).toEqual([10_000, 20_000]);
    const processed = beats.map(({ beat }) => beat?.map((stats) => stats.processed));
    expect(processed).toEqual([[3], [6]]);
    expect(bench.report).toMatchObject({ succeeded: 9 });
  });

  test("asks an empty queue now and then, and takes what has come at once", async () => {
    const bench = createDrainBench({ queue: ["Noop 9000"] });
    await bench.clock.advance(6_000);
    expect(timesOf(bench, "hasQueued")).toEqual([1_000, 3_000]);
    bench.queue.push("Noop", "Noop", "Noop");
    await bench.clock.advance(1_500);
    expect(timesOf(bench, "hasQueued")).toEqual([1_000, 3_000, 7_000]);
    // All slots that hold no job are there for it, those too that found none before.
    expect(bench.exchanges[1]).toMatchObject({ atMs: 7_000, settle: [], fill: [1, 2, 3] });
    await bench.clock.advance(10_000);
    expect(bench.report).toMatchObject({ stopped: "empty", succeeded: 4 });
  });

  test("with no slot free asks nothing", async () => {
    const bench = createDrainBench({ queue: ["Noop 9000"], settings: { concurrency: 1 } });
    await bench.clock.advance(8_999);
    expect([times(bench), timesOf(bench, "hasQueued")]).toEqual([[0], []]);
  });

  test("asks by exchanges where limits hold jobs back, for only these tell more", async () => {
    const answer = () => ({ isDrained: true, isLimited: true });
    const bench = createDrainBench({ queue: ["Noop 9000"], answer });
    await bench.clock.advance(8_000);
    expect([times(bench), timesOf(bench, "hasQueued")]).toEqual([[0, 1_000, 3_000, 7_000], []]);
  });

  test("takes what came back from a dead drain at once", async () => {
    let surveys = 0;
    const bench = createDrainBench({
      queue: ["Noop 15000"],
      store: ({ queue }, store) => ({
        async survey() {
          await store.survey();
          return { dead: surveys++ === 1 ? [{ drainId: "dead" }] : [], nextDueMs: undefined };
        },
        async recover() {
          queue.push("Noop");
          return { requeued: 1, failed: 0 };
        },
      }),
    });
    await bench.clock.advance(10_000);
    expect(bench.begun).toEqual([
      ["Noop 15000", 0],
      ["Noop", 10_000],
    ]);
    expect(ofKind(bench, "drain-recovered")).toMatchObject([{ drainId: "dead", requeued: 1, failed: 0 }]);
  });

  test("goes on if looking for more fails, as its jobs matter more", async () => {
    const fail = async (): Promise<never> => {
      throw unavailable;
    };
    let surveys = 0;
    const bench = createDrainBench({
      queue: ["Noop 15000"],
      store: (_bench, store) => ({ hasQueued: fail, survey: () => (surveys++ === 0 ? store.survey() : fail()) }),
    });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "empty", succeeded: 1 });
  });

  test("does not go on if looking for more is refused for good", async () => {
    const bench = createDrainBench({
      queue: ["Noop 15000"],
      store: () => ({
        hasQueued() {
          throw new StoreError("rejected", "no permission");
        },
      }),
    });
    await bench.clock.advance(2_000);
    expect(bench.error).toMatchObject({ code: "ERR_DRAIN" });
    expect(bench.clock.pendingMs).toEqual([15_000 - 2_000]);
  });
});

describe("jobs that have ended", () => {
  const four = ["Noop 400", "Noop 440", "Noop 540", "Noop 600"];

  test("wait a moment for others to be written with them, as long as jobs may come for their slots", async () => {
    const bench = createDrainBench({ queue: [...four, ...many(8, "Noop 9000")], settings: { concurrency: 8 } });
    await bench.clock.advance(460);
    expect(moves(bench)).toEqual([
      [0, 0, 8],
      [450, 2, 4],
    ]);
  });

  test("… each alone, too", async () => {
    const bench = createDrainBench({ queue: ["Noop 400", ...many(9, "Noop 9000")], settings: { concurrency: 8 } });
    await bench.clock.advance(460);
    expect(moves(bench)[1]).toEqual([450, 1, 3]);
  });

  test("wait longer if no job can come for their slots", async () => {
    const bench = createDrainBench({ queue: four, settings: { concurrency: 8 } });
    await bench.clock.advance(560);
    expect(moves(bench)).toEqual([
      [0, 0, 8],
      [550, 3, 9],
    ]);
  });

  test("… but for their places under a limit", async () => {
    const answer = () => ({ isDrained: true, isLimited: true });
    const bench = createDrainBench({ queue: four, settings: { concurrency: 8 }, answer });
    await bench.clock.advance(460);
    expect(moves(bench)).toEqual([
      [0, 0, 8],
      [450, 2, 8],
    ]);
  });

  test("wait no longer than until there are enough, or until nothing runs any more", async () => {
    const queue = ["Noop 400", "Noop 401", "Noop 402", "Noop 403", "Noop 500"];
    const bench = createDrainBench({ queue, settings: { concurrency: 8 } });
    await bench.clock.advance(9_000);
    expect(moves(bench)).toEqual([
      [0, 0, 8],
      [403, 4, 9],
      [500, 1, 10],
    ]);
  });

  test("are told with the time that they took, and counted when they are written", async () => {
    const bench = createDrainBench({ queue: ["Noop 400"] });
    await bench.clock.advance(9_000);
    expect(ofKind(bench, "job-claimed")).toEqual([{ kind: "job-claimed", queue: "q", class: "Noop", slot: 0 }]);
    expect(ofKind(bench, "job-ended")).toEqual([
      { kind: "job-ended", queue: "q", class: "Noop", outcome: { kind: "ok" }, durationMs: 400 },
    ]);
    expect(bench.exchanges[1]?.settle).toMatchObject([{ endedMs: START_MS + 400, durationMs: 400 }]);
    expect(bench.report).toMatchObject({ claimed: 1, succeeded: 1, durationMs: 400 });
  });

  test("that were taken back by another drain are told as lost", async () => {
    const answer = ({ settle }: SeenExchange) => ({ lost: settle });
    const bench = createDrainBench({ queue: ["Noop 400"], answer });
    await bench.clock.advance(9_000);
    expect(ofKind(bench, "job-lost")).toEqual([{ kind: "job-lost", queue: "q", class: "Noop" }]);
    expect(bench.report).toMatchObject({ claimed: 1, succeeded: 0, lost: 1 });
  });
});

describe("a drain whose time is up", () => {
  test.each([
    // It would not end in the next drain either.
    [12_000, ["Noop 20000"], "Noop 20000: failed"],
    [10_100, ["Noop 20000"], "Noop 20000: failed"],
    // A drain so short says little.
    [9_900, ["Noop 20000"], "Noop 20000: released"],
    // This one had no nine tenths of it.
    [12_000, ["Noop 1300", "Noop 20000"], "Noop 20000: released"],
    [12_000, ["Noop 1100", "Noop 20000"], "Noop 20000: failed"],
  ])("of %i ms with %o: %s", async (deadlineMs, queue, ending) => {
    const bench = createDrainBench({ queue, settings: { concurrency: 1 }, options: { deadlineMs } });
    await bench.clock.advance(60_000);
    expect(bench.settled.at(-1)).toBe(ending);
    expect(bench.report).toMatchObject({ durationMs: deadlineMs });
  });

  test("claims nothing that may take as long as its jobs did", async () => {
    const queue = many(5, "Noop 4000");
    const bench = createDrainBench({ queue, settings: { concurrency: 1 }, options: { deadlineMs: 11_999 } });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "deadline", succeeded: 2, released: 0, remaining: 3 });
    expect(bench.report).toMatchObject({ durationMs: 8_000 });
  });

  test("… or as its classes may by their time limits", async () => {
    const jobs = [{ class: "Long", timeoutMs: 6_000, perform: () => undefined }];
    const queue = many(5, "Noop 4000");
    const bench = createDrainBench({ queue, jobs, settings: { concurrency: 1 }, options: { deadlineMs: 13_999 } });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "deadline", succeeded: 2, remaining: 3 });
  });

  test.each([
    [100, 1],
    [99, 0],
  ])("%i ms before its end claims %i jobs", async (deadlineMs, claimed) => {
    const bench = createDrainBench({ queue: ["Noop"], options: { deadlineMs } });
    await bench.clock.advance(1_000);
    expect(bench.report).toMatchObject({ stopped: claimed ? "empty" : "deadline", claimed, remaining: 1 - claimed });
  });
});

describe("a drain that is to end", () => {
  const createAborted = (queue: readonly string[], bench: BenchOptions = {}, options: DrainOptions = {}) => {
    const controller = new AbortController();
    const { signal } = controller;
    return { controller, bench: createDrainBench({ queue, options: { ...options, signal }, ...bench }) };
  };

  test("fails no job that had most of the drain's time: it was not given all of it", async () => {
    const { controller, bench } = createAborted(["Noop 50000"], {}, { deadlineMs: 20_000 });
    await bench.clock.advance(19_000);
    controller.abort();
    await bench.clock.advance(60_000);
    expect([bench.settled, bench.report?.durationMs]).toEqual([["Noop 50000: released"], 19_500]);
  });

  test("leaves no listener and no timer behind", async () => {
    const { controller, bench } = createAborted(["Noop 300"], {}, { deadlineMs: 20_000 });
    await bench.clock.advance(300);
    expect(bench.report).toMatchObject({ stopped: "empty" });
    expect([getEventListeners(controller.signal, "abort"), bench.clock.pendingMs]).toEqual([[], []]);
  });

  test.each([
    ["aborted", {}],
    ["deadline", { deadlineMs: 1_030 }],
  ])("%s: gives back what it held in hand, unbegun, all in the order of the queue", async (stopped, options) => {
    const long = Array.from({ length: 9 }, (_, n) => `Noop 9000 ${n}`);
    const { controller, bench } = createAborted([...many(40, "Noop 20"), ...long], {}, options);
    await bench.clock.advance(1_000);
    expect(bench.begun.slice(40)).toHaveLength(4);
    expect(bench.queue.length).toBeLessThan(5);
    if (stopped === "aborted") controller.abort();
    await bench.clock.advance(60_000);
    expect(bench.begun.slice(40)).toHaveLength(4);
    expect(bench.queue).toEqual(long);
    expect(bench.report).toMatchObject({ stopped, succeeded: 40 });
  });

  test("claims no more, writes what ends within its grace, and gives back what does not", async () => {
    const queue = ["Noop 300", "Noop 5000", ...many(4, "Noop 40")];
    const { controller, bench } = createAborted(queue, { settings: { concurrency: 2 } }, { maxJobs: 2 });
    await bench.clock.advance(100);
    controller.abort();
    await bench.clock.advance(60_000);
    expect(moves(bench).map(([, , fill]) => fill)).toEqual([2, 0, 0]);
    expect(bench.settled).toEqual(["Noop 300: ok", "Noop 5000: released"]);
    expect(bench.report).toMatchObject({ stopped: "aborted", succeeded: 1, released: 1, durationMs: 600 });
    expect(bench.queue).toEqual(["Noop 5000", ...many(4, "Noop 40")]);
  });

  test("ends at once if nothing runs any more", async () => {
    const { controller, bench } = createAborted(["Noop 300", "Noop"], { settings: { concurrency: 1 } });
    await bench.clock.advance(100);
    controller.abort();
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "aborted", succeeded: 1, remaining: 1, durationMs: 300 });
  });

  test("gives back unbegun what it is handed then, as it stood in the queue", async () => {
    const queue = ["Noop 1", "Noop 2", "Noop 3", "Noop 4", "Noop 5"];
    const { controller, bench } = createAborted(queue, { store: slowExchange(1_000) });
    await bench.clock.advance(500);
    controller.abort();
    await bench.clock.advance(60_000);
    expect(bench.begun).toEqual([]);
    expect(bench.queue).toEqual(queue);
    expect(bench.report).toMatchObject({ stopped: "aborted", claimed: 4, released: 4, remaining: 5 });
  });

  test("because it was thought dead stops its handlers, and gives back what the other did not take", async () => {
    const answer = ({ seq }: SeenExchange) => ({ isRegistered: seq < 2 });
    const reasons: unknown[] = [];
    const listening = {
      class: "Listening",
      perform: (_args: unknown, { signal }: JobContext) =>
        new Promise<void>(() => signal.addEventListener("abort", () => reasons.push(signal.reason.name))),
    };
    const queue = ["Noop 5000", "Listening"];
    const bench = createDrainBench({ queue, jobs: [listening], settings: { concurrency: 2 }, answer });
    await bench.clock.advance(60_000);
    expect(reasons).toHaveLength(1);
    expect(bench.settled).toEqual(["Noop 5000: ok", "Listening: released"]);
    expect(bench.report).toMatchObject({ stopped: "lost", succeeded: 1, released: 1 });
    expect(bench.exchanges).toHaveLength(3);
  });

  test("after maxJobs claims as many, however many slots it has", async () => {
    const bench = createDrainBench({ queue: many(9, "Noop 10"), options: { maxJobs: 6 } });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "budget", claimed: 6, succeeded: 6, remaining: 3 });
    expect(moves(bench)[0]).toEqual([0, 0, 4]);
    const few = createDrainBench({ queue: many(9, "Noop 10"), options: { maxJobs: 3 } });
    await few.clock.advance(60_000);
    expect(moves(few)).toEqual([
      [0, 0, 3],
      [10, 2, 0],
      [10, 1, 0],
    ]);
  });
});

describe("an exchange that fails", () => {
  const failing =
    (isDown: (seq: number, atMs: number) => boolean): StoreChange =>
    ({ clock }, store) => ({
      exchange: async (params) => {
        if (!isDown(params.seq, clock.nowMs() - START_MS)) return store.exchange(params);
        attempts.push([params.seq, params.attempt, clock.nowMs() - START_MS]);
        throw unavailable;
      },
    });
  let attempts: [seq: number, attempt: number, atMs: number][] = [];
  const lastMs = (): number => attempts.filter(([, attempt]) => attempt !== 2).at(-1)?.[2] ?? 0;
  beforeEach(() => {
    attempts = [];
  });

  test("is repeated as it is until the lease has ended, and told", async () => {
    const bench = createDrainBench({ queue: ["Noop"], store: failing((seq) => seq === 1) });
    await bench.clock.advance(60_000);
    expect(attempts.slice(0, 3)).toEqual([
      [1, 1, 0],
      [1, 2, 25],
      [1, 3, 75],
    ]);
    expect(ofKind(bench, "store-retry").slice(0, 2)).toMatchObject([
      { error: unavailable, attempt: 1, delayMs: 25 },
      { error: unavailable, attempt: 2, delayMs: 50 },
    ]);
    expect(lastMs()).toBeGreaterThan(28_900);
    expect(lastMs()).toBeLessThanOrEqual(30_000);
    expect(bench.error).toMatchObject({ code: "ERR_DRAIN", report: { claimed: 0 } });
    expect(ofKind(bench, "drain-failed")).toMatchObject([{ drainId: "d", error: bench.error }]);
  });

  test("is repeated until the host ends the drain, if that is sooner", async () => {
    const bench = createDrainBench({ store: failing(() => true), options: { deadlineMs: 5_000 } });
    await bench.clock.advance(60_000);
    expect(lastMs()).toBeGreaterThan(3_900);
    expect(lastMs()).toBeLessThanOrEqual(5_000);
  });

  test("is repeated for a second at least, for it may be the one that gives the jobs back", async () => {
    const store = failing((seq) => seq >= 2);
    const bench = createDrainBench({ queue: ["Noop 4900"], store, options: { deadlineMs: 5_000 } });
    await bench.clock.advance(60_000);
    expect(lastMs()).toBeGreaterThan(5_000);
    expect(lastMs()).toBeLessThanOrEqual(5_900);
  });

  test("is repeated until the grace of an aborted drain is over", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const bench = createDrainBench({ store: failing(() => true), options: { signal }, settings: { graceMs: 5_000 } });
    await bench.clock.advance(3_000);
    controller.abort();
    await bench.clock.advance(60_000);
    expect(lastMs()).toBeGreaterThan(6_900);
    expect(lastMs()).toBeLessThanOrEqual(8_000);
  });

  test.each([
    [1, 1],
    [2, 4],
  ])("because credentials are refused, at exchange %i: sent %i times", async (seq, sent) => {
    let calls = 0;
    const bench = createDrainBench({
      queue: ["Noop 100"],
      store: (_bench, store) => ({
        async exchange(params) {
          if (params.seq === seq && ++calls < 4) throw new StoreError("unauthorized", "wrong");
          return store.exchange(params);
        },
      }),
    });
    await bench.clock.advance(10_000);
    expect([calls, bench.report?.succeeded]).toEqual([sent, seq === 1 ? undefined : 1]);
  });

  test("for good stops the handlers, and what has ended is written by one more, and nothing twice", async () => {
    const bench = createDrainBench({
      queue: ["Noop 50", "Noop 300", "Noop 50000"],
      store: (_bench, store) => ({
        async exchange(params) {
          if (params.seq === 3) throw new StoreError("rejected", "no permission");
          return store.exchange(params);
        },
      }),
    });
    await bench.clock.advance(10_000);
    expect(bench.settled).toEqual(["Noop 50: ok", "Noop 300: ok", "Noop 50000: released"]);
    expect(bench.exchanges.map(({ seq, attempt, settle }) => [seq, attempt, settle.length])).toEqual([
      [1, 1, 0],
      [2, 1, 1],
      [4, 2, 2],
    ]);
    expect(bench.error).toMatchObject({ code: "ERR_DRAIN", report: { succeeded: 2, released: 1 } });
  });

  test("for good before anything was claimed is followed by none", async () => {
    let sent = 0;
    const bench = createDrainBench({
      store: () => ({
        async exchange() {
          sent++;
          throw new StoreError("rejected", "no permission");
        },
      }),
    });
    await bench.clock.advance(10_000);
    expect([sent, bench.report]).toEqual([1, undefined]);
    expect(timesOf(bench, "close")).toEqual([0]);
  });
});

describe("jobs that are due", () => {
  const dueAt = (...instantsMs: readonly number[]): StoreChange => {
    const left = [...instantsMs];
    const next = () => (left[0] === undefined ? undefined : START_MS + left[0]);
    return ({ queue, clock }, store) => ({
      async survey() {
        await store.survey();
        return { dead: [], nextDueMs: next() };
      },
      async promote(options) {
        await store.promote(options);
        let promoted = 0;
        for (; (next() ?? Number.POSITIVE_INFINITY) <= clock.nowMs(); promoted++) queue.push(`Noop due${left.shift()}`);
        return { promoted, nextDueMs: next() };
      },
    });
  };

  test("soon are waited for, others are left to a later drain, which is told of them", async () => {
    const soon = createDrainBench({ queue: ["Noop"], store: dueAt(100) });
    await soon.clock.advance(60_000);
    expect(soon.begun).toEqual([
      ["Noop", 0],
      ["Noop due100", 100],
    ]);
    expect(ofKind(soon, "jobs-promoted")).toEqual([{ kind: "jobs-promoted", promoted: 1 }]);
    expect(soon.report).toMatchObject({ promoted: 1, succeeded: 2, nextDueMs: undefined });
    const late = createDrainBench({ queue: ["Noop"], store: dueAt(101) });
    await late.clock.advance(60_000);
    expect(late.report).toMatchObject({ promoted: 0, succeeded: 1, nextDueMs: START_MS + 101, durationMs: 0 });
  });

  test("are queued on time while a slot is free, and once a second while all have jobs", async () => {
    const instants = [2_000, 2_300, 2_600];
    const free = createDrainBench({ queue: ["Noop 9000"], store: dueAt(...instants) });
    await free.clock.advance(4_000);
    expect(timesOf(free, "promote")).toEqual(instants);
    expect(free.begun.slice(1).map(([, atMs]) => atMs)).toEqual(instants);
    const busy = createDrainBench({
      ...{ queue: many(9, "Noop 9000"), settings: { concurrency: 1 }, store: dueAt(...instants) },
    });
    await busy.clock.advance(4_000);
    expect(timesOf(busy, "promote")).toEqual([2_000, 3_000]);
  });

  test("that cannot be queued are tried again a second later, and nothing else waits for them", async () => {
    const tries: number[] = [];
    const bench = createDrainBench({
      queue: ["Noop 9000"],
      store: ({ clock }, store) => ({
        survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS + 500 }),
        async promote() {
          tries.push(clock.nowMs() - START_MS);
          throw unavailable;
        },
      }),
    });
    await bench.clock.advance(5_000);
    const pauses = tries.slice(1).map((atMs, index) => atMs - (tries[index] ?? 0));
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(1_000);
    expect(pauses.filter((ms) => ms >= 1_000).length).toBeGreaterThan(1);
    expect(timesOf(bench, "hasQueued").length).toBeGreaterThan(0);
  });

  test("are not queued by a drain that is to end", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const bench = createDrainBench({ queue: ["Noop 300"], store: dueAt(200), options: { signal } });
    await bench.clock.advance(100);
    controller.abort();
    await bench.clock.advance(60_000);
    expect([timesOf(bench, "promote"), bench.report?.nextDueMs]).toEqual([[], START_MS + 200]);
  });

  test("by this drain's own making are told, too", async () => {
    const jobs = [{ class: "Later", perform: () => release({ afterMs: 5_000 }) }];
    const bench = createDrainBench({ queue: ["Later"], jobs });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ released: 1, nextDueMs: START_MS + 5_000 });
  });
});

describe("a rate", () => {
  const limited = (freesInMs: number) => (_seen: SeenExchange, claimed: number) =>
    claimed === 0 ? { isLimited: true, isDrained: true, freesInMs } : {};

  test.each([
    // … and a moment, as clocks differ.
    [3_000, {}, [0, 3_002]],
    [4_998, {}, [0, 5_000]],
    [4_999, {}, [0]],
    // No job would have the time that one needs.
    [3_000, { deadlineMs: 3_102 }, [0, 3_002]],
    [3_000, { deadlineMs: 3_101 }, [0]],
  ])("that frees a place in %i ms, %o: exchanges at %o", async (freesInMs, options, expected) => {
    const store = () => ({ countQueued: async () => 1 });
    const bench = createDrainBench({ options, store, answer: limited(freesInMs) });
    await bench.clock.advance(2_999);
    bench.queue.push("Noop");
    await bench.clock.advance(2_500);
    expect(times(bench).slice(0, 2)).toEqual(expected);
    if (expected.length > 1) return;
    expect(bench.report).toMatchObject({ stopped: "limited", nextDueMs: START_MS + freesInMs + 2, durationMs: 0 });
  });

  test("is not waited for while no slot is free", async () => {
    const answer = ({ seq }: SeenExchange) => (seq === 1 ? { isLimited: true, isDrained: true, freesInMs: 500 } : {});
    const bench = createDrainBench({ queue: ["Noop 2000"], settings: { concurrency: 1 }, answer });
    await bench.clock.advance(1_999);
    expect(times(bench)).toEqual([0]);
  });

  test("and what is due: the sooner of them is told as when the next job may start", async () => {
    const store =
      (ms: number): StoreChange =>
      (_bench, store) => ({
        survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS + ms }),
      });
    const soonest = async (ms: number) => {
      const bench = createDrainBench({
        queue: ["Noop"],
        store: store(ms),
        answer: () => limited(8_000)({} as never, 0),
      });
      await bench.clock.advance(60_000);
      return (bench.report?.nextDueMs ?? 0) - START_MS;
    };
    expect([await soonest(6_000), await soonest(20_000)]).toEqual([6_000, 8_002]);
  });
});
