import type { UnknownClassPolicy } from "./core/drain-deps.ts";
import type { OnEvent } from "./core/events.ts";
import type { RecordOptions, SingleOptions } from "./core/fleet-options.ts";
import type { AppHooks } from "./core/hooks.ts";
import type { Logger } from "./core/job-context.ts";
import type { StatusOptions } from "./core/job-status.ts";
import type { BigIntegers } from "./core/json.ts";
import type { KickOptions } from "./core/kicker.ts";
import type { AnyMiddleware, CheckedChain } from "./core/middleware.ts";
import type { JobOf } from "./core/registry.ts";
import type { ResourceFactories, ResourcesOf } from "./core/resources.ts";
import type { ScaleOutOptions } from "./core/scale-out.ts";
import type { StartDrain } from "./core/start-drain.ts";
import type { SuccessorOptions } from "./core/successor.ts";
import type { RedisClient } from "./resque/client.ts";
import type { Scheduler } from "./resque/scheduler.ts";

/** What {@link createAirlift} takes. */
export interface AirliftOptions<
  Chain extends readonly AnyMiddleware[] = readonly AnyMiddleware[],
  Factories extends ResourceFactories = ResourceFactories,
> {
  /** From `airlift/redis/upstash` (HTTP) or `airlift/redis/ioredis` (TCP). */
  readonly redis: RedisClient;
  /**
   * The queues to drain: names in strict order (`["critical", "low"]`), weights (`["critical=4", "low"]`, order sampled anew for each
   * exchange), Ruby's patterns (`"*"`, `"img-*"`), exclusions (`"!slow"`).
   */
  readonly queues: readonly string[];
  /** The classes that this app can run. */
  readonly jobs: readonly NoInfer<JobOf<Chain, Factories>>[];
  /** Stands around each run of each job, the first outermost, inside it the class's own. */
  readonly middleware?: Chain & CheckedChain<Chain, object, ResourcesOf<Factories>>;
  /** Functions that are called at certain moments; what they throw breaks nothing. */
  readonly hooks?: AppHooks;
  /** What jobs share, as `{ db: () => openDb() }`: opened at its first use, closed by {@link Airlift.close}. */
  readonly resources?: Factories;
  /**
   * Keeps the status of each job under an id, for {@link Airlift.job}. It costs a command when a job is enqueued and one or two when it
   * runs, so give it to the classes that need it, by their own `status`, or here to all.
   *
   * @default none is kept
   */
  readonly status?: StatusOptions;
  /** Jobs that run at the same time in one drain, 1 to 1000. @default 25 */
  readonly concurrency?: number;
  /** Before every key, with or without its colon. @default "resque" */
  readonly namespace?: string;
  /** The time limit of classes that have none of their own, in milliseconds. @default 60_000 */
  readonly timeoutMs?: number;
  /**
   * How long a drain may be silent before another takes its jobs back, in milliseconds. Under the 300 s after which Ruby Resque
   * would fail them.
   *
   * @default 60_000
   */
  readonly leaseMs?: number;
  /** A job that has taken down its drain this often goes to `failed`. @default 3 */
  readonly crashLimit?: number;
  /** How long before `deadlineMs` a drain gives back what still runs, in milliseconds. @default 2_000 */
  readonly marginMs?: number;
  /** How long running jobs may go on once a drain is aborted, in milliseconds. @default 8_000 */
  readonly graceMs?: number;
  /**
   * Jobs of a class that is not among `jobs`: written to `failed`, left in the queue for another program to find, or put at the
   * queue's tail.
   *
   * @default "fail"
   */
  readonly unknownClass?: UnknownClassPolicy;
  /**
   * Failures are kept in a list for each queue, `<queue>_failed`, as by Ruby's `RedisMultiQueue` backend, instead of in `failed`.
   *
   * @default false
   */
  readonly failedQueues?: boolean;
  /** Most entries of a failed list, the oldest going first. @default any number */
  readonly maxFailed?: number;
  /** Enqueues jobs at their times, while drains run: `cron({ … })` of `airlift/cron`. */
  readonly scheduler?: Scheduler;
  /**
   * Whether only one drain may claim at a time. Drains need no such lock: it is for jobs that must not run beside those of another drain.
   *
   * @default false
   */
  readonly single?: boolean | SingleOptions;
  /**
   * Whether each drain leaves word of its end, for {@link Airlift.lastDrain}, `/health` and `airlift status`. It costs a command a drain.
   *
   * @default false
   */
  readonly recordDrains?: boolean | RecordOptions;
  /** Starts a drain when jobs are enqueued, one at a time; or how, and when. @default the next tick finds them */
  readonly kick?: StartDrain | KickOptions;
  /** Starts the next drain when the time of one was over before its jobs were. @default the next tick goes on */
  readonly successor?: SuccessorOptions;
  /** Starts more drains when more jobs wait than one drain should do alone. @default ticks alone start drains */
  readonly scaleOut?: ScaleOutOptions;
  /** How integers beyond 2^53 arrive in `args`. @default "bigint" */
  readonly bigIntegers?: BigIntegers;
  /** Names the workers' host: `airlift-<platform>-<random>`. @default the runtime's name */
  readonly platform?: string;
  /** @default warnings and errors to the console */
  readonly logger?: Logger;
  /** Told everything that happens: in drains, and of what this app enqueues and opens. */
  readonly onEvent?: OnEvent;
}

/** @see AirliftOptions */
export const DEFAULT_AIRLIFT_OPTIONS: {
  readonly concurrency: 25;
  readonly namespace: "resque";
  readonly timeoutMs: 60_000;
  readonly leaseMs: 60_000;
  readonly crashLimit: 3;
  readonly marginMs: 2_000;
  readonly graceMs: 8_000;
  readonly unknownClass: "fail";
  readonly bigIntegers: "bigint";
} = {
  concurrency: 25,
  namespace: "resque",
  timeoutMs: 60_000,
  leaseMs: 60_000,
  crashLimit: 3,
  marginMs: 2_000,
  graceMs: 8_000,
  unknownClass: "fail",
  bigIntegers: "bigint",
};

/** The options with their defaults filled in. */
export type ResolvedAirliftOptions = AirliftOptions &
  Required<Pick<AirliftOptions, keyof typeof DEFAULT_AIRLIFT_OPTIONS>>;
