import * as v from "valibot";
import type { UnknownClassPolicy } from "./core/drain-deps.ts";
import { UsageError } from "./core/errors.ts";
import type { OnEvent } from "./core/events.ts";
import type { Logger } from "./core/job.ts";
import type { BigIntegers } from "./core/json.ts";
import type { AnyJobDefinition } from "./core/registry.ts";
import type { RedisClient } from "./resque/client.ts";

/** What {@link createAirlift} takes. */
export interface AirliftOptions {
  /** From `airlift/redis/upstash` (HTTP) or `airlift/redis/ioredis` (TCP). */
  readonly redis: RedisClient;
  /**
   * The queues to drain: names in strict order (`["critical", "low"]`), weights (`["critical=4", "low"]`, order sampled anew for each
   * exchange), Ruby's patterns (`"*"`, `"img-*"`), exclusions (`"!slow"`).
   */
  readonly queues: readonly string[];
  /** The classes that this app can run. */
  readonly jobs: readonly AnyJobDefinition[];
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
  /** How integers beyond 2^53 arrive in `args`. @default "bigint" */
  readonly bigIntegers?: BigIntegers;
  /** Names the workers' host: `airlift-<platform>-<random>`. @default the runtime's name */
  readonly platform?: string;
  /** @default warnings and errors to the console */
  readonly logger?: Logger;
  /** Told everything that happens in a drain. */
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

// One kind of check for all that is not a structure: each further validator of the library is in every bundle.
const is = <T>(check: (value: unknown) => boolean, expected: string): v.GenericSchema<T> =>
  v.custom<T>(check, `expected ${expected}`);
const integer = (min: number, max: number): v.GenericSchema<number> =>
  is(
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    `an integer from ${min} to ${max}`,
  );
const isFunction = (value: unknown): boolean => typeof value === "function";
const isText = (value: unknown): boolean => typeof value === "string";
const text = is<string>((value) => isText(value) && value !== "", "a text that is not empty");
const oneOf = <const T extends readonly string[]>(values: T): v.GenericSchema<T[number]> =>
  is(
    (value) => isText(value) && values.includes(value as string),
    `one of ${values.map((value) => `"${value}"`).join(", ")}`,
  );
const having = (names: readonly string[], expected: string): v.GenericSchema<object> =>
  is(
    (value) =>
      typeof value === "object" && value !== null && names.every((name) => isFunction(Reflect.get(value, name))),
    expected,
  );
const fn = is<() => void>(isFunction, "a function");
/** Redis' own limit on a script's arguments leaves room for this many slots. */
const MAX_CONCURRENCY = 1_000;
const MAX_MS = 86_400_000;

const jobSchema = v.strictObject(
  {
    class: text,
    queue: v.optional(text),
    timeoutMs: v.optional(integer(1, MAX_MS)),
    perform: fn,
  },
  "expected an object with class and perform",
);
const optionsSchema = v.strictObject(
  {
    redis: having(
      ["command", "pipeline", "transaction", "script"],
      'a Redis client: upstash() of "airlift/redis/upstash" or ioredis(url) of "airlift/redis/ioredis"',
    ),
    queues: v.array(is<string>(isText, "a queue's name or pattern"), "expected an array of queues"),
    jobs: v.array(jobSchema, "expected an array of job definitions"),
    concurrency: v.optional(integer(1, MAX_CONCURRENCY)),
    namespace: v.optional(is<string>(isText, "a text")),
    timeoutMs: v.optional(integer(1, MAX_MS)),
    leaseMs: v.optional(integer(1_000, 240_000)),
    crashLimit: v.optional(integer(1, 1_000)),
    marginMs: v.optional(integer(0, MAX_MS)),
    graceMs: v.optional(integer(0, MAX_MS)),
    unknownClass: v.optional(oneOf(["fail", "leave", "requeue"])),
    bigIntegers: v.optional(oneOf(["bigint", "text"])),
    platform: v.optional(
      is<string>(
        (value) => isText(value) && /^[a-z0-9-]+$/.test(value as string),
        "lower-case letters, digits and hyphens",
      ),
    ),
    logger: v.optional(having(["debug", "info", "warn", "error"], "an object with debug, info, warn and error")),
    onEvent: v.optional(fn),
  },
  "expected an object",
);
const drainSchema = v.strictObject(
  {
    deadlineMs: v.optional(is<number>(Number.isFinite, "an instant in milliseconds since the epoch")),
    signal: v.optional(
      is<AbortSignal>((value) => typeof value === "object" && value !== null && "aborted" in value, "an AbortSignal"),
    ),
    maxJobs: v.optional(integer(1, Number.MAX_SAFE_INTEGER)),
    onEvent: v.optional(fn),
    runHandler: v.optional(fn),
  },
  "expected an object",
);

/** @throws UsageError naming each wrong option, what was given and what was expected */
export function checkAirliftOptions(options: unknown): void {
  check("createAirlift", optionsSchema, options);
}

/** @throws UsageError */
export function checkDrainOptions(options: unknown): void {
  check("drain", drainSchema, options);
  const { deadlineMs } = options as { deadlineMs?: number };
  // The commonest mistake: a duration where an instant is meant. 10^11 ms is in 1973.
  if (deadlineMs !== undefined && deadlineMs < 1e11) {
    throw new UsageError(
      `drain: deadlineMs: expected an instant in milliseconds since the epoch, got ${deadlineMs}; for a duration use Date.now() + ${deadlineMs}`,
    );
  }
}

function check(what: string, schema: v.GenericSchema, value: unknown): void {
  const result = v.safeParse(schema, value);
  if (result.success) return;
  const problems = result.issues.map((issue) => {
    const path = v.getDotPath(issue) ?? "options";
    if (!issue.path) return `${path}: ${issue.message}, got ${issue.received}`;
    if (issue.type === "strict_object" && issue.expected === "never") return `${path}: unknown option`;
    if (issue.received === "undefined") return `${path}: missing, ${expectationOf(issue)}`;
    const given =
      typeof issue.input === "object" || typeof issue.input === "function" ? issue.received : show(issue.input);
    return `${path}: ${issue.message}, got ${given}`;
  });
  throw new UsageError(`${what}: ${problems.join("; ")}`);
}

/** The issue of a member that is not there at all bears the object's message; that of the member says more. */
function expectationOf(issue: v.BaseIssue<unknown>): string {
  const isOfObject = issue.type.endsWith("_object");
  const name = String(issue.path?.at(-1)?.key);
  const entries: Readonly<Record<string, unknown>> = { ...optionsSchema.entries, ...jobSchema.entries };
  const { message } = (entries[name] ?? {}) as { message?: unknown };
  return isOfObject && typeof message === "string" ? message : issue.message;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
