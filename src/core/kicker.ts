import type { Clock } from "./clock.ts";
import type { Logger } from "./job-context.ts";
import { type AskHost, type AskLimits, DEFAULT_MAX_DEPTH, type StartDrain } from "./start-drain.ts";

/** Starts a drain as soon as there are jobs, instead of at the next tick. */
export interface KickOptions {
  /** Without it drains are kicked only where another is given: to `kick`, to `enqueueAll`, by the HTTP endpoint. */
  readonly start?: StartDrain;
  /** Whether enqueueing kicks. @default true */
  readonly onEnqueue?: boolean;
  /**
   * After this a drain that was kicked and has not begun is taken for lost, in milliseconds.
   *
   * @default 60_000
   */
  readonly ttlMs?: number;
  /**
   * No drain with a greater `depth` is started: a drain's own jobs may enqueue others without end.
   *
   * @default 10
   */
  readonly maxDepth?: number;
}

export const DEFAULT_KICK_TTL_MS = 60_000;

/**
 * What became of a kick.
 *
 * - `started`: the host will start a drain
 * - `pending`: it has been asked before, and that drain has not begun
 * - `failed`: it could not, and may be asked again
 */
export type Kicked = { readonly kind: "started" | "pending" | "failed" };

/** The mark of a kick that is pending: one for all who share a Redis. A drain that begins takes it away before it looks at the queues. */
export interface KickMark {
  /** False if it stands already. */
  set(): Promise<boolean>;
  /** Takes it away again, if it is still ours. Never rejects. */
  free(): Promise<void>;
}

export interface KickerDeps {
  readonly options: KickOptions;
  readonly newMark: () => KickMark;
  readonly askHost: AskHost;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
}

/** A drain of this process, at its end. */
export interface GoneDrain {
  readonly id: string;
  readonly depth: number;
  /** Others may have left jobs to it that it has not seen. */
  readonly mayHaveMissed: boolean;
  /** Another has been started already. */
  readonly isFollowed: boolean;
  /** When one in this process must end. */
  readonly hereEndMs: number;
  hasQueued(): Promise<boolean>;
  /** One on the drain's own bill. */
  newMark(): KickMark;
}

export interface Kicker {
  /** Asks for a drain, unless one is pending. */
  kick(start: StartDrain): Promise<Kicked>;
  /**
   * Jobs have come to queues of this app. Never rejects.
   *
   * @param given in the place of the app's own; false for none
   */
  enqueued(given?: StartDrain | false): Promise<void>;
  /** A drain of this app runs in this process, and has just shown it. */
  seen(drainId: string): void;
  /**
   * It has ended. Kicks another if jobs wait that it may not have seen. Never rejects.
   *
   * @returns whether another was started
   */
  gone(drain: GoneDrain): Promise<boolean>;
}

export function createKicker({ options, newMark, askHost, clock, logger, leaseMs }: KickerDeps): Kicker {
  const { onEnqueue = true, maxDepth = DEFAULT_MAX_DEPTH } = options;
  /**
   * The drains that run in this process, and when each was last seen. They look for more until they end, so what is enqueued meanwhile,
   * by their own jobs above all, needs no kick until then. One that its host has frozen for good is not waited for.
   */
  const here = new Map<string, number>();
  /** What to ask for a drain when the last of them has ended, as jobs have been enqueued. */
  let noted: StartDrain | undefined;

  const isDraining = (): boolean => {
    const oldestMs = clock.nowMs() - leaseMs;
    for (const [drainId, seenMs] of here) if (seenMs < oldestMs) here.delete(drainId);
    return here.size > 0;
  };

  const kick = async (start: StartDrain, depth = 0, mark = newMark(), limits: AskLimits = {}): Promise<Kicked> => {
    if (!(await mark.set())) return { kind: "pending" };
    if (await askHost(start, { reason: "kick", depth }, limits)) return { kind: "started" };
    await mark.free();
    return { kind: "failed" };
  };

  const guarded = async (run: () => Promise<boolean>): Promise<boolean> => {
    try {
      return await run();
    } catch (error) {
      // The jobs are in their queues: the next tick finds them.
      logger.warn("no drain was kicked", { error });
      return false;
    }
  };

  return {
    kick: (start) => kick(start),
    async enqueued(given) {
      const start = given ?? (onEnqueue ? options.start : undefined);
      if (!start) return;
      if (isDraining()) noted = start;
      else await guarded(async () => (await kick(start)).kind === "started");
    },
    seen(drainId) {
      here.set(drainId, clock.nowMs());
    },
    async gone(drain) {
      here.delete(drain.id);
      let start = drain.mayHaveMissed ? options.start : undefined;
      if (!isDraining()) {
        start = noted ?? start;
        noted = undefined;
      }
      if (!start || drain.isFollowed || drain.depth >= maxDepth) return false;
      const started = start;
      const look = async (): Promise<boolean> =>
        (await drain.hasQueued()) && (await kick(started, drain.depth + 1, drain.newMark(), drain)).kind === "started";
      return guarded(look);
    },
  };
}
