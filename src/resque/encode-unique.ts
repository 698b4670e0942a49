import { UsageError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import { DEFAULT_UNIQUE_TTL_MS, type UniqueOptions } from "../core/unique.ts";
import { isJobData } from "./active-job-wrapper.ts";
import type { EnqueueRequest, UniqueJob } from "./encoded-job.ts";
import type { Keys } from "./keys.ts";
import { encodePayload } from "./payload.ts";
import { hashLockKey, lockOf, type UniqueLock } from "./unique-lock.ts";

export interface UniqueRequest {
  readonly unique: UniqueOptions;
  /** The class that is unique; that of the payload is another for an Active Job. */
  readonly class: string;
  /** As the class's `key` sees them. */
  readonly args: readonly unknown[];
  readonly keys: Keys;
}

/**
 * A unique job's payload, which bears the id of the lock that it asks for.
 *
 * @throws what the class's `key` throws
 */
export async function encodeUnique(job: EnqueueRequest, request: UniqueRequest): Promise<UniqueJob> {
  const { until, ttlMs = DEFAULT_UNIQUE_TTL_MS, onConflict } = request.unique;
  const { queue, class: className, args: sent = [] } = job;
  const key = keyOf(sent, request);
  const id = newLockId(until);
  const own = key === undefined ? id : `${await hashLockKey(queue, request.class, key)}.${id}`;
  const payload = encodePayload(className, sent, { unique: own });
  // It has just been written.
  const lock = lockOf(payload, queue, request.keys) as UniqueLock;
  const lockMs = typeof until === "object" ? until.periodMs : ttlMs;
  return { queue, payload, lock: { key: lock.key, id, ttlMs: lockMs, replaces: onConflict === "replace" } };
}

/** What two jobs that are the same have in common; undefined if it is the arguments as they are sent. */
function keyOf([sent]: readonly unknown[], { unique, class: className, args }: UniqueRequest): string | undefined {
  if (unique.key) {
    const key: unknown = unique.key(args);
    if (typeof key === "string") return key;
    throw new UsageError(
      `class ${JSON.stringify(className)}: unique.key: expected it to return a text, got ${typeof key}`,
    );
  }
  // Each Active Job has an id and a time among its data.
  return isJobData(sent) && sent.job_class === className ? stringifyJson(sent["arguments"]) : undefined;
}

/** 48 random bits are enough among those that hold one lock one after another. */
function newLockId(until: UniqueOptions["until"]): string {
  const random = crypto.getRandomValues(new Uint8Array(6));
  const hex = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const letter = typeof until === "object" ? "p" : until === "start" ? "s" : "d";
  return letter + hex;
}

/**
 * The value of a lock, and its TTL in ms.
 *
 * @param atSeconds when the job is due, if it is delayed
 */
export function lockValue(
  { lock, payload }: UniqueJob,
  atSeconds: number | undefined,
  nowMs: number,
): [value: string, ttlMs: number] {
  const ttlMs = lock.ttlMs + Math.max(0, (atSeconds ?? 0) * 1_000 - nowMs);
  const due = atSeconds === undefined ? "" : `${atSeconds}.`;
  // node-resque takes a lock over once this second has passed: not before the key is gone.
  const end = Math.ceil((nowMs + ttlMs) / 1_000) + 1;
  return [`${end}.${due}${lock.replaces ? `${payload}.` : ""}${lock.id}`, ttlMs];
}

/** The job that waits under a lock, if it may be replaced, and when it is due, if it is delayed. */
export function readLockValue(value: string): {
  readonly payload: string | undefined;
  readonly atSeconds: number | undefined;
} {
  const [, due, payload] = /^\d+\.(?:(\d+)\.)?(?:(\{.*\})\.)?\w+$/s.exec(value) ?? [];
  return { payload, atSeconds: due === undefined ? undefined : Number(due) };
}
