import type { Airlift } from "../airlift.ts";
import { isStoreError } from "../core/errors.ts";
import { readStartRequest } from "../core/start-drain.ts";
import { problem, storeProblem } from "../http/problem.ts";
import { createDrainRunner, type DrainRunnerOptions } from "./drain-runner.ts";
import { bearsSecret } from "./route-secret.ts";

export interface DrainRouteOptions extends DrainRunnerOptions {
  /**
   * How the host is told to go on after an answer. With it a caller that hangs up does not end the drain, and one that sends
   * `Prefer: respond-async` is answered at once.
   */
  readonly waitUntil?: (work: Promise<unknown>) => unknown;
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
  const { what, airlift, secrets, secretPlace, waitUntil } = deps;
  const { run, logger } = createDrainRunner(what, airlift, deps);

  const drain = async (startedMs: number, depth: number): Promise<Response> => {
    try {
      return Response.json(await run(startedMs, depth), { headers: { "cache-control": "no-store" } });
    } catch (error) {
      // By name, as a host may have bundled Airlift twice.
      const isDrainError = error instanceof Error && error.name === "DrainError";
      if (isDrainError && isStoreError(error.cause)) return storeProblem(error.cause);
      return problem({ kind: "internal", status: 500, title: "The drain failed; the log says why" });
    }
  };

  return async (request) => {
    const startedMs = Date.now();
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
    if (!isAllowed) {
      // Of some hosts, the caller sees no answer.
      logger.warn(`${what}: a request without the secret was refused`);
      return unauthorized();
    }
    const depth = readDepth(new URL(request.url).searchParams);
    if (depth === undefined) return problem({ kind: "invalid-request", status: 400, title: "The depth is not valid" });
    const answer = drain(startedMs, depth);
    waitUntil?.(answer);
    return waitUntil && prefersNotToWait(request) ? accepted() : answer;
  };
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
