export { type Airlift, createAirlift, type DrainOptions, type Enqueued } from "./airlift.ts";
export { DrainError } from "./core/drain.ts";
export type { UnknownClassPolicy } from "./core/drain-deps.ts";
export { AirliftError, isStoreError, StoreError, type StoreErrorReason, UsageError } from "./core/errors.ts";
export type { DrainEvent, OnEvent } from "./core/events.ts";
export { defineJob, type JobContext, type JobDefinition, type Logger, type Perform } from "./core/job.ts";
export type { RunHandler } from "./core/job-runner.ts";
export type { Failure, Outcome } from "./core/outcome.ts";
export type { DrainReport, StopReason } from "./core/report.ts";
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
export type { EnqueueRequest } from "./resque/enqueue.ts";
export type { AirliftStatus, QueueStatus } from "./resque/status.ts";
