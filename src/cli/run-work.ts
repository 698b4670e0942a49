import { logEvents } from "../core/log-events.ts";
import type { DrainReport } from "../core/report.ts";
import type { AppOptions } from "./app-options.ts";
import { drainRepeatedly } from "./drain-repeatedly.ts";
import { createLineLogger } from "./line-logger.ts";
import { openApp } from "./open-app.ts";
import { formatReportLine, isIdle } from "./report-text.ts";
import { superviseProcess } from "./supervise.ts";

/** Options of `airlift work`. */
export interface WorkOptions extends AppOptions {
  /** Milliseconds. @default 5000 */
  readonly interval?: number;
  readonly json?: true;
}

const DEFAULT_INTERVAL_MS = 5_000;

/** Drains until the process is told to stop. */
export async function runWork(options: WorkOptions): Promise<void> {
  const { interval: intervalMs = DEFAULT_INTERVAL_MS } = options;
  const logger = createLineLogger({ write: (line) => void process.stderr.write(`${line}\n`) });
  using supervision = superviseProcess(logger);
  const { signal, runHandler } = supervision;
  const airlift = await openApp(options, logger);
  const onReport = (report: DrainReport): void => {
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else if (!isIdle(report)) logger.info(formatReportLine(report));
  };
  try {
    logger.info(`working ${airlift.options.queues.join(", ")}, a look every ${intervalMs / 1_000} s`);
    await drainRepeatedly({
      airlift,
      intervalMs,
      signal,
      logger,
      onReport,
      drain: { runHandler, onEvent: logEvents(logger) },
    });
    logger.info("stopped");
  } finally {
    await airlift.close();
  }
}
