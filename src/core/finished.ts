import { undetached } from "./dispatcher.ts";
import type { Failure } from "./outcome.ts";
import type { Claim, Settlement } from "./store.ts";

/** A claim, numbered in the order in which the jobs left their queues. */
export interface HeldClaim extends Claim {
  readonly number: number;
}
export type HeldSettlement = Settlement & { readonly claim: HeldClaim };

/** Jobs that have ended and are not written yet. */
export interface Finished {
  readonly size: number;
  /** Since when the first of them waits. */
  readonly sinceMs: number;
  add(settlement: HeldSettlement, nowMs: number): void;
  /** As many as one exchange carries. `inOrder` for those that go back to their queues together: they stand there as they left them. */
  take(inOrder: boolean): readonly HeldSettlement[];
  /** What was taken last has arrived. */
  written(): void;
  /** There is nobody left to dispatch them: jobs that were to be detached are given back. */
  undetach(): void;
  /** All that is not known to be written. */
  all(): readonly Settlement[];
}

/** Failure texts that one exchange carries at most; the others ride on the next one. */
const MAX_FAILURE_CHARS = 1_000_000;

export function createFinished(): Finished {
  let waiting: HeldSettlement[] = [];
  /** What the last `take` gave out, until it is known to be written. */
  let sent: readonly HeldSettlement[] = [];
  let sinceMs = 0;
  return {
    get size() {
      return waiting.length;
    },
    get sinceMs() {
      return sinceMs;
    },
    add(settlement, nowMs) {
      if (waiting.length === 0) sinceMs = nowMs;
      waiting.push(settlement);
    },
    take(inOrder) {
      if (inOrder) waiting.sort((a, b) => a.claim.number - b.claim.number);
      let chars = 0;
      let count = 0;
      for (const { outcome } of waiting) {
        if ("failure" in outcome) chars += sizeOf(outcome.failure);
        if (count > 0 && chars > MAX_FAILURE_CHARS) break;
        count++;
      }
      sent = waiting.slice(0, count);
      waiting = waiting.slice(count);
      return sent;
    },
    written() {
      sent = [];
    },
    undetach() {
      waiting = waiting.map(withoutDetaching);
    },
    all: () => [...sent.map(withoutDetaching), ...waiting],
  };
}

function withoutDetaching<S extends Settlement>(settlement: S): S {
  return { ...settlement, outcome: undetached(settlement.outcome) };
}

function sizeOf(failure: Failure): number {
  return failure.message.length + failure.backtrace.reduce((sum, line) => sum + line.length, 100);
}
