import type { Failure } from "../core/outcome.ts";
import type { RedisClient, Usage } from "./client.ts";
import type { DeadRedisDrain } from "./dead-drain.ts";
import { dirtyExit } from "./dirty-exit.ts";
import { drainKeys, workerId } from "./drain-identity.ts";
import { failedEntry, toFailedQueue } from "./failed-entry.ts";
import { readSlots as readSlotsScript } from "./generated/read-slots.generated.ts";
import { recoverDrain as recoverDrainScript } from "./generated/recover-drain.generated.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, forgetAttempts, OWN_MEMBER_MAX_BYTES, readOwn } from "./payload.ts";
import { findEntryHead } from "./slot-entry.ts";
import { toHeartbeat } from "./time-format.ts";
import type { UniqueLock } from "./unique-lock.ts";

/** After so long without a heartbeat a Ruby worker that starts fails what a worker held: `Resque.prune_interval`. */
const RUBY_PRUNES_MS = 300_000;

export interface RecoverOptions {
  readonly crashLimit: number;
  readonly failedQueues: boolean;
  /** Most entries of a failed list; 0 for any number. */
  readonly maxFailed: number;
  /** Of a job's status; 0 keeps what it has. */
  readonly statusTtlMs: number;
  /** By Redis' clock. */
  readonly nowMs: number;
  readonly usage: Usage;
}

/**
 * Gives a dead drain's jobs back to the heads of their queues and removes its traces. A job that has now taken down its drain
 * `crashLimit` times goes to `failed` as Ruby's `Resque::DirtyExit`.
 *
 * Does nothing if the drain turns out to live, another recovers it at the same time, or Ruby is about to fail its jobs.
 */
export async function recoverDrain(
  client: RedisClient,
  keys: Keys,
  dead: DeadRedisDrain,
  options: RecoverOptions,
): Promise<{ readonly requeued: number; readonly failed: number }> {
  const { usage, nowMs, crashLimit } = options;
  const own = drainKeys(dead.description, keys);
  const occupied = (await client.script(
    { script: readSlotsScript, keys: own.slots, args: [OWN_MEMBER_MAX_BYTES] },
    { usage },
  )) as [number, (string | number)[]];
  usage.commands += occupied[0] - 1;

  const queues: string[] = [];
  const lists: string[] = [];
  const locked: { readonly slot: number; readonly head: string; readonly queue: string }[] = [];
  const statuses: { readonly id: string; readonly queue: string; readonly text: string }[] = [];
  const args: (string | number)[] = [];
  const total = occupied[1].length / 4;
  const listNumber = (queue: string): number => {
    if (!options.failedQueues) return 0;
    if (!lists.includes(queue)) lists.push(queue);
    return lists.indexOf(queue) + 1;
  };
  for (let i = 0; i < occupied[1].length; i += 4) {
    const [slot, entryHead, first, tail] = occupied[1].slice(i, i + 4) as [number, string, string, string];
    const at = { failedAtMs: nowMs, workerId: workerId(dead.description, slot - 1) };
    const read = findEntryHead(entryHead);
    if (!read) {
      const { queues: queue } = dead.description;
      const entry = failedEntry(FOREIGN_ENTRY, { ...at, queue });
      args.push(slot, "", 0, 0, "", 0, entry.before, entry.after);
      continue;
    }
    const { head, queue } = read;
    if (!queues.includes(queue)) queues.push(queue);
    const own = readOwn(tail);
    const crashes = (own.crashes ?? 0) + 1;
    const mark = first === "{" ? changeOwn(tail, { ...own, crashes }) : undefined;
    args.push(slot, head, queues.indexOf(queue) + 1);
    const isOver = mark !== undefined && crashes >= crashLimit;
    if (own.id !== undefined) {
      const { workerId: worker, failedAtMs: endedMs } = at;
      const attempt = crashes + (own.retries ?? 0);
      const { exception, message } = dirtyExit(crashes);
      const failed = { attempt, worker, endedMs: Math.round(endedMs), failure: { exception, message } };
      const text = isOver ? `"failed",${JSON.stringify(failed).slice(1)}` : `"queued","attempt":${attempt}}`;
      statuses.push({ id: own.id, queue, text });
    }
    if (isOver) {
      const entry = failedEntry(dirtyExit(crashes), { ...at, queue });
      const { cutBytes, append } = forgetAttempts(tail);
      args.push(cutBytes, append, listNumber(queue), entry.before, entry.after);
      if (own.unique !== undefined) locked.push({ slot, head, queue });
    } else args.push(mark?.cutBytes ?? 0, mark?.append ?? "", 0, "", "");
  }
  const locks = locked.length > 0 ? await readLocks(client, keys, own.slots, locked, usage) : [];

  const reply = (await client.script(
    {
      script: recoverDrainScript,
      keys: [
        ...[keys.drains, keys.workers, keys.heartbeats, keys.processed, keys.failures, keys.failed, keys.failedQueues],
        ...[keys.checkins, keys.running, keys.pruning, keys.queues],
        ...own.slots,
        ...own.started,
        ...own.stats,
        ...statuses.map(({ id }) => keys.job(id)),
        ...locks.map(({ key }) => key),
        ...lists.map(keys.failedOf),
        ...queues.map(keys.queue),
      ],
      args: [
        ...[dead.member, dead.leaseEnd, own.slots.length, queues.length, total, lists.length, options.maxFailed],
        ...[statuses.length, options.statusTtlMs, locks.length, toHeartbeat(nowMs - RUBY_PRUNES_MS)],
        ...args,
        ...lists.map(toFailedQueue),
        ...statuses.flatMap(({ queue, text }) => [`${JSON.stringify({ queue }).slice(0, -1)},`, text]),
        ...locks.map(({ id }) => id),
        ...own.ids,
      ],
    },
    { usage },
  )) as [number, number, number];
  const [commands, isDone, failed] = reply;
  usage.commands += commands - 1;
  if (isDone === 0) return { requeued: 0, failed: 0 };
  return { requeued: total - failed, failed };
}

/** The locks that jobs in these slots still hold and give back when they are over. They are known only by the whole payloads. */
async function readLocks(
  client: RedisClient,
  keys: Keys,
  slotKeys: readonly string[],
  locked: readonly { readonly slot: number; readonly head: string; readonly queue: string }[],
  usage: Usage,
): Promise<readonly UniqueLock[]> {
  const entryKeys = locked.map(({ slot }) => slotKeys[slot - 1] as string);
  const texts = (await client.command(["MGET", ...entryKeys], { usage })) as (string | null)[];
  const { lockOf } = await import("./unique-lock.ts");
  return locked.flatMap(({ head, queue }, index) => {
    const lock = lockOf((texts[index] ?? "").slice(head.length, -1), queue, keys);
    return lock && lock.until !== "period" ? [lock] : [];
  });
}

const FOREIGN_ENTRY: Failure = {
  exception: "Resque::DirtyExit",
  message: "a dead drain's worker held an entry that Airlift did not write",
  backtrace: [],
};
