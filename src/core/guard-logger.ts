import type { Logger } from "./job-context.ts";

/** The same logger with `fields` on each line, which never throws: a logger must not fail a job or a drain. */
export function guardLogger(logger: Logger, fields: Record<string, unknown> = {}): Logger {
  const line =
    (level: keyof Logger) =>
    (message: string, more?: Record<string, unknown>): void => {
      try {
        logger[level](message, { ...fields, ...more });
      } catch {
        // There is nobody left to tell.
      }
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
