import type { RedisClient, RedisCommand } from "./client.ts";
import type { Keys } from "./keys.ts";

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
}

/** Reads the status in two requests. */
export async function readStatus(client: RedisClient, keys: Keys): Promise<AirliftStatus> {
  const [names, workers, processed, failures, failed, pauseAll, drains] = (await client.pipeline([
    ["SMEMBERS", keys.queues],
    ["SMEMBERS", keys.workers],
    ["GET", keys.processed],
    ["GET", keys.failures],
    ["LLEN", keys.failed],
    ["GET", keys.pauseAll],
    ["ZCARD", keys.drains],
  ])) as [string[], string[], string | null, string | null, number, string | null, number];
  names.sort();
  const details: RedisCommand[] = names.map((name) => ["LLEN", keys.queue(name)]);
  if (names.length > 0) details.push(["MGET", ...names.map(keys.queuePause)]);
  if (workers.length > 0) details.push(["EXISTS", ...workers.map(keys.worker)]);
  const replies = details.length > 0 ? await client.pipeline(details) : [];
  const pauses = names.length > 0 ? (replies[names.length] as (string | null)[]) : [];
  return {
    queues: names.map((name, index) => ({ name, size: replies[index] as number, paused: pauses[index] !== null })),
    paused: pauseAll?.trim().toLowerCase() === "true",
    workers: workers.length,
    working: workers.length > 0 ? (replies.at(-1) as number) : 0,
    processed: Number(processed ?? 0),
    failures: Number(failures ?? 0),
    failed,
    drains,
  };
}
