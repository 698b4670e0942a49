import type { RedisClient, RedisReply } from "../resque/client.ts";
import { createUpstash, type UpstashOptions } from "./upstash-client.ts";

export type { UpstashOptions } from "./upstash-client.ts";

/**
 * What `airlift/redis/upstash` is on edge runtimes (package.json's conditions `workerd` and `edge-light`): the same client without the
 * SDK, whose one class is 18 kB that no bundler can shake, half of what a Worker loads to drain, for the sake of one call.
 *
 * @throws UsageError for a missing or malformed address, token or option
 */
export function upstash(options: UpstashOptions = {}): RedisClient {
  return createUpstash(options, ({ transport }) => async (command) => {
    // As texts, as the SDK sends them: on the wire the two are one.
    const { result } = await transport.request<RedisReply>({ body: command.map(String) });
    return result as RedisReply; // an error reply has been thrown
  });
}
