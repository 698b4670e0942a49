import type { RedisClient, RedisCommand, RedisReply, ScriptCall } from "./client.ts";
import { type DelayedItem, readDelayedItem } from "./delayed-item.ts";
import { promoteDelayed as promoteDelayedScript } from "./generated/promote-delayed.generated.ts";
import { readDelayed as readDelayedScript } from "./generated/read-delayed.generated.ts";
import type { Keys } from "./keys.ts";
import {
  afterNoJob,
  LEFT_TO_OTHERS_MS,
  type PromotedJobs,
  queueDueCall,
  type ResolvedPromoteOptions,
} from "./queue-due.ts";
import { readScore } from "./score.ts";

/** Lists that one call reads or empties. */
const MAX_LISTS = 100;
/** Items that one call reads or moves: Redis' Lua hands some 7,000 values to a command, and a script keeps everybody else waiting. */
const MAX_BATCH = 1_000;
/** They travel to us and back. */
const MAX_BATCH_BYTES = 1_000_000;
/** How often others may have changed what was read before the rest is left to them. */
const MAX_FRUITLESS = 3;

/** The read with which to begin. */
export function scheduleRead(keys: Keys): RedisCommand {
  return ["ZRANGE", keys.delayedSchedule, 0, MAX_LISTS, "WITHSCORES"];
}

/**
 * For how long a due job is left to a resque-scheduler that leads: as long as its lock outlives it. It reads a list before it watches it, and
 * queues a batch's jobs before the transaction that takes them from the list, so that what another promotes meanwhile is queued twice.
 *
 * @see https://github.com/resque/resque-scheduler/blob/786653ee46448ecf03483315f8c8a770455a7cb2/lib/resque/scheduler.rb
 */
const RUBY_LEADS_MS = 180_000;

interface Options extends ResolvedPromoteOptions {
  readonly isRubyLeading: boolean;
}

/** Goes on from the reply of {@link scheduleRead} until nothing is due or `maxJobs` have been moved. */
export async function promoteDelayed(
  client: RedisClient,
  keys: Keys,
  firstReply: RedisReply,
  options: Options,
): Promise<PromotedJobs> {
  const { redisNowMs, usage } = options;
  let { isRubyLeading } = options;
  let promoted = 0;
  let failed = 0;
  let fruitless = 0;
  let reply = firstReply;
  const end = (nextDueMs: number | undefined): PromotedJobs => ({ promoted, failed, nextDueMs, redisNowMs });
  for (;;) {
    const leftToRubyMs = isRubyLeading ? RUBY_LEADS_MS : 0;
    const entries = readSchedule(reply);
    const due = entries.filter(({ dueMs }) => dueMs <= redisNowMs - leftToRubyMs).slice(0, MAX_LISTS);
    const next = entries[due.length];
    const isRubys = next !== undefined && next.dueMs <= redisNowMs;
    const nextDueMs = isRubys ? Math.min(redisNowMs + LEFT_TO_OTHERS_MS, next.dueMs + leftToRubyMs) : next?.dueMs;
    if (due.length === 0) return end(nextDueMs);
    const left = options.maxJobs - promoted - failed;
    if (left <= 0 || options.isSpent()) return end(due[0]?.dueMs);
    if (fruitless === MAX_FRUITLESS) return end(redisNowMs + LEFT_TO_OTHERS_MS);

    const lists = due.map(({ seconds }) => keys.delayed(seconds));
    const batch = await moveBatch(client, keys, lists, { ...options, maxJobs: left, isRubyLeading });
    if (batch.kind === "gave-way") {
      isRubyLeading = true;
      continue;
    }
    promoted += batch.promoted;
    failed += batch.failed;
    // Fewer than were asked for: `next`, if there is one, is not due.
    if (batch.emptied === due.length && due.length < MAX_LISTS) return end(nextDueMs);
    fruitless = batch.promoted + batch.failed + batch.emptied > 0 ? 0 : fruitless + 1;
    reply = await client.command(scheduleRead(keys), { usage });
  }
}

function readSchedule(reply: RedisReply): { readonly seconds: string; readonly dueMs: number }[] {
  const flat = reply as string[];
  return flat.flatMap((seconds, i) => (i % 2 === 0 ? [{ seconds, dueMs: readScore(flat[i + 1]) * 1_000 }] : []));
}

type Batch =
  | { readonly kind: "moved"; readonly promoted: number; readonly failed: number; readonly emptied: number }
  | { readonly kind: "gave-way" };

/** Moves as much of these lists as one call may. */
async function moveBatch(client: RedisClient, keys: Keys, lists: readonly string[], options: Options): Promise<Batch> {
  const { usage, maxJobs } = options;
  const read = { script: readDelayedScript, keys: lists, args: [0, Math.min(MAX_BATCH, maxJobs), MAX_BATCH_BYTES] };
  const [readCommands, raws] = (await client.script(read, { usage })) as [number, string[][]];
  usage.commands += readCommands - 1;
  const reply = await client.script(moveCall(keys, lists, raws, options), { usage });
  const [commands, promoted, failed, emptied] = reply as [number, number, number, number];
  usage.commands += commands - 1;
  return emptied < 0 ? { kind: "gave-way" } : { kind: "moved", promoted, failed, emptied };
}

function moveCall(
  keys: Keys,
  lists: readonly string[],
  raws: readonly (readonly string[])[],
  { redisNowMs, worker, isRubyLeading }: Options,
): ScriptCall {
  const items = raws.flat().map(readDelayedItem);
  const queues = [...new Set(items.flatMap((item) => (item.kind === "job" ? [item.queue] : [])))];
  const numbers = new Map(queues.map((queue, index) => [queue, index + 1]));
  const call = queueDueCall(keys, { source: keys.delayedSchedule, queues, redisNowMs, worker });
  return {
    script: promoteDelayedScript,
    keys: [
      ...call.keys,
      ...lists.slice(0, raws.length),
      ...items.map(({ raw }) => keys.timestamps(raw)),
      ...(isRubyLeading ? [] : [keys.rubySchedulerLock]),
    ],
    args: [
      ...call.args,
      afterNoJob(notAJob("its queue is not valid UTF-8"), worker),
      raws.length,
      ...raws.map(({ length }) => length),
      ...items.flatMap((item) => itemArgs(item, numbers, worker)),
    ],
  };
}

function itemArgs(item: DelayedItem, numbers: ReadonlyMap<string, number>, worker: string): (string | number)[] {
  if (item.kind === "job") return [numbers.get(item.queue) as number, item.cut.text, item.cut.nth];
  return [0, afterNoJob(notAJob(item.reason), worker, item.queue), 0];
}

function notAJob(reason: string): string {
  return `the delayed item is not a job: ${reason}`;
}
