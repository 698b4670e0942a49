import { UsageError } from "./core/errors.ts";
import type { JobContext, Perform } from "./core/job.ts";
import type { Middleware } from "./core/middleware.ts";
import { createRunOnce, type RunOnce } from "./core/run-once.ts";
import type { RedisClient } from "./resque/client.ts";
import { createRunStore } from "./resque/idempotency-store.ts";
import { createKeys } from "./resque/keys.ts";
import { systemClock } from "./system-clock.ts";

/** @see createIdempotency */
export interface IdempotencyOptions<Args = readonly unknown[]> {
  /** Where the results are kept: the app's own client will do. */
  readonly redis: RedisClient;
  /** Before every key, with or without its colon. @default "resque" */
  readonly namespace?: string;
  /** How long a result is kept, in milliseconds: for as long as the same job may come again. */
  readonly ttlMs: number;
  /**
   * How long a run that is not heard of any more is believed to go on, in milliseconds. While it goes on, this begins anew each third of
   * it. Best the app's `leaseMs`: after that a dead drain's job comes again.
   *
   * @default 60_000
   */
  readonly runningTtlMs?: number;
  /** After what time a job that runs elsewhere looks again, in milliseconds. @default 5_000 */
  readonly retryAfterMs?: number;
  /**
   * What makes two jobs of a class the same, as a text: `order-17`.
   *
   * @default queue and payload. A job that comes again has the same, but so has another that was enqueued with the same arguments, unless
   * its class is `unique` or its status is kept: then each job has an id of its own
   */
  readonly key?: (args: Args, job: JobContext) => string;
  /** Of a result as JSON. A longer one is not kept, only that the job is done. @default 100_000 */
  readonly maxResultChars?: number;
}

/** @see IdempotencyOptions */
export const DEFAULT_IDEMPOTENCY_OPTIONS: {
  readonly namespace: "resque";
  readonly runningTtlMs: 60_000;
  readonly retryAfterMs: 5_000;
  readonly maxResultChars: 100_000;
} = { namespace: "resque", runningTtlMs: 60_000, retryAfterMs: 5_000, maxResultChars: 100_000 };

/**
 * A middleware by which a job that was delivered more than once has its effect once: after its handler has ended well, a further delivery
 * gets the same result without running; while it runs, it is released for a while. A failure, or a handler that asks for a retry or a
 * release, leaves nothing behind, so that the next delivery runs.
 *
 * What it cannot know: a handler that dies after its effect and before its end runs again.
 *
 * @example
 * ```ts
 * import { createAirlift, defineJob } from "airlift";
 * import { createIdempotency } from "airlift/idempotency";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const redis = upstash();
 * const once = createIdempotency({ redis, ttlMs: 7 * 86_400_000, key: ([order]) => String(order) });
 * const charge = defineJob({ class: "Charge", middleware: [once], perform: async ([order]: [number]) => await pay(order) });
 * const airlift = createAirlift({ redis, queues: ["billing"], jobs: [charge] });
 * ```
 * @throws UsageError naming the option that is wrong
 */
export function createIdempotency(options: IdempotencyOptions): Middleware<object, object, Promise<unknown>> {
  const runOnce = runOnceWith("createIdempotency", options);
  return (job, next) => runOnce(job, options.key?.(job.args, job), () => next());
}

/**
 * {@link createIdempotency} around one handler. Its key sees what the handler sees.
 *
 * @example
 * ```ts
 * import { defineJob } from "airlift";
 * import { idempotent } from "airlift/idempotency";
 *
 * const charge = defineJob({
 *   class: "Charge",
 *   perform: idempotent(async ([order]: [number]) => await pay(order), { redis, ttlMs: 86_400_000 }),
 * });
 * ```
 * @throws UsageError naming the option that is wrong
 */
export function idempotent<Args, Context extends object = object, Resources extends object = object>(
  perform: Perform<Args, Context, Resources>,
  options: IdempotencyOptions<Args>,
): Perform<Args, Context, Resources> {
  const runOnce = runOnceWith("idempotent", options);
  return (args, job) => runOnce(job, options.key?.(args, job), () => perform(args, job));
}

function runOnceWith(what: string, options: IdempotencyOptions<never>): RunOnce {
  // An option that is there but undefined is one that is not given.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  check(what, given);
  const { redis, namespace, ...settings } = { ...DEFAULT_IDEMPOTENCY_OPTIONS, ...(given as typeof options) };
  const store = createRunStore(redis, createKeys(namespace));
  const newToken = () => crypto.randomUUID();
  return createRunOnce({ ...settings, store, clock: systemClock, random: Math.random, newToken });
}

type Option = keyof IdempotencyOptions;
type Rule = readonly [isRight: (value: unknown) => boolean, expected: string];

const integer = (least: number): Rule => [
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
  `an integer from ${least} on`,
];
const RULES: Readonly<Record<Option, Rule>> = {
  redis: [(value) => typeof (value as Partial<RedisClient> | undefined)?.script === "function", "a Redis client"],
  namespace: [(value) => typeof value === "string", "a text"],
  ttlMs: integer(1),
  runningTtlMs: integer(1_000),
  retryAfterMs: integer(0),
  key: [(value) => typeof value === "function", "a function"],
  maxResultChars: integer(0),
};

function check(what: string, given: object): void {
  const unknown = Object.keys(given).find((name) => !(name in RULES));
  if (unknown !== undefined) {
    throw new UsageError(`${what}: ${unknown}: unknown option; known: ${Object.keys(RULES).join(", ")}`);
  }
  for (const [name, value] of Object.entries({ redis: undefined, ttlMs: undefined, ...given })) {
    const [isRight, expected] = RULES[name as Option];
    if (isRight(value)) continue;
    const got = value !== null && typeof value === "object" ? "an object" : String(value);
    throw new UsageError(`${what}: ${name}: expected ${expected}, got ${got}`);
  }
}
