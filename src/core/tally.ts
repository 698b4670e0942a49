import type { Outcome } from "./outcome.ts";
import type { Settlement, SlotStats } from "./store.ts";

/** Counts what a drain did, for its report and for those who look at its workers. */
export interface Tally {
  claimed: number;
  succeeded: number;
  failed: number;
  retried: number;
  discarded: number;
  detached: number;
  released: number;
  recovered: number;
  promoted: number;
  scheduled: number;
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
    retried: 0,
    discarded: 0,
    detached: 0,
    released: 0,
    recovered: 0,
    promoted: 0,
    scheduled: 0,
    lost: 0,
    settled(settlements, lost) {
      const isLost = new Set(lost);
      for (const settlement of settlements) {
        const { claim, outcome } = settlement;
        if (isLost.has(settlement)) this.lost++;
        // Counted when it has been dispatched.
        else if (outcome.kind === "detached") continue;
        else if (!countsAttempt(outcome)) this.released++;
        else {
          this[COUNTED_AS[outcome.kind]]++;
          const isFailure = countsFailure(outcome);
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

/** What ends in one of these has had an attempt, as Ruby Resque counts them. */
const COUNTED_AS = {
  ok: "succeeded",
  discarded: "discarded",
  failed: "failed",
  dropped: "failed",
  retrying: "retried",
} as const;

/** Whether an attempt has ended, well or not; otherwise the job was only given back. */
export function countsAttempt(outcome: Outcome): outcome is Extract<Outcome, { kind: keyof typeof COUNTED_AS }> {
  return outcome.kind in COUNTED_AS;
}

/** Whether the attempt is one that failed. */
export function countsFailure({ kind }: Outcome): boolean {
  return kind === "failed" || kind === "dropped" || kind === "retrying";
}
