import type { RedisClient, RedisCommand } from "./client.ts";
import type { Keys } from "./keys.ts";
import { type LastDrain, parseLastDrain } from "./last-drain.ts";
import { isEverythingPaused, readPausedClasses } from "./paused.ts";
import { readEach } from "./read-each.ts";
import { readCount } from "./stat.ts";

export interface QueueStatus {
  readonly name: string;
  /** Jobs waiting. */
  readonly size: number;
  readonly paused: boolean;
}

/** What is in Redis now, written by Airlift or any other Resque program. */
export interface AirliftStatus {
  readonly queues: readonly QueueStatus[];
  /** Ruby's `pause-all-workers`. */
  readonly paused: boolean;
  readonly workers: number;
  /** Workers that hold a job. */
  readonly working: number;
  /** Finished attempts since the counter was made, failures included. */
  readonly processed: number;
  readonly failures: number;
  /** Entries in the failed list. */
  readonly failed: number;
  /** Drains under way, or dead and not yet recovered. */
  readonly drains: number;
  /** Seconds for which jobs are delayed; each holds one or more. */
  readonly delayed: number;
  /** Jobs that wait for their next attempt. */
  readonly retries: number;
  /** Classes whose jobs stay where they are. */
  readonly pausedClasses: readonly string[];
  /** How the last drain ended; left out if none is recorded. */
  readonly lastDrain?: LastDrain | undefined;
}

/** Reads the status in two requests. */
export async function readStatus(client: RedisClient, keys: Keys): Promise<AirliftStatus> {
  const [names, workers, texts, failed, drains, delayed, retries] = (await client.pipeline([
    ["SMEMBERS", keys.queues],
    ["SMEMBERS", keys.workers],
    ["MGET", keys.processed, keys.failures, keys.pauseAll, keys.pausedClasses, keys.lastDrain],
    ["LLEN", keys.failed],
    ["ZCARD", keys.drains],
    ["ZCARD", keys.delayedSchedule],
    ["ZCARD", keys.retries],
  ])) as [string[], string[], (string | null)[], number, number, number, number];
  const [processed, failures, pauseAll = null, pausedClasses = null, last = null] = texts;
  const lastDrain = parseLastDrain(last);
  names.sort();
  const details: RedisCommand[] = names.map((name) => ["LLEN", keys.queue(name)]);
  if (names.length > 0) details.push(["MGET", ...names.map(keys.queuePause)]);
  if (workers.length > 0) details.push(["EXISTS", ...workers.map(keys.worker)]);
  const replies = details.length > 0 ? await readEach(client, details) : [];
  const pauses = names.length > 0 ? (replies[names.length] as (string | null)[]) : [];
  return {
    queues: names.map((name, index) => ({ name, size: replies[index] as number, paused: pauses[index] !== null })),
    paused: isEverythingPaused(pauseAll),
    workers: workers.length,
    working: workers.length > 0 ? (replies.at(-1) as number) : 0,
    processed: readCount(processed),
    failures: readCount(failures),
    ...{ failed, drains, delayed, retries },
    pausedClasses: readPausedClasses(pausedClasses),
    ...(lastDrain && { lastDrain }),
  };
}
