import type { StopReason } from "./report.ts";

/** What the handlers of a drain that ends so find in their signals. */
export function abortError(reason: StopReason): Error {
  return named(
    "AbortError",
    reason === "deadline"
      ? "the drain's time is up"
      : reason === "lost"
        ? "the drain's lease has ended"
        : "the drain was aborted",
  );
}

/** What finds in its signal who has had its time. */
export function timeoutError(message: string): Error {
  return named("TimeoutError", message);
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
