import { isRecord, type JobSummary, readText, summarize } from "./listed-job.ts";
import type { ListedText } from "./read-list.ts";
import { readTime } from "./read-time.ts";

/** An entry of a failed list, whoever wrote it. What is not in it, or of another type than it should be, is not here. */
export interface FailedJob extends JobSummary {
  /** SHA-1 of the entry's bytes. It changes with the entry: when it is retried, for one. */
  readonly id: string;
  /** The entry's own text. */
  readonly raw: string;
  readonly bytes: number;
  /** True for an entry of more than 1 MB: `raw` then holds only its short members, and `args` is not here. */
  readonly isAbridged: boolean;
  readonly queue?: string;
  readonly exception?: string;
  readonly error?: string;
  readonly backtrace?: readonly string[];
  readonly worker?: string;
  /** As it was written. */
  readonly failedAt?: string;
  readonly failedAtMs?: number;
  readonly retriedAt?: string;
  readonly retriedAtMs?: number;
}

/** Reads an entry. Never throws: one that is no failure has a `problem`. */
export function readFailedJob({ id, text, bytes, isAbridged }: ListedText): FailedJob {
  const head = { id, raw: text, bytes, isAbridged };
  const read = readText(text);
  if ("problem" in read) return { ...head, problem: `the entry ${read.problem}` };
  if (!isRecord(read.value)) return { ...head, problem: "the entry is no object" };
  const { payload, backtrace, ...members } = read.value;
  const { problem, args, ...job } = summarize(payload);
  const failedAtMs = readTime(members["failed_at"]);
  const retriedAtMs = readTime(members["retried_at"]);
  return {
    ...head,
    ...job,
    ...(args && !isAbridged && { args }),
    ...textOf("queue", members["queue"]),
    ...textOf("exception", members["exception"]),
    ...textOf("error", members["error"]),
    ...(Array.isArray(backtrace) && { backtrace: backtrace.filter((line) => typeof line === "string") }),
    ...textOf("worker", members["worker"]),
    ...textOf("failedAt", members["failed_at"]),
    ...(failedAtMs !== undefined && { failedAtMs }),
    ...textOf("retriedAt", members["retried_at"]),
    ...(retriedAtMs !== undefined && { retriedAtMs }),
    ...(problem !== undefined && { problem: `the payload ${problem}` }),
  };
}

function textOf<Name extends string>(name: Name, value: unknown): { readonly [name in Name]?: string } {
  // The computed name is the type's only one.
  return (typeof value === "string" ? { [name]: value } : {}) as { readonly [name in Name]?: string };
}
