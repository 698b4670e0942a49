import type { Logger } from "../../src/core/job-context.ts";

/** A payload of Ruby's. */
export const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

/** A logger that keeps what it is told. */
export interface LogBook {
  readonly logger: Logger;
  /** Level and message. */
  readonly lines: readonly string[];
}

export function createLogBook(): LogBook {
  const lines: string[] = [];
  const at =
    (level: string): Logger["info"] =>
    (message) =>
      void lines.push(`${level} ${message}`);
  return { logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}
