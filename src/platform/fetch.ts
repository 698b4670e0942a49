import type { Airlift } from "../airlift.ts";
import { createDrainRoute, type DrainRouteOptions, type RequestHandler } from "./drain-route.ts";
import { createDrainRunner, type DrainRunnerOptions } from "./drain-runner.ts";
import { checkRouteSecret, listSecrets, type RouteSecret } from "./route-secret.ts";

export type { DrainRouteOptions, RequestHandler } from "./drain-route.ts";
export type { DrainRunnerOptions, HostedDrainOptions } from "./drain-runner.ts";
export { type FetchJobHandlerOptions, toFetchJobHandler } from "./fetch-job.ts";
export type { RouteSecret } from "./route-secret.ts";
export { type StartByRequestOptions, startByRequest } from "./start-by-request.ts";
export { JobRequestError, type VerifyJobRequestOptions, verifyJobRequest } from "./verify-job-request.ts";

export interface FetchHandlerOptions extends DrainRouteOptions {
  /** What a caller must bear, as `Authorization: Bearer <secret>`. Without one the route is closed. */
  readonly secret: RouteSecret | undefined;
}

/**
 * A route that drains, for every host that speaks `fetch` and is called by a schedule: it answers with the report. It looks at no path, so mount it
 * where it should be.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { toFetchHandler } from "airlift/platform/fetch";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [] });
 * const drain = toFetchHandler(airlift, { secret: process.env.CRON_SECRET, maxDurationMs: 55_000 });
 * Bun.serve({ idleTimeout: 60, routes: { "/cron": drain } });
 * ```
 * @throws UsageError
 */
export function toFetchHandler(airlift: Airlift, options: FetchHandlerOptions): RequestHandler {
  const what = "toFetchHandler";
  checkRouteSecret(what, options.secret);
  const secrets = listSecrets(options.secret);
  return createDrainRoute({ ...options, what, airlift, secrets: () => secrets, secretPlace: "its option secret" });
}

/**
 * A function that drains, for hosts whose schedules call a function by themselves, so that it needs no secret. It resolves when the drain has ended; it
 * rejects if the drain could not go on, which has been logged.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { toScheduledHandler } from "airlift/platform/fetch";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [] });
 * Deno.cron("drain", "* * * * *", toScheduledHandler(airlift, { maxDurationMs: 55_000 }));
 * ```
 * @throws UsageError
 */
export function toScheduledHandler(airlift: Airlift, options: DrainRunnerOptions): () => Promise<void> {
  const { run } = createDrainRunner("toScheduledHandler", airlift, options);
  return async () => {
    await run(Date.now());
  };
}
