import type { Airlift, DrainOptions } from "../airlift.ts";
import type { HostLimits } from "../core/host-limits.ts";
import { logEvents } from "../core/log-events.ts";
import { useParts, type WorkerContext, type WorkerSetup } from "./cloudflare-invocation.ts";
import { createWorkerLogger } from "./cloudflare-logger.ts";
import { MAX_INVOCATION_MS } from "./cloudflare-messages.ts";

/** What a Worker drains with. */
export interface DrainParts {
  readonly airlift: Airlift;
  /**
   * What the account pays for: on the free plan a drain makes 50 requests, on the paid one 10,000.
   *
   * @default "free"
   */
  readonly plan?: "free" | "paid" | undefined;
  /** Takes the place of the plan's: that of the paid one can be raised. */
  readonly limits?: HostLimits;
  /**
   * How long a drain may go on that a cron trigger or a Queue has started, in milliseconds.
   *
   * @default 900_000: then Cloudflare ends it
   */
  readonly maxDrainMs?: number;
}

/** Of one invocation on any plan; of the 32 Workers that it may call it is one itself. */
const LIMITS: HostLimits = { maxConnections: 6, maxInvocations: 31 };
const MAX_REQUESTS = { free: 50, paid: 10_000 };

/**
 * The `scheduled` of a Worker that does other things besides: a drain that keeps within what Cloudflare allows one invocation: time, requests, connections,
 * calls of other Workers.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { toScheduledHandler } from "airlift/platform/cloudflare";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const scheduled = toScheduledHandler((env: Env) => ({
 *   airlift: createAirlift({ redis: upstash({ url: env.REDIS_URL, token: env.REDIS_TOKEN }), queues: ["mail"], jobs }),
 * }));
 * export default { fetch: app.fetch, scheduled };
 * ```
 * @param setup as of `toWorker`
 */
export function toScheduledHandler<Env>(
  setup: DrainParts | WorkerSetup<Env, DrainParts>,
): (controller: unknown, env: Env, context: WorkerContext) => Promise<void> {
  const use = { setup, close: ({ airlift }: DrainParts) => airlift.close() };
  return (_controller, env, context) => useParts(use, { env, context }, (parts) => drain(parts));
}

/** One drain, logged. */
export async function drain(parts: DrainParts, options: Pick<DrainOptions, "depth"> = {}): Promise<void> {
  const { airlift, maxDrainMs = MAX_INVOCATION_MS } = parts;
  const logger = airlift.options.logger ?? createWorkerLogger();
  const deadlineMs = Date.now() + maxDrainMs;
  try {
    const report = await airlift.drain({ ...limitsOf(parts), ...options, deadlineMs, onEvent: logEvents(logger) });
    logger.info("drained", { ...report });
  } catch (error) {
    logger.error("the drain failed", { error });
    throw error;
  }
}

export function limitsOf({ plan = "free", limits }: DrainParts): HostLimits {
  return { ...LIMITS, maxRequests: MAX_REQUESTS[plan], ...limits };
}
