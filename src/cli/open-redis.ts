import { type Airlift, type AirliftOptions, createAirlift } from "../airlift.ts";
import { connectRedis, findRedis } from "./connection.ts";
import type { RedisOptions } from "./redis-options.ts";

/** An Airlift without jobs of its own: to enqueue and to look. */
export async function openRedis(options: RedisOptions, more: Pick<AirliftOptions, "scheduler"> = {}): Promise<Airlift> {
  const redis = await connectRedis(findRedis(options, process.env));
  return createAirlift({
    redis,
    queues: ["*"],
    jobs: [],
    ...more,
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  });
}
