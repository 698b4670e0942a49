import type { Clock } from "./clock.ts";
import type { Due } from "./due.ts";
import { guardLogger } from "./guard-logger.ts";
import type { JobAck } from "./job-ack.ts";
import type { Logger } from "./job-context.ts";
import { type Outcome, RELEASED } from "./outcome.ts";
import type { Detached, DrainStore, Settlement } from "./store.ts";
import type { Tally } from "./tally.ts";

export interface DispatcherOptions {
  readonly store: Pick<DrainStore, "settleDetached">;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly due: Due;
  readonly logger: Logger;
  /** Calls the store, as patiently as its drain settles jobs. */
  readonly calling: <T>(call: (attempt: number) => Promise<T>) => Promise<T>;
  /** Told of jobs that have ended all the same. */
  readonly accept: (settled: readonly Settlement[], lost: readonly Settlement[]) => void;
  /** Told how each job ended: detached, or otherwise. */
  readonly tellEnded: (settlement: Settlement, isDispatched?: boolean) => void;
  /** One is less under way, having taken so long. */
  readonly onFree: (durationMs: number) => void;
}

/** Sends detached jobs to their receivers, while their drain goes on. */
export interface Dispatcher {
  /** How many are on their way, or will be as soon as they have left the drain. */
  readonly size: number;
  /** A job has ended that is to be dispatched. */
  expect(): void;
  /** So many of them have been settled: these are to be dispatched, the others are lost. */
  dispatch(detached: readonly Detached[], settled: number): void;
  /** Nobody waits any more: what is on its way is left to its lease, and what comes now is given back. */
  abort(reason: Error): void;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { store, clock, tally, due } = options;
  // One for each, as a signal with many listeners makes Node warn.
  const underWay = new Set<AbortController>();
  let expected = 0;
  let size = 0;
  let isOver = false;

  const dispatch = async ({ settlement: { outcome }, ack }: Detached): Promise<Outcome | undefined> => {
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = new Promise<undefined>((resolve) => {
      // A moment for what is not on its way yet to say so.
      signal.addEventListener("abort", () => void clock.yield().then(() => resolve(undefined)), { once: true });
    });
    underWay.add(controller);
    // The job is back in its queue then.
    const cancel = clock.setTimer(outcome.afterMs, () => controller.abort());
    try {
      return await Promise.race([outcome.dispatch(ack, { signal }), aborted]);
    } finally {
      cancel();
      underWay.delete(controller);
    }
  };

  const settle = async (ack: JobAck, settlement: Settlement): Promise<boolean> => {
    try {
      return await options.calling(async (attempt) => {
        // A repeated request may find that it has settled the job already.
        return (await store.settleDetached(ack, settlement)) || attempt > 1;
      });
    } catch (error) {
      const { queue, job } = settlement.claim;
      const fields = { queue, class: job.kind === "job" ? job.class : undefined, error };
      guardLogger(options.logger).error(
        "how a dispatch ended could not be written: the job is back after its lease",
        fields,
      );
      return false;
    }
  };

  const send = async (detached: Detached): Promise<void> => {
    const outcome = isOver ? RELEASED : await dispatch(detached);
    if (outcome === undefined) {
      tally.detached++;
      return options.tellEnded(detached.settlement, true);
    }
    const ended = { ...detached.settlement, outcome };
    const isSettled = await settle(detached.ack, ended);
    options.accept([ended], isSettled ? [] : [ended]);
    if ("afterMs" in outcome) due.noteOwn(clock.nowMs() + outcome.afterMs);
    options.tellEnded(ended);
  };

  return {
    get size() {
      return expected + size;
    },
    expect() {
      expected++;
    },
    dispatch(detached, settled) {
      expected = Math.max(0, expected - settled);
      size += detached.length;
      for (const each of detached) {
        const startedMs = clock.nowMs();
        void send(each).finally(() => {
          size--;
          options.onFree(clock.nowMs() - startedMs);
        });
      }
    },
    abort(reason) {
      isOver = true;
      expected = 0;
      for (const controller of underWay) controller.abort(reason);
    },
  };
}

/** For a drain that has no time left to dispatch: the job is given back. */
export function undetached(outcome: Outcome): Outcome {
  return outcome.kind === "detached" ? RELEASED : outcome;
}
