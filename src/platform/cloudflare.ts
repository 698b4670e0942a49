import type { Hono } from "hono";
import type { Airlift } from "../airlift.ts";
import { readStartRequest } from "../core/start-drain.ts";
import { createHttpApp, type HttpAppOptions, type HttpKick } from "../http/app.ts";
import type { JobFunction } from "../job-function/job-function.ts";
import { type DrainParts, drain, limitsOf } from "./cloudflare-drain.ts";
import { useParts, type WorkerContext, type WorkerSetup } from "./cloudflare-invocation.ts";
import { createWorkerLogger } from "./cloudflare-logger.ts";
import { takeJobMessages, type WorkerMessageBatch } from "./cloudflare-messages.ts";

export { type DrainParts, toScheduledHandler } from "./cloudflare-drain.ts";
export type { WorkerContext } from "./cloudflare-invocation.ts";
export { type JobWorkerHandlers, toJobMethod, toJobWorker } from "./cloudflare-jobs.ts";
export { createWorkerLogger } from "./cloudflare-logger.ts";
export type { WorkerMessage, WorkerMessageBatch } from "./cloudflare-messages.ts";

/** What one Worker is made of. */
export interface WorkerParts extends DrainParts {
  /**
   * The HTTP API's options, as for `createHttpApp`: without tokens it is closed. A drain of `kick: "background"` has 28 seconds.
   */
  readonly http?: HttpAppOptions;
  /** Runs the jobs that a Queue brings. */
  readonly jobFunction?: JobFunction;
}

/** The handlers of a module Worker, for its `export default`. */
export interface WorkerHandlers<Env> {
  /** The HTTP API. */
  fetch(request: Request, env: Env, context: WorkerContext): Promise<Response>;
  /** A drain, for cron triggers. */
  scheduled(controller: unknown, env: Env, context: WorkerContext): Promise<void>;
  /** Takes what a Queue brings: requests for a drain, and jobs. */
  queue(batch: WorkerMessageBatch, env: Env, context: WorkerContext): Promise<void>;
}

/** Cloudflare lets a request go on for 30 s behind its answer. Of its requests enqueueing has made some. */
const BEHIND_MS = 28_000;
const REQUESTS_BEFORE = 8;

/**
 * Makes a Worker of an app: an HTTP API, and drains that keep within what Cloudflare allows one invocation: time, requests, connections, calls of other
 * Workers.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { toWorker } from "airlift/platform/cloudflare";
 * import { upstash } from "airlift/redis/upstash";
 *
 * export default toWorker((env: Env) => ({
 *   airlift: createAirlift({ redis: upstash({ url: env.REDIS_URL, token: env.REDIS_TOKEN }), queues: ["mail"], jobs }),
 *   http: { tokens: { enqueue: env.ENQUEUE_TOKEN } },
 * }));
 * ```
 * @param setup builds the parts anew for each invocation, since what one has opened is of no use to another; they are closed at its end. It may also be
 * the parts themselves, which all invocations share, and nobody closes
 */
export function toWorker<Env>(setup: WorkerParts | WorkerSetup<Env, WorkerParts>): WorkerHandlers<Env> {
  const use = { setup, close };
  /** One for all requests: it remembers for some seconds how Redis is, as the route is open to everybody. */
  let healthApp: Hono | undefined;

  return {
    async fetch(request, env, context) {
      if (new URL(request.url).pathname.endsWith("/health")) {
        healthApp ??= toApi(typeof setup === "function" ? setup(env, context) : setup, context);
        return healthApp.fetch(request);
      }
      return useParts(use, { env, context }, async (parts, own) => toApi(parts, own).fetch(request, {}, own as never));
    },
    scheduled: (_controller, env, context) => useParts(use, { env, context }, (parts) => drain(parts)),
    queue: (batch, env, context) => useParts(use, { env, context }, (parts) => takeBatch(parts, batch)),
  };
}

async function close({ airlift, jobFunction }: WorkerParts): Promise<void> {
  await Promise.all([airlift.close(), jobFunction?.close()]);
}

/** @param own of the invocation */
function toApi(parts: WorkerParts, own: WorkerContext): Hono {
  const { airlift, http = {} } = parts;
  const limits = limitsOf(parts);
  const limited: Airlift = { ...airlift, drain: (options) => airlift.drain({ ...limits, ...options }) };
  if (http.kick !== "background") return createHttpApp(limited, http);
  const { maxRequests = 1 } = limits;
  const left = { ...limits, maxRequests: Math.max(1, maxRequests - REQUESTS_BEFORE) };
  const behind = { ...parts, limits: left, maxDrainMs: BEHIND_MS };
  // It has logged what it fails by.
  const kick: HttpKick = ({ depth }) => own.waitUntil(drain(behind, { depth }).catch(() => undefined));
  return createHttpApp(limited, { ...http, kick });
}

/** Requests for a drain are what `kick`, `successor` and `scaleOut` of the app have sent; any other message brings a job. */
async function takeBatch(parts: WorkerParts, { messages }: WorkerMessageBatch): Promise<void> {
  const { airlift, jobFunction } = parts;
  const asked = messages.flatMap(({ body }) => readStartRequest(body) ?? []);
  const jobs = messages.filter(({ body }) => !readStartRequest(body));
  // Whoever drains finds all jobs, so one is enough.
  const depth = Math.max(...asked.map((request) => request.depth));
  const draining = asked.length > 0 ? drain(parts, { depth }) : undefined;
  // It may fail while the jobs run.
  draining?.catch(() => undefined);
  await takeJobMessages(jobFunction, jobs, airlift.options.logger ?? createWorkerLogger());
  await draining;
}
