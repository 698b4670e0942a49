import { existsSync } from "node:fs";
import { type Airlift, type AirliftOptions, createAirlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import type { Logger } from "../core/job.ts";
import type { App } from "./app-module.ts";
import type { AppOptions } from "./app-options.ts";
import { connectRedis, findRedis, type RedisAddress } from "./connection.ts";

const DEFAULT_FILES = ["airlift", "jobs"].flatMap((name) => [".ts", ".mts", ".js", ".mjs"].map((end) => name + end));

/**
 * Makes an app ready to drain. What the command line says wins over what the app's own Airlift says, that over the
 * environment.
 *
 * @param logger of the jobs, if the app has none
 * @throws UsageError for a missing or wrong app, and if no Redis is named anywhere
 */
export async function openApp(options: AppOptions, logger: Logger): Promise<Airlift> {
  const isGiven = options.redis !== undefined || options.token !== undefined;
  const given = isGiven ? findRedis(options, process.env) : undefined;
  const app = await importApp(options.app ?? findDefaultApp(), given);
  const redis = given ?? (app.airlift ? undefined : findRedis(options, process.env));
  const { queues, concurrency, namespace, unknownClass } = options;
  return buildAirlift(app, logger, {
    ...(redis && { redis: await connectRedis(redis) }),
    ...(queues && { queues }),
    ...(concurrency !== undefined && { concurrency }),
    ...(namespace !== undefined && { namespace }),
    ...(unknownClass && { unknownClass }),
  });
}

/** Puts an app and what stands over its own options together. An app without an Airlift of its own needs a `redis`. */
export function buildAirlift(app: App, logger: Logger, overrides: Partial<AirliftOptions>): Airlift {
  const own: Partial<AirliftOptions> = app.airlift?.options ?? {};
  const redis = overrides.redis ?? own.redis;
  if (!redis) throw new UsageError(`--app ${app.file}: its Airlift has no Redis; expected --redis`);
  return createAirlift({ queues: queuesOf(app), logger, ...own, ...overrides, redis, jobs: app.jobs });
}

/** On a Redis shared with others, their queues are not ours to empty, as long as our own are known. */
function queuesOf({ jobs }: App): string[] {
  const queues = jobs.map(({ queue }) => queue);
  return queues.includes(undefined) ? ["*"] : [...new Set(queues as string[])];
}

/** Loads an app; if another Redis is given than its own, so that it can be loaded without its own. */
export async function importApp(file: string, given: RedisAddress | undefined): Promise<App> {
  if (given) showRedis(given);
  const { loadApp } = await import("./app-module.ts");
  return loadApp(file);
}

/**
 * Tells the app's module, through the environment, which Redis it runs on: one that builds its client by `upstash()` would
 * not load without an address. If the Redis given is none of HTTP, that client is built but never used: Airlift is given
 * the right one, and whatever else would use it fails with this name in its message.
 */
function showRedis({ url, token }: RedisAddress): void {
  if (token === undefined) process.env["REDIS_URL"] = url;
  if (token === undefined && process.env["UPSTASH_REDIS_REST_URL"]) return;
  process.env["UPSTASH_REDIS_REST_URL"] = token === undefined ? "http://replaced-by-option-redis.invalid" : url;
  process.env["UPSTASH_REDIS_REST_TOKEN"] = token ?? "none";
}

function findDefaultApp(): string {
  const file = DEFAULT_FILES.find((name) => existsSync(name));
  if (file) return file;
  throw new UsageError(
    "no app: expected --app FILE, or one of airlift.ts, jobs.ts, airlift.js, jobs.js in this directory",
  );
}
