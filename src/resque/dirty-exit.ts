import type { Failure } from "../core/outcome.ts";

/** How a job fails, in Ruby's words, that was not heard of again as often as it may. */
export function dirtyExit(crashes: number): Failure {
  return {
    exception: "Resque::DirtyExit",
    message: `the job did not end: ${crashes === 1 ? "the drain" : `each of ${crashes} drains`} that ran it died`,
    backtrace: [],
  };
}
