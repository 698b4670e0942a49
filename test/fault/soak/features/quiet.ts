import type { Redis } from "ioredis";
import type { Keys } from "../../../../src/resque/keys.ts";
import { monotonicMs } from "../../harness/monotonic.ts";

/** Without any progress for so long, what is left is left. */
const STUCK_MS = 30_000;
const LOOK_MS = 100;
/** What Redis tells of the time that is left to a key that is not there. */
const GONE = -2;

/**
 * Waits until no job waits, and none is in a slot, but for those of some queues; or until nothing happens any more.
 *
 * @param work is done again and again meanwhile
 */
export async function waitUntilQuiet(
  redis: Redis,
  keys: Keys,
  except: readonly string[],
  work: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  let before = "";
  let sinceMs = monotonicMs();
  while (monotonicMs() - sinceMs < STUCK_MS) {
    await work();
    const left = await workLeft(redis, keys, except);
    if (left === "") return;
    if (left !== before) sinceMs = monotonicMs();
    before = left;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What is still to be done, as a text that changes with it; empty for nothing. */
async function workLeft(redis: Redis, keys: Keys, except: readonly string[]): Promise<string> {
  const all = await redis.keys(`${keys.queue("")}*`);
  const queues = all.filter((key) => !except.some((name) => key === keys.queue(name)));
  const lengths = await Promise.all(queues.map((key) => redis.llen(key)));
  const waiting = await redis.zcard(keys.retries);
  const delayed = await redis.zcard(keys.delayedSchedule);
  const slots = (await redis.keys(`${keys.worker("")}*`)).filter((key) => !key.endsWith(":started"));
  const entries = slots.length === 0 ? [] : await redis.mget(slots);
  const busy = entries.filter((entry) => entry !== null && !except.some((name) => entry.includes(`"queue":"${name}"`)));
  const drains = except.length > 0 ? 0 : await redis.zcard(keys.drains);
  const counts = [...lengths, waiting, delayed, busy.length, drains];
  const processed = await redis.get(keys.processed);
  return counts.every((count) => count === 0) ? "" : `${counts} ${processed}`;
}

/** Keys that nobody needs any more when all jobs have ended. What ends by itself is waited for. */
export async function keysLeftIn(redis: Redis, keys: Keys): Promise<string[]> {
  const usual = [keys.queues, keys.processed, keys.failures, keys.failed, keys.cron, keys.lastEnqueuedAt];
  const prefix = keys.queues.replace("queues", "");
  for (let look = 0; ; look++) {
    const names = (await redis.keys(`${prefix}*`)).filter((key) => !usual.includes(key));
    // Statuses are kept, and rates remember a period or two.
    const kept = (key: string): boolean => key.startsWith(keys.job("")) || key === keys.starts;
    const ttls = await Promise.all(names.map(async (key) => [key, await redis.pttl(key)] as const));
    const left = ttls.filter(([key, ttlMs]) => ttlMs !== GONE && !(kept(key) && ttlMs > 0));
    if (look === 30 || !left.some(([, ttlMs]) => ttlMs >= 0 && ttlMs < 2_000)) return left.map(([key]) => key);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What stands in the failed list, each payload as text. */
export async function readFailed(redis: Redis, keys: Keys): Promise<{ payload: string; exception: string }[]> {
  const entries = await redis.lrange(keys.failed, 0, -1);
  return entries.map((entry) => ({
    payload: /"payload":(.*),"exception":/s.exec(entry)?.[1] ?? entry,
    exception: String(JSON.parse(entry).exception),
  }));
}
