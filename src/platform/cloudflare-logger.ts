import type { Logger } from "../core/job-context.ts";
import { createJsonLogger, type LogLevel } from "./json-logger.ts";

/**
 * Writes one JSON object a line, whose members Workers Logs makes searchable.
 *
 * @param level the least that is written
 */
export function createWorkerLogger(level: LogLevel = "info"): Logger {
  // biome-ignore lint/suspicious/noConsole: a Worker has no other log
  return createJsonLogger({ write: (line) => console.log(line), level });
}
