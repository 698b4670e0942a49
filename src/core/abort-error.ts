import type { StopReason } from "./report.ts";

/** What the handlers of a drain that ends so find in their signals. */
export function abortError(reason: StopReason): Error {
  const error = new Error(
    reason === "deadline"
      ? "the drain's time is up"
      : reason === "lost"
        ? "the drain's lease has ended"
        : "the drain was aborted",
  );
  error.name = "AbortError";
  return error;
}
