export type { AirliftAdmin, DelayedAdmin, FailedAdmin, QueueAdmin, RetryAdmin, WorkerAdmin } from "./admin.ts";
export {
  type Airlift,
  createAirlift,
  type DrainOptions,
  type EnqueueAllOptions,
  type Enqueued,
  type EnqueuedAll,
} from "./airlift.ts";
export type { CheckIn } from "./core/checkins.ts";
export { type Directive, discard, release, retry } from "./core/directive.ts";
export { DrainError } from "./core/drain.ts";
export type { UnknownClassPolicy } from "./core/drain-deps.ts";
export { AirliftError, isStoreError, StoreError, type StoreErrorReason, UsageError } from "./core/errors.ts";
export type { DrainEvent, OnEvent } from "./core/events.ts";
export type { RecordOptions, SingleOptions } from "./core/fleet-options.ts";
export type { AppHooks, EnqueuedJob, JobHooks } from "./core/hooks.ts";
export type { HostLimits } from "./core/host-limits.ts";
export { InvalidArgumentsError } from "./core/invalid-arguments.ts";
export { type DefineJob, defineJob, defineJobsWith, type JobDefinition, type Perform } from "./core/job.ts";
export type { JobContext, Logger } from "./core/job-context.ts";
export type { RunHandler } from "./core/job-runner.ts";
export type { CompletedJob, JobState, JobStatus, StatusOptions } from "./core/job-status.ts";
export type { JobUses } from "./core/job-uses.ts";
export type { Kicked, KickOptions } from "./core/kicker.ts";
export type { LimitOptions } from "./core/limit.ts";
export { type AnyMiddleware, defineMiddleware, type Middleware, type Next, type Passed } from "./core/middleware.ts";
export type { Failure, Outcome } from "./core/outcome.ts";
export type { DrainReport, StopReason } from "./core/report.ts";
export type { ResourceFactories, ResourcesOf } from "./core/resources.ts";
export type { Backoff, RetryJob, RetryOptions, RetryRule } from "./core/retry.ts";
export { runOn } from "./core/run-on.ts";
export type { ScaleOutOptions } from "./core/scale-out.ts";
export {
  drainInBackground,
  type HereOptions,
  readStartRequest,
  type StartDrain,
  type StartReason,
  type StartRequest,
} from "./core/start-drain.ts";
export type { SuccessorOptions } from "./core/successor.ts";
export type { UniqueOptions } from "./core/unique.ts";
export { type AirliftOptions, DEFAULT_AIRLIFT_OPTIONS, type ResolvedAirliftOptions } from "./options.ts";
export type { FailedRemoved, FailedRetried, FailedRetry } from "./resque/admin/change-failed.ts";
export type { QueuedRemoved, QueuedSelection } from "./resque/admin/change-queue.ts";
export type { DelayedJob, DelayedJobPage, DelayedSelection } from "./resque/admin/delayed.ts";
export type { DrainPage, DrainStatus } from "./resque/admin/drains.ts";
export type { FailedPage, FailedPageOptions } from "./resque/admin/failed.ts";
export type { FailedJob } from "./resque/admin/failed-job.ts";
export type { FailedList } from "./resque/admin/failed-lists.ts";
export type { FailedFilter, FailedSelection } from "./resque/admin/failed-selection.ts";
export type { JobSummary } from "./resque/admin/listed-job.ts";
export type { PageOptions } from "./resque/admin/page.ts";
export type { Paused, PauseTarget } from "./resque/admin/pause.ts";
export type { WorkerPruned } from "./resque/admin/prune-worker.ts";
export type { QueuedJob, QueuedPage, QueuePage } from "./resque/admin/queues.ts";
export type { WaitingJob } from "./resque/admin/read-retries.ts";
export type { WaitingChanged, WaitingPage, WaitingSelection } from "./resque/admin/retries.ts";
export type { WorkerName } from "./resque/admin/worker-id.ts";
export type { WorkerPage, WorkerStatus, WorkingOn } from "./resque/admin/workers.ts";
export type {
  CallOptions,
  LuaScript,
  RedisClient,
  RedisCommand,
  RedisReply,
  ScriptCall,
  Usage,
} from "./resque/client.ts";
export type { EnqueueRequest } from "./resque/encoded-job.ts";
export type { LastDrain } from "./resque/last-drain.ts";
export type { Scheduler } from "./resque/scheduler.ts";
export type { AirliftStatus, QueueStatus } from "./resque/status.ts";
