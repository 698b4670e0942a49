import type { SiblingPlan } from "../core/store.ts";
import type { RedisClient, Usage } from "./client.ts";
import { planSiblings as planSiblingsScript } from "./generated/plan-siblings.generated.ts";
import type { Keys } from "./keys.ts";

export interface PlanSiblingsOptions extends SiblingPlan {
  readonly drainId: string;
  /** The drain's own. */
  readonly queues: readonly string[];
  readonly usage: Usage;
}

/** @see DrainStore#planSiblings */
export async function planSiblings(
  client: RedisClient,
  keys: Keys,
  { drainId, queues, usage, threshold, maxDrains, ttlMs }: PlanSiblingsOptions,
): Promise<{ readonly missing: number; readonly queued: number }> {
  if (queues.length === 0) return { missing: 0, queued: 0 };
  const call = {
    script: planSiblingsScript,
    keys: [keys.scaling, keys.drains, ...queues.map(keys.queue), ...queues.map(keys.queuePause)],
    args: [drainId, threshold, maxDrains, ttlMs],
  };
  const [commands, missing, queued] = (await client.script(call, { usage })) as [number, number, number];
  usage.commands += commands - 1;
  return { missing, queued };
}
