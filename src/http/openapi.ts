import type { DescribeRouteOptions, GenerateSpecOptions } from "hono-openapi";
import { resolver } from "hono-openapi";
import * as v from "valibot";
import type { Airlift } from "../airlift.ts";
import type { DrainReport } from "../core/report.ts";
import { JobSchema } from "./job-request.ts";
import { DrainBodySchema } from "./operate-routes.ts";
import { ProblemSchema } from "./problem.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const EnqueuedSchema = v.pipe(
  v.object({
    queue: v.string(),
    enqueued: v.pipe(count, v.description("Jobs that are in the queue now, or delayed")),
    replaced: v.optional(
      v.pipe(count, v.description("Unique jobs that took the place of others; left out if none did")),
    ),
    dropped: v.optional(
      v.pipe(
        count,
        v.description(
          "Jobs that were not enqueued: the same unique job is there, or a hook refused it; left out if none was",
        ),
      ),
    ),
    ids: v.optional(
      v.pipe(
        v.array(v.nullable(v.string())),
        v.description("Of a JSON body: the id of each job whose status is kept, in order; null for the others"),
      ),
    ),
  }),
  v.metadata({ ref: "Enqueued" }),
);
const stopped = v.picklist(["empty", "deadline", "paused", "limited", "budget", "aborted", "lost", "busy"]);
const HealthSchema = v.pipe(
  v.object({
    status: v.literal("ok"),
    lastDrain: v.optional(
      v.pipe(v.object({ endedMs: v.number(), stopped }), v.description("Left out where drains are not recorded")),
    ),
  }),
  v.metadata({ ref: "Health" }),
);

/** What `airlift.status()` returns. */
export const StatusSchema: v.GenericSchema<unknown, Awaited<ReturnType<Airlift["status"]>>> = v.pipe(
  v.object({
    queues: v.array(v.object({ name: v.string(), size: count, paused: v.boolean() })),
    paused: v.boolean(),
    workers: count,
    working: count,
    failed: count,
    processed: count,
    failures: count,
    drains: count,
    delayed: v.pipe(count, v.description("seconds for which jobs are delayed; each holds one or more")),
    retries: count,
    pausedClasses: v.array(v.string()),
    lastDrain: v.optional(
      v.pipe(
        v.object({
          ...{ endedMs: v.number(), host: v.string(), stopped, durationMs: v.number() },
          ...{ claimed: count, succeeded: count, failed: count, remaining: count },
        }),
        v.description("Left out where drains are not recorded"),
      ),
    ),
  }),
  v.metadata({ ref: "Status" }),
);

/** As `DrainReport` (core/report.ts). */
export const DrainReportSchema: v.GenericSchema<unknown, DrainReport> = v.pipe(
  v.object({
    stopped,
    claimed: count,
    succeeded: count,
    failed: count,
    retried: count,
    discarded: count,
    detached: count,
    released: count,
    recovered: count,
    promoted: count,
    scheduled: count,
    lost: count,
    remaining: count,
    drainsStarted: count,
    commands: count,
    requests: count,
    durationMs: v.number(),
    nextDueMs: v.optional(v.number()),
  }),
  v.metadata({ ref: "DrainReport" }),
);

type Responses = NonNullable<DescribeRouteOptions["responses"]>;

/** An answer in JSON. */
export const json = (description: string, schema: v.GenericSchema): Responses[string] => ({
  description,
  content: { "application/json": { schema: resolver(schema) } },
});

const PROBLEMS = {
  400: "The request is not valid; errors names what",
  401: "No valid bearer token",
  403: "Not allowed here, or no token is configured for this route",
  404: "There is nothing under this name",
  413: "The body, or a line of it, is too large",
  415: "The body's type, charset or encoding cannot be read",
  503: "The store cannot be used; Retry-After says for how long, where known",
} as const;

/** The problems that a route may answer with. */
export function problems(...statuses: (keyof typeof PROBLEMS)[]): Responses {
  const content = { "application/problem+json": { schema: resolver(ProblemSchema) } };
  return Object.fromEntries(statuses.map((status) => [status, { description: PROBLEMS[status], content }]));
}

const drain = {
  summary: "Drain the queues once",
  description:
    "Answers when the drain has ended: the queues are empty, or its time is up. A job that had nearly all of that time (forMs) and " +
    "did not end is failed; others that still run go back to their queues.",
  security: [{ operateToken: [] }],
  responses: { 200: json("What the drain did and what it cost", DrainReportSchema), ...problems(400, 401, 403, 503) },
} satisfies DescribeRouteOptions;

/** What the OpenAPI document says of each route. */
export const ROUTES: Readonly<
  Record<"enqueue" | "health" | "status" | "drain" | "drainByGet" | "openapi", DescribeRouteOptions>
> = {
  enqueue: {
    operationId: "enqueueJobs",
    summary: "Enqueue jobs",
    description:
      "One job, an array of jobs, or NDJSON of any length (a job a line, sent as a stream). A bad line ends the stream: the answer " +
      "names the line, and how many jobs before it are enqueued and stay so.",
    security: [{ enqueueToken: [] }],
    parameters: [
      {
        in: "path",
        name: "queue",
        required: true,
        description: "The queue's name, percent-encoded; no control characters",
        schema: { type: "string", minLength: 1 },
      },
    ],
    requestBody: {
      required: true,
      content: {
        "application/json": { schema: resolver(v.union([JobSchema, v.array(JobSchema)])) },
        "application/x-ndjson": { schema: resolver(JobSchema) },
      },
    },
    responses: {
      201: json("The jobs are in the queue, or wait for their time", EnqueuedSchema),
      ...problems(400, 401, 403, 413, 415, 503),
    },
  },
  health: {
    operationId: "getHealth",
    summary: "Whether Redis can be reached, and whether drains still run",
    description: "Fails, too, if drains are recorded and none has ended for longer than the server expects.",
    responses: { 200: json("It can, and they do", HealthSchema), ...problems(503) },
  },
  status: {
    operationId: "getStatus",
    summary: "Queues, workers and counters",
    security: [{ operateToken: [] }],
    responses: { 200: json("As Redis has them now", StatusSchema), ...problems(400, 401, 403, 503) },
  },
  drain: {
    ...drain,
    operationId: "drain",
    requestBody: { required: false, content: { "application/json": { schema: resolver(DrainBodySchema) } } },
    responses: { ...drain.responses, ...problems(413, 415) },
  },
  drainByGet: {
    ...drain,
    operationId: "drainByGet",
    description: `${drain.description} For cron services that can only send GET, as Vercel's; the token keeps others out.`,
  },
  openapi: {
    operationId: "getOpenApi",
    summary: "This document",
    responses: { 200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } } },
  },
};

/** The document's head, and how it is made. */
export const SPEC_OPTIONS: Partial<GenerateSpecOptions> = {
  // Otherwise /openapi.json is taken for a static file.
  excludeStaticFile: false,
  defaultValidationErrorResponse: false,
  documentation: {
    info: {
      title: "Airlift",
      version: "1",
      description: "Enqueues Resque jobs and drains their queues. Errors are application/problem+json (RFC 9457).",
      license: { name: "MIT", identifier: "MIT" },
    },
    components: {
      securitySchemes: {
        enqueueToken: { type: "http", scheme: "bearer", description: "A token of the role enqueue" },
        operateToken: { type: "http", scheme: "bearer", description: "A token of the role operate" },
      },
    },
  },
};
