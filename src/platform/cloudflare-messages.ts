import { UsageError } from "../core/errors.ts";
import type { Logger } from "../core/job-context.ts";
import { type JobBatchReply, type JobReply, type RepliedOutcome, wantsAck } from "../core/job-message.ts";
import { parseJson } from "../core/json.ts";
import type { JobFunction } from "../job-function/job-function.ts";

/** A message of a Queue, as far as it is needed. */
export interface WorkerMessage {
  readonly id: string;
  readonly body: unknown;
  ack(): void;
  retry(options?: { readonly delaySeconds?: number }): void;
}

/** What a Queue brings to a Worker at once. */
export interface WorkerMessageBatch {
  readonly queue: string;
  readonly messages: readonly WorkerMessage[];
}

/** The store that the end of a job has to be told to may be back by then. */
const STORE_DELAY_SECONDS = 30;
/** Cloudflare's own limit. */
const MAX_DELAY_SECONDS = 43_200;

/** How the delivery of a message ends: it is over, or comes again. */
type Delivery = { readonly kind: "over" } | { readonly kind: "again"; readonly afterMs?: number | undefined };

/** When Cloudflare ends what takes a batch. */
export const MAX_INVOCATION_MS = 900_000;

/**
 * Runs the jobs of messages, and ends each message's delivery by its own. A job that is to be acknowledged has been settled when it has run, so its
 * message is over. Of other jobs, as from a producer of your own, the Queue delivers again what failed, until its own limit.
 */
export async function takeJobMessages(
  jobFunction: JobFunction | undefined,
  messages: readonly WorkerMessage[],
  logger?: Pick<Logger, "error">,
): Promise<void> {
  const deadlineMs = Date.now() + MAX_INVOCATION_MS;
  await Promise.all(
    messages.map(async (message) => {
      try {
        endDelivery(message, await take(jobFunction, message, deadlineMs));
      } catch (error) {
        message.retry({ delaySeconds: STORE_DELAY_SECONDS });
        // What the Queue cannot deliver is dropped in the end, or goes to its dead-letter queue: somebody should know why.
        logger?.error("a message of a Queue was not taken; it is delivered again", { id: message.id, error });
      }
    }),
  );
}

async function take(
  jobFunction: JobFunction | undefined,
  { body }: WorkerMessage,
  deadlineMs: number,
): Promise<Delivery> {
  if (!jobFunction) throw new UsageError("a Queue brought a job, but toWorker was given no jobFunction to run it");
  const sent = typeof body === "string" ? parseJson(body) : body;
  const reply = await jobFunction.run(sent, { deadlineMs });
  return wantsAck(sent) ? OVER : deliveryAfter(reply);
}

function endDelivery(message: WorkerMessage, delivery: Delivery): void {
  if (delivery.kind === "over") message.ack();
  else if (delivery.afterMs === undefined) message.retry();
  else message.retry({ delaySeconds: Math.min(MAX_DELAY_SECONDS, Math.ceil(delivery.afterMs / 1_000)) });
}

const OVER: Delivery = { kind: "over" };

function deliveryAfter(reply: JobReply | JobBatchReply): Delivery {
  const outcomes = "outcome" in reply ? [reply.outcome] : Object.values(reply.outcomes);
  const [unfinished] = outcomes.filter(({ kind }) => kind !== "ok" && kind !== "discard");
  return unfinished ? { kind: "again", afterMs: waitOf(unfinished) } : OVER;
}

function waitOf(outcome: RepliedOutcome): number | undefined {
  if (outcome.kind === "failed") return outcome.retryAfterMs;
  return "afterMs" in outcome ? outcome.afterMs : undefined;
}
