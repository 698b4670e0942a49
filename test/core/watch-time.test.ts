import { expect, test } from "vitest";
import { watchTime } from "../../src/core/watch-time.ts";
import { createManualClock } from "./manual-clock.ts";

const START_MS = 1_000_000;

function createBench({ leftMs = Number.POSITIVE_INFINITY, graceMs = 500, aborted = false } = {}) {
  const clock = createManualClock(START_MS);
  const controller = new AbortController();
  if (aborted) controller.abort();
  const calls: [string, number][] = [];
  const note = (name: string) => () => void calls.push([name, clock.nowMs() - START_MS]);
  const { signal } = controller;
  const stop = watchTime({
    ...{ clock, signal, graceMs, endMs: START_MS + leftMs },
    ...{ onEnd: note("end"), onAbort: note("abort"), onGraceEnd: note("grace-end") },
  });
  return { clock, controller, calls, stop };
}

test("it is told when time is up, at once if it was up before", async () => {
  const { clock, calls } = createBench({ leftMs: 300 });
  await clock.advance(1_000);
  expect(calls).toEqual([["end", 300]]);
  const late = createBench({ leftMs: -5 });
  await late.clock.advance(0);
  expect(late.calls).toEqual([["end", 0]]);
});

test("a drain without an end needs no timer", () => {
  expect(createBench().clock.pendingMs).toEqual([]);
});

test("an abort is told at once, and the end of its grace; once each", async () => {
  const { clock, controller, calls } = createBench();
  await clock.advance(100);
  controller.abort();
  controller.signal.dispatchEvent(new Event("abort"));
  await clock.advance(1_000);
  expect(calls).toEqual([
    ["abort", 100],
    ["grace-end", 600],
  ]);
});

test("so is one that came before", async () => {
  const { clock, calls } = createBench({ aborted: true, graceMs: 200 });
  await clock.advance(1_000);
  expect(calls).toEqual([
    ["abort", 0],
    ["grace-end", 200],
  ]);
});

test("a grace without an end needs no timer", () => {
  const { clock, controller } = createBench({ graceMs: Number.POSITIVE_INFINITY });
  controller.abort();
  expect(clock.pendingMs).toEqual([]);
});

test("nothing is told, or kept, once it is stopped", async () => {
  const { clock, controller, calls, stop } = createBench({ leftMs: 300 });
  stop();
  controller.abort();
  await clock.advance(1_000);
  expect([calls, clock.pendingMs]).toEqual([[], []]);
  const graced = createBench();
  graced.controller.abort();
  graced.stop();
  expect(graced.clock.pendingMs).toEqual([]);
});
