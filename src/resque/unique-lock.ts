import { type BigIntegers, stringifyJson } from "../core/json.ts";
import type { Registry } from "../core/registry.ts";
import type { Claim } from "../core/store.ts";
import type { CallOptions, RedisClient, ScriptCall } from "./client.ts";
import { freeLocks as freeLocksScript } from "./generated/free-locks.generated.ts";
import { moveLocks as moveLocksScript } from "./generated/move-locks.generated.ts";
import { hashKey } from "./hash-key.ts";
import type { Keys } from "./keys.ts";
import { parsePayload, readOwn } from "./payload.ts";

/**
 * The lock of a unique job, as it is found from the payload alone.
 *
 * A lock by arguments is node-resque's QueueLock: `lock:<class>:<queue>:<arguments>`; one by a key is Airlift's own. Its value is
 * `<when it ends (s)>.<id>`, which node-resque reads as a number. The payload bears the id, so a lock that has passed to another job
 * is never freed by the first. The id's first letter says when the job gives the lock back: that is settled when it is enqueued,
 * whatever the app that runs it defines. A delayed job's lock also tells when it is due, `<end>.<due (s)>.<id>`, and one whose job may be
 * replaced bears the job's payload, `<end>.<payload>.<id>`.
 */
export interface UniqueLock {
  readonly key: string;
  /** Empty for a job that bears none: node-resque's, or a delayed one that another scheduler has put into its queue. */
  readonly id: string;
  readonly until: "start" | "done" | "period";
}

const UNTIL: Readonly<Record<string, UniqueLock["until"]>> = { s: "start", d: "done", p: "period" };

/** What stands in a lock's key for the queue, the class, and what the class's key makes of the arguments. */
export function hashLockKey(queue: string, className: string, key: string): Promise<string> {
  return hashKey(queue, className, key);
}

/** Payloads that bear the member are Airlift's own, whose form is known: no text in it can hold these quotes. */
const HEAD = '{"class":"';
const ARGS = '","args":';
const OWN = /,"airlift":\{[^{}]*\}\}$/;

/**
 * The lock that a payload, or a delayed item, holds.
 *
 * @returns undefined if it bears no lock's id
 */
export function lockOf(raw: string, queue: string, keys: Keys): UniqueLock | undefined {
  // Most payloads bear no member at all: this is asked of each job.
  const unique = raw.endsWith("}}") ? readOwn(raw).unique : undefined;
  const [, hash, id = "", letter = ""] = /^(?:([\w-]+)\.)?(([sdp])\w+)$/.exec(unique ?? "") ?? [];
  const until = UNTIL[letter];
  const className = until && classOf(raw);
  if (!until || className === undefined) return undefined;
  if (hash !== undefined) return { key: keys.uniqueLock(className, hash), id, until };
  const argsText = withoutQueue(raw.slice(raw.indexOf(ARGS) + ARGS.length).replace(OWN, ""));
  return { key: keys.lock(className, queue, argsText), id, until };
}

/** Only a delayed item has the member: an argument list ends in a bracket. */
function withoutQueue(text: string): string {
  return text.endsWith('"') ? text.slice(0, text.lastIndexOf(',"queue":"')) : text;
}

/** Somebody else may have written the member, and anything before it. */
function classOf(raw: string): string | undefined {
  const end = raw.indexOf(ARGS);
  if (!raw.startsWith(HEAD) || end < 0) return undefined;
  try {
    return JSON.parse(raw.slice(HEAD.length - 1, end + 1)) as string;
  } catch {
    return undefined;
  }
}

/** By what the locks of jobs are found that bear no lock's id. */
export interface LockFinder {
  readonly registry: Registry;
  readonly keys: Keys;
  readonly bigIntegers: BigIntegers;
}

/**
 * What must be freed once these jobs have been claimed, before any of them runs: the locks that are held until the start.
 */
export async function locksFreedAtStart(claims: readonly Claim[], finder: LockFinder): Promise<readonly UniqueLock[]> {
  const locks: UniqueLock[] = [];
  for (const claim of claims) {
    const lock = lockOf(claim.job.raw, claim.queue, finder.keys) ?? (await unmarkedLockOf(claim, finder));
    if (lock?.until === "start") locks.push(lock);
  }
  return locks;
}

/**
 * What must be freed in the step that ends this job for good, whatever its end: the lock that it still holds, a period's excepted.
 * `until: "start"` is among them, for a start whose freeing failed.
 */
export function lockFreedAtEnd({ job, queue }: Claim, keys: Keys): UniqueLock | undefined {
  const lock = lockOf(job.raw, queue, keys);
  return lock?.until === "period" ? undefined : lock;
}

/** What must be freed after these jobs have ended for good, beside {@link lockFreedAtEnd}: locks of those that bear no lock's id. */
export async function unmarkedLocksFreedAtEnd(
  claims: readonly Claim[],
  finder: LockFinder,
): Promise<readonly UniqueLock[]> {
  const locks: UniqueLock[] = [];
  for (const claim of claims) {
    const lock = lockOf(claim.job.raw, claim.queue, finder.keys) ? undefined : await unmarkedLockOf(claim, finder);
    if (lock?.until === "done") locks.push(lock);
  }
  return locks;
}

/** The lock that a job without an id holds, by its class's definition: node-resque's, or its own if the id was dropped. */
async function unmarkedLockOf({ queue, job }: Claim, finder: LockFinder): Promise<UniqueLock | undefined> {
  const { registry, keys, bigIntegers } = finder;
  const unique = job.kind === "job" ? registry.find(job.class)?.unique : undefined;
  if (job.kind !== "job" || !unique || typeof unique.until === "object") return undefined;
  // What the arguments of an Active Job were when it was enqueued is not known here.
  if (job.isActiveJob) return undefined;
  // Read anew: its handler may have changed what it was given.
  const { args } = parsePayload(job.raw, bigIntegers) as typeof job;
  try {
    const key = unique.key
      ? keys.uniqueLock(job.class, await hashLockKey(queue, job.class, unique.key(args)))
      : keys.lock(job.class, queue, stringifyJson(args));
    return { key, id: "", until: unique.until };
  } catch {
    // Arguments that the class's key cannot read: no lock was ever taken by them.
    return undefined;
  }
}

/** A lock as it is found from the payload of its job. */
type HeldLock = Pick<UniqueLock, "key" | "id">;

/** Few enough for one MGET, and one DEL, of a script. */
const MAX_LOCKS_A_CALL = 5_000;

/**
 * Frees those of the locks that are still held by the jobs that they were read from. May be repeated.
 *
 * @returns how many were
 */
export function freeLocks(client: RedisClient, locks: readonly HeldLock[], options: CallOptions = {}): Promise<number> {
  return forLocks(client, locks, options, { script: freeLocksScript, args: [] });
}

/**
 * Tells those of the locks that are still held by the delayed jobs that they were read from when these are due now; so for statuses, which have
 * no id. May be repeated.
 *
 * @returns how many were
 */
export function moveLocks(
  client: RedisClient,
  locks: readonly HeldLock[],
  toSeconds: number | string,
  options: CallOptions = {},
): Promise<number> {
  return forLocks(client, locks, options, { script: moveLocksScript, args: [toSeconds] });
}

async function forLocks(
  client: RedisClient,
  locks: readonly HeldLock[],
  { usage }: CallOptions,
  { script, args }: Pick<ScriptCall, "script" | "args">,
): Promise<number> {
  let total = 0;
  for (let at = 0; at < locks.length; at += MAX_LOCKS_A_CALL) {
    const some = locks.slice(at, at + MAX_LOCKS_A_CALL);
    const call = { script, keys: some.map(({ key }) => key), args: [...args, ...some.map(({ id }) => id)] };
    const [commands, count] = (await client.script(call, usage ? { usage } : {})) as [number, number];
    if (usage) usage.commands += commands - 1;
    total += count;
  }
  return total;
}
