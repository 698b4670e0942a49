import { ACCEPTED, type Directive, detach, UNSENT } from "../core/directive.ts";
import { AirliftError, UsageError } from "../core/errors.ts";
import type { JobContext, Perform } from "../core/job.ts";
import { encodeJobMessage, toJobMessage } from "../core/job-message.ts";
import { type BatchItem, type BatchOptions, checkBatchOptions, createBatcher } from "./batch.ts";
import { afterFault } from "./cloudflare-fault.ts";

/** What `env` holds for a producer of `queues`. */
export interface QueueBinding {
  send(body: unknown, options?: { readonly contentType?: "text" | "json" }): Promise<unknown>;
  sendBatch(messages: Iterable<{ readonly body: unknown; readonly contentType?: "text" | "json" }>): Promise<unknown>;
}

/** @see queue */
export interface QueueOptions {
  /**
   * How long the consumer has to acknowledge a job, in milliseconds, the time that the job waits in the Queue included. After that it goes back to
   * where the drain has taken it from.
   *
   * @default 3_600_000
   */
  readonly leaseMs?: number;
  /** Several messages in one request, 100 at most. @default one each */
  readonly batch?: BatchOptions;
}

/** @see QueueOptions */
export const DEFAULT_QUEUE_OPTIONS: { readonly leaseMs: 3_600_000 } = { leaseMs: 3_600_000 };

/** A job that a Queue cannot carry, whenever it is tried. */
export class QueueMessageError extends AirliftError {
  override readonly name = "QueueMessageError" as const;
  readonly isFinal = true as const;

  constructor(message: string) {
    super("ERR_QUEUE_MESSAGE", message);
  }
}

const WHAT = "the Queue";
/** Of a message, and of what is sent at once, in bytes; Cloudflare keeps about 100 of each message for itself. */
const MAX_MESSAGE_BYTES = 128_000 - 100;
const MAX_BATCH_BYTES = 256_000;
const MAX_BATCH_SIZE = 100;
/** What an acknowledgement needs; a queue's name and an id are in it. */
const ACK_BYTES = 2_000;
const MAX_LEASE_MS = 14 * 86_400_000;

interface Sent extends BatchItem {
  readonly job: JobContext;
  readonly body: string;
  readonly bytes: number;
}

/**
 * Hands jobs to a Cloudflare Queue, whose consumer runs and acknowledges them: `toJobWorker` with a job function that has the drain's `redis`. The drain
 * does not wait. A message is the text of the JSON of docs/targets.md.
 *
 * - accepted: the consumer ends the job, or it goes back when `leaseMs` are over
 * - it takes no more for now, or this Worker may make no more requests: again after a while, no attempt counted
 * - any other error: `retry()`, as it may have arrived
 * - more than 128 KB: failed, by a QueueMessageError, before anything is sent
 *
 * @param binding asked for at each job, as `() => env.REPORTS`
 * @example
 * ```ts
 * import { queue } from "airlift/target/cloudflare";
 *
 * const report = defineJob({ class: "BuildReport", perform: queue(() => env.REPORTS) });
 * ```
 * @throws UsageError for a wrong option
 */
export function queue(binding: () => QueueBinding, options: QueueOptions = {}): Perform<unknown> {
  checkOptions(binding, options);
  const { leaseMs = DEFAULT_QUEUE_OPTIONS.leaseMs, batch } = options;
  const found = (): QueueBinding => {
    const producer = binding();
    if (typeof Object(producer).sendBatch === "function") return producer;
    throw new UsageError(`queue: expected the producer's binding, got ${typeof producer}: is it in wrangler.jsonc?`);
  };

  const sendOne = async ({ job, body }: Sent): Promise<unknown> => {
    const taken = await take(() => found().send(body, { contentType: "text" }));
    if (taken === ACCEPTED) job.used({ requests: 1 });
    return taken;
  };
  const sendAll = async (items: readonly Sent[]) => {
    const taken = await take(() => found().sendBatch(items.map(({ body }) => ({ body, contentType: "text" }))));
    if (taken === ACCEPTED) for (const [index, { job }] of items.entries()) job.used({ requests: index === 0 ? 1 : 0 });
    return items.map(() => () => taken);
  };
  const send = batch
    ? createBatcher<Sent>({
        ...{ ...batch, maxChars: MAX_BATCH_BYTES, charsOf: ({ bytes }) => bytes },
        ...{ send: sendAll, unsent: UNSENT },
      })
    : sendOne;

  const perform = (_args: unknown, job: JobContext): Directive => {
    const deadlineMs = Date.now() + leaseMs;
    // Before the job leaves the drain, if that would be in vain.
    measure(encodeJobMessage({ ...toJobMessage(job), deadlineMs }), ACK_BYTES);
    return detach({
      leaseMs,
      dispatch(ack, { signal }) {
        const body = encodeJobMessage({ ...toJobMessage(job, ack), deadlineMs });
        return send({ job, body, bytes: measure(body), signal });
      },
    });
  };
  // To send it, and to take it back if that fails.
  return Object.assign(perform, { detaches: true as const, uses: { requests: 2, connections: 1 } });
}

async function take(send: () => Promise<unknown>): Promise<unknown> {
  try {
    await send();
    return ACCEPTED;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return afterFault(error, WHAT);
  }
}

/** @throws QueueMessageError if it is too large */
function measure(body: string, more = 0): number {
  const bytes = new TextEncoder().encode(body).byteLength + more;
  if (bytes <= MAX_MESSAGE_BYTES) return bytes + 100;
  throw new QueueMessageError(
    `the message for the Queue has ${bytes} bytes; it takes ${MAX_MESSAGE_BYTES}, and a message holds a job's arguments twice`,
  );
}

const KNOWN = ["leaseMs", "batch"];

/** @throws UsageError */
function checkOptions(binding: unknown, options: QueueOptions): void {
  const wrong = (what: string): UsageError => new UsageError(`queue: ${what}`);
  if (typeof binding !== "function") throw wrong(`expected a function, as () => env.REPORTS, got ${typeof binding}`);
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw wrong(`${unknown}: unknown option; known: ${KNOWN.join(", ")}`);
  const { leaseMs = DEFAULT_QUEUE_OPTIONS.leaseMs, batch } = options;
  if (!(Number.isInteger(leaseMs) && leaseMs >= 1_000 && leaseMs <= MAX_LEASE_MS)) {
    throw wrong(`leaseMs: expected an integer from 1000 to 14 days, got ${String(leaseMs)}`);
  }
  if (batch === undefined) return;
  checkBatchOptions("queue", batch);
  if (batch.size > MAX_BATCH_SIZE) throw wrong(`batch.size: expected at most ${MAX_BATCH_SIZE}, got ${batch.size}`);
}
