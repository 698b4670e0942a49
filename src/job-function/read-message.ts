import { UsageError } from "../core/errors.ts";
import type { JobAck } from "../core/job-ack.ts";
import type { BigIntegers } from "../core/json.ts";
import type { ClaimedJob } from "../core/store.ts";
import { encodePayload, parsePayload } from "../resque/payload.ts";

/** A job as its receiver sees it. */
export interface ReceivedJob {
  /** Of a job in a batch. */
  readonly id: string;
  readonly queue: string;
  readonly job: ClaimedJob;
  /** Given if the receiver is to tell the end by itself. */
  readonly ack: JobAck | undefined;
}

export interface ReceivedMessage {
  readonly jobs: readonly ReceivedJob[];
  readonly isBatch: boolean;
  /** When nobody waits any more, in ms since the epoch; Infinity if the message does not say. */
  readonly deadlineMs: number;
}

/**
 * Reads a message (core/job-message.ts). One that was written by hand needs no more than a job's class.
 *
 * @throws UsageError if it is none
 */
export function readMessage(message: unknown, bigIntegers: BigIntegers): ReceivedMessage {
  const { airlift, job, jobs, ack, deadlineMs } = record(message) ?? {};
  if (airlift !== 1) {
    const got =
      airlift === undefined
        ? "none"
        : `version ${typeof airlift === "object" ? "in an object" : String(airlift).slice(0, 40)}`;
    throw new UsageError(
      `a job function takes Airlift's messages of version 1, { airlift: 1, job: { class, … } }; got ${got}`,
    );
  }
  const isBatch = jobs !== undefined;
  const sent: readonly unknown[] = isBatch ? asList(jobs) : [{ ...record(job), ack }];
  return {
    jobs: sent.map((each, index) => readJob(each, index, bigIntegers)),
    isBatch,
    deadlineMs: typeof deadlineMs === "number" ? deadlineMs : Number.POSITIVE_INFINITY,
  };
}

function readJob(sent: unknown, index: number, bigIntegers: BigIntegers): ReceivedJob {
  const { id, queue, class: className, args, payload, attempt, retries, ack } = record(sent) ?? {};
  const raw =
    typeof payload === "string" ? payload : encodePayload(className as string, (args ?? []) as readonly unknown[]);
  const job = parsePayload(raw, bigIntegers);
  // Who sent it counts as it does here, but for senders that count otherwise.
  const counted = { ...(isCount(attempt) && { attempt }), ...(isCount(retries) && { retries }) };
  return {
    id: typeof id === "string" ? id : String(index),
    queue: typeof queue === "string" ? queue : "",
    job: job.kind === "job" ? { ...job, ...counted } : job,
    ack: record(ack),
  };
}

function asList(jobs: unknown): readonly unknown[] {
  if (Array.isArray(jobs)) return jobs;
  throw new UsageError(`a job function: jobs: expected a list, got ${typeof jobs}`);
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
