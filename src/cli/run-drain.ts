import type { Airlift } from "../airlift.ts";
import { logEvents } from "../core/log-events.ts";
import type { AppOptions } from "./app-options.ts";
import { createLineLogger } from "./line-logger.ts";
import { openApp } from "./open-app.ts";
import { createPlainProgress, createProgressBar, type Progress } from "./progress.ts";
import { formatReport } from "./report-text.ts";
import { superviseProcess } from "./supervise.ts";

/** Options of `airlift drain`. */
export interface DrainCommandOptions extends AppOptions {
  readonly maxJobs?: number;
  /** Milliseconds. */
  readonly for?: number;
  readonly json?: true;
}

/** Drains once and prints the report. */
export async function runDrain(options: DrainCommandOptions): Promise<void> {
  const stream = process.stderr;
  let progress: Progress = createPlainProgress(stream);
  const logger = createLineLogger({ write: (line) => progress.line(line) });
  const logEvent = logEvents(logger);
  using supervision = superviseProcess(logger);
  const airlift = await openApp(options, logger);
  try {
    if (stream.isTTY) progress = createProgressBar(stream, await countQueued(airlift));
    const report = await airlift.drain({
      signal: supervision.signal,
      runHandler: supervision.runHandler,
      onEvent: (event) => {
        progress.onEvent(event);
        logEvent(event);
      },
      ...(options.for === undefined ? {} : { deadlineMs: Date.now() + options.for + airlift.options.marginMs }),
      ...(options.maxJobs === undefined ? {} : { maxJobs: options.maxJobs, successor: false }),
    });
    progress.stop();
    process.stdout.write(`${options.json ? JSON.stringify(report) : formatReport(report)}\n`);
  } finally {
    progress.stop();
    await airlift.close();
  }
}

/** How long the bar is at the start. Queues that only a pattern names are not counted: the bar grows as their jobs come. */
async function countQueued(airlift: Airlift): Promise<number> {
  const names = airlift.options.queues.map((spec) => spec.replace(/=.*$/, ""));
  const { queues } = await airlift.status();
  const counted = queues.filter(({ name, paused }) => !paused && (names.includes("*") || names.includes(name)));
  return counted.reduce((sum, { size }) => sum + size, 0);
}
