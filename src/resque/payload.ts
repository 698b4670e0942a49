import { UsageError } from "../core/errors.ts";
import { type BigIntegers, describeJsonError, parseJson, stringifyJson } from "../core/json.ts";
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
    return malformed(raw, `it ${describeJsonError(error)}`);
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
  return readOwnMember(raw)?.crashes ?? 0;
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
  const end = readOwnMember(tail)?.text ?? /\}\s*$/.exec(tail)?.[0];
  if (end === undefined || /\{\s*$/.test(tail.slice(0, tail.length - end.length))) return undefined;
  // What is cut is ASCII: Airlift wrote it, or it is a brace and white space.
  return { cutBytes: end.length, append: `,"airlift":{"crashes":${crashes}}}` };
}

/** Airlift's own member with the brace after it. A payload may be anything, so what is none of ours is none. */
function readOwnMember(text: string): { readonly text: string; readonly crashes: number } | undefined {
  const match = /\}\s*\}\s*$/.test(text) ? OWN_MEMBER.exec(text) : null;
  if (!match) return undefined;
  try {
    const { crashes } = JSON.parse(match[1] as string) as { crashes?: unknown };
    return Number.isSafeInteger(crashes) && (crashes as number) > 0
      ? { text: match[0], crashes: crashes as number }
      : undefined;
  } catch {
    return undefined;
  }
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
