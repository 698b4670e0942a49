import { expect, test } from "vitest";
import { createDue } from "../../src/core/due.ts";
import type { TickResult } from "../../src/core/scheduler.ts";
import type { Promotion } from "../../src/core/store.ts";
import { createManualClock } from "./manual-clock.ts";

const START_MS = 1_000_000;
const never = Number.POSITIVE_INFINITY;
const once = <T>(call: () => Promise<T>): Promise<T> => call();

function createBench(ticks?: readonly Partial<TickResult>[], promotions: readonly Partial<Promotion>[] = []) {
  const clock = createManualClock(START_MS);
  const seen = { ticks: 0, promotions: 0 };
  const store = {
    promote: async () => ({ promoted: 0, nextDueMs: undefined, ...promotions[seen.promotions++] }),
  };
  const nothing = { ticked: [], enqueued: 0, nextDueMs: undefined, againMs: undefined };
  const ticker = ticks && { tick: async () => ({ ...nothing, ...ticks[seen.ticks++] }) };
  return { clock, due: createDue(store, ticker, clock), seen };
}

test("at first nothing is known to wait, and nothing is due", async () => {
  const { due, seen } = createBench();
  expect([due.nextMs, due.isWaiting, due.isNow, due.againMs]).toEqual([undefined, false, false, never]);
  expect([await due.promote(once), seen]).toEqual([
    { promoted: 0, ticked: [] },
    { ticks: 0, promotions: 0 },
  ]);
});

test("what the store tells is due at its very instant", async () => {
  const { clock, due, seen } = createBench(undefined, [{ promoted: 3, nextDueMs: START_MS + 900 }]);
  due.noteStored(START_MS + 500);
  expect([due.nextMs, due.isWaiting, due.againMs]).toEqual([START_MS + 500, true, START_MS + 500]);
  await clock.advance(499);
  expect([due.isNow, (await due.promote(once)).promoted, seen.promotions]).toEqual([false, 0, 0]);
  await clock.advance(1);
  expect([due.isNow, (await due.promote(once)).promoted, due.nextMs]).toEqual([true, 3, START_MS + 900]);
  due.noteStored(undefined);
  expect([due.nextMs, due.isWaiting]).toEqual([undefined, false]);
});

test("what the drain itself lets wait counts if it is due sooner", () => {
  const { due } = createBench();
  due.noteOwn(START_MS + 700);
  due.noteOwn(START_MS + 900);
  expect(due.nextMs).toBe(START_MS + 700);
});

test("schedules are looked at when the drain begins, and when they say so", async () => {
  const one = { name: "a", class: "A", queue: "q", jobs: 1, tickMs: START_MS };
  const ticks = [{ nextDueMs: START_MS + 5_000, againMs: START_MS + 1_000 }, { ticked: [one] }];
  const { clock, due, seen } = createBench(ticks);
  expect([due.isNow, due.againMs]).toEqual([true, 0]);
  expect(await due.promote(once)).toEqual({ promoted: 0, ticked: [] });
  // A tick that comes is told as when the next job is due, but nothing waits in the store.
  expect([due.nextMs, due.againMs, due.isNow, due.isWaiting]).toEqual([
    ...[START_MS + 5_000, START_MS + 1_000, false, false],
  ]);
  await clock.advance(999);
  await due.promote(once);
  expect(seen).toEqual({ ticks: 1, promotions: 0 });
  await clock.advance(1);
  expect((await due.promote(once)).ticked).toEqual([one]);
  expect([due.nextMs, due.againMs, seen]).toEqual([undefined, never, { ticks: 2, promotions: 0 }]);
});

test("schedules that are due do not hide what the store has sooner", async () => {
  const { due } = createBench([{ nextDueMs: START_MS + 5_000, againMs: START_MS + 5_000 }]);
  await due.promote(once);
  due.noteStored(START_MS + 400);
  expect([due.nextMs, due.againMs]).toEqual([START_MS + 400, START_MS + 400]);
});
