import { abortError } from "./abort-error.ts";
import { createDispatcher, undetached } from "./dispatcher.ts";
import type { DrainDeps, DrainOptions } from "./drain-deps.ts";
import type { Due } from "./due.ts";
import { isStoreError, type StoreError } from "./errors.ts";
import { createFinished, type HeldClaim } from "./finished.ts";
import { createFreeSlots } from "./free-slots.ts";
import type { Emit } from "./guard-listeners.ts";
import { createHand } from "./hand.ts";
import type { HostBudget } from "./host-budget.ts";
import { createLull } from "./lull.ts";
import { createNoteBoard } from "./notes.ts";
import { type Outcome, RELEASED } from "./outcome.ts";
import { createPacing, maxHand } from "./pacing.ts";
import type { Passing } from "./passing.ts";
import { repeat } from "./repeat.ts";
import type { StopReason } from "./report.ts";
import type { ClaimedJob, ExchangeParams, ExchangeResult, Settlement } from "./store.ts";
import type { Tally } from "./tally.ts";
import { createWaker } from "./waker.ts";
import { watchTime } from "./watch-time.ts";

export interface LoopContext {
  readonly budgetEndMs: number;
  readonly budget: HostBudget;
  readonly startedMs: number;
  readonly tally: Tally;
  readonly emit: Emit;
  readonly onRetry: (error: StoreError, attempt: number, delayMs: number) => void;
  readonly passing: Passing;
  /** Calls the store with little patience. */
  readonly briefly: <T>(call: () => Promise<T>) => Promise<T>;
  /** Looks for dead drains and for what is due; returns how many jobs came back to queues. */
  readonly survey: (calling: <T>(call: () => Promise<T>) => Promise<T>) => Promise<number>;
  readonly due: Due;
  /** Queues what is due; returns how many jobs. */
  readonly promote: (calling: <T>(call: () => Promise<T>) => Promise<T>) => Promise<number>;
}

export interface ExchangeLoop {
  /** Ends when nothing is left to do and every claim is settled. */
  run(): Promise<StopReason>;
  /** Aborts the handlers after an error, and tries once to write what has ended. */
  giveUp(): Promise<void>;
  /** When a rate lets a job start that waits for it alone, by our clock. */
  readonly freesAtMs: number | undefined;
}

/** The drain has this many slots for a concurrency: one for each running job, and those of the jobs held in hand. */
export function slotsFor(concurrency: number): number {
  return concurrency + maxHand(concurrency);
}

/** While there is enough to do, jobs that are due wait for their queues at most this long. */
const PROMOTE_EVERY_MS = 1_000;
/** A drain that has nothing else to do waits this long for what is due next; opening another would cost more. */
const MAX_DUE_WAIT_MS = 100;
/** … and this long for a rate: to close, and to begin again, costs as much as some exchanges, and the rate would stay unused meanwhile. */
const MAX_RATE_WAIT_MS = 5_000;
/** How much longer finished jobs gather when the queues are empty. */
const DRAINED_GATHER = 3;
/** A job that had this share of the drain's whole time and did not end would not end in the next drain. */
const HOPELESS_SHARE = 0.9;
/** … unless the drain was so short that it says little about the job. */
const MIN_HOPELESS_MS = 10_000;
/** An exchange gets this long even if time is up: it may be the one that gives the jobs back. */
const MIN_ANSWER_MS = 1_000;
/** Jobs are not claimed for less time than this. */
const MIN_CLAIM_MS = 100;
/** Timers of most hosts are no finer. */
const TIMER_MS = 1;

export function createExchangeLoop(deps: DrainDeps, options: DrainOptions, context: LoopContext): ExchangeLoop {
  const { store, clock, registry, settings } = deps;
  const { tally, emit, due, budget, budgetEndMs, passing } = context;
  const { concurrency, leaseMs } = settings;
  const maxJobs = options.maxJobs ?? Number.POSITIVE_INFINITY;
  const pacing = createPacing(concurrency, () => budget.isScarce);
  const waker = createWaker(clock);
  const lull = createLull();
  const notes = createNoteBoard(deps.status?.isOn ?? false, waker.wake);
  const slots = createFreeSlots(slotsFor(concurrency));
  const finished = createFinished();
  let stop: StopReason | undefined;
  let seq = 0;
  let lastBeatMs = clock.nowMs();
  let abortedMs = Number.POSITIVE_INFINITY;
  let promoteAtMs = 0;
  let promotionFailedMs = 0;
  let hasEnded = false;

  /** Of a detached job it is told once it has been dispatched. */
  const tellEnded = ({ claim, outcome, durationMs = 0 }: Settlement, isDispatched = false): void => {
    if (outcome.kind === "detached" && !isDispatched) return;
    emit?.({ kind: "job-ended", queue: claim.queue, class: classOf(claim.job), outcome, durationMs });
  };

  const finish = (claim: HeldClaim, outcome: Outcome, durationMs: number): void => {
    const endedMs = clock.nowMs();
    notes.end(claim);
    const settlement = { claim, outcome: hasEnded ? undetached(outcome) : outcome, endedMs, durationMs };
    finished.add(settlement, endedMs);
    if (settlement.outcome.kind === "detached") dispatcher.expect();
    tellEnded(settlement);
    if (finished.size === 1 || finished.size >= pacing.gatherJobs || hand.isIdle) waker.wake();
  };

  const fits = (timeoutMs = 0): boolean => budgetEndMs - clock.nowMs() >= timeoutMs;
  const hand = createHand<HeldClaim>({
    ...{ clock, registry, concurrency, budget, fits, finish },
    unknownClass: settings.unknownClass,
    timeoutMs: settings.timeoutMs,
    logger: deps.logger,
    runHandler: deps.runHandler,
    perform: deps.perform,
    endMs: budgetEndMs,
    elsewhere: () => dispatcher.size,
    hooks: deps.hooks,
    random: deps.random,
    keepsResult: (definition) =>
      deps.status?.of(definition.class)?.results || deps.hooks?.keepsResult(definition) || false,
    onStart: (claim) => notes.start(claim, clock.nowMs()),
    onCheckIn: (claim, change) => {
      const checkin = notes.checkIn(claim, change, clock.nowMs());
      emit?.({ kind: "job-checkin", queue: claim.queue, class: classOf(claim.job), slot: claim.slot, ...checkin });
    },
    onRun: pacing.noteJob,
    onIdle: waker.wake,
  });

  /** Beyond the lease others may take the claims back, so there is nothing left to be patient for. */
  const patiently = <T>(call: (attempt: number) => Promise<T>): Promise<T> => {
    const startMs = clock.nowMs();
    const untilMs = (): number =>
      Math.max(
        startMs + MIN_ANSWER_MS,
        Math.min(lastBeatMs + leaseMs, options.deadlineMs ?? Number.POSITIVE_INFINITY, abortedMs + settings.graceMs),
      );
    const { onRetry } = context;
    return repeat(call, { clock, random: deps.random, untilMs, onRetry, mayPass: passing.mayPass });
  };

  const accept = (settle: readonly Settlement[], lost: readonly Settlement[]): void => {
    tally.settled(settle, lost);
    deps.hooks?.completed(settle, lost);
  };

  const dispatcher = createDispatcher({
    ...{ store, clock, tally, due, tellEnded, logger: deps.logger },
    calling: patiently,
    onFree(durationMs) {
      pacing.noteJob(durationMs);
      hand.pump();
      waker.wake();
    },
    accept(settle, lost) {
      accept(settle, lost);
      // Its place under a limit is free.
      if (lull.isLimited) lull.end();
    },
  });

  const endAll = async (reason: StopReason): Promise<void> => {
    stop = reason;
    hasEnded = true;
    dispatcher.abort(abortError(reason));
    finished.undetach();
    hand.release();
    const wholeMs = reason === "deadline" ? budgetEndMs - context.startedMs : Number.POSITIVE_INFINITY;
    const failAfterMs = Math.max(wholeMs * HOPELESS_SHARE, MIN_HOPELESS_MS);
    await hand.abort(abortError(reason), failAfterMs);
    waker.wake();
  };

  /** The time without which no job is claimed. */
  const neededMs = (): number =>
    Math.max(registry.longestTimeoutMs, Math.min(hand.longestMs, settings.timeoutMs), MIN_CLAIM_MS);

  /** How many more jobs to claim. Decides here, and only here, that no more are claimed. */
  const want = (): number => {
    if (stop) return 0;
    if (tally.claimed >= maxJobs) stop = "budget";
    if (!fits(neededMs())) stop = "deadline";
    if (stop) return 0;
    const room = Math.min(concurrency + pacing.hand - hand.size, budget.roomBeside(hand.waiting));
    return Math.min(room, maxJobs - tally.claimed);
  };

  const hasRoom = (): boolean => stop === undefined && !budget.isShort && hand.size < concurrency;
  const beatAtMs = (): number => (seq === 0 ? Number.POSITIVE_INFINITY : lastBeatMs + leaseMs / 3);

  /** When the next exchange is due; 0 for at once. */
  const dueAtMs = (): number => {
    // There is one for each beat, and one for the end.
    if (budget.isShort) return hand.isIdle && finished.size > 0 ? 0 : beatAtMs();
    if (finished.size >= pacing.gatherJobs || (hand.isIdle && finished.size > 0)) return 0;
    if (hasRoom() && !lull.isDrained && finished.size === 0 && want() > 0) return 0;
    if (finished.size === 0) return beatAtMs();
    // With nothing left to claim nobody waits for these slots, unless it is for their places under a limit.
    const gatherMs = lull.isDrained && !lull.isLimited ? pacing.gatherMs * DRAINED_GATHER : pacing.gatherMs;
    return Math.min(finished.sinceMs + gatherMs, beatAtMs());
  };

  const exchange = async (): Promise<void> => {
    const settle = finished.take(stop !== undefined);
    const settledSlots = settle.map(({ claim }) => claim.slot);
    const fill = slots.take(want(), settledSlots);
    const nowMs = clock.nowMs();
    const isBeat = nowMs >= beatAtMs();
    const beat = isBeat ? { beat: tally.changedSlots() } : {};
    const noted = notes.take(nowMs);
    const params: Omit<ExchangeParams, "attempt"> = {
      seq: ++seq,
      settle,
      fill,
      ...beat,
      ...(noted && { notes: noted }),
    };
    if (seq === 1) lastBeatMs = nowMs;
    let requestsBefore = 0;
    const call = (attempt: number): Promise<ExchangeResult> => {
      requestsBefore = store.usage.requests;
      return store.exchange({ ...params, attempt });
    };
    const result = await patiently(call);
    passing.begin();
    budget.noteExchange(store.usage.requests - requestsBefore);
    finished.written();
    pacing.noteExchange(clock.nowMs() - nowMs);
    if (isBeat) lastBeatMs = nowMs;
    slots.free(settledSlots);
    slots.free(fill);
    accept(settle, result.lost);
    for (const { outcome } of settle) if ("afterMs" in outcome) due.noteOwn(nowMs + outcome.afterMs);
    const leaving = settle.filter(({ outcome }) => outcome.kind === "detached");
    if (leaving.length > 0) dispatcher.dispatch(result.detached ?? [], leaving.length);
    for (const { claim } of result.lost) emit?.({ kind: "job-lost", queue: claim.queue, class: classOf(claim.job) });
    for (const claim of result.claims) {
      slots.occupy(claim.slot);
      tally.claimed++;
      emit?.({ kind: "job-claimed", queue: claim.queue, class: classOf(claim.job), slot: claim.slot });
      const held: HeldClaim = Object.assign(claim, { number: tally.claimed });
      if (stop) finish(held, RELEASED, 0);
      else hand.take(held);
    }
    if (fill.length > 0) lull.note(result, clock.nowMs());
    if (!result.isRegistered && stop !== "lost") await endAll("lost");
    hand.pump();
    if (isBeat && !budget.isShort) await lookForMore(async () => (await context.survey(context.briefly)) > 0);
  };

  const poll = async (): Promise<void> => {
    lull.notePoll(clock.nowMs());
    // What limits hold back is there: only an exchange tells more.
    if (lull.isLimited) lull.end();
    else await lookForMore(() => context.briefly(() => store.hasQueued()));
  };

  const sendNotes = async (): Promise<void> => {
    const noted = notes.take(clock.nowMs());
    if (!noted) return;
    const send = async (): Promise<boolean> => {
      await context.briefly(() => store.note(noted));
      return false;
    };
    if (!(await lookForMore(send))) notes.putBack(noted);
  };

  /** When to queue what is due: at once if there is nothing else to do. */
  const promotionAtMs = (): number => {
    if (stop || budget.isShort) return Number.POSITIVE_INFINITY;
    return Math.max(due.againMs, lull.isDrained && hasRoom() ? 0 : promoteAtMs, promotionFailedMs + PROMOTE_EVERY_MS);
  };

  const promote = async (): Promise<void> => {
    promoteAtMs = clock.nowMs() + PROMOTE_EVERY_MS;
    const isTold = await lookForMore(async () => (await context.promote(context.briefly)) > 0);
    promotionFailedMs = isTold ? 0 : clock.nowMs();
  };

  /** Looks for more work. The jobs in flight matter more than an error of this: their own exchange will say if the store stays away. */
  const lookForMore = async (look: () => Promise<boolean>): Promise<boolean> => {
    try {
      if (await look()) lull.end();
      return true;
    } catch (error) {
      if (!isStoreError(error) || !passing.mayPass(error)) throw error;
      return false;
    }
  };

  /** When a rate lets a job start that this drain could still run. */
  const rateAtMs = (): number =>
    lull.isDrained && hasRoom() && budgetEndMs - lull.freesAtMs >= neededMs()
      ? lull.freesAtMs
      : Number.POSITIVE_INFINITY;

  /** Whether there is nothing to do, now and soon. */
  const isOver = (untilPromotionMs: number, untilRateMs: number): boolean =>
    hand.isIdle &&
    finished.size + dispatcher.size === 0 &&
    untilPromotionMs > MAX_DUE_WAIT_MS &&
    untilRateMs > MAX_RATE_WAIT_MS;

  const step = async (): Promise<boolean> => {
    if (budget.isShort && !stop) {
      hand.release();
      // Jobs that travel together use less than was thought.
      if (hand.isIdle) stop = "budget";
    }
    if (rateAtMs() <= clock.nowMs()) lull.end();
    // What is short of requests leaves notes to the next exchange.
    const notesMs = budget.isShort ? Number.POSITIVE_INFINITY : notes.dueMs;
    const dueMs = dueAtMs();
    const nowMs = clock.nowMs();
    const promotionMs = promotionAtMs();
    const rateMs = rateAtMs();
    if (promotionMs <= nowMs) await promote();
    else if (dueMs <= nowMs) await exchange();
    else if (isOver(promotionMs - nowMs, rateMs - nowMs)) return false;
    else {
      const canPoll = lull.isDrained && hasRoom() && !hand.isIdle;
      if (notesMs <= nowMs) await sendNotes();
      else if (canPoll && lull.pollAtMs <= nowMs) await poll();
      else {
        const pollAtMs = canPoll ? lull.pollAtMs : Number.POSITIVE_INFINITY;
        const atMs = Math.min(dueMs, promotionMs, notesMs, rateMs, pollAtMs);
        const delayMs = atMs - nowMs;
        await (delayMs < TIMER_MS ? clock.yield() : waker.wait(delayMs));
      }
    }
    return true;
  };

  const watch = (): (() => void) =>
    watchTime({
      ...{ clock, signal: options.signal, endMs: budgetEndMs, graceMs: settings.graceMs },
      onEnd: () => void endAll("deadline"),
      onAbort() {
        stop ??= "aborted";
        abortedMs = clock.nowMs();
        hand.release();
        waker.wake();
      },
      onGraceEnd: () => void endAll("aborted"),
    });

  return {
    async run() {
      const unwatch = watch();
      try {
        while (await step());
      } finally {
        unwatch();
        hand.dispose();
      }
      return stop ?? lull.reason;
    },
    get freesAtMs() {
      return Number.isFinite(lull.freesAtMs) ? lull.freesAtMs : undefined;
    },
    async giveUp() {
      await endAll("aborted");
      const settle = finished.all();
      if (settle.length === 0) return;
      const { lost } = await store.exchange({ seq: ++seq, attempt: 2, settle, fill: [] });
      accept(settle, lost);
    },
  };
}

function classOf(job: ClaimedJob): string | undefined {
  return job.kind === "job" ? job.class : undefined;
}
