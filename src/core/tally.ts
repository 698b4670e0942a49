import type { Settlement, SlotStats } from "./store.ts";

/** Counts what a drain did, for its report and for those who look at its workers. */
export interface Tally {
  claimed: number;
  succeeded: number;
  failed: number;
  released: number;
  recovered: number;
  lost: number;
  /** Counts settlements that the store has taken. */
  settled(settlements: readonly Settlement[], lost: readonly Settlement[]): void;
  /** The slots whose figures have changed since the last call. */
  changedSlots(): SlotStats[];
}

export function createTally(): Tally {
  const slots = new Map<number, { processed: number; failed: number }>();
  const changed = new Set<number>();
  return {
    claimed: 0,
    succeeded: 0,
    failed: 0,
    released: 0,
    recovered: 0,
    lost: 0,
    settled(settlements, lost) {
      const isLost = new Set(lost);
      for (const settlement of settlements) {
        const { claim, outcome } = settlement;
        if (isLost.has(settlement)) this.lost++;
        else if (outcome.kind === "released" || outcome.kind === "requeued") this.released++;
        else {
          const isFailure = outcome.kind === "failed";
          if (isFailure) this.failed++;
          else this.succeeded++;
          const stats = slots.get(claim.slot) ?? { processed: 0, failed: 0 };
          stats.processed++;
          if (isFailure) stats.failed++;
          slots.set(claim.slot, stats);
          changed.add(claim.slot);
        }
      }
    },
    changedSlots() {
      const stats = [...changed].map((slot) => ({
        slot,
        ...(slots.get(slot) as { processed: number; failed: number }),
      }));
      changed.clear();
      return stats;
    },
  };
}
