import type { Clock } from "./clock.ts";

export interface WatchTimeOptions {
  readonly clock: Clock;
  /** Aborting it begins the grace. */
  readonly signal: AbortSignal | undefined;
  /** When time is up, in ms since the epoch; Infinity for never. */
  readonly endMs: number;
  readonly graceMs: number;
  readonly onEnd: () => void;
  readonly onAbort: () => void;
  /** The grace is over. */
  readonly onGraceEnd: () => void;
}

/** Calls back when a drain's time is up or its caller wants it to end. The returned function stops it. */
export function watchTime({ clock, signal, endMs, graceMs, onEnd, onAbort, onGraceEnd }: WatchTimeOptions): () => void {
  const cancels: (() => void)[] = [];
  const after = (delayMs: number, callback: () => void): void => {
    if (delayMs < Number.POSITIVE_INFINITY) cancels.push(clock.setTimer(Math.max(0, delayMs), callback));
  };
  const abort = (): void => {
    onAbort();
    after(graceMs, onGraceEnd);
  };
  after(endMs - clock.nowMs(), onEnd);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  cancels.push(() => signal?.removeEventListener("abort", abort));
  return () => {
    for (const cancel of cancels) cancel();
  };
}
