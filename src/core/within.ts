import type { Clock } from "./clock.ts";

/**
 * Waits for a promise, but not longer than `limitMs`.
 *
 * @returns whether it has ended; rejects as it does, unless that is too late
 */
export async function within(clock: Clock, limitMs: number, promise: PromiseLike<unknown>): Promise<boolean> {
  let cancel = (): void => undefined;
  const limit = new Promise<false>((resolve) => {
    cancel = clock.setTimer(limitMs, () => resolve(false));
  });
  try {
    return await Promise.race([promise.then(() => true), limit]);
  } finally {
    cancel();
  }
}
