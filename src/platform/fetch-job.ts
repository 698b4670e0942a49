import { consoleLogger } from "../console-logger.ts";
import { isStoreError, UsageError } from "../core/errors.ts";
import type { Logger } from "../core/job-context.ts";
import { wantsAck } from "../core/job-message.ts";
import { problem, storeProblem } from "../http/problem.ts";
import type { JobFunction } from "../job-function/job-function.ts";
import type { RequestHandler } from "./drain-route.ts";
import {
  createJobRequestVerifier,
  JobRequestError,
  noJob,
  type VerifyJobRequestOptions,
} from "./verify-job-request.ts";

export interface FetchJobHandlerOptions extends VerifyJobRequestOptions {
  /** How long the host lets a request take, in milliseconds. @default as long as the message says that somebody waits */
  readonly maxDurationMs?: number;
  /** How the host is told to go on after an answer, for jobs that are acknowledged. @default the host goes on by itself, as Node, Bun and Deno do */
  readonly waitUntil?: (work: Promise<unknown>) => unknown;
  /** Told of errors that the caller sees as a bare 500, or not at all. @default the console */
  readonly logger?: Pick<Logger, "error">;
}

/**
 * A route that runs the jobs which `http()` of "airlift/target/http" sends, for every host that speaks `fetch`. It looks at no path, so mount it where
 * it should be. A sender that hangs up aborts its job; one that wants an acknowledgement is answered 202, and the job goes on.
 *
 * @example
 * ```ts
 * import { createJobFunction } from "airlift/job-function";
 * import { toFetchJobHandler } from "airlift/platform/fetch";
 *
 * const runJobs = toFetchJobHandler(createJobFunction({ jobs }), { secret: process.env.JOBS_SECRET ?? "" });
 * Bun.serve({ routes: { "/jobs": runJobs } });
 * ```
 * @throws UsageError
 */
export function toFetchJobHandler(jobFunction: JobFunction, options: FetchJobHandlerOptions): RequestHandler {
  const { maxDurationMs = Number.POSITIVE_INFINITY, waitUntil, logger = consoleLogger } = options;
  const verify = createJobRequestVerifier("toFetchJobHandler", options);
  if (!(maxDurationMs > 0)) {
    throw new UsageError(`toFetchJobHandler: maxDurationMs: expected milliseconds, got ${String(maxDurationMs)}`);
  }

  /** A job that is to be acknowledged. Whatever comes of it, the drain is told by Redis, or by the end of the job's lease. */
  const runOn = (message: unknown, deadlineMs: number): Response => {
    const work = jobFunction.run(message, { deadlineMs }).catch((error: unknown) => {
      logger.error("a job that is to be acknowledged was not run; it is back when its lease ends", { error });
    });
    waitUntil?.(work);
    return Response.json({ airlift: 1 }, { status: 202, headers: NOT_STORED });
  };

  return async (request) => {
    const deadlineMs = Date.now() + maxDurationMs;
    try {
      const message = await verify(request);
      if (wantsAck(message) && jobFunction.acknowledges) return runOn(message, deadlineMs);
      const reply = await jobFunction.run(message, { deadlineMs, signal: hangUpOf(request) });
      return Response.json(reply, { headers: NOT_STORED });
    } catch (error) {
      if (error instanceof JobRequestError) return error.toResponse();
      if (error instanceof UsageError) return noJob(error.message).toResponse();
      logger.error("a request's jobs were not run", { error });
      if (isStoreError(error)) return storeProblem(error);
      return problem({ kind: "internal", status: 500, title: "Something went wrong here; the server's log says what" });
    }
  };
}

/** Hosts abort a request for reasons of their own, which are not all errors. */
function hangUpOf({ signal }: Request): AbortSignal {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(new DOMException("the sender does not wait any more", "AbortError"));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return controller.signal;
}

const NOT_STORED = { "cache-control": "no-store" };
