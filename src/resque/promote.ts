import type { RedisClient, RedisReply } from "./client.ts";
import type { Keys } from "./keys.ts";
import { promoteDelayed, scheduleRead } from "./promote-delayed.ts";
import { promoteRetries, retriesCall } from "./promote-retries.ts";
import type { PromotedJobs, PromoteOptions } from "./queue-due.ts";

/**
 * Moves what is due of the delayed jobs and of `airlift:retries` to the tails of its queues, whatever its class and queue, in batches that
 * are atomic. Safe beside others that do so: other drains and node-resque's scheduler at any time, resque-scheduler because what has just
 * become due is left to it as long as it leads. May be repeated after an error.
 */
export async function promoteDue(client: RedisClient, keys: Keys, options: PromoteOptions): Promise<PromotedJobs> {
  const { maxRequests = Number.POSITIVE_INFINITY, usage, onTime } = options;
  const isSpent = (): boolean => usage.requests >= untilRequests;
  const untilRequests = usage.requests + maxRequests;
  const resolved = { maxJobs: 5_000, worker: "airlift", asksRedis: onTime !== undefined, ...options, isSpent };
  const reads = [scheduleRead(keys), ["EXISTS", keys.rubySchedulerLock], retriesCall(keys, resolved)];
  const replies = await client.pipeline(reads, { usage: options.usage });
  const [schedule, lock, firstRetries] = replies as [RedisReply, number, RedisReply[]];
  onTime?.(Number(firstRetries.at(-1)));
  const retries = await promoteRetries(client, keys, firstRetries, resolved);
  const delayed = await promoteDelayed(client, keys, schedule, {
    ...resolved,
    // Later than the schedule was read, so what was due then is due.
    redisNowMs: retries.redisNowMs,
    maxJobs: resolved.maxJobs - retries.promoted - retries.failed,
    isRubyLeading: lock === 1,
  });
  const instants = [retries.nextDueMs, delayed.nextDueMs].filter((instant) => instant !== undefined);
  return {
    promoted: retries.promoted + delayed.promoted,
    failed: retries.failed + delayed.failed,
    nextDueMs: instants.length > 0 ? Math.min(...instants) : undefined,
    redisNowMs: retries.redisNowMs,
  };
}
