import { monotonicMs } from "./monotonic.ts";

/** What the host has told this process. */
export function hostSettings<Settings>(): Settings {
  return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** What a process says first: from now on it does what it is for. */
export const UP = { up: true } as const;

/** Tells the host something, as a line of JSON. */
export function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export interface TickOptions {
  /** From the end of one to the start of the next. @default 50 */
  readonly pauseMs?: number;
  /** After so many the process ends by itself. @default Infinity */
  readonly maxTicks?: number;
}

/**
 * Calls `tick` again and again until the host asks for the end, or is gone: one drain each, as a host's schedule has it. What a tick throws is told to
 * the host (`{"error":…}`) and ends no more than that tick.
 */
export async function tickUntilTold(
  tick: () => Promise<unknown>,
  { pauseMs = 50, maxTicks = Number.POSITIVE_INFINITY }: TickOptions = {},
): Promise<void> {
  let isOver = false;
  const told = new Promise<void>((resolve) => {
    process.stdin.once("close", () => {
      isOver = true;
      resolve();
    });
  });
  process.stdin.resume();
  say(UP);
  for (let ticks = 0; ticks < maxTicks && !isOver; ticks++) {
    try {
      await tick();
    } catch (error) {
      say({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, pauseMs)), told]);
  }
  process.stdin.destroy();
}

/** Calls back when this process stood still for longer than `limitMs`: frozen, or kept from its processor. */
export function watchStandstill(limitMs: number, onStandstill: (fromMs: number, toMs: number) => void): () => void {
  const everyMs = Math.max(10, limitMs / 10);
  let lastMs = monotonicMs();
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    if (nowMs - lastMs > limitMs + everyMs) onStandstill(lastMs, nowMs);
    lastMs = nowMs;
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
