import { expect, test } from "vitest";
import { createWaker } from "../../src/core/waker.ts";
import { createManualClock } from "./manual-clock.ts";

function createBench() {
  const clock = createManualClock();
  const waker = createWaker(clock);
  const woken: string[] = [];
  const wait = (name: string, ms: number): void => void waker.wait(ms).then(() => woken.push(name));
  return { clock, waker, woken, wait };
}

test("a sleeper wakes when its time is over, and not before", async () => {
  const { clock, woken, wait } = createBench();
  wait("a", 50);
  await clock.advance(49);
  expect(woken).toEqual([]);
  await clock.advance(1);
  expect(woken).toEqual(["a"]);
});

test("a sleeper that is woken leaves no timer behind, which would wake the next one too early", async () => {
  const { clock, waker, woken, wait } = createBench();
  wait("a", 50);
  waker.wake();
  expect(clock.pendingMs).toEqual([]);
  wait("b", 80);
  await clock.advance(79);
  expect(woken).toEqual(["a"]);
  await clock.advance(1);
  expect(woken).toEqual(["a", "b"]);
});

test("one that sleeps for ever needs no timer", async () => {
  const { clock, waker, woken, wait } = createBench();
  wait("a", Number.POSITIVE_INFINITY);
  expect(clock.pendingMs).toEqual([]);
  waker.wake();
  waker.wake();
  await clock.advance(0);
  expect(woken).toEqual(["a"]);
});
