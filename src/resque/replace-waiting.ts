import type { CallOptions, RedisClient } from "./client.ts";
import { toListName } from "./delay.ts";
import { encodeDelayedItem } from "./delayed-item.ts";
import { lockValue, readLockValue } from "./encode-unique.ts";
import type { Place, UniqueJob } from "./encoded-job.ts";
import { replaceWaiting as replaceWaitingScript } from "./generated/replace-waiting.generated.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, readOwn } from "./payload.ts";

/** Drains may have died between claiming the waiting job and starting it; then its payload bears so many crashes. */
const MAX_CRASHES = 3;

/**
 * Puts a unique job in the place of the one that waits under its lock: at that one's place in its queue, or at its time.
 *
 * @param held the lock's value as it was read
 * @returns the place; `gone` if the lock's job does not wait any more; `changed` if the lock is not as it was read; `dropped` if the lock's
 * job is none that may be replaced
 */
export async function replaceWaiting(
  client: RedisClient,
  keys: Keys,
  { job, held }: { readonly job: UniqueJob; readonly held: string },
  { nowMs, ...options }: CallOptions & { readonly nowMs: number },
): Promise<Place | "gone" | "changed" | "dropped"> {
  const { payload, atSeconds } = readLockValue(held);
  if (payload === undefined) return "dropped";
  const [value, ttlMs] = lockValue(job, atSeconds, nowMs);
  const isDelayed = atSeconds !== undefined;
  const waiting = isDelayed ? encodeDelayedItem(payload, job.queue) : "";
  const item = isDelayed ? encodeDelayedItem(job.payload, job.queue) : "";
  const call = {
    script: replaceWaitingScript,
    keys: [
      job.lock.key,
      keys.queue(job.queue),
      ...(isDelayed ? [keys.delayed(atSeconds), keys.timestamps(waiting), keys.timestamps(item)] : []),
    ],
    args: [held, value, ttlMs, job.payload, item, waiting, toListName(atSeconds ?? ""), ...formsOf(payload)],
  };
  const [commands, place] = (await client.script(call, options)) as [number, number];
  if (options.usage) options.usage.commands += commands - 1;
  if (place === 2) return { atSeconds: undefined };
  if (place === 3) return { atSeconds };
  return place === 0 ? "gone" : "changed";
}

/** What a payload may be in its queue: as it was enqueued, or bearing crashes. */
function formsOf(payload: string): string[] {
  const forms = [payload];
  for (let crashes = 1; crashes <= MAX_CRASHES; crashes++) {
    const last = forms.at(-1) as string;
    const change = changeOwn(last, { ...readOwn(last), crashes });
    if (change) forms.push(last.slice(0, -change.cutBytes) + change.append);
  }
  return forms;
}
