import { AsyncLocalStorage } from "node:async_hooks";
import type { Hono } from "hono";
import { type LambdaContext as FullLambdaContext, handle, type LambdaEvent } from "hono/aws-lambda";
import type { Airlift, DrainOptions } from "../airlift.ts";
import { guardLogger } from "../core/guard-logger.ts";
import type { Logger } from "../core/job-context.ts";
import type { JobBatchReply, JobReply } from "../core/job-message.ts";
import { logEvents } from "../core/log-events.ts";
import type { DrainReport } from "../core/report.ts";
import { readStartRequest } from "../core/start-drain.ts";
import type { JobFunction } from "../job-function/job-function.ts";
import { guardLateErrors, type LateErrorGuard } from "./guard-late-errors.ts";
import { createJsonLogger, type LogLevel } from "./json-logger.ts";

export { startByInvoke } from "./start-by-invoke.ts";

/** What is needed of the second argument that AWS Lambda gives to a handler. */
export interface LambdaContext {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** A function that AWS Lambda can call. */
export type LambdaHandler<Event, Result> = (event: Event, context: LambdaContext) => Promise<Result>;

/** Kept of the function's time for the answer, or for the error of a drain that has tried to the last. */
const ANSWER_MS = 500;

/** The id of the invocation that is under way. */
const requestId = new AsyncLocalStorage<string>();

/**
 * One for the process, from its first invocation to its end: what a job has left behind may also throw when a frozen process wakes up, before
 * any handler is called.
 */
let guard: LateErrorGuard | undefined;

/**
 * The handler of a drain: for a schedule, or for whoever else invokes the function. It ends in good time before the function's time limit, answers
 * with the report, and throws if Redis could not be used, so that the function's errors can be watched.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { createLambdaLogger, toLambdaHandler } from "airlift/platform/aws-lambda";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs, logger: createLambdaLogger() });
 * export const handler = toLambdaHandler(airlift);
 * ```
 */
export function toLambdaHandler(airlift: Airlift): LambdaHandler<unknown, DrainReport> {
  const logger = guardLogger(airlift.options.logger ?? createLambdaLogger());
  return (event, context) =>
    requestId.run(context.awsRequestId, async () => {
      const deadlineMs = Date.now() + context.getRemainingTimeInMillis() - ANSWER_MS;
      const depth = readStartRequest(event)?.depth ?? 0;
      const report = await airlift.drain({ ...lambdaDrainOptions(logger), deadlineMs, depth });
      logger.info("drained", { ...report });
      return report;
    });
}

/**
 * The handler of an HTTP API, a function URL or a load balancer, from the app that `createHttpApp` of `airlift/http` has made, or one that it is
 * mounted in.
 */
export function toLambdaApiHandler(app: Hono): (event: LambdaEvent, context: FullLambdaContext) => Promise<unknown> {
  const handler = handle(app);
  return (event, context) => requestId.run(context.awsRequestId, () => handler(event, context));
}

/**
 * The handler of a function that runs jobs, invoked by `lambda()` of "airlift/target/lambda", synchronously or not, until the function's time is up.
 *
 * @example
 * ```ts
 * import { createJobFunction } from "airlift/job-function";
 * import { createLambdaLogger, toLambdaJobHandler } from "airlift/platform/aws-lambda";
 * import { jobs } from "./jobs.ts";
 *
 * export const handler = toLambdaJobHandler(createJobFunction({ jobs, logger: createLambdaLogger() }));
 * ```
 */
export function toLambdaJobHandler(jobFunction: JobFunction): LambdaHandler<unknown, JobReply | JobBatchReply> {
  return (event, context) =>
    requestId.run(context.awsRequestId, () => {
      const deadlineMs = Date.now() + context.getRemainingTimeInMillis();
      return jobFunction.run(event, { deadlineMs, runHandler: lambdaDrainOptions().runHandler });
    });
}

/** What every drain in a Lambda function is given: the log tells of jobs that failed, and one job's late error does not end the others. */
export function lambdaDrainOptions(
  logger: Logger = createLambdaLogger(),
): Required<Pick<DrainOptions, "onEvent" | "runHandler">> {
  guard ??= guardLateErrors(guardLogger(logger));
  return { onEvent: logEvents(logger), runHandler: guard.runHandler };
}

/**
 * Writes one JSON object a line, with the invocation's `requestId`, in the form that CloudWatch Logs knows: it is the same whether the function's
 * log format is JSON or text.
 *
 * @param level the least that is written; by default the function's own log level, or else `info`
 */
export function createLambdaLogger(level: LogLevel = functionLevel()): Logger {
  return createJsonLogger({
    // Not by `console`: Lambda puts time and level before its lines, or the line into a string.
    write: (line) => void process.stdout.write(`${line}\n`),
    level,
    fields: () => ({ requestId: requestId.getStore() }),
  });
}

/** AWS_LAMBDA_LOG_LEVEL is set with the log format JSON. */
function functionLevel(): LogLevel {
  switch (process.env["AWS_LAMBDA_LOG_LEVEL"]) {
    case "TRACE":
    case "DEBUG":
      return "debug";
    case "WARN":
      return "warn";
    case "ERROR":
    case "FATAL":
      return "error";
    default:
      return "info";
  }
}
