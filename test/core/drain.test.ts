import { describe, expect, test } from "vitest";
import { StoreError, UsageError } from "../../src/core/errors.ts";
import type { ScheduleTicker, TickResult } from "../../src/core/scheduler.ts";
import {
  type BenchOptions,
  createDrainBench,
  many,
  ofKind,
  START_MS,
  type StoreChange,
  times,
  timesOf,
} from "./drain-bench.ts";

const rejected = new StoreError("rejected", "no permission");
const unavailable = new StoreError("unavailable", "away");

async function report(options: BenchOptions) {
  const bench = createDrainBench(options);
  await bench.clock.advance(60_000);
  return { ...bench, bench, report: bench.report };
}

describe("dead drains", () => {
  const dead = (ids: readonly string[], recover: (id: string) => Promise<{ requeued: number; failed: number }>) => {
    const change: StoreChange = (_bench, store) => ({
      async survey() {
        await store.survey();
        return { dead: ids.map((drainId) => ({ drainId })), nextDueMs: undefined };
      },
      recover: ({ drainId }) => recover(drainId),
    });
    return change;
  };

  test("are recovered before anything else, told, and counted", async () => {
    const store = dead(["a", "b"], async (id) => ({ requeued: id === "a" ? 2 : 3, failed: 1 }));
    const bench = createDrainBench({ queue: ["Noop"], store });
    await bench.clock.advance(0);
    expect(ofKind(bench, "drain-recovered")).toEqual([
      { kind: "drain-recovered", drainId: "a", requeued: 2, failed: 1 },
      { kind: "drain-recovered", drainId: "b", requeued: 3, failed: 1 },
    ]);
    expect(bench.report).toMatchObject({ recovered: 5 });
  });

  test("one that cannot be recovered keeps neither the others nor the queues waiting, and the log tells", async () => {
    const logged: unknown[] = [];
    const error = (message: string, fields?: object) => void logged.push({ message, ...fields });
    const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
    const store = dead(["a", "b"], async (id) => {
      if (id === "a") throw rejected;
      return { requeued: 1, failed: 0 };
    });
    const ended = await report({ queue: ["Noop"], store, deps: { logger: { ...silent, error } } });
    expect(ended.report).toMatchObject({ stopped: "empty", succeeded: 1, recovered: 1 });
    expect(logged).toMatchObject([{ message: expect.stringContaining("no permission"), drainId: "a" }]);
  });

  test("that cannot be recovered because the store is away, or by a mistake of ours, end the drain", async () => {
    const fail = (error: Error) => report({ queue: ["Noop"], store: dead(["a"], () => Promise.reject(error)) });
    expect((await fail(unavailable)).bench.error).toMatchObject({ code: "ERR_DRAIN" });
    const mistake = new TypeError("x");
    expect((await fail(mistake)).bench.error).toBe(mistake);
  });

  test("are left to others by a drain that has no requests to spare for them", async () => {
    const recovered: string[] = [];
    const store = dead(["a", "b", "c"], async (id) => {
      recovered.push(id);
      return { requeued: 1, failed: 0 };
    });
    await report({ queue: ["Noop"], store, options: { maxRequests: 100 } });
    expect(recovered).toEqual(["a", "b", "c"]);
    recovered.length = 0;
    await report({ queue: ["Noop"], store, options: { maxRequests: 19 } });
    expect(recovered).toEqual([]);
  });

  test("whose jobs came back are reason enough to open a drain where else nothing but delayed jobs wait", async () => {
    const later: StoreChange = (_bench, store) => ({
      async survey() {
        await store.survey();
        return { dead: [{ drainId: "a" }], nextDueMs: START_MS + 50_000 };
      },
      recover: async () => ({ requeued: 1, failed: 0 }),
    });
    const { bench } = await report({ store: later });
    expect([times(bench), timesOf(bench, "hasQueued")]).toEqual([[0], []]);
  });
});

describe("what waits for its time", () => {
  test("alone opens no drain: the tick ends, and tells when it comes", async () => {
    const store: StoreChange = (_bench, store) => ({
      survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS + 50_000 }),
    });
    const { bench } = await report({ store });
    expect(bench.calls.map(([name]) => name)).toEqual(["hasWork", "survey", "hasQueued", "close"]);
    expect([times(bench), bench.report]).toMatchObject([
      [],
      { stopped: "empty", remaining: 0, nextDueMs: START_MS + 50_000 },
    ]);
  });

  test("and is due when the drain begins is queued first", async () => {
    const store: StoreChange = ({ queue }, store) => ({
      survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS }),
      async promote() {
        queue.push("Noop");
        return { promoted: 1, nextDueMs: START_MS + 70_000 };
      },
    });
    const { bench } = await report({ store });
    expect(bench.report).toMatchObject({ promoted: 1, succeeded: 1 });
    expect([ofKind(bench, "jobs-promoted"), timesOf(bench, "hasQueued")]).toEqual([
      [{ kind: "jobs-promoted", promoted: 1 }],
      [],
    ]);
  });

  test("is no event where nothing came to its queue", async () => {
    const store: StoreChange = (_bench, store) => ({
      survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS }),
    });
    const { bench } = await report({ queue: ["Noop"], store });
    expect([timesOf(bench, "promote"), ofKind(bench, "jobs-promoted"), times(bench)]).toEqual([[0], [], [0, 0]]);
  });

  test("takes no more requests than the drain has to spare", async () => {
    const asked: (number | undefined)[] = [];
    const store: StoreChange = (_bench, store) => ({
      survey: async () => ({ ...(await store.survey()), nextDueMs: START_MS }),
      async promote(options) {
        asked.push(options?.maxRequests);
        return { promoted: 0, nextDueMs: undefined };
      },
    });
    await report({ queue: ["Noop"], store, options: { maxRequests: 50 } });
    await report({ queue: ["Noop"], store });
    expect(asked).toEqual([expect.any(Number), Number.POSITIVE_INFINITY]);
    expect(asked[0]).toBeLessThan(50);
  });
});

describe("schedules", () => {
  const ticking = (...results: readonly Partial<TickResult>[]) => {
    let ticks = 0;
    const ticker: ScheduleTicker = {
      tick: async () => ({ ticked: [], enqueued: 0, nextDueMs: undefined, againMs: undefined, ...results[ticks++] }),
    };
    return { ticker, ticks: () => ticks };
  };
  const ticked = (name: string, jobs: number) => ({ name, class: "Noop", queue: "q", jobs, tickMs: START_MS });

  test("are looked at before anything else, their jobs are counted, and each is told", async () => {
    const { ticker, ticks } = ticking({ ticked: [ticked("a", 2), ticked("b", 3)], nextDueMs: START_MS + 90_000 });
    const { bench } = await report({ deps: { ticker } });
    expect(bench.report).toMatchObject({ scheduled: 5, promoted: 0, nextDueMs: START_MS + 90_000 });
    expect(ofKind(bench, "schedule-ticked")).toEqual([
      { kind: "schedule-ticked", ...ticked("a", 2) },
      { kind: "schedule-ticked", ...ticked("b", 3) },
    ]);
    expect(ticks()).toBe(1);
  });

  test("are looked at though there is nothing else to do: their jobs would never come", async () => {
    let isQueued = false;
    const store: StoreChange = ({ queue }) => ({
      async hasWork() {
        if (isQueued) queue.push("Noop");
        return isQueued;
      },
    });
    const ticker: ScheduleTicker = {
      async tick() {
        isQueued = true;
        return { ticked: [ticked("a", 1)], enqueued: 1, nextDueMs: undefined, againMs: undefined };
      },
    };
    expect((await report({ store, deps: { ticker } })).report).toMatchObject({ scheduled: 1, succeeded: 1 });
  });

  test("are looked at again when they say so, and what they queue then is taken at once", async () => {
    const { ticker, ticks } = ticking({ againMs: START_MS + 1_500 }, { ticked: [ticked("a", 1)] });
    const bench = createDrainBench({ queue: ["Noop 5000"], deps: { ticker } });
    await bench.clock.advance(1_400);
    expect([ticks(), bench.queue.push("Noop later")]).toEqual([1, 1]);
    await bench.clock.advance(3_000);
    expect([ticks(), bench.begun[1]]).toEqual([2, ["Noop later", 1_500]]);
  });
});

describe("jobs left in slots", () => {
  const store: StoreChange = () => ({ close: async () => ({ released: 3 }) });

  test("when a drain closes count as given back", async () => {
    expect((await report({ queue: ["Noop"], store })).report).toMatchObject({ succeeded: 1, released: 3 });
  });

  test("when it has failed, too", async () => {
    const failing: StoreChange = (bench, base) => ({
      ...store(bench, base),
      exchange: () => Promise.reject(rejected),
    });
    const { bench } = await report({ queue: ["Noop"], store: failing });
    expect(bench.error).toMatchObject({ code: "ERR_DRAIN", report: { released: 3 } });
  });

  test("that cannot be given back are no further error", async () => {
    const failing: StoreChange = () => ({
      close: () => Promise.reject(rejected),
      exchange: () => Promise.reject(new StoreError("rejected", "the first")),
    });
    const { bench } = await report({ queue: ["Noop"], store: failing });
    expect(bench.error).toMatchObject({ cause: { message: "the first" }, report: { released: 0 } });
  });
});

describe("a time limit that cannot fit into the drain", () => {
  const jobs = [
    { class: "Short", timeoutMs: 10, perform: () => undefined },
    { class: "Long", timeoutMs: 5_000, perform: () => undefined },
  ];

  test("is told, with its class", async () => {
    const { bench } = await report({ jobs, options: { deadlineMs: 4_999 } });
    expect(bench.error).toBeInstanceOf(UsageError);
    expect(String(bench.error)).toContain('"Long" (timeoutMs: 5000) does not fit into this drain: 4999 ms');
  });

  test("is none if it just fits, or if no class has one", async () => {
    expect((await report({ jobs, options: { deadlineMs: 5_000 } })).report).toMatchObject({ stopped: "empty" });
    const early = await report({ options: { deadlineMs: 50 }, settings: { marginMs: 100 } });
    expect(early.report).toMatchObject({ stopped: "empty" });
  });

  test.each([0, -1])("nor is it if the deadline has passed: %i ms are left", async (deadlineMs) => {
    const { bench } = await report({ jobs, queue: ["Noop"], options: { deadlineMs } });
    expect(bench.report).toMatchObject({ stopped: "deadline", claimed: 0, remaining: 1 });
    expect(bench.calls.map(([name]) => name)).toEqual(["countQueued"]);
  });
});

describe("a deadline", () => {
  test("of two and a half times the jobs' limit lets two waves run, and the drain ends then", async () => {
    const perform = () => new Promise<void>((resolve) => bench.clock.setTimer(400, resolve));
    const bench = createDrainBench({
      queue: many(20, "Timed"),
      jobs: [{ class: "Timed", timeoutMs: 500, perform }],
      ...{ settings: { concurrency: 3 }, options: { deadlineMs: 1_250 } },
    });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({
      stopped: "deadline",
      succeeded: 6,
      failed: 0,
      remaining: 14,
      durationMs: 800,
    });
  });

  test("and its margin: what still runs is given back at the very moment", async () => {
    const bench = createDrainBench({
      queue: ["Noop 100", "Noop 9000", "Noop"],
      settings: { concurrency: 1, marginMs: 100 },
      options: { deadlineMs: 700 },
    });
    await bench.clock.advance(60_000);
    expect(bench.report).toMatchObject({ stopped: "deadline", succeeded: 1, failed: 0, remaining: 2, durationMs: 600 });
  });

  test("is not outwaited by a drain whose store is away", async () => {
    const { bench } = await report({
      store: () => ({ hasWork: () => Promise.reject(unavailable) }),
      options: { deadlineMs: 300 },
    });
    expect(bench.error).toMatchObject({ code: "ERR_DRAIN", cause: unavailable });
    const { durationMs = Number.NaN } = (bench.error as { report?: { durationMs: number } }).report ?? {};
    expect(durationMs).toBeGreaterThan(0);
    expect(durationMs).toBeLessThanOrEqual(300);
  });
});

test("a drain whose time is over still gets a second to close, in several tries", async () => {
  let tries = 0;
  const store: StoreChange = (_bench, store) => ({
    close: async () => {
      if (++tries < 4) throw unavailable;
      return store.close();
    },
  });
  const { bench } = await report({ queue: ["Noop 9000"], store, options: { deadlineMs: 2_000 } });
  expect([tries, bench.report?.stopped]).toEqual([4, "deadline"]);
});

test.each([
  [{ isPaused: true }, "paused"],
  [{ isLimited: true }, "limited"],
] as const)("what is %o when nothing is left in the queues is told as empty", async (told, stopped) => {
  const answer = () => ({ ...told, isDrained: true });
  expect((await report({ answer })).report).toMatchObject({ stopped: "empty", remaining: 0 });
  const store: StoreChange = () => ({ countQueued: async () => 2 });
  expect((await report({ answer, store })).report).toMatchObject({ stopped, remaining: 2 });
});
