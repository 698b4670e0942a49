import type { Logger } from "./core/job-context.ts";

/** Warnings and errors, to the console. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  // biome-ignore lint/suspicious/noConsole: the default of an option, on every host
  warn: (message, fields) => console.warn(message, ...shown(fields)),
  // biome-ignore lint/suspicious/noConsole: the default of an option, on every host
  error: (message, fields) => console.error(message, ...shown(fields)),
};

function shown(fields: Record<string, unknown> = {}): Record<string, unknown>[] {
  return Object.keys(fields).length > 0 ? [fields] : [];
}
