import type { Context } from "hono";
import * as v from "valibot";
import type { Airlift } from "../airlift.ts";
import { isStoreError } from "../core/errors.ts";
import { issuesToFieldErrors } from "./field-errors.ts";
import { keepAlive } from "./keep-alive.ts";
import { mediaType, unsupportedMediaType } from "./media-type.ts";
import type { ResolvedHttpAppOptions } from "./options.ts";
import { decodeUtf8, parseExactJson } from "./parse-json.ts";
import { type FieldError, problem, storeProblem } from "./problem.ts";
import { readBody } from "./read-body.ts";

/** What a drain may be asked for, in the query or in a JSON body. */
export interface DrainRequest {
  /** For how long it may go on. A job that had nearly all of it and did not end is failed, so it should suit the jobs. */
  readonly forMs?: number | undefined;
  /** How many jobs it may claim. It has no successor then. */
  readonly maxJobs?: number | undefined;
  /** How many drains have started one another up to this one, as a `StartRequest` tells it. */
  readonly depth?: number | undefined;
}

const notAMember = "is not known; a drain takes forMs, maxJobs and depth";
const whole = "must be a whole number, at least 1";
const aDepth = "must be a whole number, from 0 to 1000";
const MAX_DEPTH = 1_000;

interface DrainQuery {
  readonly forMs?: string | undefined;
  readonly maxJobs?: string | undefined;
  readonly depth?: string | undefined;
}

/** The query of `/drain`. */
export const DrainQuerySchema: v.GenericSchema<DrainQuery, DrainRequest> = v.strictObject(
  { forMs: v.optional(digits()), maxJobs: v.optional(digits()), depth: v.optional(depthDigits()) },
  notAMember,
);

/** The body of `POST /drain`, which may also be empty. */
export const DrainBodySchema: v.GenericSchema<unknown, DrainRequest> = v.pipe(
  v.strictObject(
    { forMs: v.optional(wholeNumber()), maxJobs: v.optional(wholeNumber()), depth: v.optional(depthNumber()) },
    ({ expected }) => (expected === "never" ? notAMember : "must be an object with forMs or maxJobs, or be left out"),
  ),
  v.metadata({ ref: "DrainRequest" }),
);

function digits() {
  return v.pipe(v.string(whole), v.regex(/^[1-9]\d{0,14}$/, whole), v.transform(Number));
}

function wholeNumber() {
  return v.pipe(v.number(whole), v.safeInteger(whole), v.minValue(1, whole));
}

function depthDigits() {
  return v.pipe(v.string(aDepth), v.regex(/^(\d{1,3}|1000)$/, aDepth), v.transform(Number));
}

function depthNumber() {
  return v.pipe(v.number(aDepth), v.safeInteger(aDepth), v.minValue(0, aDepth), v.maxValue(MAX_DEPTH, aDepth));
}

/** Handles `/drain`: one drain, answered with its report when it has ended. */
export async function drainRoute(
  c: Context,
  query: DrainRequest,
  airlift: Airlift,
  options: ResolvedHttpAppOptions,
): Promise<Response> {
  const body = await readDrainBody(c, options.maxBodyBytes);
  if (body instanceof Response) return body;
  const twice = (["forMs", "maxJobs", "depth"] as const).filter(
    (key) => query[key] !== undefined && body[key] !== undefined,
  );
  if (twice.length > 0)
    return invalid(twice.map((path) => ({ path, message: "is given in the query and in the body" })));
  const forMs = query.forMs ?? body.forMs ?? options.maxDrainMs;
  const maxJobs = query.maxJobs ?? body.maxJobs;
  const depth = query.depth ?? body.depth ?? 0;
  if (forMs > options.maxDrainMs) {
    return invalid([{ path: "forMs", message: `must be at most ${options.maxDrainMs} (maxDrainMs of this server)` }]);
  }
  const deadlineMs = Date.now() + forMs;
  const limited = maxJobs !== undefined && { maxJobs, successor: false as const };
  const drain = airlift.drain({ ...options.drain, depth, deadlineMs, ...limited });
  keepAlive(c, drain);
  try {
    return c.json(await drain);
  } catch (error) {
    // By name, as a host may have bundled Airlift twice.
    if (!(error instanceof Error)) throw error;
    // A class has a longer time limit than this drain has time.
    if (error.name === "UsageError") return invalid([{ path: "forMs", message: `is too short: ${error.message}` }]);
    if (error.name !== "DrainError" || !isStoreError(error.cause)) throw error;
    options.logger.warn(`drain over HTTP: ${error.message}`);
    return storeProblem(error.cause);
  }
}

/** Handles `/status`. */
export async function statusRoute(c: Context, airlift: Airlift): Promise<Response> {
  return c.json(await airlift.status());
}

async function readDrainBody(c: Context, maxBytes: number): Promise<DrainRequest | Response> {
  if (c.req.method === "GET") return {};
  const bytes = await readBody(c, maxBytes);
  if (bytes instanceof Response) return bytes;
  // Cron services send an empty body under whatever type they like.
  if (bytes.length === 0) return {};
  if (mediaType(c) !== "application/json") return unsupportedMediaType("application/json, or no body");
  const text = decodeUtf8(bytes);
  if (text === undefined) return invalid([{ path: "", message: "is not valid UTF-8" }]);
  const parsed = parseExactJson(text);
  if (parsed.kind === "invalid") return invalid([{ path: "", message: parsed.message }]);
  const result = v.safeParse(DrainBodySchema, Array.isArray(parsed.value) ? null : parsed.value);
  return result.success ? result.output : invalid(issuesToFieldErrors(result.issues));
}

/** A 400 for parameters of a drain. */
export function invalid(errors: readonly FieldError[]): Response {
  const detail = `${errors.map(({ path, message }) => `${path || "the body"} ${message}`).join("; ")}.`;
  return problem({ kind: "invalid-request", status: 400, title: "The request is not valid", detail, errors });
}
