import type { Failure } from "../core/outcome.ts";
import type { CallOptions, RedisClient } from "./client.ts";
import type { DeadRedisDrain } from "./dead-drain.ts";
import { drainKeys, workerId } from "./drain-identity.ts";
import { readEntryHead } from "./exchange-call.ts";
import { failedEntry } from "./failed-entry.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, forgetAttempts, OWN_MEMBER_MAX_BYTES, readOwn } from "./payload.ts";
import * as scripts from "./scripts.generated.ts";

/**
 * Gives a dead drain's jobs back to the heads of their queues and removes its traces. A job that has now taken down its drain
 * `crashLimit` times goes to `failed` as Ruby's `Resque::DirtyExit`.
 *
 * Does nothing if the drain turns out to live or another recovers it at the same time.
 */
export async function recoverDrain(
  client: RedisClient,
  keys: Keys,
  dead: DeadRedisDrain,
  {
    crashLimit,
    nowMs,
    usage,
  }: { readonly crashLimit: number; readonly nowMs: number } & Required<Pick<CallOptions, "usage">>,
): Promise<{ readonly requeued: number; readonly failed: number }> {
  const own = drainKeys(dead.description, keys);
  const occupied = (await client.script(
    { script: scripts.readSlots, keys: own.slots, args: [OWN_MEMBER_MAX_BYTES] },
    { usage },
  )) as [number, (string | number)[]];
  usage.commands += occupied[0] - 1;

  const queues: string[] = [];
  const args: (string | number)[] = [];
  const total = occupied[1].length / 4;
  for (let i = 0; i < occupied[1].length; i += 4) {
    const [slot, entryHead, first, tail] = occupied[1].slice(i, i + 4) as [number, string, string, string];
    const at = { failedAtMs: nowMs, workerId: workerId(dead.description, slot - 1) };
    if (entryHead === "") {
      const entry = failedEntry(FOREIGN_ENTRY, { ...at, queue: dead.description.queues });
      args.push(slot, "", 0, 0, "", entry.before, entry.after);
      continue;
    }
    const { head, queue } = readEntryHead(entryHead);
    if (!queues.includes(queue)) queues.push(queue);
    const own = readOwn(tail);
    const crashes = (own.crashes ?? 0) + 1;
    const mark = first === "{" ? changeOwn(tail, { ...own, crashes }) : undefined;
    args.push(slot, head, queues.indexOf(queue) + 1);
    if (mark && crashes >= crashLimit) {
      const entry = failedEntry(dirtyExit(crashes), { ...at, queue });
      const { cutBytes, append } = forgetAttempts(tail);
      args.push(cutBytes, append, entry.before, entry.after);
    } else args.push(mark?.cutBytes ?? 0, mark?.append ?? "", "", "");
  }

  const reply = (await client.script(
    {
      script: scripts.recoverDrain,
      keys: [
        keys.drains,
        keys.workers,
        keys.heartbeats,
        keys.processed,
        keys.failures,
        keys.failed,
        ...own.slots,
        ...own.started,
        ...own.stats,
        ...queues.map(keys.queue),
      ],
      args: [dead.member, dead.leaseEnd, own.slots.length, queues.length, total, ...args, ...own.ids],
    },
    { usage },
  )) as [number, number, number];
  const [commands, isDone, failed] = reply;
  usage.commands += commands - 1;
  return isDone === 1 ? { requeued: total - failed, failed } : { requeued: 0, failed: 0 };
}

const FOREIGN_ENTRY: Failure = {
  exception: "Resque::DirtyExit",
  message: "a dead drain's worker held an entry that Airlift did not write",
  backtrace: [],
};

function dirtyExit(crashes: number): Failure {
  return {
    exception: "Resque::DirtyExit",
    message: `the job did not end: ${crashes === 1 ? "the drain" : `each of ${crashes} drains`} that ran it died`,
    backtrace: [],
  };
}
