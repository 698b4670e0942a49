import type { Context } from "hono";
import type { Airlift } from "../airlift.ts";
import { isStoreError, UsageError } from "../core/errors.ts";
import { addCounts, NO_COUNTS } from "./enqueue-counts.ts";
import { enqueueStream } from "./enqueue-stream.ts";
import { type EnqueueRequest, MARKUP, NO_MARKUP, readJob } from "./job-request.ts";
import { mediaType, unsupportedMediaType } from "./media-type.ts";
import type { ResolvedHttpAppOptions } from "./options.ts";
import { decodeUtf8, parseExactJson } from "./parse-json.ts";
import { type FieldError, problem, storeProblem } from "./problem.ts";
import { readBody } from "./read-body.ts";
import { readSegment } from "./read-segment.ts";

/** No more errors than these are told of an array: the rest follows when they are mended. */
const MAX_ERRORS = 20;

/** Handles `POST /queues/:queue/jobs`, once the caller may enqueue. */
export async function enqueueRoute(c: Context, airlift: Airlift, options: ResolvedHttpAppOptions): Promise<Response> {
  const queue = readQueueName(c.req.url);
  if (typeof queue === "object") return invalidRequest([queue]);
  if (options.queues && !options.queues.has(queue)) {
    return forbidden([{ path: "queue", message: "may not be enqueued to here" }]);
  }
  switch (mediaType(c)) {
    case "application/json":
      return await enqueueJson(c, queue, airlift, options);
    case "application/x-ndjson":
      return await enqueueNdjson(c, queue, airlift, options);
    default:
      return unsupportedMediaType(
        "application/json (a job or an array of jobs) or application/x-ndjson (a job a line)",
      );
  }
}

/** The queue in `…/queues/<queue>/jobs`, or what is wrong with it. */
export function readQueueName(url: string): string | FieldError {
  const queue = readSegment(url, 1);
  if (typeof queue === "object") return queue;
  if (queue.trim() === "") return { path: "queue", message: "must not be empty" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f-\u009f]/.test(queue)) return { path: "queue", message: "must not hold control characters" };
  if (MARKUP.test(queue)) return { path: "queue", message: NO_MARKUP };
  return queue;
}

async function enqueueJson(
  c: Context,
  queue: string,
  airlift: Airlift,
  options: ResolvedHttpAppOptions,
): Promise<Response> {
  const bytes = await readBody(c, options.maxBodyBytes);
  if (bytes instanceof Response) return bytes;
  if (bytes.length === 0)
    return invalidRequest([{ path: "", message: "is empty; a job or an array of jobs is expected" }]);
  const text = decodeUtf8(bytes);
  if (text === undefined) return invalidRequest([{ path: "", message: "is not valid UTF-8" }]);
  const parsed = parseExactJson(text);
  if (parsed.kind === "invalid") return invalidRequest([{ path: "", message: parsed.message }]);

  const jobs: EnqueueRequest[] = [];
  const errors: FieldError[] = [];
  let isForbidden = true;
  const values: readonly unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  for (const [index, value] of values.entries()) {
    const read = readJob(value, queue, options.classes);
    if (read.kind === "job") {
      jobs.push(read.job);
      continue;
    }
    isForbidden &&= read.status === 403;
    const prefix = Array.isArray(parsed.value) ? [String(index)] : [];
    for (const { path, message } of read.errors) {
      errors.push({ path: [...prefix, ...(path === "" ? [] : [path])].join("."), message });
    }
    if (errors.length >= MAX_ERRORS) break;
  }
  if (errors.length > 0) return isForbidden ? forbidden(errors) : invalidRequest(errors);
  try {
    const { ids, ...counts } = await airlift.enqueueAll(jobs);
    const told = ids && { ids: Array.from(ids, (id) => id ?? null) };
    return c.json({ queue, ...addCounts(NO_COUNTS, counts), ...told }, 201);
  } catch (error) {
    if (error instanceof UsageError && error.jobIndex !== undefined) {
      const path = Array.isArray(parsed.value) ? String(error.jobIndex) : "";
      return invalidRequest([{ path, message: error.message }]);
    }
    if (!isStoreError(error)) throw error;
    options.logger.warn(`enqueue over HTTP: ${error.message}`, { queue });
    const isNothingDone = error.reason !== "unavailable" && isAtomic(airlift, jobs.length, bytes.length);
    return storeProblem(error, isNothingDone ? { enqueued: 0 } : { uncertain: jobs.length });
  }
}

/** What a payload may be longer than in the request: `args` that were left out, and Airlift's own member. */
const MORE_BYTES = 150;

/** Whether `enqueueAll` sends all in one step: up to 5,000 jobs and 1 MB, none of which may replace another. */
function isAtomic({ options }: Airlift, jobs: number, bytes: number): boolean {
  const mayReplace = options.jobs.some(({ unique }) => unique?.onConflict === "replace");
  return !mayReplace && jobs <= 5_000 && bytes + MORE_BYTES * jobs <= 1_000_000;
}

async function enqueueNdjson(
  c: Context,
  queue: string,
  airlift: Airlift,
  { classes, maxLineBytes, logger }: ResolvedHttpAppOptions,
): Promise<Response> {
  const body = c.req.raw.body;
  if (body === null) return c.json({ queue, ...NO_COUNTS }, 201);
  const result = await enqueueStream({ airlift, queue, body, classes, maxLineBytes });
  const { counts } = result;
  switch (result.kind) {
    case "done":
      return c.json({ queue, ...counts }, 201);
    case "bad-line": {
      const { line, status, errors } = result;
      const detail = `Line ${line} is refused. Enqueued before it, and staying so: ${counts.enqueued}; after it: none.`;
      const [kind, title] = BAD_LINE[status];
      return problem({ kind, status, title, detail, errors, line, ...counts });
    }
    case "interrupted":
      return problem({ kind: "interrupted", status: 400, title: "The body broke off", ...counts });
    case "store": {
      logger.warn(`enqueue over HTTP: ${result.error.message}`, { queue });
      return storeProblem(result.error, { ...counts, uncertain: result.uncertain });
    }
    default:
      return result satisfies never;
  }
}

const BAD_LINE = {
  400: ["invalid-request", "A line is not a job"],
  403: ["forbidden", "A line holds a job that may not be enqueued here"],
  413: ["too-large", "A line is too long"],
} as const;

function invalidRequest(errors: readonly FieldError[]): Response {
  return problem({
    kind: "invalid-request",
    status: 400,
    title: "The request is not valid",
    detail: sum(errors),
    errors,
  });
}

function forbidden(errors: readonly FieldError[]): Response {
  return problem({ kind: "forbidden", status: 403, title: "Not allowed here", detail: sum(errors), errors });
}

function sum(errors: readonly FieldError[]): string {
  return `${errors.map(({ path, message }) => `${path || "the body"} ${message}`).join("; ")}. Nothing was enqueued.`;
}
