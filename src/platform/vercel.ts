import { Hono } from "hono";
import type { Airlift } from "../airlift.ts";
import { createDrainRoute, type DrainRouteOptions, type RequestHandler } from "./drain-route.ts";
import { checkRouteSecret, listSecrets, type RouteSecret } from "./route-secret.ts";

export type { DrainRouteOptions, RequestHandler } from "./drain-route.ts";
export type { DrainRunnerOptions, HostedDrainOptions } from "./drain-runner.ts";
export type { RouteSecret } from "./route-secret.ts";

export interface CronRouteOptions extends DrainRouteOptions {
  /**
   * What a caller must bear, as `Authorization: Bearer <secret>`. Without one the route is closed.
   *
   * @default CRON_SECRET of the environment, which Vercel's cron jobs send
   */
  readonly secret?: RouteSecret | undefined;
}

/**
 * A route that Vercel's cron jobs call: it drains and answers with the report. `maxDurationMs` must be what the function's `maxDuration` is, as Vercel
 * does not tell a function how long it may take.
 *
 * @example
 * ```ts
 * // app/api/cron/route.ts of a Next.js project
 * import { toCronRoute } from "airlift/platform/vercel";
 * import { airlift } from "../../../airlift";
 *
 * export const maxDuration = 300;
 * export const GET = toCronRoute(airlift, { maxDurationMs: maxDuration * 1000 });
 * ```
 * @throws UsageError
 */
export function toCronRoute(airlift: Airlift, options: CronRouteOptions): RequestHandler {
  const what = "toCronRoute";
  checkRouteSecret(what, options.secret);
  // At each request: frameworks load routes when they build, where the variable need not be set.
  const secrets = () => listSecrets(options.secret ?? globalThis.process?.env["CRON_SECRET"]);
  return createDrainRoute({ waitUntil, ...options, what, airlift, secrets, secretPlace: "CRON_SECRET" });
}

/** The names by which Next.js and Vercel find the function for a request's method. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** What a route's file exports. */
export type RouteHandlers = Readonly<Record<(typeof METHODS)[number], RequestHandler>>;

/**
 * The exports of a file that serves an app, as the one that `createHttpApp` of `airlift/http` has made, under a path of a project.
 *
 * @param basePath where the file is: `/api/airlift` for Next.js' `app/api/airlift/[...route]/route.ts`
 * @example
 * ```ts
 * // app/api/airlift/[...route]/route.ts of a Next.js project
 * import { createHttpApp } from "airlift/http";
 * import { toRouteHandlers } from "airlift/platform/vercel";
 * import { airlift } from "../../../../airlift";
 *
 * const app = createHttpApp(airlift, { tokens: { enqueue: process.env.ENQUEUE_TOKEN } });
 * export const { GET, POST } = toRouteHandlers(app, "/api/airlift");
 * ```
 */
export function toRouteHandlers(app: Hono, basePath = "/"): RouteHandlers {
  const mounted = basePath === "/" ? app : new Hono().route(basePath, app);
  const handle: RequestHandler = async (request) => await mounted.fetch(request);
  // Each method has its handler.
  return Object.fromEntries(METHODS.map((method) => [method, handle])) as RouteHandlers;
}

/** Where Vercel keeps what belongs to the request that is under way; `@vercel/functions` reads it there. */
const REQUEST_CONTEXT = Symbol.for("@vercel/request-context");

interface RequestContextHolder {
  readonly [REQUEST_CONTEXT]?: {
    get?(): { readonly waitUntil?: (work: Promise<unknown>) => void } | undefined;
  };
}

/**
 * Tells Vercel to go on with `work` after the answer, within the function's `maxDuration`: that of `@vercel/functions`, without the package. Elsewhere
 * it does nothing, and the process goes on by itself.
 */
export function waitUntil(work: Promise<unknown>): void {
  (globalThis as RequestContextHolder)[REQUEST_CONTEXT]?.get?.()?.waitUntil?.(work);
}
