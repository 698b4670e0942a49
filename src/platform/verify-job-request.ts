import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { AirliftError, UsageError } from "../core/errors.ts";
import type { JobBatchMessage, JobMessage } from "../core/job-message.ts";
import { describeJsonError, parseJson } from "../core/json.ts";
import { checkWebhookSecrets } from "../core/webhook-secrets.ts";
import { discardBody } from "../http/discard-body.ts";
import { type ProblemOptions, problem } from "../http/problem.ts";

export interface VerifyJobRequestOptions {
  /** What `http()` of "airlift/target/http" signs with. Several while they change: a request needs the signature of one. */
  readonly secret: string | readonly string[];
  /** How far the clocks may be apart, and how old a request may be, in seconds; at most 300. @default 300 */
  readonly toleranceSeconds?: number;
  /** A larger body is refused. @default 4_000_000 */
  readonly maxBodyBytes?: number;
}

/** A request that is not from who may send jobs, or brings none. */
export class JobRequestError extends AirliftError {
  override readonly name = "JobRequestError" as const;
  /** What it should be answered with: 400, 401, 405, 413 or 415. */
  readonly status: number;
  readonly #problem: ProblemOptions;

  constructor(options: ProblemOptions) {
    super("ERR_JOB_REQUEST", [options.title, options.detail].filter(Boolean).join(": "));
    this.status = options.status;
    this.#problem = options;
  }

  /** The answer, as `application/problem+json`. */
  toResponse(): Response {
    return problem(this.#problem);
  }
}

/** The JSON that a request brings, if it is signed. Rejects with a {@link JobRequestError} otherwise. */
export type JobRequestVerifier = (request: Request) => Promise<unknown>;

const MAX_TOLERANCE_SECONDS = 300;
const DEFAULT_MAX_BODY_BYTES = 4_000_000;

/**
 * The message in a request that `http()` of "airlift/target/http" has sent, for receivers that do not run Airlift's jobs, or not at once.
 *
 * @example
 * ```ts
 * import { verifyJobRequest } from "airlift/platform/fetch";
 *
 * export async function POST(request: Request): Promise<Response> {
 *   const message = await verifyJobRequest(request, { secret: process.env.JOBS_SECRET ?? "" });
 *   if ("job" in message) await resize(message.job.args);
 *   return new Response(null, { status: 204 });
 * }
 * ```
 * @throws JobRequestError that knows its `toResponse()`; UsageError for a wrong option
 */
export async function verifyJobRequest(
  request: Request,
  options: VerifyJobRequestOptions,
): Promise<JobMessage | JobBatchMessage> {
  const message = await createJobRequestVerifier("verifyJobRequest", options)(request);
  if (isMessage(message)) return message;
  throw noJob('The body is not a message of Airlift\'s: expected {"airlift":1,"job":{…},"deadlineMs":…}.');
}

/** @throws UsageError */
export function createJobRequestVerifier(what: string, options: VerifyJobRequestOptions): JobRequestVerifier {
  const { toleranceSeconds = MAX_TOLERANCE_SECONDS, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const webhooks = checkWebhookSecrets(what, options.secret).map((secret) => new Webhook(secret));
  checkInteger(`${what}: toleranceSeconds`, toleranceSeconds, MAX_TOLERANCE_SECONDS);
  checkInteger(`${what}: maxBodyBytes`, maxBodyBytes, Number.MAX_SAFE_INTEGER);

  const unauthorized = (): JobRequestError =>
    new JobRequestError({
      ...{ kind: "unauthorized", status: 401, title: "A valid signature is needed" },
      detail: `By Standard Webhooks: webhook-id, webhook-timestamp of the last ${toleranceSeconds} s, and webhook-signature.`,
    });

  return async (request) => {
    checkForm(request);
    const headers = Object.fromEntries(SIGNED.map((name) => [name, request.headers.get(name) ?? ""]));
    const ageSeconds = Math.abs(Math.floor(Date.now() / 1_000) - Number(headers["webhook-timestamp"]));
    // A timestamp that is no number is of no age.
    if (!(ageSeconds <= toleranceSeconds)) throw unauthorized();
    const text = await readText(request, maxBodyBytes);
    if (!webhooks.some((webhook) => isSigned(webhook, text, headers))) throw unauthorized();
    return parse(text);
  };
}

const SIGNED = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;

function isSigned(webhook: Webhook, text: string, headers: Record<string, string>): boolean {
  try {
    webhook.verify(text, headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function checkForm({ method, headers }: Request): void {
  if (method !== "POST") {
    throw new JobRequestError({
      ...{ kind: "method-not-allowed", status: 405, title: "Jobs are sent by POST" },
      headers: { allow: "POST" },
    });
  }
  const type = headers.get("content-type") ?? "";
  const isJson = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type);
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (isJson && encoding === "identity") return;
  throw new JobRequestError({
    ...{ kind: "unsupported-media-type", status: 415, title: "Jobs are sent as JSON" },
    detail: "Send application/json, in UTF-8, not compressed.",
  });
}

/** Never holds more than the limit, whatever the request says of its length. */
async function readText({ body, headers }: Request, maxBytes: number): Promise<string> {
  const tooLarge = (): JobRequestError =>
    new JobRequestError({
      ...{ kind: "too-large", status: 413, title: "The body is too large", detail: `At most ${maxBytes} bytes.` },
    });
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const reader = body?.getReader();
  let text = "";
  let size = 0;
  try {
    if (Number(headers.get("content-length")) > maxBytes) throw tooLarge();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > maxBytes) throw tooLarge();
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (reader) await discardBody(reader);
    throw error instanceof JobRequestError ? error : noJob("The body broke off, or is not UTF-8.");
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw noJob(`The body ${describeJsonError(error)}.`);
  }
}

/** What is wrong within a job is told to its sender as that job's end. */
function isMessage(value: unknown): value is JobMessage | JobBatchMessage {
  const { airlift, job, jobs, deadlineMs } = Object(value) as Record<string, unknown>;
  if (airlift !== 1 || !Number.isFinite(deadlineMs)) return false;
  return Array.isArray(jobs) ? jobs.every((each) => isJob(each) && typeof each["id"] === "string") : isJob(job);
}

function isJob(value: unknown): value is Record<string, unknown> {
  const { queue, class: className, args, payload } = Object(value) as Record<string, unknown>;
  return [queue, className, payload].every((text) => typeof text === "string") && Array.isArray(args);
}

/** @param detail what is wrong with the body */
export function noJob(detail: string): JobRequestError {
  return new JobRequestError({ kind: "invalid-request", status: 400, title: "The request brings no job", detail });
}

function checkInteger(name: string, value: unknown, max: number): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) return;
  throw new UsageError(`${name}: expected an integer from 1 to ${max}, got ${String(value)}`);
}
