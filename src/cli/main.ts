#!/usr/bin/env node
import { CommanderError } from "commander";
import { createProgram } from "./program.ts";
import { toLines } from "./terminal-text.ts";

/** Writes what is left, then ends: an app's open connections must not keep a finished command alive. */
function exit(status: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
}

/** One line for everything that a user can cause; a stack only for what is a fault of this program. */
function describe(error: unknown): { readonly text: string; readonly status: number } {
  if (!(error instanceof Error)) return { text: String(error), status: 1 };
  if (error.name === "UsageError") return { text: error.message, status: 2 };
  const isKnown = "code" in error && typeof error.code === "string";
  return { text: isKnown ? error.message : (error.stack ?? error.message), status: 1 };
}

// The reader of a pipe may leave (`airlift status | head -1`); that must not end a drain in the middle.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

try {
  await createProgram().parseAsync();
  exit(Number(process.exitCode ?? 0));
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said it already. Its 1 means wrong usage, help asked for is 0.
    exit(error.exitCode === 0 ? 0 : 2);
  } else {
    const { text, status } = describe(error);
    process.stderr.write(`airlift: ${toLines(text)}\n`);
    exit(status);
  }
}
