import type { DrainDeps, DrainOptions } from "./drain-deps.ts";
import { createDue } from "./due.ts";
import { AirliftError, isStoreError, type StoreError, UsageError } from "./errors.ts";
import { createExchangeLoop, type ExchangeLoop } from "./exchange-loop.ts";
import { guardListeners } from "./guard-listeners.ts";
import { guardLogger } from "./guard-logger.ts";
import { createHostBudget } from "./host-budget.ts";
import { createPassing } from "./passing.ts";
import { repeat } from "./repeat.ts";
import type { DrainReport, StopReason } from "./report.ts";
import { createTally } from "./tally.ts";

/** A drain that could not go on. What it had claimed and could not give back is recovered when its lease has ended. */
export class DrainError extends AirliftError {
  override readonly name = "DrainError" as const;
  readonly report: Omit<DrainReport, "stopped" | "remaining">;

  constructor(report: Omit<DrainReport, "stopped" | "remaining">, cause: Error) {
    super("ERR_DRAIN", `the drain could not go on: ${cause.message}`, { cause });
    this.report = report;
  }
}

/** How long a store may fail before anything is claimed: nothing is at stake yet, and a wrong address should be told soon. */
const PATIENCE_MS = 5_000;
/** Reasons to stop that are none if nothing is left. */
const ENDS_WELL: ReadonlySet<StopReason> = new Set(["deadline", "budget", "paused", "limited"]);
/** To take back a dead drain's jobs, the locks of those that are over included. */
const TO_RECOVER = 5;
/** What looks for more work while jobs run, or tidies up after an error, is not worth more time. */
const BRIEF_MS = 1_000;

/**
 * One drain: takes jobs until the queues are empty or time is up, runs them, settles them, and leaves nothing behind. The
 * interleavings that it withstands are in docs/states.md.
 *
 * @throws UsageError if a job's time limit can never fit into the budget
 * @throws DrainError if the store fails for longer than can be waited
 */
export async function drain(deps: DrainDeps, options: DrainOptions = {}): Promise<DrainReport> {
  const { store, clock, random, settings } = deps;
  const startedMs = clock.nowMs();
  const tally = createTally();
  let freesAtMs: number | undefined;
  let drainsStarted = 0;
  const emit = guardListeners(deps.listeners, guardLogger(deps.logger));
  const deadlineMs = options.deadlineMs ?? Number.POSITIVE_INFINITY;
  const budgetEndMs = deadlineMs - settings.marginMs;
  // A tick that comes too late is no mistake of whoever set the limits.
  if (deadlineMs > startedMs) checkBudget(deps, budgetEndMs - startedMs);
  const budget = createHostBudget({
    ...{ limits: options, store, registry: deps.registry, settings, clock, budgetEndMs },
    forPeers: deps.peers?.requests,
  });
  const due = createDue({ promote: () => store.promote({ maxRequests: budget.spare }) }, deps.ticker, clock);
  const passing = createPassing();
  const onRetry = (error: StoreError, attempt: number, delayMs: number): void =>
    emit?.({ kind: "store-retry", error, attempt, delayMs });
  const patiently = <T>(call: () => Promise<T>, patienceMs = PATIENCE_MS, minMs = 0): Promise<T> => {
    const nowMs = clock.nowMs();
    const untilMs = Math.max(nowMs + minMs, Math.min(nowMs + patienceMs, deadlineMs));
    return repeat(call, { clock, random, untilMs: () => untilMs, onRetry, mayPass: passing.mayPass });
  };
  const briefly = <T>(call: () => Promise<T>): Promise<T> => patiently(call, BRIEF_MS);
  /** What leaves no trace behind gets a moment even after the deadline: not every host ends us on the dot. */
  const lastly = <T>(call: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> =>
    patiently(call, patienceMs, BRIEF_MS);
  const spent = (): Omit<DrainReport, "stopped" | "remaining"> => ({
    claimed: tally.claimed,
    succeeded: tally.succeeded,
    failed: tally.failed,
    retried: tally.retried,
    discarded: tally.discarded,
    detached: tally.detached,
    released: tally.released,
    recovered: tally.recovered,
    promoted: tally.promoted,
    scheduled: tally.scheduled,
    lost: tally.lost,
    drainsStarted,
    nextDueMs: freesAtMs === undefined ? due.nextMs : Math.min(freesAtMs, due.nextMs ?? freesAtMs),
    commands: store.usage.commands,
    requests: store.usage.requests,
    durationMs: clock.nowMs() - startedMs,
  });

  const promote = async (calling = patiently): Promise<number> => {
    const { promoted, ticked } = await due.promote(calling);
    const scheduled = ticked.reduce((sum, { jobs }) => sum + jobs, 0);
    tally.promoted += promoted;
    tally.scheduled += scheduled;
    if (promoted > 0) emit?.({ kind: "jobs-promoted", promoted });
    for (const schedule of ticked) emit?.({ kind: "schedule-ticked", ...schedule });
    return promoted + scheduled;
  };

  const survey = async (calling = patiently): Promise<number> => {
    let requeued = 0;
    const { dead: deadDrains, nextDueMs } = await calling(() => store.survey());
    due.noteStored(nextDueMs);
    for (const dead of deadDrains) {
      if (budget.spare < TO_RECOVER) break;
      try {
        const result = await calling(() => store.recover(dead));
        tally.recovered += result.requeued;
        requeued += result.requeued;
        emit?.({ kind: "drain-recovered", drainId: dead.drainId, ...result });
      } catch (error) {
        if (!isStoreError(error) || passing.mayPass(error)) throw error;
        // One that cannot be recovered must not keep the others, and the queues, waiting.
        guardLogger(deps.logger).error(`the jobs of a dead drain cannot be taken back: ${error.message}`, {
          drainId: dead.drainId,
        });
      }
    }
    return requeued;
  };

  const run = async (): Promise<{ stopped: StopReason; remaining: number }> => {
    if (options.signal?.aborted) return { stopped: "aborted", remaining: await patiently(() => store.countQueued()) };
    if (deadlineMs <= startedMs) return { stopped: "deadline", remaining: await lastly(() => store.countQueued()) };
    if (deps.ticker) await promote();
    if (!(await patiently(() => store.hasWork()))) return { stopped: "empty", remaining: 0 };
    let loop: ExchangeLoop | undefined;
    try {
      const isFree = await patiently(async () => (await store.enter?.()) ?? true);
      if (!isFree) return { stopped: "busy", remaining: await lastly(() => store.countQueued()) };
      const queued = (await survey()) + (due.isNow ? await promote() : 0);
      // What waits for its time alone is no reason to open a drain.
      if (due.isWaiting && queued === 0 && !(await patiently(() => store.hasQueued()))) {
        await lastly(() => store.close());
        return { stopped: "empty", remaining: 0 };
      }
      const context = { budgetEndMs, budget, startedMs, tally, emit, onRetry, passing, briefly, survey, due, promote };
      loop = createExchangeLoop(deps, options, context);
      const stopped = await loop.run();
      freesAtMs = loop.freesAtMs;
      tally.released += (await lastly(() => store.close())).released;
      // What an app does not know and does not fail is left behind by a drain that has nothing more to do.
      if (stopped === "empty" && settings.unknownClass === "fail") return { stopped, remaining: 0 };
      const remaining = await lastly(() => store.countQueued());
      // The reason to stop and the jobs may come to an end together.
      return { stopped: remaining === 0 && ENDS_WELL.has(stopped) ? "empty" : stopped, remaining };
    } catch (error) {
      // If the store is there after all, the jobs need not wait for the lease to end.
      if (loop) await lastly(loop.giveUp, BRIEF_MS).catch(() => undefined);
      const closed = await lastly(() => store.close(), BRIEF_MS).catch(() => undefined);
      tally.released += closed?.released ?? 0;
      throw error;
    }
  };

  deps.peers?.begin(emit);
  emit?.({ kind: "drain-started", drainId: store.drainId });
  try {
    const { stopped, remaining } = await run();
    drainsStarted = (await deps.peers?.end({ stopped, ...spent(), remaining })) ?? 0;
    const report = { stopped, ...spent(), remaining };
    emit?.({ kind: "drain-ended", drainId: store.drainId, report });
    return report;
  } catch (error) {
    drainsStarted = (await deps.peers?.end(undefined)) ?? 0;
    const thrown = isStoreError(error) ? new DrainError(spent(), error) : error;
    emit?.({ kind: "drain-failed", drainId: store.drainId, error: thrown });
    throw thrown;
  }
}

function checkBudget({ registry, settings }: DrainDeps, budgetMs: number): void {
  const longestMs = registry.longestTimeoutMs;
  if (longestMs === 0 || budgetMs >= longestMs) return;
  const name = registry.classes.find((className) => registry.find(className)?.timeoutMs === longestMs);
  throw new UsageError(
    `the time limit of class ${JSON.stringify(name)} (timeoutMs: ${longestMs}) does not fit into this drain: ` +
      `${Math.max(0, Math.floor(budgetMs))} ms are left until deadlineMs, after the margin of ${settings.marginMs} ms`,
  );
}
