import type { RedisCommand, RedisReply } from "./client.ts";
import type { Keys } from "./keys.ts";
import { readScore } from "./score.ts";

/** The two reads that tell when the next delayed job and the next retry are due. */
export function nextDueCommands(keys: Keys): readonly RedisCommand[] {
  return [keys.delayedSchedule, keys.retries].map((key) => ["ZRANGE", key, 0, 0, "WITHSCORES"]);
}

/** Reads their replies: when the next one is due, in ms by Redis' clock; undefined if none waits. */
export function readNextDue([delayed, retries]: readonly RedisReply[]): number | undefined {
  const [, seconds] = delayed as string[];
  const [, ms] = retries as string[];
  const nextMs = Math.min(
    seconds === undefined ? Number.POSITIVE_INFINITY : readScore(seconds) * 1_000,
    ms === undefined ? Number.POSITIVE_INFINITY : readScore(ms),
  );
  return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs;
}
