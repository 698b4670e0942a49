import type { Logger } from "../core/job.ts";
import { toLines } from "./terminal-text.ts";

type Level = "debug" | "info" | "warn" | "error";

export interface LineLoggerOptions {
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  /** @default false */
  readonly isVerbose?: boolean;
}

/** A logger that writes one line a call: the time, the level if it is no plain information, the message, the fields. */
export function createLineLogger(options: LineLoggerOptions): Logger {
  const log = (level: Level, message: string, fields: Record<string, unknown> = {}): void => {
    if (level === "debug" && !options.isVerbose) return;
    const time = new Date().toTimeString().slice(0, 8);
    const label = level === "info" ? "" : `${level}: `;
    const details = Object.entries(fields).map(([name, value]) => ` ${name}=${formatField(value)}`);
    options.write(toLines(`${time} ${label}${cut(message)}${details.join("")}`));
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

/** A line is read by people. */
const MAX_TEXT_CHARS = 4_000;

function cut(text: string): string {
  return text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
}

function formatField(value: unknown): string {
  const text = cut(value instanceof Error ? `${value.name}: ${value.message}` : toText(value));
  // Quoted unless it is one plain word, so that a value cannot pass for further fields or lines; a stack keeps its lines.
  return /^[\w./:@+-]+$/.test(text) || text.includes("\n    at ") ? text : JSON.stringify(text);
}

function toText(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    try {
      return JSON.stringify(value);
    } catch {
      return String(value);
    }
  }
  return String(value);
}
