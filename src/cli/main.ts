#!/usr/bin/env node
import { endingOf } from "./ending.ts";
import { createProgram } from "./program.ts";

/** Writes what is left, then ends: an app's open connections must not keep a finished command alive. */
function exit(status: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
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
  const { text, status } = endingOf(error);
  if (text !== undefined) process.stderr.write(`airlift: ${text}\n`);
  exit(status);
}
