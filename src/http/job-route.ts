import type { Context } from "hono";
import type { DescribeRouteOptions } from "hono-openapi";
import * as v from "valibot";
import type { Airlift } from "../airlift.ts";
import type { JobStatus } from "../core/job-status.ts";
import { stringifyJson } from "../core/json.ts";
import { json, problems } from "./openapi.ts";
import { invalid } from "./operate-routes.ts";
import { problem } from "./problem.ts";

const instant = v.exactOptional(v.pipe(v.number(), v.description("in milliseconds since the epoch")));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const JobStatusSchema: v.GenericSchema<unknown, JobStatus> = v.pipe(
  v.object({
    id: v.string(),
    state: v.picklist(["queued", "delayed", "running", "retrying", "done", "discarded", "failed", "dropped"]),
    queue: v.string(),
    class: v.pipe(v.union([v.string(), v.undefined()]), v.description("left out for a payload that is not a job")),
    enqueuedMs: instant,
    attempt: v.exactOptional(v.pipe(count, v.description("the one that runs, or ran last"))),
    startedMs: instant,
    endedMs: instant,
    durationMs: v.exactOptional(count),
    worker: v.exactOptional(v.string()),
    dueMs: instant,
    failure: v.exactOptional(v.object({ exception: v.string(), message: v.string() })),
    reason: v.exactOptional(v.pipe(v.string(), v.description("why it was discarded"))),
    result: v.exactOptional(v.pipe(v.unknown(), v.description("what the handler returned, if results are kept"))),
    resultProblem: v.exactOptional(v.string()),
  }),
  v.metadata({ ref: "JobStatus" }),
);

/** `GET /jobs/:id`, for who may enqueue: the id is what enqueueing answered with. */
export const JOB_ROUTE: DescribeRouteOptions = {
  operationId: "getJob",
  summary: "The status of a job, if the app keeps it",
  security: [{ enqueueToken: [] }, { operateToken: [] }],
  parameters: [
    {
      ...{ in: "path", name: "id", required: true, description: "As the job was enqueued with" },
      schema: { type: "string", pattern: "^[\\w.:-]{1,100}$" },
    },
  ],
  responses: { 200: json("What is known of it", JobStatusSchema), ...problems(400, 401, 403, 404, 503) },
};

/** Handles `/jobs/:id`. */
export async function jobRoute(c: Context, airlift: Airlift): Promise<Response> {
  let status: JobStatus | undefined;
  try {
    status = await airlift.job(c.req.param("id") ?? "");
  } catch (error) {
    // By name, as a host may have bundled Airlift twice.
    if (!(error instanceof Error && error.name === "UsageError")) throw error;
    return invalid([{ path: "id", message: "must be 1 to 100 letters, digits, or any of _ . : -" }]);
  }
  if (!status) {
    return problem({
      ...{ kind: "not-found", status: 404, title: "Nothing is known of this job" },
      detail: "No status of it is kept, or it was kept for as long as the app said.",
    });
  }
  return new Response(stringifyJson(status), { headers: { "content-type": "application/json" } });
}
