import type { Logger } from "../core/job.ts";
import { toLine, toLines, toSafeJson } from "./terminal-text.ts";

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
    const details = Object.entries(fields).map(([name, value]) => ` ${name}=${formatField(name, value)}`);
    options.write(`${time} ${label}${toLine(cut(message))}${details.join("")}`);
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

/** Quoted unless it is one plain word, so that a value cannot pass for further fields or lines; the stack of an error keeps its lines. */
function formatField(name: string, value: unknown): string {
  const text = cut(toText(value));
  if (/^[\w./:@+-]+$/.test(text)) return text;
  const isStack = name === "error" && typeof value === "string" && text.includes("\n    at ");
  return isStack ? toLines(text).replace(/\n(?!\s)/g, "\n    ") : toSafeJson(JSON.stringify(text));
}

/** Whatever it is, and whatever it throws when it is looked at. */
function toText(value: unknown): string {
  try {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    return typeof value === "object" && value !== null ? writeJson(value) : String(value);
  } catch {
    return "a value that cannot be read";
  }
}

function writeJson(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}
