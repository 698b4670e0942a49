import type { Airlift } from "../airlift.ts";
import type { ANSWERS } from "./admin-answers.ts";
import * as requests from "./admin-requests.ts";

/** What an admin route is called with. */
export interface AdminCall {
  readonly airlift: Airlift;
  /** The query or the body, as the route's own schema has read it. */
  // biome-ignore lint/suspicious/noExplicitAny: a type for each route would say the same as its schema, which stands beside it
  readonly input: any;
  /** Of a route with `:queue`. */
  readonly queue: string;
  /** When the host wants an answer, in ms since the epoch. */
  readonly deadlineMs: number;
}

/** One route of the admin API. Those of GET look, those of POST change something. */
export interface AdminRoute {
  readonly method: "get" | "post";
  readonly path: string;
  /** In the OpenAPI document. */
  readonly id: string;
  readonly summary: string;
  readonly input: requests.RequestSchema;
  readonly answer: keyof typeof ANSWERS;
  run(call: AdminCall): Promise<unknown>;
}

const queues: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/queues", id: "listQueues", summary: "Queues with their sizes" },
    ...{ input: requests.PageQuery, answer: "Queues" },
    run: ({ airlift, input }) => airlift.queues.list(input),
  },
  {
    ...{ method: "get", path: "/queues/:queue/jobs", id: "peekQueue", summary: "Jobs of a queue, the next one first" },
    ...{ input: requests.PageQuery, answer: "QueuedJobs" },
    run: ({ airlift, queue, input }) => airlift.queues.peek(queue, input),
  },
  {
    ...{
      method: "post",
      path: "/queues/:queue/jobs/remove",
      id: "removeQueuedJobs",
      summary: "Remove jobs from a queue",
    },
    ...{ input: requests.RemoveQueuedBody, answer: "QueuedRemoved" },
    run: ({ airlift, queue, input }) => airlift.queues.removeJobs(queue, input),
  },
  {
    ...{ method: "post", path: "/queues/:queue/clear", id: "clearQueue", summary: "Remove all jobs of a queue" },
    ...{ input: requests.NoBody, answer: "Removed" },
    run: ({ airlift, queue }) => airlift.queues.clear(queue),
  },
  {
    ...{ method: "post", path: "/queues/:queue/remove", id: "removeQueue", summary: "Remove a queue and all its jobs" },
    ...{ input: requests.NoBody, answer: "Removed" },
    run: ({ airlift, queue }) => airlift.queues.remove(queue),
  },
];

const workers: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/workers", id: "listWorkers", summary: "Workers of every program, and what they do" },
    ...{ input: requests.PageQuery, answer: "Workers" },
    run: ({ airlift, input }) => airlift.workers.list(input),
  },
  {
    ...{ method: "get", path: "/drains", id: "listDrains", summary: "Airlift's drains, and the jobs that they hold" },
    ...{ input: requests.PageQuery, answer: "Drains" },
    run: ({ airlift, input }) => airlift.workers.drains(input),
  },
  {
    ...{
      method: "post",
      path: "/workers/prune",
      id: "pruneWorker",
      summary: "Remove a dead worker of another program",
    },
    ...{ input: requests.PruneBody, answer: "WorkerPruned" },
    run: ({ airlift, input: { id, ...options } }) => airlift.workers.prune(id, options),
  },
];

const failed: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/failed", id: "listFailed", summary: "Failed jobs" },
    ...{ input: requests.FailedQuery, answer: "FailedJobs" },
    run: ({ airlift, input }) => airlift.failed.list(input),
  },
  {
    ...{ method: "get", path: "/failed/lists", id: "listFailedLists", summary: "The lists of failed jobs" },
    ...{ input: requests.NoBody, answer: "FailedLists" },
    run: async ({ airlift }) => ({ lists: await airlift.failed.lists() }),
  },
  {
    ...{ method: "post", path: "/failed/retry", id: "retryFailed", summary: "Put failed jobs back into their queues" },
    ...{ input: requests.RetryFailedBody, answer: "FailedRetried" },
    run: ({ airlift, input, deadlineMs }) => airlift.failed.retry({ ...input, deadlineMs }),
  },
  {
    ...{ method: "post", path: "/failed/remove", id: "removeFailed", summary: "Remove failed jobs" },
    ...{ input: requests.RemoveFailedBody, answer: "FailedRemoved" },
    run: ({ airlift, input, deadlineMs }) => airlift.failed.remove({ ...input, deadlineMs }),
  },
];

const waiting: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/retries", id: "listRetries", summary: "Jobs that wait for their next attempt" },
    ...{ input: requests.PageQuery, answer: "WaitingJobs" },
    run: ({ airlift, input }) => airlift.retries.list(input),
  },
  {
    ...{ method: "post", path: "/retries/run", id: "runRetries", summary: "Make waiting jobs due now" },
    ...{ input: requests.WaitingBody, answer: "WaitingChanged" },
    run: ({ airlift, input }) => airlift.retries.run(input),
  },
  {
    ...{ method: "post", path: "/retries/remove", id: "removeRetries", summary: "Remove waiting jobs" },
    ...{ input: requests.WaitingBody, answer: "WaitingChanged" },
    run: ({ airlift, input }) => airlift.retries.remove(input),
  },
  {
    ...{ method: "get", path: "/delayed", id: "listDelayed", summary: "Delayed jobs" },
    ...{ input: requests.PageQuery, answer: "DelayedJobs" },
    run: ({ airlift, input }) => airlift.delayed.list(input),
  },
  {
    ...{ method: "post", path: "/delayed/cancel", id: "cancelDelayed", summary: "Remove delayed jobs" },
    ...{ input: requests.CancelBody, answer: "DelayedCancelled" },
    run: ({ airlift, input }) => airlift.delayed.cancel(input),
  },
  {
    ...{ method: "post", path: "/delayed/reschedule", id: "rescheduleDelayed", summary: "Move delayed jobs" },
    ...{ input: requests.RescheduleBody, answer: "DelayedRescheduled" },
    run: ({ airlift, input: { to, ...selection } }) => airlift.delayed.reschedule(selection, to),
  },
];

const schedules: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/schedules", id: "listSchedules", summary: "Schedules" },
    ...{ input: requests.NoBody, answer: "Schedules" },
    run: async ({ airlift }) => ({ schedules: await airlift.schedules.list() }),
  },
  {
    ...{ method: "post", path: "/schedules", id: "setSchedule", summary: "Write a schedule to Redis" },
    ...{ input: requests.SetScheduleBody, answer: "ScheduleSet" },
    async run({ airlift, input: { name, schedule } }) {
      await airlift.schedules.set(name, schedule);
      return { name };
    },
  },
  {
    ...{ method: "post", path: "/schedules/remove", id: "removeSchedule", summary: "Remove a schedule from Redis" },
    ...{ input: requests.RemoveScheduleBody, answer: "ScheduleRemoved" },
    run: async ({ airlift, input: { name } }) => ({ removed: await airlift.schedules.remove(name) }),
  },
];

const pauses: readonly AdminRoute[] = [
  {
    ...{ method: "get", path: "/paused", id: "listPaused", summary: "What is paused" },
    ...{ input: requests.NoBody, answer: "Paused" },
    run: ({ airlift }) => airlift.paused(),
  },
  {
    ...{ method: "post", path: "/pause", id: "pause", summary: "Pause a queue, a class, or everything" },
    ...{ input: requests.PauseBody, answer: "Paused" },
    async run({ airlift, input }) {
      await airlift.pause(input);
      return airlift.paused();
    },
  },
  {
    ...{ method: "post", path: "/resume", id: "resume", summary: "End a pause" },
    ...{ input: requests.PauseBody, answer: "Paused" },
    async run({ airlift, input }) {
      await airlift.resume(input);
      return airlift.paused();
    },
  },
];

/** All of them. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  ...[...queues, ...workers, ...failed, ...waiting, ...schedules, ...pauses],
];
