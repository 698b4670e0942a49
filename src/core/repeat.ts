import type { Clock } from "./clock.ts";
import { isStoreError, StoreError } from "./errors.ts";

export interface RepeatOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * No repetition starts later than this (ms since the epoch), and none is waited for longer. Asked again now and then, as it may
   * come nearer.
   */
  readonly untilMs: () => number;
  readonly onRetry: (error: StoreError, attempt: number, delayMs: number) => void;
  /** Whether such an error may pass. @default those of a store that are retryable */
  readonly mayPass?: (error: StoreError) => boolean;
}

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 2_000;
/** How often `untilMs` is asked while a call is under way, or waited for. */
const LOOK_MS = 500;
const NO_ANSWER = "no answer from Redis in the time that was left";

/**
 * Calls until it succeeds, fails for good, or time is up; then rejects with the last error. Waits with jitter over an exponential
 * backoff, or as long as the store asked for.
 *
 * @param call is given the number of the attempt, from 1
 */
export async function repeat<T>(call: (attempt: number) => Promise<T>, options: RepeatOptions): Promise<T> {
  const { clock, random, untilMs, onRetry, mayPass = isRetryable } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await within(call(attempt), options);
    } catch (error) {
      if (!isStoreError(error) || !mayPass(error)) throw error;
      const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
      const delayMs = Math.max(error.retryAfterMs ?? 0, Math.ceil(ceilingMs * (0.5 + random() / 2)));
      if (clock.nowMs() + delayMs > untilMs()) throw error;
      onRetry(error, attempt, delayMs);
      for (let leftMs = delayMs; leftMs > 0; leftMs -= LOOK_MS) {
        if (clock.nowMs() + leftMs > untilMs()) throw error;
        await new Promise<void>((resolve) => clock.setTimer(Math.min(leftMs, LOOK_MS), resolve));
      }
    }
  }
}

function isRetryable({ retryable }: StoreError): boolean {
  return retryable;
}

/** A client has a time limit of its own, but it does not know when the host ends us. */
function within<T>(call: Promise<T>, { clock, untilMs }: Pick<RepeatOptions, "clock" | "untilMs">): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel: () => void = () => undefined;
    const look = (): void => {
      const leftMs = untilMs() - clock.nowMs();
      if (leftMs > 0) cancel = clock.setTimer(Math.min(leftMs, LOOK_MS), look);
      // What has come while handlers kept the loop busy, or the process stood still, is read before it is given up.
      else void clock.yield().then(() => reject(new StoreError("unavailable", NO_ANSWER)));
    };
    call.then(resolve, reject).finally(() => cancel());
    look();
  });
}
