import type { Failure } from "./outcome.ts";

/** A message longer than this is cut: the failed list is read by people, and a request has a size limit. */
const MAX_MESSAGE_CHARS = 4_000;
const MAX_NAME_CHARS = 200;
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
  const own = Object.hasOwn(error, "name") ? name : String(error.constructor?.name ?? "");
  return cut(name === "Error" && own.length > 1 ? own : name, MAX_NAME_CHARS);
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

/** Of a stack, behind the message: what is longer is no stack. */
const MAX_STACK_CHARS = 100_000;

/** The handler's part of the stack, without the first lines, which repeat the message. */
function frames(error: Error): string[] {
  // One that was told by another program, in whatever form that has.
  if ("backtrace" in error && Array.isArray(error.backtrace)) return error.backtrace.slice(0, MAX_FRAMES).map(String);
  const lines = behindMessage(String(error.stack ?? ""), String(error.message))
    .slice(0, MAX_STACK_CHARS)
    .split("\n")
    .map((line) => line.trim().slice(0, 2 * MAX_FRAME_CHARS))
    .filter((line) => line.startsWith("at ") || /^[^\s@]*@\S+:\d+/.test(line));
  const end = lines.findIndex((line) => CALLER.test(line));
  return end < 0 ? lines : lines.slice(0, end);
}

/** A message may be long, and its lines may look like places. */
function behindMessage(stack: string, message: string): string {
  const at = stack.indexOf(message);
  return at < 0 || stack.slice(0, at).includes("\n") ? stack : stack.slice(at + message.length);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null)
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  return String(value);
}

/** Half an emoji, cut off or there from the start, is none that other languages' JSON readers take for text. */
function cut(text: string, maxChars: number): string {
  const start = text.slice(0, maxChars).toWellFormed();
  return text.length <= maxChars ? start : `${start}… (${text.length - maxChars} characters more)`;
}
