import type { Airlift, DrainOptions } from "../airlift.ts";
import { isStoreError, UsageError } from "../core/errors.ts";
import type { OnEvent } from "../core/events.ts";
import { guardLogger } from "../core/guard-logger.ts";
import type { Logger } from "../core/job-context.ts";
import { logEvents } from "../core/log-events.ts";
import { readStartRequest } from "../core/start-drain.ts";
import { problem, storeProblem } from "../http/problem.ts";
import { guardLateErrors, type LateErrorGuard } from "./guard-late-errors.ts";
import { bearsSecret } from "./route-secret.ts";

/** What each drain is given beside its deadline. */
export type RouteDrainOptions = Omit<DrainOptions, "deadlineMs" | "depth">;

export interface DrainRouteOptions {
  /** How long the host lets a request take, in milliseconds. A drain ends the app's `marginMs` before that. */
  readonly maxDurationMs: number;
  /**
   * How the host is told to go on after an answer. With it a caller that hangs up does not end the drain, and one that sends
   * `Prefer: respond-async` is answered at once.
   */
  readonly waitUntil?: (work: Promise<unknown>) => unknown;
  readonly drain?: RouteDrainOptions;
}

export interface DrainRouteDeps extends DrainRouteOptions {
  /** Names the maker in messages. */
  readonly what: string;
  readonly airlift: Airlift;
  /** Asked for at each request. */
  readonly secrets: () => readonly string[];
  /** Where a secret is to be set. */
  readonly secretPlace: string;
}

/** A function that answers a request. */
export type RequestHandler = (request: Request) => Promise<Response>;

/**
 * A route that drains, by GET or POST, and answers with the report. `reason` and `depth` of a drain that another has started come in its query.
 *
 * @throws UsageError
 */
export function createDrainRoute(deps: DrainRouteDeps): RequestHandler {
  const { what, airlift, secrets, secretPlace, maxDurationMs, waitUntil } = deps;
  const { marginMs } = airlift.options;
  if (!(Number.isSafeInteger(maxDurationMs) && maxDurationMs > marginMs)) {
    const expected = `a whole number of milliseconds, more than the margin (marginMs: ${marginMs})`;
    throw new UsageError(`${what}: maxDurationMs: expected ${expected}, got ${String(maxDurationMs)}`);
  }
  const logger = guardLogger(airlift.options.logger ?? consoleLogger);
  const run = createDrainRunner(airlift, deps.drain, logger);

  const drain = async (depth: number, deadlineMs: number): Promise<Response> => {
    try {
      const report = await run({ depth, deadlineMs });
      logger.info("drained", { ...report });
      return Response.json(report, { headers: { "cache-control": "no-store" } });
    } catch (error) {
      // By name, as a host may have bundled Airlift twice.
      const isDrainError = error instanceof Error && error.name === "DrainError";
      logger.error(`the drain failed: ${error instanceof Error ? error.message : String(error)}`);
      if (isDrainError && isStoreError(error.cause)) return storeProblem(error.cause);
      return problem({ kind: "internal", status: 500, title: "The drain failed; the log says why" });
    }
  };

  return async (request) => {
    const deadlineMs = Date.now() + maxDurationMs;
    const allowed = secrets();
    // Before anything is answered: Next.js 14 takes a route that reads nothing of its request for one that always answers the same.
    const isAllowed = await bearsSecret(request, allowed);
    if (request.method !== "GET" && request.method !== "POST") return refuseMethod();
    if (allowed.length === 0) {
      logger.error(`${what}: nobody can drain: no secret is set; set ${secretPlace}`);
      return problem({
        kind: "closed",
        status: 503,
        title: "This route is closed",
        detail: "No secret is set for it.",
      });
    }
    if (!isAllowed) return unauthorized();
    const depth = readDepth(new URL(request.url).searchParams);
    if (depth === undefined) return problem({ kind: "invalid-request", status: 400, title: "The depth is not valid" });
    const answer = drain(depth, deadlineMs);
    waitUntil?.(answer);
    return waitUntil && prefersNotToWait(request) ? accepted() : answer;
  };
}

/** As the app's own, if it was given none. */
const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  // biome-ignore lint/suspicious/noConsole: the default of an option, on every host
  warn: (message, fields) => console.warn(message, fields ?? ""),
  // biome-ignore lint/suspicious/noConsole: the default of an option, on every host
  error: (message, fields) => console.error(message, fields ?? ""),
};

/**
 * Drains with a log. While one of its drains is under way in a process, an error that nobody caught is logged, and fails its job if that can be told;
 * it ends neither the process nor the other jobs.
 */
function createDrainRunner(
  airlift: Airlift,
  given: RouteDrainOptions = {},
  logger: Logger,
): (options: Pick<DrainOptions, "depth" | "deadlineMs">) => ReturnType<Airlift["drain"]> {
  let running = 0;
  let guard: LateErrorGuard | undefined;
  return async (options) => {
    if (running++ === 0 && !given.runHandler && hasProcess()) guard = guardLateErrors(logger);
    const log = logEvents(logger);
    const onEvent: OnEvent = (event) => {
      log(event);
      given.onEvent?.(event);
    };
    try {
      return await airlift.drain({ ...(guard && { runHandler: guard.runHandler }), ...given, ...options, onEvent });
    } finally {
      if (--running === 0) {
        guard?.dispose();
        guard = undefined;
      }
    }
  };
}

/** Node, and what passes for it. */
function hasProcess(): boolean {
  const { process } = globalThis;
  return typeof process?.on === "function" && typeof process.getBuiltinModule === "function";
}

/** 0 if the query says nothing of one; undefined for one that is none, which must not begin anew. */
function readDepth(query: URLSearchParams): number | undefined {
  const depth = query.get("depth");
  if (depth === null) return 0;
  return readStartRequest({ reason: query.get("reason"), depth: /^\d+$/.test(depth) ? Number(depth) : undefined })
    ?.depth;
}

/** RFC 7240. */
function prefersNotToWait({ headers }: Request): boolean {
  return /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i.test(headers.get("prefer") ?? "");
}

function accepted(): Response {
  return new Response(null, {
    status: 202,
    headers: { "preference-applied": "respond-async", "cache-control": "no-store" },
  });
}

function unauthorized(): Response {
  return problem({
    ...{ kind: "unauthorized", status: 401, title: "The secret is needed" },
    detail: "Send the header Authorization: Bearer <secret>.",
    headers: { "www-authenticate": "Bearer" },
  });
}

/** HEAD too: a look must not drain. */
function refuseMethod(): Response {
  return problem({
    ...{
      kind: "method-not-allowed",
      status: 405,
      title: "This route has another method",
      detail: "Allowed: GET, POST.",
    },
    headers: { allow: "GET, POST" },
  });
}
