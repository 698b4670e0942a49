import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { describeRoute, generateSpecs, validator } from "hono-openapi";
import type { Airlift } from "../airlift.ts";
import { isStoreError, UsageError } from "../core/errors.ts";
import { addAdminRoutes } from "./admin-app.ts";
import { requireToken } from "./auth.ts";
import { enqueueRoute } from "./enqueue-route.ts";
import { issuesToFieldErrors } from "./field-errors.ts";
import { createHealthRoute } from "./health-route.ts";
import { JOB_ROUTE, jobRoute } from "./job-route.ts";
import { kickedBy } from "./kick.ts";
import { refuseContentEncoding } from "./media-type.ts";
import { ROUTES, SPEC_OPTIONS } from "./openapi.ts";
import { DrainQuerySchema, drainRoute, invalid, statusRoute } from "./operate-routes.ts";
import { type HttpAppOptions, type ResolvedHttpAppOptions, resolveHttpAppOptions } from "./options.ts";
import { problem, storeProblem } from "./problem.ts";

export type { HttpAppOptions, HttpKick, HttpTokens } from "./options.ts";

/**
 * The HTTP API of an Airlift app, for every host that speaks `fetch`: `POST /queues/:queue/jobs`, `POST` and `GET /drain`,
 * `GET /status`, what looks at queues, workers and jobs and changes them, `GET /health`, `GET /openapi.json`. Errors are
 * `application/problem+json`. All but the last two are closed until `tokens` names a token for them. It can be mounted under a path: `new Hono().route("/airlift", app)`.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { createHttpApp } from "airlift/http";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const airlift = createAirlift({ redis: upstash(), queues: ["*"], jobs: [] });
 * const app = createHttpApp(airlift, { tokens: { enqueue: "a-long-secret", operate: "another" } });
 * export default { fetch: app.fetch };
 * ```
 * @throws UsageError naming each option that is wrong or unknown
 */
export function createHttpApp(airlift: Airlift, options: HttpAppOptions = {}): Hono {
  const resolved = resolveHttpAppOptions(options, airlift.options.logger);
  if (resolved.kick !== undefined && airlift.options.kick === undefined) {
    throw new UsageError("createHttpApp: kick: expected an app with the option kick, which {} turns on");
  }
  const app = new Hono();
  const mayOperate = requireToken("operate", resolved.tokens.operate);
  const drainQuery = validator("query", DrainQuerySchema, (result) =>
    result.success ? undefined : invalid(issuesToFieldErrors(result.error)),
  );

  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => refuseMethod(c, methods) }));
  app.notFound(() => problem({ kind: "not-found", status: 404, title: "There is no such route" }));
  app.onError((error) => errorResponse(error, resolved));

  app.post(
    "/queues/:queue/jobs",
    describeRoute(ROUTES.enqueue),
    requireToken("enqueue", resolved.tokens.enqueue),
    async (c, next) => refuseContentEncoding(c) ?? (await next()),
    async (c) => await enqueueRoute(c, kickedBy(c, airlift, resolved), resolved),
  );
  app.post(
    "/drain",
    describeRoute(ROUTES.drain),
    mayOperate,
    drainQuery,
    async (c, next) => refuseContentEncoding(c) ?? (await next()),
    async (c) => noStore(await drainRoute(c, c.req.valid("query"), airlift, resolved)),
  );
  app.get(
    "/drain",
    // Hono answers HEAD by the route of GET: a look must not drain.
    async (c, next) => (c.req.method === "HEAD" ? refuseMethod(c, ["GET", "POST"]) : await next()),
    describeRoute(ROUTES.drainByGet),
    mayOperate,
    drainQuery,
    async (c) => noStore(await drainRoute(c, c.req.valid("query"), airlift, resolved)),
  );
  app.get("/status", describeRoute(ROUTES.status), mayOperate, async (c) => noStore(await statusRoute(c, airlift)));
  const mayAsk = requireToken("enqueue", [...resolved.tokens.enqueue, ...resolved.tokens.operate]);
  app.get("/jobs/:id", describeRoute(JOB_ROUTE), mayAsk, async (c) => noStore(await jobRoute(c, airlift)));
  addAdminRoutes(app, airlift, {
    ...{ mayOperate, maxBodyBytes: resolved.maxBodyBytes, maxMs: resolved.maxDrainMs },
  });
  const health = createHealthRoute(airlift, resolved);
  app.get("/health", describeRoute(ROUTES.health), async (c) => noStore(await health(c)));
  // It takes 30 ms to put together, and anybody may ask for it.
  let specs: Awaited<ReturnType<typeof generateSpecs>> | undefined;
  app.get("/openapi.json", describeRoute(ROUTES.openapi), async (c) => {
    specs ??= await generateSpecs(app, SPEC_OPTIONS, c);
    const path = new URL(c.req.url).pathname;
    const servers = [{ url: path.slice(0, -"/openapi.json".length) || "/" }];
    return c.json({ ...specs, servers });
  });
  return app;
}

function noStore(response: Response): Response {
  response.headers.set("cache-control", "no-store");
  return response;
}

function refuseMethod(c: Context, methods: readonly string[]): Response {
  const allow = methods.filter((method) => method !== "HEAD" || !c.req.path.endsWith("/drain")).join(", ");
  if (c.req.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow: `${allow}, OPTIONS` } });
  return problem({
    kind: "method-not-allowed",
    status: 405,
    title: "This route has another method",
    detail: `Allowed: ${allow}.`,
    headers: { allow },
  });
}

/** What escaped from a route. Unknown errors are told to the logger only: their messages may hold anything. */
function errorResponse(error: unknown, { logger }: ResolvedHttpAppOptions): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (isStoreError(error)) {
    logger.warn(`HTTP: ${error.message}`, { reason: error.reason });
    return storeProblem(error);
  }
  logger.error("HTTP: unexpected error", { error });
  return problem({ kind: "internal", status: 500, title: "Something went wrong here; the server's log says what" });
}
