import type { Airlift } from "../airlift.ts";
import { createDrainRoute, type DrainRouteOptions, type RequestHandler } from "./drain-route.ts";
import { checkRouteSecret, listSecrets, type RouteSecret } from "./route-secret.ts";

export type { DrainRouteOptions, RequestHandler, RouteDrainOptions } from "./drain-route.ts";
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
