import { onTestFinished, vi } from "vitest";
import { systemClock } from "../../src/system-clock.ts";

/**
 * Time that stands still for drains and job functions of this thread, so that their limits are reached when a test wants it, however busy the machine is.
 * Sockets, servers and other processes go on, and so do timers that are none of a drain's.
 */
export interface StoppedTime extends Disposable {
  /** Goes on by `ms`: timers that become due are called back, in order. */
  advance(ms: number): void;
}

/** Stops it until the end of the block, or of a test that hangs in it. */
export function stopTime(): StoppedTime {
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const [wallMs, steadyMs] = [Date.now(), performance.now()];
  let passedMs = 0;
  const spies = [
    vi.spyOn(Date, "now").mockImplementation(() => wallMs + passedMs),
    vi.spyOn(performance, "now").mockImplementation(() => steadyMs + passedMs),
    vi.spyOn(systemClock, "setTimer").mockImplementation((delayMs, callback) => {
      const timer = { atMs: passedMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    }),
  ];
  const goOn = (): void => {
    for (const spy of spies) spy.mockRestore();
  };
  onTestFinished(goOn);
  return {
    advance(ms) {
      const untilMs = passedMs + ms;
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (!next) break;
        timers.delete(next);
        passedMs = Math.max(passedMs, next.atMs);
        next.callback();
      }
      passedMs = untilMs;
    },
    [Symbol.dispose]: goOn,
  };
}
