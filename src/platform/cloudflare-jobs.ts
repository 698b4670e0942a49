import { isStoreError, UsageError } from "../core/errors.ts";
import type { JobBatchReply, JobReply } from "../core/job-message.ts";
import { describeJsonError, parseJson, stringifyJson } from "../core/json.ts";
import { problem, storeProblem } from "../http/problem.ts";
import type { JobFunction } from "../job-function/job-function.ts";
import { useParts, type WorkerContext, type WorkerSetup } from "./cloudflare-invocation.ts";
import { takeJobMessages, type WorkerMessageBatch } from "./cloudflare-messages.ts";

/** The handlers of a Worker that runs the jobs which others send. */
export interface JobWorkerHandlers<Env> {
  /** For `serviceBinding()` of "airlift/target/cloudflare". Requests from the internet are refused. */
  fetch(request: Request, env: Env, context: WorkerContext): Promise<Response>;
  /** For `queue()` of "airlift/target/cloudflare", and for producers of your own. */
  queue(batch: WorkerMessageBatch, env: Env, context: WorkerContext): Promise<void>;
}

/**
 * Makes a Worker that receives jobs, of the same definitions as the one that drains.
 *
 * @example
 * ```ts
 * import { createJobFunction } from "airlift/job-function";
 * import { toJobWorker } from "airlift/platform/cloudflare";
 * import { jobs } from "./jobs.ts";
 *
 * export default toJobWorker(() => createJobFunction({ jobs }));
 * ```
 * @param setup builds the job function anew for each invocation, which closes it at its end; or a job function that all share
 */
export function toJobWorker<Env>(setup: JobFunction | WorkerSetup<Env, JobFunction>): JobWorkerHandlers<Env> {
  const use = { setup, close };
  return {
    fetch: (request, env, context) => useParts(use, { env, context }, (jobFunction) => answer(request, jobFunction)),
    queue: (batch, env, context) =>
      useParts(use, { env, context }, (jobFunction) => takeJobMessages(jobFunction, batch.messages)),
  };
}

/**
 * The same for a method of a `WorkerEntrypoint`, which `serviceBinding(…, { method })` calls.
 *
 * @example
 * ```ts
 * import { WorkerEntrypoint } from "cloudflare:workers";
 * import { createJobFunction } from "airlift/job-function";
 * import { toJobMethod } from "airlift/platform/cloudflare";
 * import { jobs } from "./jobs.ts";
 *
 * const perform = toJobMethod(() => createJobFunction({ jobs }));
 *
 * export class Jobs extends WorkerEntrypoint {
 *   perform(message: unknown) {
 *     return perform(message, this.env, this.ctx);
 *   }
 * }
 * ```
 */
export function toJobMethod<Env>(
  setup: JobFunction | WorkerSetup<Env, JobFunction>,
): (message: unknown, env: Env, context: WorkerContext) => Promise<JobReply | JobBatchReply> {
  const use = { setup, close };
  return (message, env, context) => useParts(use, { env, context }, (jobFunction) => jobFunction.run(message));
}

async function close(jobFunction: JobFunction): Promise<void> {
  await jobFunction.close();
}

async function answer(request: Request, jobFunction: JobFunction): Promise<Response> {
  // Cloudflare puts it on each request from outside, and no caller there can leave it out.
  if (request.headers.has("cf-connecting-ip")) {
    return problem({ kind: "forbidden", status: 403, title: "Jobs come through a service binding" });
  }
  if (request.method !== "POST") {
    const headers = { allow: "POST" };
    return problem({ kind: "method-not-allowed", status: 405, title: "Jobs are sent by POST", headers });
  }
  try {
    const reply = await jobFunction.run(parseJson(await request.text()), { signal: request.signal });
    return new Response(stringifyJson(reply), { headers: { "content-type": "application/json" } });
  } catch (error) {
    if (isStoreError(error)) return storeProblem(error);
    const detail =
      error instanceof UsageError
        ? error.message
        : error instanceof SyntaxError
          ? `The body ${describeJsonError(error)}.`
          : undefined;
    if (detail === undefined) throw error;
    return problem({ kind: "invalid-request", status: 400, title: "The request brings no job", detail });
  }
}
