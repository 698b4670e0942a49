import { type Directive, discard, release, retry } from "./directive.ts";
import type { JobAck } from "./job-ack.ts";
import type { JobContext } from "./job-context.ts";
import { stringifyJson } from "./json.ts";
import type { Failure } from "./outcome.ts";
import { RemoteJobError } from "./remote-job-error.ts";

/** A job on its way to another program. */
export interface SentJob {
  readonly queue: string;
  readonly class: string;
  readonly args: readonly unknown[];
  /** The payload's exact text. */
  readonly payload: string;
  readonly attempt: number;
  /** How many of the attempts failed. */
  readonly retries: number;
}

/** What a receiver is sent, as JSON. Its form is told in docs/targets.md: receivers are written in any language. */
export interface JobMessage {
  /** The format's version. */
  readonly airlift: 1;
  readonly job: SentJob;
  /** When nobody waits for the job's end any more, in ms since the epoch. */
  readonly deadlineMs: number;
  /** Given if the receiver is to tell the end by itself. */
  readonly ack?: JobAck;
}

/** Several jobs at once. */
export interface JobBatchMessage {
  readonly airlift: 1;
  readonly jobs: readonly SentBatchJob[];
  /** Of the job that has the least time left. */
  readonly deadlineMs: number;
}

export interface SentBatchJob extends SentJob {
  /** Names the job in the reply. */
  readonly id: string;
  readonly ack?: JobAck;
}

/** How a job ended at its receiver; what becomes of a failure is decided by who reads it. */
export type RepliedOutcome =
  | { readonly kind: "ok"; readonly result?: unknown }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      /** How long the error asks to wait before another attempt. */
      readonly retryAfterMs?: number;
      /** Another attempt would end the same. */
      readonly isFinal?: true;
      /** It was stopped just before `deadlineMs`: who sent it knows whether it has had its time, or only its drain has. */
      readonly isOverdue?: true;
    }
  | { readonly kind: "retry"; readonly afterMs?: number; readonly reason?: string }
  | { readonly kind: "discard"; readonly reason?: string }
  | { readonly kind: "release"; readonly afterMs?: number };

/** What Airlift's own receivers answer. */
export interface JobReply {
  readonly airlift: 1;
  readonly outcome: RepliedOutcome;
}

export interface JobBatchReply {
  readonly airlift: 1;
  /** By the jobs' ids. */
  readonly outcomes: Readonly<Record<string, RepliedOutcome>>;
  /** Those that are not done, in the form in which a Lambda function reports them to SQS. */
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** @param ack if the receiver is to tell the end by itself */
export function toJobMessage(job: JobContext, ack?: JobAck): JobMessage {
  return { airlift: 1, job: toSentJob(job), deadlineMs: job.deadlineMs, ...(ack && { ack }) };
}

/** The jobs' ids are their places, from 0. */
export function toJobBatchMessage(
  jobs: readonly { readonly job: JobContext; readonly ack?: JobAck | undefined }[],
): JobBatchMessage {
  return {
    airlift: 1,
    jobs: jobs.map(({ job, ack }, index) => ({ id: String(index), ...toSentJob(job), ...(ack && { ack }) })),
    deadlineMs: Math.min(...jobs.map(({ job }) => job.deadlineMs)),
  };
}

function toSentJob(job: JobContext): SentJob {
  const { queue, class: className, args, raw: payload, attempt, retries } = job;
  return { queue, class: className, args, payload, attempt, retries };
}

/** A message as JSON; integers beyond 2^53 keep their digits. */
export function encodeJobMessage(message: JobMessage | JobBatchMessage): string {
  return stringifyJson(message);
}

/** Whether a message, or a job of a batch, is to be acknowledged. What arrived may be anything. */
export function wantsAck(message: unknown): boolean {
  const { ack, jobs } = Object(message) as { readonly ack?: unknown; readonly jobs?: readonly unknown[] };
  return ack !== undefined || (Array.isArray(jobs) && jobs.some((job) => Object(job).ack !== undefined));
}

/**
 * What a handler would have returned in the receiver's place: a directive, or its result. What a receiver that is not Airlift's answers is its
 * result, whatever it is.
 *
 * @throws RemoteJobError if the job failed there
 */
export function readJobReply(reply: unknown): unknown {
  return isOurs(reply) && "outcome" in reply ? readOutcome(reply.outcome) : reply;
}

/** How one job of a batch ended; may throw a RemoteJobError. */
export type BatchEnding = () => unknown;

/**
 * How each job of a batch ended. A receiver that is not Airlift's may name those that failed as `batchItemFailures`: it is read as Lambda reads it for
 * SQS, so one that names a job that was not sent has failed with all of them. Whatever else it answers, all are done.
 *
 * @param count how many jobs were sent
 */
export function readJobBatchReply(reply: unknown, count: number): readonly BatchEnding[] {
  const ids = Array.from({ length: count }, (_, index) => String(index));
  if (isOurs(reply) && "outcomes" in reply) {
    const outcomes = Object(reply.outcomes) as Record<string, unknown>;
    return ids.map((id) => () => readOutcome(Object.hasOwn(outcomes, id) ? outcomes[id] : undefined));
  }
  const failures = (Object(reply) as { batchItemFailures?: unknown }).batchItemFailures;
  if (!Array.isArray(failures)) return ids.map(() => () => undefined);
  const failed = new Set(failures.map((failure) => (Object(failure) as { itemIdentifier?: unknown }).itemIdentifier));
  const isWrong = [...failed].some((id) => !ids.includes(id as string));
  const message = isWrong
    ? "the function's batchItemFailures name a job that it was not sent, so all are taken for failed"
    : "the function named the job among its batchItemFailures";
  return ids.map((id) => () => {
    if (isWrong || failed.has(id)) throw new RemoteJobError({ exception: "BatchItemFailure", message, backtrace: [] });
  });
}

function isOurs(reply: unknown): reply is Record<string, unknown> {
  return typeof reply === "object" && reply !== null && "airlift" in reply && reply.airlift === 1;
}

function readOutcome(outcome: unknown): unknown {
  const { kind, result, failure, reason, afterMs, retryAfterMs, ...more } = Object(outcome) as Record<string, unknown>;
  const options = { ...(isMs(afterMs) && { afterMs }), ...(typeof reason === "string" && { reason }) };
  switch (kind) {
    case "ok":
      return result;
    case "retry":
      return retry(options);
    case "release":
      return release(options);
    case "discard":
      return discard(options.reason) satisfies Directive;
    case "failed":
      // Ended in a moment by its drain: by its time limit, or given back.
      if (more["isOverdue"] === true) return new Promise(() => undefined);
      throw new RemoteJobError(readFailure(failure), {
        ...(isMs(retryAfterMs) && { retryAfterMs }),
        isFinal: more["isFinal"] === true,
      });
    default: {
      const message = `the receiver did not tell how the job ended: expected an outcome of a kind that is known, got ${typeof kind === "object" ? "an object" : String(kind)}`;
      throw new RemoteJobError({ exception: "InvalidReply", message, backtrace: [] });
    }
  }
}

function readFailure(failure: unknown): Failure {
  const { exception, message, backtrace } = Object(failure) as Record<string, unknown>;
  return {
    exception: typeof exception === "string" && exception !== "" ? exception : "Error",
    message: typeof message === "string" ? message : "",
    backtrace: Array.isArray(backtrace) ? backtrace.filter((line) => typeof line === "string") : [],
  };
}

function isMs(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0;
}
