import { isStoreError } from "../core/errors.ts";
import type { RedisClient, RedisCommand, RedisReply } from "./client.ts";

/**
 * A pipeline of reads for people. A key of another type than it should be, which Redis refuses to read, counts as 0 and hides none of the
 * others: then each is read by a request of its own.
 */
export async function readEach(client: RedisClient, commands: readonly RedisCommand[]): Promise<RedisReply[]> {
  const instead = (error: unknown): 0 => {
    if (isStoreError(error) && error.message.includes("WRONGTYPE")) return 0;
    throw error;
  };
  try {
    return await client.pipeline(commands);
  } catch (error) {
    instead(error);
    return Promise.all(commands.map((command) => client.command(command).catch(instead)));
  }
}
