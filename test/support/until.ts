import { setTimeout as delay } from "node:timers/promises";

export interface UntilOptions {
  /** @default 30_000, for a machine that is busy otherwise */
  readonly timeoutMs?: number;
}

/** Waits until the condition holds, and returns what it returned. Fails with the condition's own error, if it threw to the last. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000 }: UntilOptions = {},
): Promise<Exclude<Awaited<T>, false | null | undefined | "" | 0>> {
  // By a clock that no test stops.
  const giveUpAt = process.uptime() + timeoutMs / 1_000;
  let pauseMs = 1;
  for (;;) {
    const outcome = await attempt(condition);
    // Truthiness has just been tested, which TypeScript cannot see through the generic.
    if (outcome.value) return outcome.value as Exclude<Awaited<T>, false | null | undefined | "" | 0>;
    if (process.uptime() > giveUpAt) {
      throw new Error(`the condition did not hold within ${timeoutMs} ms: ${condition}`, { cause: outcome.error });
    }
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * 2, 50);
  }
}

async function attempt<T>(condition: () => T | Promise<T>): Promise<{ value?: Awaited<T>; error?: unknown }> {
  try {
    return { value: await condition() };
  } catch (error) {
    return { error };
  }
}
