import type { Clock } from "./clock.ts";
import { isStoreError, type StoreError } from "./errors.ts";

export interface RepeatOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** No repetition starts later than this (ms since the epoch). */
  readonly untilMs: () => number;
  readonly onRetry: (error: StoreError, attempt: number, delayMs: number) => void;
}

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 5_000;

/**
 * Calls until it succeeds, fails for good, or time is up; then rejects with the last error. Waits with full jitter over an
 * exponential backoff, or as long as the store asked for.
 *
 * @param call is given the number of the attempt, from 1
 */
export async function repeat<T>(call: (attempt: number) => Promise<T>, options: RepeatOptions): Promise<T> {
  const { clock, random, untilMs, onRetry } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(attempt);
    } catch (error) {
      if (!isStoreError(error) || !error.retryable) throw error;
      const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
      const delayMs = Math.max(error.retryAfterMs ?? 0, Math.ceil(ceilingMs * (0.5 + random() / 2)));
      if (clock.nowMs() + delayMs > untilMs()) throw error;
      onRetry(error, attempt, delayMs);
      await new Promise<void>((resolve) => clock.setTimer(delayMs, resolve));
    }
  }
}
