/**
 * Why a drain ended.
 *
 * - `empty`: every queue is empty and the drain's own jobs have ended
 * - `deadline`: the host's time is up
 * - `paused`: what is left is in paused queues, or of paused classes
 * - `limited`: what is left may not start yet, because of the limits of its classes; `nextDueMs` says when, if it is a matter of time
 * - `budget`: `maxJobs` is reached, or what is left of the host's limits is needed for what was begun
 * - `aborted`: the caller's signal
 * - `lost`: the drain was silent for longer than its lease (a frozen process), and another has taken its jobs back
 * - `busy`: only one drain may claim at a time (`single`), and that is another
 */
export type StopReason = "empty" | "deadline" | "paused" | "limited" | "budget" | "aborted" | "lost" | "busy";

/** What a drain did and what it cost. */
export interface DrainReport {
  readonly stopped: StopReason;
  /** Jobs taken from queues. */
  readonly claimed: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Attempts that failed and will be followed by another. */
  readonly retried: number;
  /** Jobs whose handler, or retry policy, found nothing to do. */
  readonly discarded: number;
  /** Jobs handed to receivers that acknowledge their ends by themselves. */
  readonly detached: number;
  /** Jobs given back, unchanged: at the deadline, on abort, by their handler, or of a class that this app does not know. */
  readonly released: number;
  /** Jobs of dead drains that went back to their queues. */
  readonly recovered: number;
  /** Jobs that were due, delayed ones and retries, and came to their queues. */
  readonly promoted: number;
  /** Jobs that were due by a schedule and came to their queues. */
  readonly scheduled: number;
  /** Jobs that another drain had taken back before their end could be written. */
  readonly lost: number;
  /** Jobs left in the drain's queues. */
  readonly remaining: number;
  /** Drains that the host was asked to start: siblings, a successor. */
  readonly drainsStarted: number;
  /** When the next job is due, or may start under the rate of its class, in ms since the epoch, as far as the drain could see; undefined if none waits. */
  readonly nextDueMs?: number | undefined;
  /** Redis commands, as Upstash bills them. */
  readonly commands: number;
  /** HTTP requests, or round trips over TCP. */
  readonly requests: number;
  readonly durationMs: number;
}
