import type { ExchangeResult } from "./store.ts";

/** What a drain knows of queues that gave it less than it asked for: why they did, and when to ask again. Instants are by our clock. */
export interface Lull {
  /** They had no more that might start. */
  readonly isDrained: boolean;
  /** Limits hold back what they still have. */
  readonly isLimited: boolean;
  /** What a drain ends with that has nothing else to do. */
  readonly reason: "empty" | "limited" | "paused";
  /** When a rate lets the next job start; Infinity if that is not what they wait for. */
  readonly freesAtMs: number;
  /** When to look for more while jobs run: soon at first, then at the pace of an idle Ruby worker. */
  readonly pollAtMs: number;
  /** Takes what an exchange that asked for jobs was given. */
  note(result: ExchangeResult, nowMs: number): void;
  /** It is looked for more now. */
  notePoll(nowMs: number): void;
  /** They may have more. */
  end(): void;
}

const FIRST_POLL_MS = 1_000;
const MAX_POLL_MS = 5_000;
/** Timers and clocks may differ by this much; to ask too early costs an exchange. */
const CLOCK_MS = 2;

export function createLull(): Lull {
  let isDrained = false;
  let reason: Lull["reason"] = "empty";
  let freesAtMs = Number.POSITIVE_INFINITY;
  let pollMs = FIRST_POLL_MS;
  let pollAtMs = 0;
  return {
    get isDrained() {
      return isDrained;
    },
    get isLimited() {
      return reason === "limited";
    },
    get reason() {
      return reason;
    },
    get freesAtMs() {
      return freesAtMs;
    },
    get pollAtMs() {
      return pollAtMs;
    },
    note({ claims, isLimited, isPaused, freesInMs, ...result }, nowMs) {
      isDrained = result.isDrained;
      reason = isLimited ? "limited" : isPaused ? "paused" : "empty";
      freesAtMs = nowMs + (freesInMs ?? Number.POSITIVE_INFINITY) + CLOCK_MS;
      if (claims.length > 0) pollMs = FIRST_POLL_MS;
      pollAtMs = nowMs + pollMs;
    },
    notePoll(nowMs) {
      pollMs = Math.min(pollMs * 2, MAX_POLL_MS);
      pollAtMs = nowMs + pollMs;
    },
    end() {
      isDrained = false;
    },
  };
}
