import type { Logger } from "../core/job-context.ts";

/** In the order of their weight. */
const LEVELS = ["debug", "info", "warn", "error"] as const;

export type LogLevel = (typeof LEVELS)[number];

export interface JsonLoggerOptions {
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  /** The least that is written. @default "info" */
  readonly level?: LogLevel;
  /** What each line bears besides, asked for anew each time. */
  readonly fields?: () => Record<string, unknown>;
}

/** A logger that writes one JSON object a line: `timestamp`, `level`, `message`, then the fields. Hosts' log services search them by name. */
export function createJsonLogger({ write, level = "info", fields = () => ({}) }: JsonLoggerOptions): Logger {
  const least = LEVELS.indexOf(level);
  const logAt = (weight: number): Logger["info"] => {
    if (weight < least) return () => undefined;
    return (message, given) => {
      const head = { timestamp: new Date().toISOString(), level: LEVELS[weight]?.toUpperCase(), message, ...fields() };
      // Last once more, so that no field of a message passes for one of these.
      write(stringify({ ...head, ...given, ...head }) ?? stringify(head) ?? message);
    };
  };
  return { debug: logAt(0), info: logAt(1), warn: logAt(2), error: logAt(3) };
}

function stringify(line: object): string | undefined {
  try {
    return JSON.stringify(line, readable);
  } catch {
    return undefined; // Fields that refer to themselves.
  }
}

function readable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause !== undefined && { cause }) };
}
