import { createAirlift } from "../../src/airlift.ts";
import { startDevApi } from "../../src/cli/dev-api.ts";
import { defineJob } from "../../src/core/job.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis } from "../support/redis.ts";

/** The HTTP API as `airlift dev` serves it, over a Redis of its own. */
export interface ApiWorld extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly client: RedisClient;
  /** What its logger was told, a line each. */
  readonly logged: string[];
  /** Over `fetch`, with the token. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Enqueues one job as anybody would, and fails if that does not work. */
  enqueueGood(name: string): Promise<void>;
  /** The payloads of a queue, byte for byte, one character each. */
  queued(queue: string): Promise<string[]>;
}

/** One that is found wherever it comes to light. */
export const TOKEN = "token-that-must-not-be-told";

export async function openApiWorld(): Promise<ApiWorld> {
  const redis = await startRedis();
  const client = ioredis(redis.url);
  const logged: string[] = [];
  const log = (message: string, fields?: unknown): void =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const jobs = [
    defineJob({ class: "Noop", perform: () => undefined }),
    defineJob({ class: "Unique", unique: { until: "done" }, perform: () => undefined }),
  ];
  const logger = { debug: log, info: log, warn: log, error: log };
  const airlift = createAirlift({ redis: client, queues: ["drained"], jobs, logger });
  const api = await startDevApi(airlift, { port: 0, token: TOKEN, drain: {} });
  const request = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(api.url + path, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init.headers } });
  const queued = async (queue: string): Promise<string[]> =>
    (await client.command(["LRANGE", `resque:queue:${queue}`, 0, -1])) as string[];
  return {
    ...{ url: api.url, token: TOKEN, client, logged, request, queued },
    async enqueueGood(name) {
      const body = JSON.stringify({ class: "Noop", args: [name] });
      const headers = { "content-type": "application/json" };
      const response = await request("/queues/good/jobs", { method: "POST", headers, body });
      if (response.status !== 201)
        throw new Error(`a good job was refused: ${response.status} ${await response.text()}`);
      if ((await queued("good")).at(-1) !== body) throw new Error("a good job is not in its queue");
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await airlift.close();
      await redis.close();
    },
  };
}
