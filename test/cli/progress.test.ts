import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createFileBar, createPlainProgress, createProgressBar } from "../../src/cli/progress.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { OK, type Outcome } from "../../src/core/outcome.ts";

/** A terminal of 80 columns that remembers what is written to it. */
function createTerminal() {
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const terminal = Object.assign(stream, { isTTY: true, columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream;
  return { terminal, read: () => text };
}

const FAILED: Outcome = { kind: "failed", failure: { exception: "Error", message: "no", backtrace: [] } };
const claimed: DrainEvent = { kind: "job-claimed", queue: "q", class: "A", slot: 0 };
const ended = (outcome: Outcome): DrainEvent => ({ kind: "job-ended", queue: "q", class: "A", outcome, durationMs: 1 });

test("on a terminal a bar shows jobs done, the failed ones, and grows with jobs that come later", () => {
  const { terminal, read } = createTerminal();
  const progress = createProgressBar(terminal, 2);
  for (let job = 1; job <= 3; job++) progress.onEvent(claimed);
  progress.onEvent(ended(OK));
  progress.onEvent(ended(FAILED));
  progress.line("a line of a job");
  progress.stop();
  expect(read()).toContain("█");
  expect(read()).toMatch(/2\/3 jobs, 1 failed/);
  expect(read()).toContain("a line of a job\n");
});

test("elsewhere only the lines are written", () => {
  const { terminal, read } = createTerminal();
  const progress = createPlainProgress(terminal);
  progress.onEvent(claimed);
  progress.onEvent(ended(OK));
  progress.line("a line of a job");
  progress.stop();
  expect(read()).toBe("a line of a job\n");
});

test("a file's bar shows how much of it is read, and the jobs", () => {
  const { terminal, read } = createTerminal();
  const bar = createFileBar(terminal, 200);
  bar.update(50, 3);
  bar.stop();
  expect(read()).toMatch(/25 %, 3 jobs enqueued/);
});
