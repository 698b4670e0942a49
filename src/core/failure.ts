import type { Failure } from "./outcome.ts";

/** A message longer than this is cut: the failed list is read by people, and a request has a size limit. */
const MAX_MESSAGE_CHARS = 4_000;
const MAX_FRAMES = 40;
const MAX_FRAME_CHARS = 300;
/** Causes are followed this deep; a chain may be a circle. */
const MAX_CAUSES = 5;

/** Describes whatever a handler threw: an Error, a string, undefined, a proxy that throws when it is touched. Never throws. */
export function toFailure(thrown: unknown): Failure {
  try {
    return describe(thrown);
  } catch {
    return { exception: "Error", message: "the handler threw a value that cannot be read", backtrace: [] };
  }
}

function describe(thrown: unknown): Failure {
  if (!isErrorLike(thrown)) {
    return {
      exception: "NonError",
      message: cut(`the handler threw ${show(thrown)}`, MAX_MESSAGE_CHARS),
      backtrace: [],
    };
  }
  return {
    exception: nameOf(thrown),
    message: cut(String(thrown.message), MAX_MESSAGE_CHARS),
    backtrace: backtraceOf(thrown)
      .slice(0, MAX_FRAMES)
      .map((line) => cut(line, MAX_FRAME_CHARS)),
  };
}

function isErrorLike(value: unknown): value is Error {
  return (
    value instanceof Error || (typeof value === "object" && value !== null && "message" in value && "stack" in value)
  );
}

/** A subclass that does not set `name` still has a name of its own. An error that was told by another program may be a plain one there. */
function nameOf(error: Error): string {
  const name = String(error.name || "Error");
  const own = Object.hasOwn(error, "name") ? name : error.constructor?.name;
  return cut(name === "Error" && own && own.length > 1 ? own : name, 200);
}

function backtraceOf(error: Error): string[] {
  const lines = frames(error);
  let cause: unknown = error.cause;
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined && cause !== null; depth++) {
    if (!isErrorLike(cause)) {
      lines.push(`caused by ${show(cause)}`);
      break;
    }
    lines.push(`caused by ${nameOf(cause)}: ${String(cause.message)}`, ...frames(cause));
    cause = cause.cause;
  }
  return lines;
}

/** The frames from which Airlift calls a handler, a decoder, a schema: what is below them is Airlift's. */
const CALLER = /\b(performJob|readArgs|validateArgs)\b/;

/** The handler's part of the stack, without the first lines, which repeat the message. */
function frames(error: Error): string[] {
  // One that was told by another program, in whatever form that has.
  if ("backtrace" in error && Array.isArray(error.backtrace)) return error.backtrace.map(String);
  const lines = String(error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at ") || /^\S*@\S+:\d+/.test(line));
  const end = lines.findIndex((line) => CALLER.test(line));
  return end < 0 ? lines : lines.slice(0, end);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null)
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  return String(value);
}

function cut(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}… (${text.length - maxChars} characters more)`;
}
