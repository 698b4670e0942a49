import type { CheckIn, CheckInChange } from "./checkins.ts";
import type { Claim, Notes } from "./store.ts";

/** The notes of a drain's jobs, the latest of each slot. */
export interface NoteBoard {
  /** The job's handler is called. Noted only if its status is kept. */
  start(claim: Claim, nowMs: number): void;
  /** @returns what is to be shown of the job now */
  checkIn(claim: Claim, change: CheckInChange, nowMs: number): CheckIn;
  /** Nothing more is to be shown of the job. */
  end(claim: Claim): void;
  /** When a request is due that carries the notes, if none comes sooner that can. */
  readonly dueMs: number;
  /** What a request that is sent now should carry. */
  take(nowMs: number): Notes | undefined;
  /** The request was in vain. */
  putBack(notes: Notes): void;
}

/** Notes are sent this often, and wait this long for a request that is sent anyway. A job that takes less is never shown as running. */
const EVERY_MS = 1_000;

interface Noted {
  readonly claim: Claim;
  readonly startedMs: number;
  /** Its status does not say yet that it runs. */
  isUntold: boolean;
  checkin: CheckIn | undefined;
  /** Since when there is a check-in that was not sent; Infinity if there is none. */
  changedMs: number;
}

/**
 * @param onDue called when `dueMs` has come nearer
 */
export function createNoteBoard(keepsStatus: boolean, onDue: () => void): NoteBoard {
  const bySlot: (Noted | undefined)[] = [];
  /** What was waiting longest was noted then, or later. */
  let oldestMs = Number.POSITIVE_INFINITY;
  let hasCheckIns = false;
  let sentMs = Number.NEGATIVE_INFINITY;

  const wait = (sinceMs: number): void => {
    if (sinceMs >= oldestMs) return;
    oldestMs = sinceMs;
    onDue();
  };
  const noted = (claim: Claim, nowMs: number): Noted => {
    const known = bySlot[claim.slot];
    if (known?.claim === claim) return known;
    const noted = { claim, startedMs: nowMs, isUntold: false, checkin: undefined, changedMs: Number.POSITIVE_INFINITY };
    bySlot[claim.slot] = noted;
    return noted;
  };

  return {
    start(claim, nowMs) {
      if (!keepsStatus || claim.job.kind !== "job" || claim.job.id === undefined) return;
      noted(claim, nowMs).isUntold = true;
      wait(nowMs);
    },
    checkIn(claim, change, nowMs) {
      const job = noted(claim, nowMs);
      const checkin = { ...job.checkin, ...change, atMs: nowMs };
      job.checkin = checkin;
      job.changedMs = Math.min(job.changedMs, nowMs);
      hasCheckIns = true;
      wait(nowMs);
      return checkin;
    },
    end({ slot }) {
      if (bySlot[slot]) bySlot[slot] = undefined;
    },
    get dueMs() {
      return Math.max(oldestMs, sentMs) + EVERY_MS;
    },
    take(nowMs) {
      if (nowMs < sentMs + EVERY_MS || (nowMs < oldestMs + EVERY_MS && !hasCheckIns)) return undefined;
      const started: Notes["started"][number][] = [];
      const checkins: Notes["checkins"][number][] = [];
      oldestMs = Number.POSITIVE_INFINITY;
      hasCheckIns = false;
      for (const job of bySlot) {
        if (!job) continue;
        const { claim, startedMs, checkin } = job;
        if (job.isUntold && nowMs >= startedMs + EVERY_MS) {
          job.isUntold = false;
          started.push({ claim, startedMs });
        } else if (job.isUntold) oldestMs = Math.min(oldestMs, startedMs);
        if (checkin && job.changedMs < Number.POSITIVE_INFINITY) {
          job.changedMs = Number.POSITIVE_INFINITY;
          checkins.push({ claim, checkin });
        }
      }
      if (started.length + checkins.length === 0) return undefined;
      sentMs = nowMs;
      return { started, checkins };
    },
    putBack({ started, checkins }) {
      const again = (claim: Claim, change: (job: Noted) => void): void => {
        const job = bySlot[claim.slot];
        if (job?.claim === claim) change(job);
      };
      for (const { claim } of started) {
        again(claim, (job) => {
          job.isUntold = true;
          wait(job.startedMs);
        });
      }
      for (const { claim, checkin } of checkins) {
        again(claim, (job) => {
          job.changedMs = checkin.atMs;
          wait(checkin.atMs);
        });
      }
    },
  };
}
