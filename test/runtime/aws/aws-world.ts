import { ioredis } from "../../../src/redis/ioredis.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import type { FailedEntry } from "../../conformance/world.ts";
import { startGateway, TEST_TOKEN } from "../../support/gateway.ts";
import { freePort, startRedis } from "../../support/redis.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

export const ENQUEUE_TOKEN = "enqueue-token";
export const OPERATE_TOKEN = "operate-token";

/** What functions find around them: a Redis behind an HTTP endpoint, and a web server. */
export interface AwsWorld extends AsyncDisposable {
  readonly web: WebServer;
  /** What serverless.yml gives to drain and API. */
  readonly env: Readonly<Record<string, string>>;
  readonly redis: RedisClient;
  /** As a producer in Ruby does. */
  push(queue: string, className: string, ...args: readonly unknown[]): Promise<string>;
  queued(queue: string): Promise<readonly string[]>;
  failed(): Promise<readonly FailedEntry[]>;
  processed(): Promise<number>;
  /** Ends the HTTP endpoint and all its connections. */
  stopGateway(): Promise<void>;
  /** Begins it anew, at the same address. */
  startGateway(): Promise<void>;
}

export async function openAwsWorld(): Promise<AwsWorld> {
  const server = await startRedis();
  const port = await freePort();
  let gateway = await startGateway(server.url, { port });
  const web = await startWebServer();
  const redis = ioredis(server.url);
  const texts = async (key: string): Promise<readonly string[]> =>
    (await redis.command(["LRANGE", key, 0, -1])) as string[];
  return {
    web,
    redis,
    env: { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: TEST_TOKEN, ENQUEUE_TOKEN, OPERATE_TOKEN },
    async push(queue, className, ...args) {
      const payload = JSON.stringify({ class: className, args });
      await redis.pipeline([
        ["SADD", "resque:queues", queue],
        ["RPUSH", `resque:queue:${queue}`, payload],
      ]);
      return payload;
    },
    queued: (queue) => texts(`resque:queue:${queue}`),
    failed: async () => (await texts("resque:failed")).map((entry) => JSON.parse(entry)),
    processed: async () => Number(await redis.command(["GET", "resque:stat:processed"])),
    stopGateway: () => gateway.close(),
    async startGateway() {
      gateway = await startGateway(server.url, { port });
    },
    async [Symbol.asyncDispose]() {
      await web[Symbol.asyncDispose]();
      await redis.close();
      await gateway.close();
      await server.close();
    },
  };
}
