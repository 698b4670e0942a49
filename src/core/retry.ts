import type { Failure } from "./outcome.ts";

/** What a retry policy is told of a job. */
export interface RetryJob {
  readonly queue: string;
  readonly class: string;
  readonly args: readonly unknown[];
}

/**
 * How long a job waits for its next attempt.
 *
 * - `exponential`: 5 s, 10 s, 20 s … up to an hour, each shortened by up to half at random
 * - `gocraft`: n⁴ + 15 + up to 30·(n + 1) s, as gocraft/work
 * - `que`: n⁴ + 3 s, as Que
 * - `resque-retry`: 0, 1 min, 10 min, 1 h, 3 h, 6 h, as resque-retry's exponential backoff
 * - `{ firstMs, factor, maxMs, jitter }`: an exponential one of your own; `jitter` is the share that chance may take off, 0 to 1
 * - a list: the waits in ms, the last one again and again
 * - a function of the failed attempt (from 1), the error and the job, in ms
 */
export type Backoff =
  | "exponential"
  | "gocraft"
  | "que"
  | "resque-retry"
  | { readonly firstMs: number; readonly factor?: number; readonly maxMs?: number; readonly jitter?: number }
  | readonly number[]
  | ((attempt: number, error: unknown, job: RetryJob) => number);

/** A rule for errors of one class; the first that fits counts. */
export interface RetryRule {
  /** The error's class, or its name. */
  // biome-ignore lint/suspicious/noExplicitAny: an error class takes whatever it takes
  readonly error: string | (abstract new (...args: any[]) => unknown);
  /** `fail`: goes to the failed list at once; `discard`: is done, nothing is kept. */
  readonly action: "retry" | "discard" | "fail";
  /** Instead of the policy's own. */
  readonly limit?: number;
  readonly backoff?: Backoff;
}

/** What becomes of the failed attempts of a class. */
export interface RetryOptions {
  /** How often a job is tried again. @default 5 */
  readonly limit?: number;
  /** @default "exponential" */
  readonly backoff?: Backoff;
  readonly rules?: readonly RetryRule[];
  /** What becomes of a job that fails once more: kept in the failed list, or counted and dropped. @default "fail" */
  readonly exhausted?: "fail" | "drop";
  /** Told when a job has used up its retries. What it throws is logged; a promise is waited for at the drain's end, up to 5 s. */
  readonly onExhausted?: (job: RetryJob, error: unknown) => unknown;
}

export const DEFAULT_RETRY_LIMIT = 5;

/** What a policy says of one failed attempt. `exhausted` tells a job that was retried as often as it may be. */
export type RetryDecision =
  | { readonly kind: "retry"; readonly afterMs: number }
  | { readonly kind: "discard" }
  | { readonly kind: "fail" }
  | { readonly kind: "exhausted"; readonly drop: boolean };

export interface FailedAttempt {
  readonly error: unknown;
  /** The error as it is written down. */
  readonly failure: Failure;
  readonly job: RetryJob;
  /** How often the job was tried again so far. */
  readonly retries: number;
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** How long to wait, if the handler says so itself. */
  readonly afterMs?: number | undefined;
}

/** Decides on one failed attempt. May throw what a user's own backoff throws. */
export function decideRetry(policy: RetryOptions, attempt: FailedAttempt): RetryDecision {
  const rule = policy.rules?.find(({ error }) => isOf(error, attempt));
  if (rule && rule.action !== "retry") return { kind: rule.action };
  if (!rule && isFinal(attempt.error)) return { kind: "fail" };
  const limit = rule?.limit ?? policy.limit ?? DEFAULT_RETRY_LIMIT;
  if (attempt.retries >= limit) return { kind: "exhausted", drop: policy.exhausted === "drop" };
  const backoff = rule?.backoff ?? policy.backoff ?? "exponential";
  const waitMs = attempt.afterMs ?? backoffMs(backoff, attempt);
  return { kind: "retry", afterMs: Math.min(Math.max(0, waitMs, retryAfterMs(attempt)), MAX_WAIT_MS) };
}

const HOUR_MS = 3_600_000;
const RESQUE_RETRY_MS = [0, 60_000, 600_000, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS];
/** Beyond this no wait is meant: 2⁴⁰ ms are 35 years. */
export const MAX_WAIT_MS: number = 2 ** 40;

/** @throws TypeError if a function's answer is no time */
export function backoffMs(backoff: Backoff, { error, job, retries, random }: FailedAttempt): number {
  const n = retries + 1;
  if (backoff === "resque-retry") return nth(RESQUE_RETRY_MS, retries);
  if (backoff === "que") return Math.min((n ** 4 + 3) * 1_000, MAX_WAIT_MS);
  if (backoff === "gocraft") {
    return Math.min((n ** 4 + 15 + Math.floor(random() * 30) * (n + 1)) * 1_000, MAX_WAIT_MS);
  }
  if (isList(backoff)) return nth(backoff, retries);
  if (typeof backoff === "function") {
    const waitMs = backoff(n, error, job);
    if (typeof waitMs === "number" && waitMs >= 0) return Math.min(waitMs, MAX_WAIT_MS);
    throw new TypeError(`retry.backoff: expected a number of milliseconds from 0 on, got ${String(waitMs)}`);
  }
  const own = backoff === "exponential" ? { firstMs: 5_000 } : backoff;
  const { firstMs, factor = 2, maxMs = Math.max(HOUR_MS, firstMs), jitter = 0.5 } = own;
  // Nothing, however often, is nothing: also once the factor is beyond all numbers.
  const waitMs = Math.min(firstMs * factor ** (n - 1) || 0, maxMs);
  return Math.round(waitMs * (1 - jitter * random()));
}

/** How long an error asks to wait: `retryAfterMs`, or an HTTP answer's `Retry-After` in seconds or as a date. 0 if it does not. */
export function retryAfterMs({ error, nowMs }: Pick<FailedAttempt, "error" | "nowMs">): number {
  try {
    const { retryAfterMs: ms, retryAfter, headers, response } = Object(error);
    if (Number.isFinite(ms)) return ms;
    const text = retryAfter ?? readHeader(headers) ?? readHeader(response?.headers);
    // A date has a number, too, which is none of seconds.
    return typeof text !== "object" && Number.isFinite(Number(text))
      ? Number(text) * 1_000
      : Date.parse(String(text)) - nowMs || 0;
  } catch {
    // Whatever was thrown may be anything.
    return 0;
  }
}

/** Whether an error says that another attempt would end the same, by `isFinal`. */
export function isFinal(error: unknown): boolean {
  try {
    return Object(error).isFinal === true;
  } catch {
    return false;
  }
}

function readHeader(headers: unknown): unknown {
  if (typeof headers !== "object" || headers === null) return undefined;
  if ("get" in headers && typeof headers.get === "function") return headers.get("retry-after");
  return (headers as Record<string, unknown>)["retry-after"];
}

function nth(listMs: readonly number[], index: number): number {
  return listMs[Math.min(index, listMs.length - 1)] ?? 0;
}

function isList(backoff: Backoff): backoff is readonly number[] {
  return Array.isArray(backoff);
}

/** By name also where the class is another copy of the same package, was thrown elsewhere, or is called so by the error itself. */
function isOf(wanted: RetryRule["error"], { error, failure: { exception } }: FailedAttempt): boolean {
  return typeof wanted === "string" ? exception === wanted : error instanceof wanted || exception === wanted.name;
}
