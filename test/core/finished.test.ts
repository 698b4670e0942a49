import { expect, test } from "vitest";
import { createFinished } from "../../src/core/finished.ts";
import type { Outcome } from "../../src/core/outcome.ts";

const failure = { exception: "Error", message: "x".repeat(4_000), backtrace: [] };

test.each<Outcome>([
  { kind: "failed", failure },
  { kind: "retrying", failure, afterMs: 5_000 },
])("$kind: failures' texts are sent about a megabyte at a time, however many end together", (outcome) => {
  const finished = createFinished();
  for (let number = 0; number < 600; number++) {
    const job = { kind: "malformed", raw: "x", reason: "none", isBinary: false } as const;
    finished.add({ claim: { number, slot: number, token: "t.1.1", queue: "q", job }, outcome }, 0);
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
