/** When a job gives its unique lock back. */
export type UniqueUntil = "start" | "done" | { readonly periodMs: number };

/** Which jobs of a class are the same job, and for how long there may be only one of them. */
export interface UniqueOptions<Args extends readonly unknown[] = readonly unknown[]> {
  /**
   * - `"start"`: one waits; once a drain has taken it, the next may be enqueued
   * - `"done"`: one waits, runs, or waits for its next attempt, until it has ended for good
   * - `{ periodMs }`: one is enqueued in each period, whatever becomes of it; one that is cancelled before it ran does not count
   */
  readonly until: UniqueUntil;
  /**
   * What makes two jobs of the same queue the same, as a text. It sees the arguments as they stand in the payload, before decoder and
   * schema; those of an Active Job as they were given to `enqueue`.
   *
   * @default the arguments, as JSON
   */
  readonly key?: (args: Args) => string;
  /**
   * How long the lock is held at most, in milliseconds, from the time at which the job may run. Longer than a job takes to end, its
   * wait in the queue and its retries included: after that a second one may be enqueued. With a period it is the period.
   *
   * @default 3_600_000, as node-resque's
   */
  readonly ttlMs?: number;
  /**
   * What happens to a job that finds another waiting: it is dropped, or it takes the other's place, so that the newest arguments win.
   * The latter only with a `key` and until `"start"`.
   *
   * @default "drop"
   */
  readonly onConflict?: "drop" | "replace";
}

/** @see UniqueOptions#ttlMs */
export const DEFAULT_UNIQUE_TTL_MS = 3_600_000;

const MAX_TTL_MS = 31_536_000_000;
const NAMES = ["until", "key", "ttlMs", "onConflict"];

/** What was expected of these options, if they are wrong. */
export function uniqueProblem(options: unknown): string | undefined {
  if (typeof options !== "object" || options === null) return "expected an object with until";
  const { until, key, ttlMs, onConflict, ...unknown } = options as Record<string, unknown>;
  const [name] = Object.keys(unknown);
  if (name !== undefined) return `${name}: unknown option; known: ${NAMES.join(", ")}`;
  const periodMs = typeof until === "object" && until !== null ? (until as { periodMs?: unknown }).periodMs : undefined;
  if (until !== "start" && until !== "done" && !isDuration(periodMs)) {
    return 'until: expected "start", "done" or { periodMs }, at most a year';
  }
  if (key !== undefined && typeof key !== "function") return "key: expected a function of the arguments";
  if (ttlMs !== undefined && !isDuration(ttlMs)) return "ttlMs: expected a number of milliseconds, at most a year";
  if (ttlMs !== undefined && periodMs !== undefined) return "expected ttlMs or a period, not both";
  if (onConflict === "replace") {
    return key && until === "start" ? undefined : 'onConflict: expected "replace" only with a key and until "start"';
  }
  return onConflict === undefined || onConflict === "drop" ? undefined : 'onConflict: expected "drop" or "replace"';
}

function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TTL_MS;
}
