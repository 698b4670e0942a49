import type { Clock } from "./core/clock.ts";

/** The host's clock and timers. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  standsStill: globalThis.navigator?.userAgent === "Cloudflare-Workers",
  setTimer(delayMs, callback) {
    // A longer delay would fire at once (32 bits of milliseconds).
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
  // setTimeout(0) costs a millisecond and more; an exchange takes less. Hosts without setImmediate have nothing better that all share.
  yield: () =>
    new Promise((resolve) => {
      if (typeof setImmediate === "function") setImmediate(resolve);
      else setTimeout(resolve, 0);
    }),
};

/**
 * The host's clock as it is now, for one drain or one call of a job function: should it be set meanwhile, beats, time limits and waits go on as before. Not for longer, as it stands
 * still while a host is suspended.
 */
export function steadyClock(): Clock {
  const startMs = Date.now() - performance.now();
  return { ...systemClock, nowMs: () => Math.round(startMs + performance.now()) };
}
