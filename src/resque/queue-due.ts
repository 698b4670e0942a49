import type { Failure } from "../core/outcome.ts";
import type { CallOptions, ScriptCall } from "./client.ts";
import { failedEntry } from "./failed-entry.ts";
import type { Keys } from "./keys.ts";

export interface PromoteOptions extends Required<Pick<CallOptions, "usage">> {
  /** What Redis' clock shows. */
  readonly redisNowMs: number;
  /**
   * That is known only nearly: what is due is what Redis' clock says itself, at that moment. Told what it has said, as soon as it has: the rest may
   * take long.
   */
  readonly onTime?: (redisNowMs: number) => void;
  /** Queues that are known already: the better they fit, the fewer calls it takes. */
  readonly queues: readonly string[];
  /** @default 5_000 */
  readonly maxJobs?: number;
  /** No batch is begun after so many requests. @default any number */
  readonly maxRequests?: number;
  /** Who is shown in `failed` beside what is no job. @default "airlift" */
  readonly worker?: string;
}

export interface ResolvedPromoteOptions extends Required<Omit<PromoteOptions, "maxRequests" | "onTime">> {
  readonly asksRedis: boolean;
  /** Whether `maxRequests` were made. */
  readonly isSpent: () => boolean;
}

export interface PromotedJobs {
  readonly promoted: number;
  /** What was due, but is no job, or has a queue that is none. */
  readonly failed: number;
  /**
   * When the next of those that are left is due, by Redis' clock. In the past only if another call would promote more at once: what is
   * due but left to another scheduler counts from when that one should have looked.
   */
  readonly nextDueMs: number | undefined;
  /** What Redis' clock showed. */
  readonly redisNowMs: number;
}

/** As often as resque-scheduler and node-resque look. */
export const LEFT_TO_OTHERS_MS = 5_000;

interface QueueDueParams {
  /** What the script moves from. */
  readonly source: string;
  readonly queues: readonly string[];
  readonly redisNowMs: number;
  readonly worker: string;
}

/** The keys and arguments with which each script that promotes begins: see scripts/_queue-due.lua. */
export function queueDueCall(
  keys: Keys,
  { source, queues, redisNowMs, worker }: QueueDueParams,
): Pick<ScriptCall, "keys" | "args"> {
  const prefixBytes = new TextEncoder().encode(keys.queue("")).length - "queue:".length;
  const { before, after } = failedEntry(NO_LIST, { failedAtMs: redisNowMs, workerId: worker, queue: "" });
  return {
    keys: [keys.queues, keys.failed, keys.processed, keys.failures, source, ...queues.map(keys.queue)],
    args: [queues.length, prefixBytes, before, after.slice(0, -'""}'.length)],
  };
}

/** The text after what is no job, in `failed`. */
export function afterNoJob(reason: string, worker: string, queue = ""): string {
  const failure = { exception: "MalformedPayload", message: reason, backtrace: [] };
  return failedEntry(failure, { failedAtMs: 0, workerId: worker, queue }).after;
}

const NO_LIST: Failure = {
  exception: "QueueError",
  message: "the job was due, but the key of its queue holds no list",
  backtrace: [],
};
