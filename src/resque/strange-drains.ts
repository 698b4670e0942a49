import type { CallOptions, RedisClient, RedisReply } from "./client.ts";
import { type DeadRedisDrain, readDeadDrains } from "./dead-drain.ts";
import { parseDescription } from "./drain-identity.ts";
import type { Keys } from "./keys.ts";

/** How far is looked. */
const MAX_STRANGERS = 2_000;

/**
 * The dead drains behind members of `airlift:drains` that this version does not understand. Nobody can take these away, as they may be a later version's;
 * but they must not hide what comes behind them.
 *
 * @param first what stands first in the set
 * @returns none unless all of that are strangers; else as many as there are members in it
 */
export async function readBehindStrangers(
  client: RedisClient,
  keys: Keys,
  first: RedisReply,
  { timeMs, ...options }: CallOptions & { readonly timeMs: number },
): Promise<DeadRedisDrain[]> {
  const members = (first as string[]).filter((_, i) => i % 2 === 0);
  if (members.some(parseDescription)) return [];
  const range = ["ZRANGE", keys.drains, members.length, MAX_STRANGERS, "WITHSCORES"];
  return readDeadDrains(await client.command(range, options), timeMs).slice(0, members.length);
}
