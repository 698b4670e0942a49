import { DEFAULT_UNIQUE_TTL_MS, type UniqueOptions } from "../core/unique.ts";
import type { EnqueueRequest, UniqueJob } from "./encoded-job.ts";
import type { Keys } from "./keys.ts";
import { encodePayload } from "./payload.ts";
import { hashLockKey, lockOf, type UniqueLock } from "./unique-lock.ts";

/**
 * A unique job's payload, which bears the id of the lock that it asks for.
 *
 * @param args as a handler will see them
 * @throws what the class's `key` throws
 */
export async function encodeUnique(
  job: EnqueueRequest,
  { unique, args, keys }: { readonly unique: UniqueOptions; readonly args: readonly unknown[]; readonly keys: Keys },
): Promise<UniqueJob> {
  const { until, key, ttlMs = DEFAULT_UNIQUE_TTL_MS, onConflict } = unique;
  const hash = key && (await hashLockKey(job.queue, key(args)));
  const id = newLockId(until);
  const payload = encodePayload(job.class, job.args ?? [], { unique: hash === undefined ? id : `${hash}.${id}` });
  // It has just been written.
  const lock = lockOf(payload, job.queue, keys) as UniqueLock;
  return {
    queue: job.queue,
    payload,
    lock: {
      key: lock.key,
      id,
      ttlMs: typeof until === "object" ? until.periodMs : ttlMs,
      replaces: onConflict === "replace",
    },
  };
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
