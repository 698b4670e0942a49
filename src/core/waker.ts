import type { Clock } from "./clock.ts";

/** Lets one waiter sleep until it is woken or its time is over. */
export interface Waker {
  wait(maxMs: number): Promise<void>;
  wake(): void;
}

export function createWaker(clock: Clock): Waker {
  let wake: (() => void) | undefined;
  return {
    wait: (maxMs) =>
      new Promise((resolve) => {
        const cancel = maxMs < Number.POSITIVE_INFINITY ? clock.setTimer(maxMs, () => wake?.()) : () => undefined;
        wake = () => {
          wake = undefined;
          cancel();
          resolve();
        };
      }),
    wake: () => wake?.(),
  };
}
