import { monotonicMs } from "./monotonic.ts";
import { createRandom, type Random } from "./random.ts";

/** A fault that is done again and again. */
export interface PlannedFault {
  /** What it is counted as. */
  readonly name: string;
  /** From its end to its next beginning, drawn anew each time. */
  readonly everyMs: readonly [min: number, max: number];
  /** Faults with the same lock never happen at the same time: one that finds it taken lets its turn pass. */
  readonly lock?: string;
  /** For how long after it those with the same lock let their turns pass: what it did is over then. @default 0 */
  readonly restMs?: number;
  /** Does it, and undoes it if it has to be undone. */
  run(random: Random): Promise<void>;
}

/** Faults that are under way. */
export interface RunningPlan {
  /** How often each has been done. */
  readonly counts: Readonly<Record<string, number>>;
  /** Rejects with the first error of any fault. */
  readonly failed: Promise<never>;
  /** Does something while no fault with this lock is under way; waits for one that is. */
  without<T>(lock: string, work: () => Promise<T>): Promise<T>;
  /** Begins no more of them, and ends when those under way have ended. Rejects with the first error of any. */
  stop(): Promise<void>;
}

/** Begins the faults. When each is drawn to happen is the same for the same seed. */
export function playFaults(seed: number, faults: readonly PlannedFault[]): RunningPlan {
  const counts: Record<string, number> = {};
  const locks = new Map<string, Promise<unknown>>();
  const restsUntilMs = new Map<string, number>();
  const sleepers = new Set<() => void>();
  const errors: unknown[] = [];
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let isOver = false;

  const sleep = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, delayMs);
      sleepers.add(wake);
      if (isOver) wake();
    });

  const without = async <T>(lock: string, work: () => Promise<T>): Promise<T> => {
    const before = locks.get(lock);
    const done = Promise.withResolvers<void>();
    const mine = Promise.all([before, done.promise]);
    locks.set(lock, mine);
    await before;
    try {
      return await work();
    } finally {
      done.resolve();
      if (locks.get(lock) === mine) locks.delete(lock);
    }
  };

  const play = async ({ name, everyMs, lock, restMs = 0, run }: PlannedFault): Promise<void> => {
    const random = createRandom(seed, "plan", name);
    const once = async (): Promise<void> => {
      counts[name] = (counts[name] ?? 0) + 1;
      await run(random);
      if (lock !== undefined) restsUntilMs.set(lock, monotonicMs() + restMs);
    };
    for (;;) {
      await sleep(random.whole(...everyMs));
      if (isOver) return;
      if (lock === undefined) await once();
      else if (!locks.has(lock) && monotonicMs() >= (restsUntilMs.get(lock) ?? 0)) await without(lock, once);
    }
  };

  const playing = faults.map((fault) =>
    play(fault).catch((error: unknown) => {
      errors.push(error);
      failed.reject(error);
    }),
  );
  return {
    counts,
    failed: failed.promise,
    without,
    async stop() {
      isOver = true;
      for (const wake of [...sleepers]) wake();
      await Promise.all(playing);
      if (errors.length > 0) throw errors[0];
    },
  };
}
