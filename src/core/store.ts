import type { CheckIn } from "./checkins.ts";
import type { JobAck } from "./job-ack.ts";
import type { DetachedOutcome, Failure, Outcome } from "./outcome.ts";

/** A payload, read. `malformed` is one that is not a job: it goes to the failed list without being run. */
export type ClaimedJob =
  | {
      readonly kind: "job";
      readonly class: string;
      readonly args: readonly unknown[];
      readonly raw: string;
      /** 1, and one more for each attempt that failed and each drain that died while it held the job. */
      readonly attempt: number;
      /** How many of the attempts failed. */
      readonly retries: number;
      /** Under which its status is kept. */
      readonly id?: string;
      /** The payload is Rails' wrapper of an Active Job. */
      readonly isActiveJob?: true;
      /** Why it is not to be run any more: it fails. */
      readonly refusal?: Failure;
    }
  | { readonly kind: "malformed"; readonly raw: string; readonly reason: string; readonly isBinary: boolean };

/** A job in a slot. It stays the drain's as long as the slot's entry bears this token. */
export interface Claim {
  readonly slot: number;
  readonly token: string;
  readonly queue: string;
  readonly job: ClaimedJob;
}

export interface Settlement {
  readonly claim: Claim;
  readonly outcome: Outcome;
  /** When the attempt ended, by our clock, and how long it took; undefined if it was never begun. */
  readonly endedMs?: number;
  readonly durationMs?: number;
}

/** A job that has left its drain for a receiver. */
export interface Detached {
  readonly settlement: Settlement & { readonly outcome: DetachedOutcome };
  readonly ack: JobAck;
}

/** What a slot has done so far, for those who look at its worker. */
export interface SlotStats {
  readonly slot: number;
  readonly processed: number;
  readonly failed: number;
}

/** What is to be shown of jobs while they run. It is shown only as long as they hold their slots, and no harm is done if it gets lost. */
export interface Notes {
  /** Jobs whose status does not say yet that they run; the instants are by our clock. */
  readonly started: readonly { readonly claim: Claim; readonly startedMs: number }[];
  readonly checkins: readonly { readonly claim: Claim; readonly checkin: CheckIn }[];
}

export interface ExchangeParams {
  /** Number of the exchange within its drain, from 1. A repetition bears the same number and the same parameters. */
  readonly seq: number;
  /** 1, and one more for each repetition. */
  readonly attempt: number;
  readonly settle: readonly Settlement[];
  /** Free slots that should get a job; may hold those that `settle` frees. */
  readonly fill: readonly number[];
  /** Renews the lease if given, and shows these figures. */
  readonly beat?: readonly SlotStats[];
  /** To be shown of jobs that go on; none of those that `settle` ends. */
  readonly notes?: Notes;
}

export interface ExchangeResult {
  /** New claims, and jobs that the store found in slots thought free (an earlier request took effect after all). */
  readonly claims: readonly Claim[];
  /** Settlements that had no effect, because someone else has recovered the claim. */
  readonly lost: readonly Settlement[];
  /** Of the settlements, those that are detached now and can be dispatched. */
  readonly detached?: readonly Detached[] | undefined;
  /** False once the drain has been recovered by another: it may settle, but no longer claim. */
  readonly isRegistered: boolean;
  /** Fewer jobs were found than asked for: no queue had more. */
  readonly isDrained: boolean;
  /** Queues, or jobs, were passed over because they, their classes, or everything, are paused. */
  readonly isPaused: boolean;
  /** Jobs were passed over because of the limits of their classes. */
  readonly isLimited: boolean;
  /** In how many ms the first of them may start, if it only waits for a rate. */
  readonly freesInMs: number | undefined;
}

/** A drain whose lease has ended. */
export interface DeadDrain {
  readonly drainId: string;
}

export interface Survey<Dead extends DeadDrain> {
  /** Drains whose lease has ended, the longest dead first; a bounded number. */
  readonly dead: readonly Dead[];
  /** When the next delayed job or retry is due, by our clock; it may be in the past. Undefined if none waits. */
  readonly nextDueMs: number | undefined;
}

export interface Promotion {
  readonly promoted: number;
  /** As in {@link Survey}, of those that are left. */
  readonly nextDueMs: number | undefined;
}

export interface SiblingPlan {
  /** How many jobs one drain is to have, roughly. */
  readonly threshold: number;
  /** How many drains there may be at the same time. */
  readonly maxDrains: number;
  /** For how long nobody plans anew after drains were to be started: they need some time to appear. */
  readonly ttlMs: number;
}

/**
 * The store of one drain: what core/drain.ts needs of a database. An implementation holds the drain's identity and its
 * meter, and nothing that another drain could see. Every operation may be repeated after an error, with the same effect.
 *
 * A repetition is the caller's: an implementation sends each call once.
 */
export interface DrainStore<Dead extends DeadDrain = DeadDrain> {
  readonly drainId: string;
  /** What was spent so far. */
  readonly usage: { readonly commands: number; readonly requests: number };
  /** Anything that could be work, now or later, a dead drain's jobs included. One command where the queues are named. */
  hasWork(): Promise<boolean>;
  /** Jobs in the drain's queues, whether paused or not. One command where the queues are named. */
  hasQueued(): Promise<boolean>;
  /**
   * Makes this the one drain that may claim, until it closes or has been silent for too long; undefined if several may.
   *
   * @returns false if another is that drain
   */
  enter?(): Promise<boolean>;
  /** Looks for what the drain should do beside claiming. */
  survey(): Promise<Survey<Dead>>;
  /** Moves a bounded number of jobs that are due, delayed ones and retries, to their queues, in about `maxRequests` requests. */
  promote(options?: { readonly maxRequests?: number }): Promise<Promotion>;
  /** Gives a dead drain's jobs back to their queues, or to the failed list beyond the crash limit. */
  recover(dead: Dead): Promise<{ readonly requeued: number; readonly failed: number }>;
  /** Settles and fills in one atomic step; the first one that claims something registers the drain. */
  exchange(params: ExchangeParams): Promise<ExchangeResult>;
  /**
   * Ends a job that was detached, or gives it back: its receiver will not.
   *
   * @returns false if it was not detached any more, and nothing was done
   */
  settleDetached(ack: JobAck, settlement: Settlement): Promise<boolean>;
  /** Shows notes that no exchange carries. One that the drain does not hold any more is not shown. */
  note(notes: Notes): Promise<void>;
  /** Gives back what is still in a slot and removes every trace of the drain. Nothing to do if it never registered. */
  close(): Promise<{ readonly released: number }>;
  /** Jobs left in the drain's queues. */
  countQueued(): Promise<number>;
  /** How many drains should be started beside those that live, and the jobs that wait for them. 0 while what was planned last is under way. */
  planSiblings(plan: SiblingPlan): Promise<{ readonly missing: number; readonly queued: number }>;
}
