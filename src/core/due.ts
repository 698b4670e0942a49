import type { Clock } from "./clock.ts";
import type { ScheduleTicker } from "./scheduler.ts";
import type { DrainStore } from "./store.ts";

/** What a drain knows of jobs that are to be queued at their time. Instants are by our clock. */
export interface Due {
  /** When the next one is due, as far as was seen. */
  readonly nextMs: number | undefined;
  readonly isNow: boolean;
  /** The store's next one. */
  noteStored(nextDueMs: number | undefined): void;
  /** A further one, of this drain's own making. */
  noteOwn(dueMs: number): void;
  /** Queues a bounded number of jobs that are due. */
  promote(calling: <T>(call: () => Promise<T>) => Promise<T>): Promise<{ promoted: number; scheduled: number }>;
}

export function createDue(store: DrainStore, ticker: ScheduleTicker | undefined, clock: Clock): Due {
  let storedMs = Number.POSITIVE_INFINITY;
  let scheduledMs = ticker ? 0 : Number.POSITIVE_INFINITY;
  const isDue = (atMs: number): boolean => atMs <= clock.nowMs();
  return {
    get nextMs() {
      const nextMs = Math.min(storedMs, scheduledMs);
      return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs;
    },
    get isNow() {
      return isDue(storedMs) || isDue(scheduledMs);
    },
    noteStored(nextDueMs = Number.POSITIVE_INFINITY) {
      storedMs = nextDueMs;
    },
    noteOwn(dueMs) {
      storedMs = Math.min(storedMs, dueMs);
    },
    async promote(calling) {
      let promoted = 0;
      let scheduled = 0;
      if (ticker && isDue(scheduledMs)) {
        const tick = await calling(() => ticker.tick());
        scheduled = tick.enqueued;
        scheduledMs = tick.nextDueMs ?? Number.POSITIVE_INFINITY;
      }
      if (isDue(storedMs)) {
        const promotion = await calling(() => store.promote());
        promoted = promotion.promoted;
        storedMs = promotion.nextDueMs ?? Number.POSITIVE_INFINITY;
      }
      return { promoted, scheduled };
    },
  };
}
