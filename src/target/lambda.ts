import { ACCEPTED, detach, isDirective, UNSENT } from "../core/directive.ts";
import type { JobContext, Perform } from "../core/job.ts";
import type { JobAck } from "../core/job-ack.ts";
import {
  type BatchEnding,
  encodeJobMessage,
  type JobBatchMessage,
  type JobMessage,
  readJobBatchReply,
  readJobReply,
  toJobBatchMessage,
  toJobMessage,
} from "../core/job-message.ts";
import { type BatchItem, createBatcher } from "./batch.ts";
import { checkSize, createLambdaFunction, MAX_BYTES } from "./lambda-invoke.ts";
import { checkLambdaOptions, DEFAULT_LAMBDA_OPTIONS, type LambdaOptions } from "./lambda-options.ts";

export type { BatchOptions } from "./batch.ts";
export { LambdaError } from "./lambda-error.ts";
export { DEFAULT_LAMBDA_OPTIONS, type LambdaClientLike, type LambdaOptions } from "./lambda-options.ts";

/**
 * Runs jobs in an AWS Lambda function: Airlift's own receiver (`createJobFunction`), or one in any language that takes the message of docs/targets.md.
 * Needs the package @aws-sdk/client-lambda, which is loaded at the first job, and the permission `lambda:InvokeFunction`.
 *
 * - it returns: done, unless Airlift's own receiver says otherwise
 * - it throws, runs out of time or memory: failed, by the error's type, message and stack
 * - throttled, or Lambda itself fails: again in some seconds, no attempt counted
 * - no answer: `retry()`, as it may have run
 * - it is not there, may not be invoked, or the job is too large for it: failed, by a LambdaError
 *
 * @example
 * ```ts
 * import { defineJob } from "airlift";
 * import { lambda } from "airlift/target/lambda";
 *
 * const resize = defineJob({ class: "ResizeImage", timeoutMs: 30_000, retry: { limit: 3 }, perform: lambda("resize-image") });
 * const encode = defineJob({ class: "EncodeVideo", perform: lambda("encode-video", { invocation: "async" }) });
 * ```
 * @param functionName its name or ARN
 * @throws UsageError for a wrong name or option
 */
export function lambda(functionName: string, options: LambdaOptions = {}): Perform<unknown> {
  checkLambdaOptions(functionName, options);
  const { invocation = "sync", leaseMs = DEFAULT_LAMBDA_OPTIONS.leaseMs, batch } = options;
  const lambdaFunction = createLambdaFunction(functionName, options);

  const sendOne = async (sent: Sent): Promise<unknown> => {
    const answer = await lambdaFunction.call(sent.message ?? encode(messageOf(sent)), sent.signal);
    if (isDirective(answer)) return answer;
    return invocation === "async" ? ACCEPTED : readJobReply(answer.returned);
  };

  const sendAll = async (items: readonly Sent[], signal: AbortSignal): Promise<readonly BatchEnding[]> => {
    const deadlineMs = Math.min(...items.map((item) => item.deadlineMs));
    const answer = await lambdaFunction.call(encode({ ...toJobBatchMessage(items), deadlineMs }), signal);
    if (isDirective(answer)) return items.map(() => () => answer);
    return invocation === "async" ? items.map(() => () => ACCEPTED) : readJobBatchReply(answer.returned, items.length);
  };

  const maxBytes = MAX_BYTES[invocation] - FRAME_BYTES;
  const unsent = invocation === "async" ? UNSENT : undefined;
  const send = batch
    ? createBatcher<Sent>({ ...batch, maxChars: maxBytes, charsOf: ({ bytes }) => bytes, send: sendAll, unsent })
    : sendOne;

  const perform: Perform<unknown> = (_args, job) => {
    const deadlineMs = invocation === "async" ? Date.now() + leaseMs : job.deadlineMs;
    const message = encode(messageOf({ job, deadlineMs }));
    const bytes = message.byteLength;
    if (invocation === "sync") {
      checkSize(bytes, functionName, invocation);
      return send({ job, message, bytes, signal: job.signal, deadlineMs });
    }
    // Before the job leaves the drain, if that would be in vain.
    checkSize(bytes + ACK_BYTES, functionName, invocation);
    return detach({
      leaseMs,
      dispatch: (ack, { signal }) => send({ job, ack, bytes: bytes + ACK_BYTES, signal, deadlineMs }),
    });
  };
  return invocation === "async" ? Object.assign(perform, { detaches: true as const }) : perform;
}

/** What the message of a batch has around its jobs. */
const FRAME_BYTES = 1_000;
/** What an acknowledgement needs; a queue's name and an id are in it. */
const ACK_BYTES = 2_000;

/** A job on its way. */
interface Sent extends BatchItem {
  readonly job: JobContext;
  readonly ack?: JobAck;
  /** If it is known already. */
  readonly message?: Uint8Array;
  readonly bytes: number;
  /** When nobody waits for the job's end any more. */
  readonly deadlineMs: number;
}

function messageOf({ job, ack, deadlineMs }: Pick<Sent, "job" | "ack" | "deadlineMs">): JobMessage {
  return { ...toJobMessage(job, ack), deadlineMs };
}

function encode(message: JobMessage | JobBatchMessage): Uint8Array {
  return new TextEncoder().encode(encodeJobMessage(message));
}
