import type { RedisClient, RedisReply, ScriptCall } from "./client.ts";
import { promoteRetries as promoteRetriesScript } from "./generated/promote-retries.generated.ts";
import type { Keys } from "./keys.ts";
import {
  afterNoJob,
  LEFT_TO_OTHERS_MS,
  type PromotedJobs,
  queueDueCall,
  type ResolvedPromoteOptions,
} from "./queue-due.ts";
import { readScore } from "./score.ts";

/** Jobs that one call moves. Redis' Lua hands some 7,000 values to a command, and a script keeps everybody else waiting. */
const MAX_BATCH = 500;

/** A call that promotes jobs of `airlift:retries`; of the queues that it is given, and any that are told by their names as JSON. */
export function retriesCall(
  keys: Keys,
  options: ResolvedPromoteOptions,
  told: ReadonlyMap<string, string> = new Map(),
): ScriptCall {
  const { queues, redisNowMs, asksRedis, worker, maxJobs } = options;
  const names = new Map([...queues.map((name) => [JSON.stringify(name), name] as const), ...told]);
  const call = queueDueCall(keys, { source: keys.retries, queues: [...names.values()], redisNowMs, worker });
  const after = afterNoJob("a member of airlift:retries that Airlift did not write", worker);
  return {
    script: promoteRetriesScript,
    keys: [...call.keys, keys.running],
    args: [...call.args, after, asksRedis ? "" : redisNowMs, Math.min(MAX_BATCH, maxJobs), ...names.keys()],
  };
}

/** Goes on from the first call's reply, with the queues that it did not know, until nothing is due or `maxJobs` have been moved. */
export async function promoteRetries(
  client: RedisClient,
  keys: Keys,
  first: RedisReply,
  options: ResolvedPromoteOptions,
): Promise<PromotedJobs> {
  const { usage } = options;
  const told = new Map<string, string>();
  let promoted = 0;
  let failed = 0;
  let reply = first;
  for (;;) {
    const [commands, more, moreFailed, unknown, next, now] = reply as [number, number, number, string[], ...string[]];
    const redisNowMs = Number(now);
    usage.commands += commands - 1;
    promoted += more;
    failed += moreFailed;
    const nextDueMs = next === "" ? undefined : readScore(next);
    const left = options.maxJobs - promoted - failed;
    const isLearning = unknown.filter((text) => learn(text, told)).length > 0;
    const isOver = nextDueMs === undefined || nextDueMs > redisNowMs || left <= 0 || options.isSpent();
    if (isOver) return { promoted, failed, nextDueMs, redisNowMs };
    // Names that are told again and again: nothing would come of it.
    if (more + moreFailed === 0 && !isLearning) {
      return { promoted, failed, nextDueMs: redisNowMs + LEFT_TO_OTHERS_MS, redisNowMs };
    }
    const rest = { ...options, redisNowMs, asksRedis: false, maxJobs: left };
    reply = await client.script(retriesCall(keys, rest, told), { usage });
  }
}

/** Whether the name is new. */
function learn(text: string, told: Map<string, string>): boolean {
  if (told.has(text)) return false;
  try {
    told.set(text, JSON.parse(text) as string);
    return true;
  } catch {
    return false;
  }
}
