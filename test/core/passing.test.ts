import { expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { createPassing, mayPassMidway } from "../../src/core/passing.ts";

test("wrong credentials are told at once before jobs are in flight, and are waited out after", () => {
  const passing = createPassing();
  const wrong = new StoreError("unauthorized", "wrong");
  expect(passing.mayPass(wrong)).toBe(false);
  passing.begin();
  expect(passing.mayPass(wrong)).toBe(true);
});

test.each([
  ["unavailable", true],
  ["throttled", true],
  ["unauthorized", true],
  ["rejected", false],
] as const)("midway: %s may pass: %s", (reason, may) => {
  expect(mayPassMidway(new StoreError(reason, "no"))).toBe(may);
});
