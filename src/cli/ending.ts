import { CommanderError } from "commander";
import { toLine, toLines } from "./terminal-text.ts";

/** How a run of the command line ends that threw. */
export interface Ending {
  /** What is left to say; undefined if it was said. */
  readonly text?: string;
  readonly status: 1 | 0 | 2;
}

/** One line for everything that a user can cause; a stack only for what is a fault of this program. */
export function endingOf(error: unknown): Ending {
  // Commander has said it already. Its 1 means wrong usage, help asked for is 0.
  if (error instanceof CommanderError) return { status: error.exitCode === 0 ? 0 : 2 };
  if (!(error instanceof Error)) return { text: toLine(String(error)), status: 1 };
  if (error.name === "UsageError") return { text: toLine(error.message), status: 2 };
  const isKnown = "code" in error && typeof error.code === "string";
  return { text: isKnown ? toLine(error.message) : toLines(error.stack ?? error.message), status: 1 };
}
