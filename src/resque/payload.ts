import { UsageError } from "../core/errors.ts";
import { type BigIntegers, parseJson, stringifyJson } from "../core/json.ts";
import type { ClaimedJob } from "../core/store.ts";

/** Airlift's own member, always the last of a payload. No producer's payload bears it. */
const OWN_MEMBER = /,"airlift":(\{[^{}]*\})\}\s*$/;

/**
 * Reads a payload: `{"class":…,"args":[…]}`, other members (node-resque's `queue`) welcome. Never throws: what is not a job
 * is told with the reason.
 */
export function parsePayload(raw: string, bigIntegers: BigIntegers = "bigint"): ClaimedJob {
  let value: unknown;
  try {
    value = parseJson(raw, bigIntegers);
  } catch (error) {
    return malformed(raw, `not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return malformed(raw, `expected an object with class and args, got ${nameOf(value)}`);
  }
  const { class: className, args } = value as { class?: unknown; args?: unknown };
  if (typeof className !== "string" || className === "") {
    return malformed(raw, `expected class to be a non-empty string, got ${nameOf(className)}`);
  }
  if (args !== undefined && args !== null && !Array.isArray(args)) {
    return malformed(raw, `expected args to be an array, got ${nameOf(args)}`);
  }
  return { kind: "job", class: className, args: args ?? [], raw, attempt: readCrashes(raw) + 1 };
}

/** How often a drain died while it held this payload. */
export function readCrashes(raw: string): number {
  if (!raw.endsWith("}}")) return 0;
  const own = OWN_MEMBER.exec(raw);
  if (!own) return 0;
  const { crashes } = JSON.parse(own[1] as string) as { crashes?: unknown };
  return typeof crashes === "number" && crashes > 0 ? Math.floor(crashes) : 0;
}

/**
 * How to mark one more crash at the end of a payload's bytes, the rest untouched.
 *
 * @param tail the payload's end, at least all of Airlift's own member if it bears one
 * @returns bytes to cut off and text to append; undefined if the payload is no object that could bear it
 */
export function markCrash(
  tail: string,
  crashes: number,
): { readonly cutBytes: number; readonly append: string } | undefined {
  const own = OWN_MEMBER.exec(tail);
  const end = own ?? /\}\s*$/.exec(tail);
  if (!end || /\{\s*$/.test(tail.slice(0, end.index))) return undefined;
  // What is cut is ASCII: Airlift wrote it, or it is a brace and white space.
  return { cutBytes: end[0].length, append: `,"airlift":{"crashes":${crashes}}}` };
}

/**
 * The payload as Ruby Resque writes it: `{"class":…,"args":[…]}`. A bigint is written as an integer.
 *
 * @throws UsageError if an argument has no JSON form
 */
export function encodePayload(className: string, args: readonly unknown[]): string {
  if (typeof className !== "string" || className === "") {
    throw new UsageError(`class: expected a non-empty string, got ${nameOf(className)}`);
  }
  if (!Array.isArray(args)) throw new UsageError(`args: expected an array, got ${nameOf(args)} (class ${className})`);
  try {
    return `{"class":${JSON.stringify(className)},"args":${stringifyJson(args)}}`;
  } catch (error) {
    throw new UsageError(`args: ${(error as Error).message} (class ${className})`, { cause: error });
  }
}

function malformed(raw: string, reason: string): ClaimedJob {
  return { kind: "malformed", raw, reason, isBinary: false };
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value === "") return "an empty string";
  return typeof value === "undefined" ? "nothing" : `a ${typeof value}`;
}
