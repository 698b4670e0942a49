import { createRandom, type Random } from "./random.ts";

/** A fault that is done again and again. */
export interface PlannedFault {
  /** What it is counted as. */
  readonly name: string;
  /** From its end to its next beginning, drawn anew each time. */
  readonly everyMs: readonly [min: number, max: number];
  /** Faults with the same lock never happen at the same time. */
  readonly lock?: string;
  /** For how long the lock is kept after it: so that what one of them does is over before the next. @default 0 */
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
  /** Does something while no fault with this lock is under way. */
  without<T>(lock: string, work: () => Promise<T>): Promise<T>;
  /** Begins no more of them, and ends when those under way have ended. Rejects with the first error of any. */
  stop(): Promise<void>;
}

/** Begins the faults. When each is drawn to happen is the same for the same seed. */
export function playFaults(seed: number, faults: readonly PlannedFault[]): RunningPlan {
  const counts: Record<string, number> = {};
  const locks = new Map<string, Promise<void>>();
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

  const without = async <T>(lock: string, work: () => Promise<T>, restMs = 0): Promise<T> => {
    const before = locks.get(lock) ?? Promise.resolve();
    const done = Promise.withResolvers<void>();
    locks.set(
      lock,
      before.then(() => done.promise),
    );
    await before;
    try {
      return await work();
    } finally {
      void sleep(restMs).then(done.resolve);
    }
  };

  const play = async ({ name, everyMs, lock, restMs, run }: PlannedFault): Promise<void> => {
    const random = createRandom(seed, "plan", name);
    const once = async (): Promise<void> => {
      if (isOver) return;
      counts[name] = (counts[name] ?? 0) + 1;
      await run(random);
    };
    while (!isOver) {
      await sleep(random.whole(...everyMs));
      await (lock === undefined ? once() : without(lock, once, restMs));
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
