import { expect, test } from "vitest";
import { abortError } from "../../src/core/abort-error.ts";

test.each([
  ["deadline", "the drain's time is up"],
  ["lost", "the drain's lease has ended"],
  ["aborted", "the drain was aborted"],
] as const)("%s: handlers find in their signals why they are to end", (reason, message) => {
  const error = abortError(reason);
  expect([error.name, error.message]).toEqual(["AbortError", message]);
});
