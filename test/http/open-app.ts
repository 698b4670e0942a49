import { ReadableStream as NodeReadableStream, TextEncoderStream as NodeTextEncoderStream } from "node:stream/web";
import type { Hono } from "hono";
import { type Airlift, createAirlift } from "../../src/airlift.ts";
import { createHttpApp, type HttpAppOptions } from "../../src/http/app.ts";
import type { AirliftOptions } from "../../src/options.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";

export const ENQUEUE_TOKEN = "enqueue-token";
export const OPERATE_TOKEN = "operate-token";

/** An app over a Redis of its own. */
export interface OpenApp extends AsyncDisposable {
  readonly app: Hono;
  readonly airlift: Airlift;
  readonly redis: TestRedis;
  readonly client: RedisClient;
  /** A further connection, to be closed by the test. */
  newClient(): RedisClient;
  /** What the logger was told, a line each. */
  readonly logged: string[];
  /** Sends a request with the token that its path wants. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Enqueues over HTTP; a body that is no text is sent as JSON. */
  enqueue(body: unknown, init?: { queue?: string; type?: string }): Promise<Response>;
  /** The exact payloads of a queue. */
  payloads(queue: string): Promise<string[]>;
}

export interface OpenAppOptions {
  readonly http?: HttpAppOptions;
  readonly airlift?: Partial<AirliftOptions>;
}

export const NDJSON = "application/x-ndjson";

/** Starts a Redis and makes an app on it, whose tokens are {@link ENQUEUE_TOKEN} and {@link OPERATE_TOKEN}. */
export async function openApp(options: OpenAppOptions = {}): Promise<OpenApp> {
  const redis = await startRedis();
  const client = ioredis(redis.url);
  const airlift = createAirlift({ redis: client, queues: ["*"], jobs: [], ...options.airlift });
  const logged: string[] = [];
  const log = (message: string, fields?: unknown): void =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const app = createHttpApp(airlift, {
    tokens: { enqueue: ENQUEUE_TOKEN, operate: OPERATE_TOKEN },
    logger: { warn: log, error: log },
    ...options.http,
  });
  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    const token = path.startsWith("/queues/") ? ENQUEUE_TOKEN : OPERATE_TOKEN;
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
    return await app.request(path, { ...init, headers });
  };
  return {
    app,
    airlift,
    redis,
    client,
    newClient: () => ioredis(redis.url),
    logged,
    request,
    enqueue: (body, { queue = "mail", type = "application/json" } = {}) =>
      request(`/queues/${queue}/jobs`, {
        method: "POST",
        headers: { "content-type": type },
        body: typeof body === "string" || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
      }),
    payloads: async (queue) => (await client.command(["LRANGE", `resque:queue:${queue}`, 0, -1])) as string[],
    async [Symbol.asyncDispose]() {
      await client.close();
      await redis.close();
    },
  };
}

/** A body of the parts, each made when it is asked for, its length unknown. */
export function streamOf(parts: Iterable<string> | AsyncIterable<string>): ReadableStream<Uint8Array> {
  const stream = NodeReadableStream.from(parts).pipeThrough(new NodeTextEncoderStream());
  // The same class at run time; Node's declarations and the browser's differ.
  return stream as unknown as ReadableStream<Uint8Array>;
}

/** The members of a problem, after a check that it is one. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  const type = response.headers.get("content-type");
  if (type !== "application/problem+json") throw new Error(`no problem but ${type}: ${await response.text()}`);
  const problem = (await response.json()) as Record<string, unknown>;
  if (problem["status"] !== response.status) throw new Error("the problem's status is not the response's");
  return problem;
}
