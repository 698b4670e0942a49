import type { DrainReport } from "./report.ts";
import type { StartDrain } from "./start-drain.ts";

/** Starts the next drain when one has left jobs behind: see docs/ticks.md for what each host allows. */
export interface SuccessorOptions {
  readonly start: StartDrain;
  /**
   * No drain with a greater `depth` is started: the next tick begins anew at 0.
   *
   * @default 10
   */
  readonly maxDepth?: number;
}

/**
 * Whether a drain should be followed by another at once: its time or its budget was over before its jobs were. One that has ended no job
 * has none, as the next would not either.
 */
export function needsSuccessor(
  report: Pick<DrainReport, "stopped" | "remaining" | "claimed" | "released" | "lost">,
): boolean {
  const { stopped, remaining, claimed, released, lost } = report;
  const isCut = stopped === "deadline" || stopped === "budget";
  return isCut && remaining > 0 && claimed - released - lost > 0;
}
