import { type AirliftAdmin, createAdmin } from "./admin.ts";
import { checkAirliftOptions, checkDrainOptions } from "./check-options.ts";
import { consoleLogger } from "./console-logger.ts";
import { drain } from "./core/drain.ts";
import type { DrainOptions as CoreDrainOptions } from "./core/drain-deps.ts";
import { UsageError } from "./core/errors.ts";
import type { OnEvent } from "./core/events.ts";
import { slotsFor } from "./core/exchange-loop.ts";
import { optionsOf, resolveSingle, type SingleOptions } from "./core/fleet-options.ts";
import { guardListeners } from "./core/guard-listeners.ts";
import { guardLogger } from "./core/guard-logger.ts";
import { concurrencyWithin } from "./core/host-limits.ts";
import type { AnyJobDefinition } from "./core/job.ts";
import type { RunHandler } from "./core/job-runner.ts";
import { createStatusPolicy, type JobStatus } from "./core/job-status.ts";
import type { Kicked } from "./core/kicker.ts";
import { createHookLoader } from "./core/load-hooks.ts";
import type { AnyMiddleware } from "./core/middleware.ts";
import { createPerformer } from "./core/perform-job.ts";
import { createRegistry } from "./core/registry.ts";
import type { DrainReport } from "./core/report.ts";
import { createResources, type ResourceFactories } from "./core/resources.ts";
import type { StartDrain } from "./core/start-drain.ts";
import type { Enqueued, EnqueuedAll, Enqueuer, JobOfArgs, When } from "./enqueue-jobs.ts";
import type { Fleet } from "./fleet.ts";
import { type AirliftOptions, DEFAULT_AIRLIFT_OPTIONS, type ResolvedAirliftOptions } from "./options.ts";
import type { EnqueueRequest } from "./resque/encoded-job.ts";
import { createKeys } from "./resque/keys.ts";
import type { LastDrain } from "./resque/last-drain.ts";
import { createQueueSelector } from "./resque/queue-selector.ts";
import { createRedisStore } from "./resque/redis-store.ts";
import type { AirliftStatus } from "./resque/status.ts";
import { steadyClock, systemClock } from "./system-clock.ts";

export type { AirliftOptions, AirliftStatus, Enqueued, EnqueuedAll, EnqueueRequest, LastDrain, ResolvedAirliftOptions };

export interface EnqueueAllOptions {
  /** Starts a drain for these jobs in the way of the app's own `kick`; false for none. */
  readonly kick?: StartDrain | false;
}

export interface DrainOptions extends CoreDrainOptions {
  /** Whether only one drain may claim at a time. @default the app's `single` */
  readonly single?: boolean | SingleOptions;
  /** Told everything that happens in this drain, beside the app's own `onEvent`. */
  readonly onEvent?: OnEvent;
  /** For hosts: wraps each handler's run (`airlift/platform/node` uses it to know which job an uncaught error belongs to). */
  readonly runHandler?: RunHandler;
}

/** What an app can do with its queues. */
export interface Airlift extends AirliftAdmin, AsyncDisposable {
  /** The options in force. `createAirlift({ ...airlift.options, concurrency: 1 })` is the same app, changed. */
  readonly options: ResolvedAirliftOptions;
  /**
   * Puts one job at the tail of its queue, in Ruby Resque's exact JSON; or, if it is to run later, where resque-scheduler keeps delayed jobs.
   *
   * @throws UsageError if the job has no JSON form or no queue, or if its class's schema refuses its arguments
   */
  enqueue(job: EnqueueRequest): Promise<Enqueued>;
  enqueue<Args extends readonly unknown[]>(definition: JobOfArgs<Args>, args: NoInfer<Args>): Promise<Enqueued>;
  /** {@link enqueue}, at a time: a date, or ms since the epoch. */
  enqueueAt(at: Date | number, job: EnqueueRequest): Promise<Enqueued>;
  enqueueAt<Args extends readonly unknown[]>(
    at: Date | number,
    definition: JobOfArgs<Args>,
    args: NoInfer<Args>,
  ): Promise<Enqueued>;
  /** {@link enqueue}, in so many ms. */
  enqueueIn(delayMs: number, job: EnqueueRequest): Promise<Enqueued>;
  enqueueIn<Args extends readonly unknown[]>(
    delayMs: number,
    definition: JobOfArgs<Args>,
    args: NoInfer<Args>,
  ): Promise<Enqueued>;
  /**
   * Enqueues jobs, in order. A wrong one leaves everything as it was; up to 5,000 jobs or 1 MB are atomic, more are sent in chunks. A
   * unique job that takes the place of another does so by itself. A queue whose key holds no list is refused by Redis alone: the jobs of
   * the other queues are there, unless one of the chunk is unique.
   */
  enqueueAll(jobs: readonly EnqueueRequest[], options?: EnqueueAllOptions): Promise<EnqueuedAll>;
  /**
   * Asks the host for a drain now, unless it has been asked and that drain has not begun. 1 command.
   *
   * @throws UsageError if the app has no option `kick`
   */
  kick(options?: { readonly start?: StartDrain }): Promise<Kicked>;
  /**
   * Runs jobs until the queues are empty or time is up.
   *
   * @throws DrainError if Redis fails for longer than can be waited; nothing is lost then
   */
  drain(options?: DrainOptions): Promise<DrainReport>;
  /**
   * What is known of a job whose status is kept; undefined if nothing is, or not any more. One command.
   *
   * @throws UsageError if it can be no id
   */
  job(id: string): Promise<JobStatus | undefined>;
  /** {@link job} for several, also in one command. */
  jobs(ids: readonly string[]): Promise<readonly (JobStatus | undefined)[]>;
  status(): Promise<AirliftStatus>;
  /** How the last drain ended, of the apps that record it (`recordDrains`); undefined if none has. 1 command. */
  lastDrain(): Promise<LastDrain | undefined>;
  /** Closes the app's resources, the last opened first, and the Redis client that was given. `await using` does the same. */
  close(): Promise<void>;
}

const NO_KICK =
  "kick: expected the option kick of createAirlift, a function that starts a drain, or {} and one given here";

/** Replies may take twice this, for JSON's escapes, and Upstash allows 10 MB. */
const MAX_CLAIM_BYTES = 4_000_000;

/**
 * Joins a Redis, a list of queues and the jobs that can be run.
 *
 * @example
 * ```ts
 * import { createAirlift, defineJob } from "airlift";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const sendEmail = defineJob({ class: "SendEmail", queue: "mail", perform: async ([to]: [string]) => deliver(to) });
 * const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [sendEmail] });
 * const report = await airlift.drain({ deadlineMs: Date.now() + 50_000 });
 * ```
 * @throws UsageError naming each option that is wrong
 */
export function createAirlift<
  const Chain extends readonly AnyMiddleware[] = readonly [],
  Factories extends ResourceFactories = Record<never, never>,
>(options: AirliftOptions<Chain, Factories>): Airlift {
  checkAirliftOptions(options);
  // An option that is there but undefined is one that is not given.
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as AirliftOptions;
  const settings = { ...DEFAULT_AIRLIFT_OPTIONS, ...given };
  const { redis, concurrency, leaseMs, crashLimit, unknownClass, bigIntegers } = settings;
  const keys = createKeys(settings.namespace);
  const selector = createQueueSelector(options.queues);
  const registry = createRegistry(options.jobs);
  const platform = options.platform ?? runtimeName();
  const logger = options.logger ?? consoleLogger;
  const emit = guardListeners(options.onEvent ? [options.onEvent] : [], guardLogger(logger));
  const loadHooks = createHookLoader(
    { app: options.hooks, find: registry.find, clock: systemClock, logger, emit },
    options.jobs,
  );
  const statusPolicy = createStatusPolicy(options.status, options.jobs);
  // Most drains enqueue nothing.
  let loadedEnqueuer: Promise<Enqueuer> | undefined;
  const loadEnqueuer = (): Promise<Enqueuer> => {
    loadedEnqueuer ??= import("./enqueue-jobs.ts").then(({ createEnqueuer }) =>
      createEnqueuer({
        ...{ redis, keys, registry, loadHooks, bigIntegers },
        ...{ status: options.status, nowMs: systemClock.nowMs, emit },
      }),
    );
    return loadedEnqueuer;
  };
  const scheduler = options.scheduler?.bind({
    ...{ client: redis, keys, logger, nowMs: systemClock.nowMs },
    encode: async (job) => (await loadEnqueuer()).encode(job),
    queueOf: (className) => registry.find(className)?.queue,
    onEnqueued: async (jobs) => (await loadHooks())?.afterEnqueue(jobs),
  });
  const resources = options.resources && createResources(options.resources, systemClock, logger, emit);
  resolveSingle("createAirlift", settings.single, leaseMs);
  const kickOptions = typeof settings.kick === "function" ? { start: settings.kick } : settings.kick;
  const hasFleet = kickOptions ?? settings.successor ?? settings.scaleOut ?? (settings.recordDrains || undefined);
  let loadedFleet: Promise<Fleet> | undefined;
  const loadFleet = (): Promise<Fleet> | undefined => {
    if (!hasFleet) return undefined;
    loadedFleet ??= import("./fleet.ts").then(({ createFleet }) =>
      createFleet({
        ...{ client: redis, keys, clock: systemClock, random: Math.random, newToken: randomId, logger, leaseMs },
        ...{ kick: kickOptions, successor: settings.successor, scaleOut: settings.scaleOut },
        record: optionsOf(settings.recordDrains),
        drains: (queue) => selector.select([queue]).includes(queue),
        drain: (drainOptions) => drainOnce(drainOptions),
      }),
    );
    return loadedFleet;
  };
  const enqueueOne = async (
    job: EnqueueRequest | AnyJobDefinition,
    args: readonly unknown[] | undefined,
    when?: When,
  ): Promise<Enqueued> => {
    const enqueued = await (await loadEnqueuer()).enqueue(job, args, when);
    if (kickOptions && enqueued.kind === "queued") await (await loadFleet())?.noteEnqueued([enqueued]);
    return enqueued;
  };

  const drainOnce = async (drainOptions: DrainOptions): Promise<DrainReport> => {
    const id = randomId();
    const clock = steadyClock();
    const drainSettings = { ...settings, concurrency: concurrencyWithin(drainOptions, registry, concurrency) };
    const host = `airlift-${platform}-${id}`;
    const slots = slotsFor(drainSettings.concurrency);
    const own = createRedisStore({
      client: redis,
      keys,
      description: { id, host, pid: processId(), slots, queues: selector.label },
      selector,
      leaseMs,
      crashLimit,
      onlyClasses: unknownClass === "leave" ? registry.classes : undefined,
      bigIntegers,
      registry,
      status: statusPolicy,
      failedQueues: settings.failedQueues ?? false,
      maxFailed: settings.maxFailed ?? 0,
      single: resolveSingle("drain", drainOptions.single ?? settings.single, leaseMs),
      isKicked: settings.kick !== undefined,
      maxClaimBytes: MAX_CLAIM_BYTES,
      nowMs: clock.nowMs,
      random: Math.random,
    });
    const { onEvent, runHandler, ...rest } = drainOptions;
    const fleet = await loadFleet();
    const { store, peers } = fleet?.open({ store: own, host, ...rest }) ?? { store: own };
    const hooks = await loadHooks();
    const drainHooks = hooks?.openDrain();
    let report: DrainReport | undefined;
    try {
      report = await drain(
        {
          store,
          registry,
          settings: drainSettings,
          clock,
          random: Math.random,
          logger,
          listeners: [options.onEvent, onEvent].filter((listener) => listener !== undefined),
          runHandler: runHandler ?? ((run) => run()),
          perform: createPerformer({ middleware: options.middleware, hooks, resources }),
          hooks: drainHooks,
          ...(scheduler && { ticker: scheduler.ticker(store.usage, clock.nowMs) }),
          status: statusPolicy,
          peers,
        },
        rest,
      );
      return report;
    } finally {
      await drainHooks?.end(report, rest.deadlineMs);
    }
  };
  const readJobs = async (ids: readonly string[]): Promise<readonly (JobStatus | undefined)[]> => {
    const { readStatuses } = await import("./resque/job-status.ts");
    return readStatuses(redis, keys, ids, { bigIntegers });
  };
  const close = async (): Promise<void> => {
    await resources?.[Symbol.asyncDispose]();
    await redis.close();
  };

  const { failedQueues = false } = settings;
  return {
    ...createAdmin({ client: redis, keys, nowMs: systemClock.nowMs, failedQueues }, scheduler),
    options: settings,
    enqueue: (job: EnqueueRequest | AnyJobDefinition, args?: readonly unknown[]) => enqueueOne(job, args),
    enqueueAt: (at: Date | number, job: EnqueueRequest | AnyJobDefinition, args?: readonly unknown[]) =>
      enqueueOne(job, args, { at }),
    enqueueIn: (inMs: number, job: EnqueueRequest | AnyJobDefinition, args?: readonly unknown[]) =>
      enqueueOne(job, args, { inMs }),
    async enqueueAll(jobs, { kick } = {}) {
      if (kick && !kickOptions) throw new UsageError(NO_KICK);
      const enqueued = await (await loadEnqueuer()).enqueueAll(jobs);
      if (kickOptions && enqueued.enqueued > 0) await (await loadFleet())?.noteEnqueued(jobs, kick);
      return enqueued;
    },
    async kick({ start = kickOptions?.start } = {}) {
      const kicker = start && (await loadFleet())?.kicker;
      if (!kicker) throw new UsageError(NO_KICK);
      return kicker.kick(start);
    },
    lastDrain: async () => (await import("./resque/last-drain.ts")).readLastDrain(redis, keys),
    async drain(drainOptions = {}) {
      checkDrainOptions(drainOptions);
      return drainOnce(drainOptions);
    },
    job: async (id) => (await readJobs([id]))[0],
    jobs: readJobs,
    status: async () => (await import("./resque/status.ts")).readStatus(redis, keys),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** 48 random bits: unique among all drains that could ever be in one Redis at the same time. */
function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function processId(): number {
  const { process } = globalThis as { process?: { pid?: number } };
  return process?.pid ?? 1;
}

/** `node`, `deno`, `bun`, `cloudflare`: how the runtime begins its name for itself, which WinterTC's common API asks of each. */
function runtimeName(): string {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return /^[a-z]+/i.exec(navigator?.userAgent ?? "")?.[0].toLowerCase() ?? "js";
}
