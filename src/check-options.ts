import * as v from "valibot";
import { UsageError } from "./core/errors.ts";
import { checkFleet } from "./core/fleet-options.ts";
import type { StatusOptions } from "./core/job-status.ts";
import type { JobUses } from "./core/job-uses.ts";
import { type LimitOptions, limitProblem } from "./core/limit.ts";
import type { Backoff } from "./core/retry.ts";
import { type UniqueOptions, uniqueProblem } from "./core/unique.ts";

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

const isMs = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0;
const backoff = is<Backoff>(
  isBackoff,
  '"exponential", "gocraft", "que", "resque-retry", { firstMs, factor, maxMs, jitter }, a list of ms or a function',
);
const retryLimit = v.optional(integer(0, 1_000));
const retrySchema = v.strictObject(
  {
    limit: retryLimit,
    backoff: v.optional(backoff),
    rules: v.optional(
      v.array(
        v.strictObject(
          {
            error: is((value) => isFunction(value) || isText(value), "an error class or its name"),
            action: oneOf(["retry", "discard", "fail"]),
            limit: retryLimit,
            backoff: v.optional(backoff),
          },
          "expected an object with error and action",
        ),
        "expected an array of rules",
      ),
    ),
    exhausted: v.optional(oneOf(["fail", "drop"])),
    onExhausted: v.optional(fn),
  },
  "expected an object with limit, backoff, rules, exhausted or onExhausted",
);
const middleware = v.array(fn, "expected an array of functions");
const hook = v.optional(fn);
const jobHooks = {
  ...{ beforePerform: hook, afterPerform: hook, onFailure: hook, onComplete: hook },
  ...{ beforeEnqueue: hook, afterEnqueue: hook },
};
const STATUS_EXPECTED = "{ ttlMs, results }, ttlMs from 1000 to a year";
const jobSchema = v.strictObject(
  {
    class: text,
    queue: v.optional(text),
    timeoutMs: v.optional(integer(1, MAX_MS)),
    retry: v.optional(retrySchema),
    unique: v.optional(
      v.custom<UniqueOptions>(
        (value) => uniqueProblem(value) === undefined,
        ({ input }) => uniqueProblem(input) ?? "",
      ),
    ),
    status: v.optional(
      is<StatusOptions | false>((value) => value === false || isStatus(value), `${STATUS_EXPECTED} or false`),
    ),
    limit: v.optional(
      v.custom<LimitOptions>(
        (value) => limitProblem(value) === undefined,
        ({ input }) => limitProblem(input) ?? "",
      ),
    ),
    uses: v.optional(is<JobUses>(isUses, "{ requests, connections, invocations }, each an integer from 0")),
    args: v.optional(is((value) => isFunction(standardOf(value)?.["validate"]), "a schema of Standard Schema")),
    decode: v.optional(fn),
    middleware: v.optional(middleware),
    hooks: v.optional(v.strictObject(jobHooks, "expected an object of hooks")),
    wire: v.optional(having(["encode"], 'what activeJob() of "airlift/active-job" makes')),
    perform: fn,
  },
  "expected an object with class and perform",
);
const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isCount = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const isDepth = isCount(0, 1_000);
/** For an object of these members: those that are named must be there, the others may. */
const made = (members: Readonly<Record<string, (value: unknown) => boolean>>, ...needed: readonly string[]) => {
  return (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    needed.every((name) => Reflect.get(value, name) !== undefined) &&
    Object.entries(value).every(([name, member]) => member === undefined || (members[name]?.(member) ?? false));
};
const isSingle = made({ name: (value) => isText(value) && value !== "", ttlMs: isCount(1_000, MAX_MS) });
const isRecord = made({ maxSilenceMs: isCount(1, MAX_MS * 30) });
const isKick = made({ start: isFunction, onEnqueue: isBoolean, ttlMs: isCount(1_000, MAX_MS), maxDepth: isDepth });
const single = is((value) => isBoolean(value) || isSingle(value), "true, false or { name, ttlMs }");
const recordDrains = is((value) => isBoolean(value) || isRecord(value), "true, false or { maxSilenceMs }");
const kick = is(
  (value) => isFunction(value) || isKick(value),
  "a function that starts a drain, or { start, onEnqueue, ttlMs, maxDepth }",
);
const successor = is(
  made({ start: isFunction, maxDepth: isDepth }, "start"),
  "{ start, maxDepth }, start a function that starts a drain",
);
const scaleOut = is(
  made(
    { threshold: isCount(1, 1e9), maxDrains: isCount(2, 1_000), start: isFunction, maxDepth: isDepth },
    ...["threshold", "maxDrains", "start"],
  ),
  "{ threshold, maxDrains, start, maxDepth }: jobs for one drain, at least 2 drains, a function that starts one",
);
const optionsSchema = v.strictObject(
  {
    redis: having(
      ["command", "pipeline", "transaction", "script"],
      'a Redis client: upstash() of "airlift/redis/upstash" or ioredis(url) of "airlift/redis/ioredis"',
    ),
    queues: v.array(is<string>(isText, "a queue's name or pattern"), "expected an array of queues"),
    jobs: v.array(jobSchema, "expected an array of job definitions"),
    middleware: v.optional(middleware),
    hooks: v.optional(v.strictObject({ ...jobHooks, queueEmpty: hook, drainEnd: hook }, "expected an object of hooks")),
    resources: v.optional(
      is(
        (value) => typeof value === "object" && value !== null && Object.values(value).every(isFunction),
        "an object of functions that open something",
      ),
    ),
    status: v.optional(is<StatusOptions>(isStatus, STATUS_EXPECTED)),
    concurrency: v.optional(integer(1, MAX_CONCURRENCY)),
    namespace: v.optional(is<string>(isText, "a text")),
    timeoutMs: v.optional(integer(1, MAX_MS)),
    leaseMs: v.optional(integer(1_000, 240_000)),
    crashLimit: v.optional(integer(1, 1_000)),
    marginMs: v.optional(integer(0, MAX_MS)),
    graceMs: v.optional(integer(0, MAX_MS)),
    unknownClass: v.optional(oneOf(["fail", "leave", "requeue"])),
    failedQueues: v.optional(is<boolean>(isBoolean, "true or false")),
    maxFailed: v.optional(integer(1, Number.MAX_SAFE_INTEGER)),
    bigIntegers: v.optional(oneOf(["bigint", "text"])),
    scheduler: v.optional(having(["bind"], 'a scheduler: cron({ … }) of "airlift/cron"')),
    ...{ single: v.optional(single), recordDrains: v.optional(recordDrains), kick: v.optional(kick) },
    ...{ successor: v.optional(successor), scaleOut: v.optional(scaleOut) },
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
    maxRequests: v.optional(integer(1, Number.MAX_SAFE_INTEGER)),
    maxConnections: v.optional(integer(1, Number.MAX_SAFE_INTEGER)),
    maxInvocations: v.optional(integer(0, Number.MAX_SAFE_INTEGER)),
    depth: v.optional(integer(0, 1_000)),
    single: v.optional(single),
    successor: v.optional(is<false>((value) => value === false, "false")),
    onEvent: v.optional(fn),
    runHandler: v.optional(fn),
  },
  "expected an object",
);

/** @throws UsageError naming each wrong option, what was given and what was expected */
export function checkAirliftOptions(options: unknown): void {
  check("createAirlift", optionsSchema, options);
  checkFleet(options as Parameters<typeof checkFleet>[0]);
}

/** @throws UsageError naming each wrong option, what was given and what was expected */
export function checkJobFunctionOptions(options: unknown): void {
  const { redis, jobs, hooks, resources, middleware: around, logger, ...others } = optionsSchema.entries;
  const { namespace, bigIntegers, timeoutMs, marginMs } = others;
  const shared = { jobs, hooks, resources, middleware: around, logger, namespace, bigIntegers, timeoutMs, marginMs };
  const schema = v.strictObject({ ...shared, redis: v.optional(redis) }, "expected an object");
  check("createJobFunction", schema, options);
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
    return `${path}: ${issue.message}, got ${show(issue)}`;
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

/** A schema may be a function (arktype's are). */
function standardOf(value: unknown): Record<string, unknown> | undefined {
  return Object(value)["~standard"];
}

/** Options that hold nothing but figures and names; others, as a client of Redis, may hold what must not be told. */
const PLAIN_OPTIONS = ["backoff", "unique", "limit", "status", "uses"];
const MAX_SHOWN_CHARS = 100;

function show({ input, received, path }: v.BaseIssue<unknown>): string {
  if (typeof input === "function") return received;
  if (typeof input !== "object" || input === null)
    return typeof input === "string" ? JSON.stringify(input) : String(input);
  if (!PLAIN_OPTIONS.includes(String(path?.at(-1)?.key))) return received;
  try {
    return JSON.stringify(input).slice(0, MAX_SHOWN_CHARS);
  } catch {
    return received;
  }
}

function isStatus(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { ttlMs, results = false, ...others } = value as Record<string, unknown>;
  const isTtl = Number.isInteger(ttlMs) && (ttlMs as number) >= 1_000 && (ttlMs as number) <= 366 * MAX_MS;
  return isTtl && typeof results === "boolean" && Object.keys(others).length === 0;
}

function isUses(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { requests = 0, connections = 0, invocations = 0, ...others } = value as Record<string, unknown>;
  const counts = [requests, connections, invocations];
  return Object.keys(others).length === 0 && counts.every((count) => Number.isInteger(count) && (count as number) >= 0);
}

function isBackoff(value: unknown): boolean {
  if (typeof value === "string") return ["exponential", "gocraft", "que", "resque-retry"].includes(value);
  if (typeof value === "function") return true;
  if (Array.isArray(value)) return value.length > 0 && value.every(isMs);
  if (typeof value !== "object" || value === null) return false;
  const { firstMs, factor = 1, maxMs = 0, jitter = 0, ...others } = value as Record<string, unknown>;
  return Object.keys(others).length === 0 && [firstMs, factor, maxMs, jitter].every(isMs) && (jitter as number) <= 1;
}
