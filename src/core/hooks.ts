import type { EmitAppEvent } from "./app-event.ts";
import type { Clock } from "./clock.ts";
import type { JobContext, Logger } from "./job-context.ts";
import type { CompletedJob } from "./job-status.ts";
import type { Outcome } from "./outcome.ts";
import type { DrainReport } from "./report.ts";
import type { RetryOptions } from "./retry.ts";
import type { Settlement } from "./store.ts";

/** A job on its way into its queue. */
export interface EnqueuedJob {
  readonly queue: string;
  readonly class: string;
  readonly args?: readonly unknown[];
}

/**
 * Functions that are told of a job at the moments at which Ruby Resque calls its hooks. What one throws is logged and changes nothing. One
 * that returns a promise is waited for where it says so, up to 5 seconds, and then left to itself.
 */
export interface JobHooks {
  /** Before the handler and its middleware, which wait for it; that time is the job's. A job whose arguments are refused never gets here. */
  readonly beforePerform?: (job: JobContext) => unknown;
  /** The job is done: its handler has returned, and nothing but a result. The drain waits for it at its end. */
  readonly afterPerform?: (job: JobContext, result: unknown) => unknown;
  /** An attempt has failed; `outcome` says whether another follows. The drain waits for it at its end. */
  readonly onFailure?: (job: JobContext, error: unknown, outcome: Outcome) => unknown;
  /**
   * A job is over for good: done, discarded, failed or dropped, and Redis has taken that in. Called once for each job, though if its drain dies at
   * that moment it is not. The drain waits for it at its end.
   */
  readonly onComplete?: (job: CompletedJob) => unknown;
  /** Before a job of this app's is enqueued, which waits for it. If it returns false, the job is not enqueued. */
  readonly beforeEnqueue?: (job: EnqueuedJob) => unknown;
  /** The job is in its queue, or waits for its time. The caller of `enqueue` waits for it. */
  readonly afterEnqueue?: (job: EnqueuedJob) => unknown;
}

/** Hooks of a whole app. */
export interface AppHooks extends JobHooks {
  /** A drain that had something to do has emptied its queues. */
  readonly queueEmpty?: (report: DrainReport) => unknown;
  /** A drain has ended, whatever it found. `drain()` waits for it, but not beyond the drain's deadline. */
  readonly drainEnd?: (report: DrainReport) => unknown;
}

/** Whoever has hooks of its own: a class. */
export interface HookOwner {
  readonly hooks?: JobHooks | undefined;
  /** Its `onExhausted` is waited for as a hook is. */
  readonly retry?: Pick<RetryOptions, "onExhausted"> | undefined;
}

export interface HooksOptions {
  readonly app: AppHooks | undefined;
  readonly find: (className: string) => HookOwner | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit?: EmitAppEvent;
}

/** Calls hooks: the app's, then the class's. Nothing here ever throws, and no promise rejects or takes longer than the limit. */
export interface Hooks {
  /** Undefined if there is nothing to wait for. */
  beforePerform(definition: HookOwner, job: JobContext): Promise<unknown> | undefined;
  /** The jobs that may be enqueued; a promise only if a hook is asynchronous. */
  beforeEnqueue<Job extends EnqueuedJob>(
    jobs: readonly Job[],
    of?: HookOwner,
  ): readonly Job[] | Promise<readonly Job[]>;
  afterEnqueue(jobs: readonly EnqueuedJob[], of?: HookOwner): Promise<unknown> | undefined;
  openDrain(): DrainHooks;
}

/** The hooks of one drain. */
export interface DrainHooks {
  /** @param told the handler's result, or the error */
  afterJob(definition: HookOwner, job: JobContext, outcome: Outcome, told: unknown): void;
  /** Whether `completed` will want to know what the handler returned. */
  keepsResult(definition: HookOwner): boolean;
  /** Settlements that the store has taken. */
  completed(settlements: readonly Settlement[], lost: readonly Settlement[]): void;
  /** Waits for this, too, at the end. It must not reject. */
  waitFor(promise: Promise<unknown>): void;
  /** Ends, at `deadlineMs` at the latest, when all hooks of the drain have ended. Without a report the drain has thrown. */
  end(report: DrainReport | undefined, deadlineMs: number | undefined): Promise<void>;
}
