import { UsageError } from "./core/errors.ts";
import type { AdminContext } from "./resque/admin/admin-context.ts";
import type { FailedRemoved, FailedRetried, FailedRetry } from "./resque/admin/change-failed.ts";
import type { QueuedRemoved, QueuedSelection } from "./resque/admin/change-queue.ts";
import type { DelayedJobPage, DelayedSelection } from "./resque/admin/delayed.ts";
import type { DrainPage } from "./resque/admin/drains.ts";
import type { FailedPage, FailedPageOptions } from "./resque/admin/failed.ts";
import type { FailedList } from "./resque/admin/failed-lists.ts";
import type { FailedSelection } from "./resque/admin/failed-selection.ts";
import type { PageOptions } from "./resque/admin/page.ts";
import type { Paused, PauseTarget } from "./resque/admin/pause.ts";
import type { WorkerPruned } from "./resque/admin/prune-worker.ts";
import type { QueuedPage, QueuePage } from "./resque/admin/queues.ts";
import type { WaitingChanged, WaitingPage, WaitingSelection } from "./resque/admin/retries.ts";
import type { WorkerPage } from "./resque/admin/workers.ts";
import type { ScheduleBook } from "./resque/scheduler.ts";

/** The queues, written by Airlift or any other Resque program. */
export interface QueueAdmin {
  /** The queues with their sizes, sorted by name. */
  list(options?: PageOptions): Promise<QueuePage>;
  /** The jobs of a queue, the next one first, without taking them. */
  peek(queue: string, options?: PageOptions): Promise<QueuedPage>;
  /** Removes jobs wherever they stand in a queue, and frees the unique locks that they hold. */
  removeJobs(queue: string, selection: QueuedSelection): Promise<QueuedRemoved>;
  /** Removes all jobs of a queue, and frees the unique locks that they hold. */
  clear(queue: string): Promise<{ readonly removed: number }>;
  /** {@link clear}, and takes the queue off the list, until somebody puts a job into it. */
  remove(queue: string): Promise<{ readonly removed: number }>;
}

/** The workers of every Resque program. */
export interface WorkerAdmin {
  /** Those that are registered, and what they do. Each slot of a drain is one. */
  list(options?: PageOptions): Promise<WorkerPage>;
  /** Airlift's drains, each with the workers of it that hold a job. */
  drains(options?: PageOptions): Promise<DrainPage>;
  /**
   * Removes a dead worker of another program; the job that it held goes to `failed`, as Ruby Resque does it.
   *
   * @throws UsageError for a worker of a drain, and, without `force`, for one that has shown a sign of life in the last 300 s
   */
  prune(id: string, options?: { readonly force?: boolean }): Promise<WorkerPruned>;
}

/** The jobs that have failed. Nothing goes by a place in the list: an entry is named by the SHA-1 of its bytes. */
export interface FailedAdmin {
  /** `failed`, and the lists of Ruby's multi-queue backend. */
  lists(): Promise<readonly FailedList[]>;
  list(options?: FailedPageOptions): Promise<FailedPage>;
  /** Puts jobs back into their queues, each one's bytes as they were, and marks their entries. */
  retry(selection: FailedRetry): Promise<FailedRetried>;
  remove(selection: FailedSelection): Promise<FailedRemoved>;
  /** Empties a list at once. @default "failed" */
  clear(list?: string): Promise<{ readonly removed: number }>;
}

/** The jobs that wait for their next attempt. */
export interface RetryAdmin {
  /** Those that are due first at the front. */
  list(options?: PageOptions): Promise<WaitingPage>;
  count(): Promise<number>;
  /** Makes jobs due now: the next drain takes them to their queues. */
  run(selection: WaitingSelection): Promise<WaitingChanged>;
  remove(selection: WaitingSelection): Promise<WaitingChanged>;
}

/** The delayed jobs of resque-scheduler, node-resque and Airlift. */
export interface DelayedAdmin {
  /** Those that are due first at the front. */
  list(options?: PageOptions): Promise<DelayedJobPage>;
  count(): Promise<number>;
  cancel(selection: DelayedSelection): Promise<{ readonly cancelled: number; readonly missing: readonly string[] }>;
  /** Moves jobs to another time, a date or ms since the epoch. */
  reschedule(
    selection: DelayedSelection,
    to: number | Date,
  ): Promise<{ readonly rescheduled: number; readonly missing: readonly string[] }>;
}

/** Looks at what is in Redis, and changes it. What it needs is loaded with the first call. */
export interface AirliftAdmin {
  readonly queues: QueueAdmin;
  readonly workers: WorkerAdmin;
  readonly failed: FailedAdmin;
  readonly retries: RetryAdmin;
  readonly delayed: DelayedAdmin;
  /** Those of the option `scheduler`. */
  readonly schedules: ScheduleBook;
  /** Lets no more jobs be taken: of a queue, of a class, or any. What runs goes on. */
  pause(target?: PauseTarget): Promise<void>;
  /** Ends that very pause: a queue that is paused stays so when everything is resumed. */
  resume(target?: PauseTarget): Promise<void>;
  paused(): Promise<Paused>;
}

export function createAdmin(context: AdminContext, schedules: ScheduleBook | undefined): AirliftAdmin {
  const queues = () => import("./resque/admin/queues.ts");
  const changeQueue = () => import("./resque/admin/change-queue.ts");
  const changeFailed = () => import("./resque/admin/change-failed.ts");
  const retries = () => import("./resque/admin/retries.ts");
  const delayed = () => import("./resque/admin/delayed.ts");
  const pause = () => import("./resque/admin/pause.ts");
  return {
    queues: {
      list: async (options) => (await queues()).listQueues(context, options),
      peek: async (queue, options) => (await queues()).peekQueue(context, queue, options),
      removeJobs: async (queue, selection) => (await changeQueue()).removeQueuedJobs(context, queue, selection),
      clear: async (queue) => (await changeQueue()).clearQueue(context, queue),
      remove: async (queue) => (await changeQueue()).removeQueue(context, queue),
    },
    workers: {
      list: async (options) => (await import("./resque/admin/workers.ts")).listWorkers(context, options),
      drains: async (options) => (await import("./resque/admin/drains.ts")).listDrains(context, options),
      prune: async (id, options) => (await import("./resque/admin/prune-worker.ts")).pruneWorker(context, id, options),
    },
    failed: {
      lists: async () => (await import("./resque/admin/failed-lists.ts")).listFailedLists(context),
      list: async (options) => (await import("./resque/admin/failed.ts")).listFailed(context, options),
      retry: async (selection) => (await changeFailed()).retryFailed(context, selection),
      remove: async (selection) => (await changeFailed()).removeFailed(context, selection),
      clear: async (list) => (await changeFailed()).clearFailed(context, list),
    },
    retries: {
      list: async (options) => (await retries()).listRetries(context, options),
      count: async () => (await retries()).countRetries(context),
      run: async (selection) => (await retries()).runRetries(context, selection),
      remove: async (selection) => (await retries()).removeRetries(context, selection),
    },
    delayed: {
      list: async (options) => (await delayed()).listDelayedJobs(context, options),
      count: async () => (await delayed()).countDelayedJobs(context),
      cancel: async (selection) => (await delayed()).cancelDelayedJobs(context, selection),
      reschedule: async (selection, to) => (await delayed()).rescheduleDelayedJobs(context, selection, to),
    },
    schedules: schedules ?? NO_SCHEDULES,
    pause: async (target) => (await pause()).pause(context, target),
    resume: async (target) => (await pause()).resume(context, target),
    paused: async () => (await pause()).listPaused(context),
  };
}

const refuse = async (): Promise<never> => {
  throw new UsageError('schedules: this app has none; expected the option scheduler: cron() of "airlift/cron"');
};
const NO_SCHEDULES: ScheduleBook = { list: refuse, set: refuse, remove: refuse };
