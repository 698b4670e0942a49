export { type Airlift, createAirlift, type DrainOptions, type Enqueued, type EnqueuedAll } from "./airlift.ts";
export { type Directive, discard, release, retry } from "./core/directive.ts";
export { DrainError } from "./core/drain.ts";
export type { UnknownClassPolicy } from "./core/drain-deps.ts";
export { AirliftError, isStoreError, StoreError, type StoreErrorReason, UsageError } from "./core/errors.ts";
export type { DrainEvent, OnEvent } from "./core/events.ts";
export type { AppHooks, EnqueuedJob, JobHooks } from "./core/hooks.ts";
export { InvalidArgumentsError } from "./core/invalid-arguments.ts";
export { type DefineJob, defineJob, defineJobsWith, type JobDefinition, type Perform } from "./core/job.ts";
export type { JobContext, Logger } from "./core/job-context.ts";
export type { RunHandler } from "./core/job-runner.ts";
export { type AnyMiddleware, defineMiddleware, type Middleware, type Next, type Passed } from "./core/middleware.ts";
export type { Failure, Outcome } from "./core/outcome.ts";
export type { DrainReport, StopReason } from "./core/report.ts";
export type { ResourceFactories, ResourcesOf } from "./core/resources.ts";
export type { Backoff, RetryJob, RetryOptions, RetryRule } from "./core/retry.ts";
export type { UniqueOptions } from "./core/unique.ts";
export { type AirliftOptions, DEFAULT_AIRLIFT_OPTIONS, type ResolvedAirliftOptions } from "./options.ts";
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
export type { Scheduler } from "./resque/scheduler.ts";
export type { AirliftStatus, QueueStatus } from "./resque/status.ts";
