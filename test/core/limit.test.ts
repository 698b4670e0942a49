import { expect, test } from "vitest";
import { limitProblem } from "../../src/core/limit.ts";

const MONTH_MS = 31 * 24 * 60 * 60 * 1_000;
const path = (length: number): number[] => Array.from({ length }, () => 0);

test.each([
  { running: 1 },
  { running: 1_000_000 },
  { rate: { jobs: 1, periodMs: MONTH_MS } },
  { running: 2, by: [0, "tenant_id", 3] },
  { running: 2, by: path(10) },
])("%j is a limit", (limit) => {
  expect(limitProblem(limit)).toBeUndefined();
});

test.each([
  [undefined, /running or rate/],
  [{}, /running or rate/],
  [{ runing: 1 }, /runing: unknown option/],
  [{ running: 0 }, /running: expected an integer from 1/],
  [{ running: 1_000_001 }, /running: expected/],
  [{ running: 1.5 }, /running: expected/],
  [{ rate: { jobs: 1 } }, /rate: expected/],
  [{ rate: { jobs: 1, periodMs: MONTH_MS + 1 } }, /rate: expected .* \(a month\)/],
  [{ rate: { jobs: 1, periodMs: 1, per: "s" } }, /rate: expected/],
  [{ running: 1, by: [] }, /by: expected a path/],
  [{ running: 1, by: path(11) }, /by: expected a path .* 1 to 10/],
  [{ running: 1, by: ["a", null] }, /by: expected/],
  [{ running: 1, by: ["a", -1] }, /by: expected/],
  [{ running: 1, by: "tenant" }, /by: expected/],
])("%j is none: %s", (limit, problem) => {
  expect(limitProblem(limit)).toMatch(problem);
});
