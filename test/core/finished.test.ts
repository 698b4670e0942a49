import { expect, test } from "vitest";
import { createFinished, type HeldSettlement } from "../../src/core/finished.ts";
import type { Outcome } from "../../src/core/outcome.ts";

const failure = { exception: "Error", message: "x".repeat(4_000), backtrace: [] };

function ended(number: number, outcome: Outcome = { kind: "ok" }): HeldSettlement {
  const job = { kind: "malformed", raw: "x", reason: "none", isBinary: false } as const;
  return { claim: { number, slot: number, token: "t.1.1", queue: "q", job }, outcome };
}

const numbers = (settlements: readonly HeldSettlement[]): number[] => settlements.map(({ claim }) => claim.number);

test.each<Outcome>([
  { kind: "failed", failure },
  { kind: "retrying", failure, afterMs: 5_000 },
])("$kind: failures' texts are sent about a megabyte at a time, however many end together", (outcome) => {
  const finished = createFinished();
  for (let number = 0; number < 600; number++) {
    finished.add(ended(number, outcome), 0);
  }
  const sizes: number[] = [];
  for (let taken = finished.take(false); taken.length > 0; taken = finished.take(false)) {
    sizes.push(taken.length);
    finished.written();
  }
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.max(...sizes) * failure.message.length).toBeLessThanOrEqual(1_000_000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(600);
});

test("a backtrace counts like a message, and one failure that is larger than all is sent alone", () => {
  const finished = createFinished();
  const large = { exception: "Error", message: "", backtrace: ["y".repeat(1_500_000)] };
  for (const number of [1, 2, 3]) finished.add(ended(number, { kind: "failed", failure: large }), 0);
  expect([1, 2, 3, 4].map(() => numbers(finished.take(false)))).toEqual([[1], [2], [3], []]);
});

test("what waits, waits since the first of it ended", () => {
  const finished = createFinished();
  finished.add(ended(1), 100);
  finished.add(ended(2), 200);
  expect([finished.size, finished.sinceMs]).toEqual([2, 100]);
  finished.take(false);
  finished.add(ended(3), 300);
  expect([finished.size, finished.sinceMs]).toEqual([1, 300]);
});

test("jobs go back to their queues in the order in which they left them, others as they ended", () => {
  const [back, done] = [createFinished(), createFinished()];
  for (const number of [3, 1, 2]) {
    back.add(ended(number), 0);
    done.add(ended(number), 0);
  }
  expect([numbers(back.take(true)), numbers(done.take(false))]).toEqual([
    [1, 2, 3],
    [3, 1, 2],
  ]);
});

test("what was sent is kept until it is known to be written", () => {
  const finished = createFinished();
  const kept = () => finished.all().map(({ claim }) => claim.slot);
  expect(kept()).toEqual([]);
  finished.add(ended(1), 0);
  finished.take(false);
  finished.add(ended(2), 0);
  expect(kept()).toEqual([1, 2]);
  finished.written();
  expect(kept()).toEqual([2]);
});
