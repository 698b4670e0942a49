import { UsageError } from "../core/errors.ts";
import { type BigIntegers, describeJsonError, parseJson, stringifyJson } from "../core/json.ts";
import type { ClaimedJob } from "../core/store.ts";
import { attemptOffset, unwrapActiveJob } from "./active-job-wrapper.ts";

/** What Airlift knows of a job travels with it, as the last member of its payload. */
export interface OwnMember {
  /** How many drains died while they held the job. */
  readonly crashes?: number;
  /** How many of its attempts failed and were followed by another. */
  readonly retries?: number;
  /** Under which id it holds its unique lock. */
  readonly unique?: string;
  /** Under which id its status is kept. */
  readonly id?: string;
}

const OWN_MEMBER = /,"airlift":(\{[^{}]+\})\}[ \t\r\n]*$/;
/** Of JSON's white space alone: what else looks like it takes more than a byte. */
const END = /\}[ \t\r\n]*$/;
/** At least this many bytes of a payload's end hold all of Airlift's own member. */
export const OWN_MEMBER_MAX_BYTES = 400;
const OWN_TEXT = /^[\w.:-]{1,100}$/;

/**
 * Reads a payload: `{"class":…,"args":[…]}`, other members (node-resque's `queue`) welcome. Never throws: what is not a job
 * is told with the reason. An Active Job is known by the class of the job in it; its only argument is what Rails serialized.
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
  const counted = attemptsOf(raw);
  const wrapped = unwrapActiveJob({ class: className, args });
  if (!wrapped) return { kind: "job", class: className, args: args ?? [], raw, ...counted };
  const { jobClass, jobData } = wrapped;
  const ranByRails = attemptOffset(jobData);
  const { attempt, retries } = counted;
  const rails = { attempt: attempt + ranByRails, retries: retries + ranByRails, isActiveJob: true } as const;
  return { kind: "job", class: jobClass, args: [jobData], raw, ...rails };
}

function attemptsOf(raw: string): { readonly attempt: number; readonly retries: number; readonly id?: string } {
  const { crashes = 0, retries = 0, id } = readOwn(raw);
  return { attempt: 1 + crashes + retries, retries, ...(id !== undefined && { id }) };
}

/**
 * Airlift's own member of a payload; `{}` if it bears none.
 *
 * @param text the payload, or at least its last {@link OWN_MEMBER_MAX_BYTES}
 */
export function readOwn(text: string): OwnMember {
  return matchOwn(text)?.own ?? {};
}

/** How a payload's end changes: bytes to cut off, and text to append instead. */
export interface TailChange {
  readonly cutBytes: number;
  readonly append: string;
}

/**
 * How to change Airlift's own member at the end of a payload's bytes, the rest untouched.
 *
 * @param tail the payload, or at least its last {@link OWN_MEMBER_MAX_BYTES}
 * @returns undefined if the payload is no object that could bear the member
 */
export function changeOwn(tail: string, own: OwnMember): TailChange | undefined {
  const end = matchOwn(tail)?.text ?? END.exec(tail)?.[0];
  if (end === undefined || /\{\s*$/.test(tail.slice(0, tail.length - end.length))) return undefined;
  // What is cut is ASCII: Airlift wrote it, or it is a brace and white space.
  return { cutBytes: end.length, append: `${encodeOwn(own)}}` };
}

/** How to take off what counts a job's attempts, so that whoever queues it again begins anew. No change for most payloads. */
export function forgetAttempts(tail: string): TailChange {
  const { crashes, retries, ...rest } = readOwn(tail);
  if (crashes === undefined && retries === undefined) return { cutBytes: 0, append: "" };
  return changeOwn(tail, rest) ?? { cutBytes: 0, append: "" };
}

function encodeOwn(own: OwnMember | undefined): string {
  return own && Object.keys(own).length > 0 ? `,"airlift":${JSON.stringify(own)}` : "";
}

/**
 * A payload may be anything, so what Airlift would not have written in just these letters is none of its own, whatever its name: it is its producer's,
 * and stays.
 */
function matchOwn(text: string): { readonly text: string; readonly own: OwnMember } | undefined {
  const match = /\}[ \t\r\n]*\}[ \t\r\n]*$/.test(text) ? OWN_MEMBER.exec(text) : null;
  if (!match) return undefined;
  try {
    const own = JSON.parse(match[1] as string) as OwnMember;
    const isOurs = Object.entries(own).every(isOwnMember) && JSON.stringify(own) === match[1];
    return isOurs ? { text: match[0], own } : undefined;
  } catch {
    return undefined;
  }
}

function isOwnMember([name, value]: readonly [string, unknown]): boolean {
  if (name === "crashes" || name === "retries") return Number.isSafeInteger(value) && (value as number) > 0;
  return (name === "unique" || name === "id") && typeof value === "string" && OWN_TEXT.test(value);
}

/**
 * The payload as Ruby Resque writes it: `{"class":…,"args":[…]}`, with Airlift's own member at its end if there is one. A bigint is
 * written as an integer.
 *
 * @throws UsageError if an argument has no JSON form
 */
export function encodePayload(className: string, args: readonly unknown[], own?: OwnMember): string {
  if (typeof className !== "string" || className === "") {
    throw new UsageError(`class: expected a non-empty string, got ${nameOf(className)}`);
  }
  if (!Array.isArray(args)) throw new UsageError(`args: expected an array, got ${nameOf(args)} (class ${className})`);
  try {
    return `{"class":${JSON.stringify(className)},"args":${stringifyJson(args)}${encodeOwn(own)}}`;
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
