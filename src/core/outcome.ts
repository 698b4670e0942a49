import type { JobAck } from "./job-ack.ts";

/**
 * The words of this code base.
 *
 * - job: one piece of work; payload: its bytes in the queue; class: the name that says which handler runs it
 * - queue: a list of payloads; worker: what the Resque world sees of a slot
 * - drain: one run that empties queues; slot: one unit of its concurrency
 * - claim: a job in a slot, held under the drain's lease and known by its token
 * - lease: how long a drain may be silent before others take its claims back
 * - attempt: one run of a job; outcome: how an attempt ended; failed: the list of those that ended badly
 * - target: where a job runs instead of in the drain, as in a function; receiver: what runs it there
 * - detached: handed to a receiver that acknowledges the job's end by itself; its lease is the receiver's then
 * - retry: a further attempt after a failed one; delayed: not to be queued before its time; promote: to queue what is due
 */

/** What is written about a failure. */
export interface Failure {
  /** The error's class, as `PaymentDeclined`. */
  readonly exception: string;
  readonly message: string;
  /** One frame or remark a line. */
  readonly backtrace: readonly string[];
}

/**
 * How a claim ended.
 *
 * - `ok`: done
 * - `discarded`: done, as its handler found nothing to do
 * - `failed`: goes to the failed list
 * - `dropped`: failed, and is kept nowhere
 * - `retrying`: failed, and waits for its next attempt
 * - `postponed`: waits, unchanged, no attempt counted
 * - `detached`: handed to a receiver that acknowledges its end by itself; without that it is back after `afterMs`, one crash counted
 * - `released`: back to the head of its queue, unchanged, no attempt counted
 * - `requeued`: to the tail of its queue, unchanged, no attempt counted
 */
export type Outcome =
  | { readonly kind: "ok"; readonly result?: unknown }
  | { readonly kind: "discarded"; readonly reason: string | undefined }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "dropped"; readonly failure: Failure }
  | { readonly kind: "retrying"; readonly failure: Failure; readonly afterMs: number }
  | { readonly kind: "postponed"; readonly afterMs: number }
  | DetachedOutcome
  | { readonly kind: "released" }
  | { readonly kind: "requeued" };

export interface DetachedOutcome {
  readonly kind: "detached";
  /** How long the receiver has. */
  readonly afterMs: number;
  /**
   * Sends the job to its receiver, once it has left the drain. Never rejects.
   *
   * @returns how it ended all the same; undefined if the receiver will tell
   */
  readonly dispatch: (ack: JobAck, options: { readonly signal: AbortSignal }) => Promise<Outcome | undefined>;
}

export const OK: Outcome = { kind: "ok" };
export const RELEASED: Outcome = { kind: "released" };
export const REQUEUED: Outcome = { kind: "requeued" };

/** Whether a job that has ended so is over for good: it neither waits nor goes back to its queue. */
export function isOver({ kind }: Outcome): boolean {
  return kind === "ok" || kind === "discarded" || kind === "failed" || kind === "dropped";
}
