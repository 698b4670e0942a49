import { Redis } from "@upstash/redis/cloudflare";
import type { RedisClient, RedisReply } from "../resque/client.ts";
import { createUpstash, type UpstashEndpoint, type UpstashOptions } from "./upstash-client.ts";

export type { UpstashOptions } from "./upstash-client.ts";

/**
 * A client for Redis over HTTP: Upstash, Vercel KV, or `airlift gateway` in front of any Redis.
 *
 * @throws UsageError for a missing or malformed address, token or option
 * @example
 * ```ts
 * import { upstash } from "airlift/redis/upstash";
 * const redis = upstash(); // UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN
 * ```
 */
export function upstash(options: UpstashOptions = {}): RedisClient {
  return createUpstash(options, (endpoint) => {
    const sdk = new QuietRedis(endpoint);
    // The port knows commands as plain arrays; the SDK wants proof of a first element, which every command has.
    return (command) => sdk.exec<RedisReply>(command as [string, ...(string | number)[]]);
  });
}

/** The SDK with everything off that acts by itself, and with a transport that tells what happened. */
class QuietRedis extends Redis {
  constructor({ url, token, transport }: UpstashEndpoint) {
    super({
      url,
      token,
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      responseEncoding: false,
      readYourWrites: false,
      retry: false,
    });
    this.client = transport;
  }
}
