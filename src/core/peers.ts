import type { Clock } from "./clock.ts";
import type { Emit } from "./guard-listeners.ts";
import type { Logger } from "./job-context.ts";
import type { Kicker, KickMark } from "./kicker.ts";
import type { DrainReport } from "./report.ts";
import type { ScaleOut } from "./scale-out.ts";
import { type AskHost, DEFAULT_MAX_DEPTH, type StartRequest } from "./start-drain.ts";
import type { DrainStore } from "./store.ts";
import { needsSuccessor, type SuccessorOptions } from "./successor.ts";
import { within } from "./within.ts";

/** How a drain ended, before it has looked after others. */
export type DrainEnd = Omit<DrainReport, "drainsStarted">;

/** What a drain does about others: those that run beside it, and the one after it. None of it throws: its own jobs matter more. */
export interface DrainPeers {
  /** Requests that it may make for others, at most: its host may count them. */
  readonly requests: number;
  /** The drain begins. */
  begin(emit: Emit): void;
  /**
   * The drain has closed.
   *
   * @param end undefined if it has thrown
   * @returns how many drains the host was asked to start, in all
   */
  end(end: DrainEnd | undefined): Promise<number>;
}

export interface PeersOptions {
  readonly store: DrainStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly askHost: AskHost;
  readonly depth: number;
  readonly deadlineMs: number;
  readonly successor: SuccessorOptions | undefined;
  readonly siblings: ScaleOut | undefined;
  readonly kicker: Kicker | undefined;
  /** Of a kick on the drain's own bill. */
  readonly newMark: () => KickMark;
  /** Most drains that it may start beside itself. */
  readonly mostSiblings: number;
  /** Writes the end down; returns for how long there was none before this drain began, if that was too long. */
  readonly record: ((end: DrainEnd) => Promise<number | undefined>) | undefined;
}

/** What comes last gets a moment even after the deadline. */
const MIN_LIMIT_MS = 1_000;
const LIMIT_MS = 5_000;

/** @returns with the peers the store that the drain must use, so that they see what it does */
export function createPeers(options: PeersOptions): { readonly peers: DrainPeers; readonly store: DrainStore } {
  const { store, clock, logger, askHost, depth, deadlineMs, successor, siblings, kicker, newMark } = options;
  let emit: Emit;
  let started = 0;
  /** It was the one drain that might claim: one that was kicked meanwhile has gone again, and has left its jobs to this one. */
  let wasSingle = false;

  const startSuccessor = async (end: DrainEnd, limitMs: number): Promise<boolean> => {
    if (!successor || !needsSuccessor(end)) return false;
    const request: StartRequest = { reason: "successor", depth: depth + 1, remaining: end.remaining };
    if (request.depth > (successor.maxDepth ?? DEFAULT_MAX_DEPTH)) return false;
    if (!(await askHost(successor.start, request, { limitMs }))) return false;
    started++;
    emit?.({ kind: "drain-requested", ...request });
    return true;
  };

  const follow = async (end: DrainEnd | undefined, limitMs: number): Promise<void> => {
    const isFollowed = end !== undefined && (await startSuccessor(end, limitMs));
    const hereEndMs = end?.stopped === "deadline" ? 0 : deadlineMs;
    const { drainId: id, hasQueued } = store;
    const mayHaveMissed = wasSingle && end?.stopped === "empty" && end.remaining === 0;
    if (!(await kicker?.gone({ id, depth, mayHaveMissed, isFollowed, hereEndMs, hasQueued, newMark }))) return;
    started++;
    emit?.({ kind: "drain-requested", reason: "kick", depth: depth + 1 });
  };

  const record = async (end: DrainEnd | undefined): Promise<void> => {
    try {
      const silentMs = end && (await options.record?.(end));
      if (silentMs !== undefined) emit?.({ kind: "ticks-missed", silentMs });
    } catch (error) {
      logger.warn("the drain's end was not recorded", { error });
    }
  };

  const peers: DrainPeers = {
    // Siblings are a plan and their starts; a kick is a look, a mark and a start.
    requests:
      (siblings ? 1 + options.mostSiblings : 0) + (successor ? 1 : 0) + (kicker ? 3 : 0) + (options.record ? 1 : 0),
    begin(to) {
      emit = to;
      kicker?.seen(store.drainId);
    },
    async end(end) {
      const limitMs = Math.min(LIMIT_MS, Math.max(MIN_LIMIT_MS, deadlineMs - clock.nowMs()));
      await within(clock, limitMs, Promise.all([follow(end, limitMs), record(end), siblings?.ended()]));
      return started + (siblings?.started ?? 0);
    },
  };
  const watched: DrainStore = {
    ...store,
    async exchange(params) {
      kicker?.seen(store.drainId);
      const result = await store.exchange(params);
      siblings?.exchanged(result, emit);
      return result;
    },
  };
  if (store.enter) {
    const enter = store.enter;
    watched.enter = async () => {
      wasSingle = await enter();
      return wasSingle;
    };
  }
  return { peers, store: watched };
}
