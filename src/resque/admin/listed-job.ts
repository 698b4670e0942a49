import { describeJsonError, parseJson } from "../../core/json.ts";
import { unwrapActiveJob } from "../active-job-wrapper.ts";

/** Ruby's `JSON.parse` takes no more levels; what is deeper could not be written out again by a recursive writer. */
const MAX_NESTING = 100;

/** What can be told of a payload. A bad one is told, too. */
export interface JobSummary {
  /** The class; of a Rails job the one that is wrapped. */
  readonly class?: string;
  readonly args?: readonly unknown[];
  /** Why the payload is no job. */
  readonly problem?: string;
}

/** A text from Redis as JSON, or what is wrong with it. */
export type ReadText = { readonly value: unknown } | { readonly problem: string };

/** Reads JSON that anybody may have written. Never throws. */
export function readText(text: string): ReadText {
  try {
    const value = parseJson(text);
    return isTooDeep(value) ? { problem: "is nested too deeply" } : { value };
  } catch (error) {
    return { problem: describeJsonError(error) };
  }
}

/** Whether a value has more levels than readers of JSON take. */
export function isTooDeep(value: unknown): boolean {
  return isDeeperThan(value, MAX_NESTING);
}

/** What a parsed payload says, whoever wrote it. */
export function summarize(payload: unknown): JobSummary {
  if (!isRecord(payload)) return { problem: "expected an object with class and args" };
  const wrapped = unwrapActiveJob(payload);
  const { class: className, args = [] } = wrapped
    ? { class: wrapped.jobClass, args: wrapped.jobData["arguments"] }
    : (payload as { class?: unknown; args?: unknown });
  return {
    ...(typeof className === "string" && className !== "" ? { class: className } : { problem: "has no class" }),
    ...(Array.isArray(args ?? []) ? { args: (args as unknown[] | null) ?? [] } : { problem: "args is no array" }),
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((member) => isDeeperThan(member, levels - 1));
}
