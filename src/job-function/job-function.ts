import { checkJobFunctionOptions } from "../check-options.ts";
import { consoleLogger } from "../console-logger.ts";
import { UsageError } from "../core/errors.ts";
import { guardLogger } from "../core/guard-logger.ts";
import type { AppHooks } from "../core/hooks.ts";
import type { Logger } from "../core/job-context.ts";
import type { JobBatchReply, JobReply, RepliedOutcome } from "../core/job-message.ts";
import type { RunHandler } from "../core/job-runner.ts";
import type { BigIntegers } from "../core/json.ts";
import { createHookLoader } from "../core/load-hooks.ts";
import type { AnyMiddleware, CheckedChain } from "../core/middleware.ts";
import { createPerformer } from "../core/perform-job.ts";
import { createRegistry, type JobOf } from "../core/registry.ts";
import { createResources, type ResourceFactories, type ResourcesOf } from "../core/resources.ts";
import type { RedisClient } from "../resque/client.ts";
import { steadyClock, systemClock } from "../system-clock.ts";
import { createAcknowledgedRun } from "./acknowledged-run.ts";
import { readMessage } from "./read-message.ts";
import { MAX_RESULT_CHARS } from "./replied-outcome.ts";
import { createRepliedRun } from "./replied-run.ts";

/** What {@link createJobFunction} takes. */
export interface JobFunctionOptions<
  Chain extends readonly AnyMiddleware[] = readonly AnyMiddleware[],
  Factories extends ResourceFactories = ResourceFactories,
> {
  /** The classes that it can run: those of the app that sends it jobs, or some of them. */
  readonly jobs: readonly NoInfer<JobOf<Chain, Factories>>[];
  /** Stands around each run of each job, the first outermost, inside it the class's own. */
  readonly middleware?: Chain & CheckedChain<Chain, object, ResourcesOf<Factories>>;
  /**
   * `beforePerform` is called here. What is called once it is known what becomes of a job is called by who decides that: for a job that is acknowledged here,
   * for others by the drain.
   */
  readonly hooks?: AppHooks;
  /** What jobs share: opened at its first use, closed by {@link JobFunction.close}. */
  readonly resources?: Factories;
  /** The Redis of the drain, for jobs that are acknowledged: `upstash()` of "airlift/redis/upstash". */
  readonly redis?: RedisClient;
  /** The drain's. @default "resque" */
  readonly namespace?: string;
  /** The time limit of classes that have none of their own, in milliseconds. @default 60_000 */
  readonly timeoutMs?: number;
  /** How long before its host's time is up, or nobody waits any more, a job is stopped, in milliseconds. @default 1_000 */
  readonly marginMs?: number;
  /** How integers beyond 2^53 arrive in `args`. @default "bigint" */
  readonly bigIntegers?: BigIntegers;
  /** @default warnings and errors to the console */
  readonly logger?: Logger;
}

/** What a host says of one call. */
export interface JobFunctionRun {
  /** When the host ends it, in ms since the epoch. */
  readonly deadlineMs?: number;
  /** Aborted when nobody waits any more: what still runs is given back. */
  readonly signal?: AbortSignal | undefined;
  /** Wraps each handler's run, as in a drain's options. */
  readonly runHandler?: RunHandler;
}

/** The receiving side of a target. */
export interface JobFunction extends AsyncDisposable {
  /** Whether it can tell the end of jobs by itself: it was given `redis`. */
  readonly acknowledges: boolean;
  /**
   * Runs the job, or the jobs, of a message.
   *
   * @param message the message's JSON, parsed
   * @returns how they ended: an answer for the drain, unless the message wants it acknowledged, which has been done then
   * @throws UsageError if it is no message, or has to be acknowledged and there is no `redis`
   */
  run(message: unknown, host?: JobFunctionRun): Promise<JobReply | JobBatchReply>;
  /** Closes its resources and the Redis client that was given. */
  close(): Promise<void>;
}

/** @see JobFunctionOptions */
export const DEFAULT_JOB_FUNCTION_OPTIONS: {
  readonly namespace: "resque";
  readonly timeoutMs: 60_000;
  readonly marginMs: 1_000;
  readonly bigIntegers: "bigint";
} = { namespace: "resque", timeoutMs: 60_000, marginMs: 1_000, bigIntegers: "bigint" };

/**
 * Runs jobs that a drain's target sends: the same definitions, with their schemas, decoders, middleware and hooks, somewhere else. A host's adapter
 * calls `run`: `toLambdaJobHandler` of "airlift/platform/aws-lambda", `toFetchJobHandler` of "airlift/platform/fetch".
 *
 * @example
 * ```ts
 * import { createAirlift, runOn } from "airlift";
 * import { createJobFunction } from "airlift/job-function";
 * import { toLambdaJobHandler } from "airlift/platform/aws-lambda";
 * import { lambda } from "airlift/target/lambda";
 *
 * // In the function that drains:
 * const airlift = createAirlift({ redis, queues: ["images"], jobs: runOn(lambda("image-worker"), jobs) });
 * // In the function image-worker:
 * export const handler = toLambdaJobHandler(createJobFunction({ jobs }));
 * ```
 * @throws UsageError naming each option that is wrong
 */
export function createJobFunction<
  const Chain extends readonly AnyMiddleware[] = readonly [],
  Factories extends ResourceFactories = Record<never, never>,
>(options: JobFunctionOptions<Chain, Factories>): JobFunction {
  checkJobFunctionOptions(options);
  // An option that is there but undefined is one that is not given.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings = { ...DEFAULT_JOB_FUNCTION_OPTIONS, ...(given as JobFunctionOptions) };
  const { redis, namespace, timeoutMs, marginMs, bigIntegers } = settings;
  const logger = guardLogger(settings.logger ?? consoleLogger);
  const registry = createRegistry(settings.jobs);
  const resources = settings.resources && createResources(settings.resources, systemClock, logger);
  const hooksOf = { app: settings.hooks, find: registry.find, clock: systemClock, logger };
  const loadHooks = createHookLoader(hooksOf, settings.jobs);
  /** At the first call: what calls hooks is loaded only if there are some, and Workers have no random numbers before. */
  const prepare = async () => {
    const hooks = await loadHooks();
    const perform = createPerformer({ middleware: settings.middleware, hooks, resources });
    return { hooks, perform, worker: `airlift-function-${crypto.randomUUID().slice(-12)}` };
  };
  let prepared: ReturnType<typeof prepare> | undefined;

  const close = async (): Promise<void> => {
    await resources?.[Symbol.asyncDispose]();
    await redis?.close();
  };
  return {
    acknowledges: redis !== undefined,
    async run(message, { deadlineMs: hostEndMs = Number.POSITIVE_INFINITY, signal, runHandler } = {}) {
      const { jobs, isBatch, deadlineMs } = readMessage(message, bigIntegers);
      prepared ??= prepare();
      const shared = { random: Math.random, logger, registry, timeoutMs, marginMs, ...(await prepared) };
      const deps = { ...shared, clock: steadyClock() };
      const replied = createRepliedRun({ ...deps, jobs: settings.jobs });
      const acknowledged = redis && createAcknowledgedRun({ ...deps, client: redis, namespace, bigIntegers });
      if (!acknowledged && jobs.some(({ ack }) => ack)) throw new UsageError(NO_REDIS);
      const at = { deadlineMs, hostEndMs, signal, runHandler, maxResultChars: MAX_RESULT_CHARS / jobs.length };
      const ending = jobs.map(
        async (job) => [job.id, await (job.ack && acknowledged ? acknowledged(job, at) : replied(job, at))] as const,
      );
      // Who is told of an error may freeze the process: none of them is in the middle of its work then.
      await Promise.allSettled(ending);
      const outcomes = await Promise.all(ending);
      if (!isBatch) return { airlift: 1, outcome: outcomes[0]?.[1] as RepliedOutcome };
      const unfinished = outcomes.filter(([, { kind }]) => kind !== "ok" && kind !== "discard");
      return {
        airlift: 1,
        outcomes: Object.fromEntries(outcomes),
        batchItemFailures: unfinished.map(([itemIdentifier]) => ({ itemIdentifier })),
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const NO_REDIS =
  "the job wants to be acknowledged: give createJobFunction the drain's Redis, as redis (and its namespace, if that is not resque)";
