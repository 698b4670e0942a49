import type { Clock } from "./clock.ts";
import type { ScheduleTicker, TickedSchedule } from "./scheduler.ts";
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
  promote(
    calling: <T>(call: () => Promise<T>) => Promise<T>,
  ): Promise<{ readonly promoted: number; readonly ticked: readonly TickedSchedule[] }>;
  /** When to look again, at the latest; Infinity for never. */
  readonly againMs: number;
  /** Something waits in the store. */
  readonly isWaiting: boolean;
}

export function createDue(store: Pick<DrainStore, "promote">, ticker: ScheduleTicker | undefined, clock: Clock): Due {
  let storedMs = Number.POSITIVE_INFINITY;
  let scheduledMs = Number.POSITIVE_INFINITY;
  /** When to look at the schedules again: one may have been added. */
  let lookMs = ticker ? 0 : Number.POSITIVE_INFINITY;
  const isDue = (atMs: number): boolean => atMs <= clock.nowMs();
  return {
    get nextMs() {
      const nextMs = Math.min(storedMs, scheduledMs);
      return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs;
    },
    get isWaiting() {
      return storedMs < Number.POSITIVE_INFINITY;
    },
    get againMs() {
      return Math.min(storedMs, lookMs);
    },
    get isNow() {
      return isDue(storedMs) || isDue(lookMs);
    },
    noteStored(nextDueMs = Number.POSITIVE_INFINITY) {
      storedMs = nextDueMs;
    },
    noteOwn(dueMs) {
      storedMs = Math.min(storedMs, dueMs);
    },
    async promote(calling) {
      let promoted = 0;
      let ticked: readonly TickedSchedule[] = [];
      if (ticker && isDue(lookMs)) {
        const tick = await calling(() => ticker.tick());
        ticked = tick.ticked;
        scheduledMs = tick.nextDueMs ?? Number.POSITIVE_INFINITY;
        lookMs = tick.againMs ?? Number.POSITIVE_INFINITY;
      }
      if (isDue(storedMs)) {
        const promotion = await calling(() => store.promote());
        promoted = promotion.promoted;
        storedMs = promotion.nextDueMs ?? Number.POSITIVE_INFINITY;
      }
      return { promoted, ticked };
    },
  };
}
