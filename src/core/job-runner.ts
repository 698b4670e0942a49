import { timeoutError } from "./abort-error.ts";
import type { CheckInChange } from "./checkins.ts";
import type { Clock } from "./clock.ts";
import { detachedOutcome } from "./detached-outcome.ts";
import { type Directive, isDirective, readDirective } from "./directive.ts";
import { outcomeOfFailure } from "./failed-attempt.ts";
import { toFailure } from "./failure.ts";
import type { DrainHooks } from "./hooks.ts";
import type { JobContext, Logger } from "./job-context.ts";
import type { JobUses } from "./job-uses.ts";
import { type Failure, OK, type Outcome, RELEASED } from "./outcome.ts";
import type { AnyJobDefinition } from "./registry.ts";
import { abortRun, type JobOf, RunningJob, type RunState } from "./running-job.ts";
import type { Claim } from "./store.ts";
import { isThenable } from "./thenable.ts";

/**
 * Runs the handler. A host that can tell which job an error thrown out of the blue belongs to (a late callback, an unhandled
 * rejection) wraps the run and calls `fail`.
 */
export type RunHandler = <T>(run: () => T, fail: (error: unknown) => void) => T;

/** Calls a definition's handler, with all that stands around it. */
export type PerformJob = (definition: AnyJobDefinition, args: readonly unknown[], context: JobContext) => unknown;

export interface JobRunnerOptions<C extends Claim> {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly runHandler: RunHandler;
  readonly perform: PerformJob;
  readonly hooks?: (Pick<DrainHooks, "afterJob"> & Partial<Pick<DrainHooks, "waitFor">>) | undefined;
  /** Whether the outcome of such a job should tell what the handler returned. */
  readonly keepsResult?: (definition: AnyJobDefinition) => boolean;
  /** A job that has not ended tells how far it is. */
  readonly onCheckIn?: (claim: C, change: CheckInChange) => void;
  /** A job has used something else of the host's limits than was thought. */
  readonly onUsed?: (from: Required<JobUses>, to: Required<JobUses>) => void;
  /** The time limit of classes that have none of their own. */
  readonly timeoutMs: number;
  /** When all jobs are aborted, by who runs them. @default never */
  readonly endMs?: number;
  /** Called once for each started job, possibly before `start` returns. */
  readonly onEnd: (claim: C, outcome: Outcome, durationMs: number) => void;
}

/** Runs claimed jobs, each under its time limit. Whatever a handler does, each started job ends exactly once. */
export interface JobRunner<C extends Claim> {
  readonly size: number;
  /** The longest run so far of a class without a time limit of its own. */
  readonly longestMs: number;
  start(claim: C, job: JobOf<"job">, definition: AnyJobDefinition): void;
  /**
   * Aborts what still runs; what does not end at once is released. A job that had at least `failAfterMs` is failed instead: it
   * would not end in the next drain either.
   */
  abort(reason: Error, failAfterMs: number): Promise<void>;
  /** Frees the timer. */
  dispose(): void;
}

interface Run<C extends Claim> {
  readonly claim: C;
  readonly job: JobOf<"job">;
  /** What the handler was given: it may have become anything, so nothing is read from it. */
  readonly context: JobContext;
  readonly state: RunState;
  readonly definition: AnyJobDefinition;
  readonly startedMs: number;
  readonly limitMs: number;
  readonly hasOwnLimit: boolean;
  /** Place among the running ones; -1 once it has ended. */
  index: number;
  /** How long the handler's first part, up to its first `await`, kept the event loop busy. */
  syncMs: number;
  /** What to fail it with if it does not end well once it is aborted. */
  hopeless?: Failure;
}

export function createJobRunner<C extends Claim>(options: JobRunnerOptions<C>): JobRunner<C> {
  const { clock, runHandler, perform, timeoutMs, onEnd } = options;
  // An array, as a Set that is changed for each job leaves garbage that V8's scavenger keeps (100 MB over a million jobs).
  const running: Run<C>[] = [];
  /** When a job was last seen to end. */
  let lastActiveMs = 0;
  let longestMs = 0;
  let cancelWatch: (() => void) | undefined;
  let watchAtMs = Number.POSITIVE_INFINITY;

  /** `told` is the handler's result, or the error. */
  const end = (run: Run<C>, outcome: Outcome, told?: unknown): void => {
    if (run.index < 0) return;
    const last = running.pop() as Run<C>;
    if (last !== run) {
      running[run.index] = last;
      last.index = run.index;
    }
    run.index = -1;
    run.state.isOver = true;
    const nowMs = clock.nowMs();
    const durationMs = nowMs - run.startedMs;
    if (!run.hasOwnLimit) longestMs = Math.max(longestMs, durationMs);
    // Its timer did not fire, so the loop was kept busy. By this job, if it comes first after that; others are late for it.
    const isFirst = lastActiveMs <= run.startedMs + run.limitMs;
    const isLate = outcome.kind === "ok" && durationMs > run.limitMs && (run.syncMs > run.limitMs || isFirst);
    lastActiveMs = nowMs;
    if (isLate) {
      const failure = late(run, durationMs);
      tell(run, failedOutcome(run, failure), durationMs, timeoutError(failure.message));
    } else tell(run, outcome, durationMs, told);
  };

  const tell = (run: Run<C>, outcome: Outcome, durationMs: number, told: unknown): void => {
    options.hooks?.afterJob(run.definition, run.context, outcome, told);
    onEnd(run.claim, outcome, durationMs);
  };

  const failedOutcome = (run: Run<C>, failure: Failure, error: unknown = timeoutError(failure.message)): Outcome =>
    outcomeOfFailure(options, { definition: run.definition, job: policyJob(run), failure, error });

  const abortedOutcome = (run: Run<C>): Outcome => (run.hopeless ? failedOutcome(run, run.hopeless) : RELEASED);

  const fail = (run: Run<C>, error: unknown): void => {
    if (run.index < 0) return;
    // An aborted handler that throws is doing as it was told.
    end(run, run.state.reason ? abortedOutcome(run) : failedOutcome(run, toFailure(error), error), error);
  };

  const succeed = (run: Run<C>, result: unknown): void => {
    if (run.index < 0) return;
    try {
      end(run, outcomeOf(run, result), toldBy(result));
    } catch (error) {
      // A directive that cannot be read.
      fail(run, error);
    }
  };

  const outcomeOf = (run: Run<C>, result: unknown): Outcome => {
    if (isDirective(result)) return directed(run, readDirective(result));
    return result !== undefined && options.keepsResult?.(run.definition) ? { kind: "ok", result } : OK;
  };

  const directed = (run: Run<C>, directive: Directive): Outcome => {
    if (directive.kind === "detach") {
      run.state.isDispatching = true;
      return detachedOutcome(directive, {
        ofResult: (result) => outcomeOf(run, result),
        ofError: (error) => failedOutcome(run, toFailure(error), error),
        onDispatched() {
          run.state.isDispatching = false;
        },
        onEnd: (outcome, told) => options.hooks?.afterJob(run.definition, run.context, outcome, toldBy(told)),
      });
    }
    if (directive.kind === "release") return { kind: "postponed", afterMs: directive.afterMs };
    if (directive.kind === "discard") return { kind: "discarded", reason: directive.reason };
    const { reason = "the handler asked for another attempt", afterMs } = directive;
    const failure = { exception: "Retry", message: reason, backtrace: [] };
    return outcomeOfFailure(options, {
      definition: run.definition,
      job: policyJob(run),
      failure,
      error: undefined,
      asked: { afterMs },
    });
  };

  const watch = (): void => {
    const nextMs = Math.min(...running.map((run) => run.startedMs + run.limitMs));
    if (nextMs === watchAtMs && cancelWatch) return;
    cancelWatch?.();
    cancelWatch = undefined;
    watchAtMs = nextMs;
    if (nextMs < Number.POSITIVE_INFINITY) cancelWatch = clock.setTimer(Math.max(0, nextMs - clock.nowMs()), onWatch);
  };

  const onWatch = (): void => {
    cancelWatch = undefined;
    const nowMs = clock.nowMs();
    lastActiveMs = nowMs;
    for (const run of [...running]) {
      if (run.startedMs + run.limitMs > nowMs) continue;
      const failure = timedOut(`did not end within its time limit of ${run.limitMs} ms`);
      const reason = timeoutError(failure.message);
      end(run, failedOutcome(run, failure, reason), reason);
      abortRun(run.state, reason);
    }
    watch();
  };

  return {
    get size() {
      return running.length;
    },
    get longestMs() {
      return longestMs;
    },
    start(claim, job, definition) {
      const startedMs = clock.nowMs();
      const limitMs = definition.timeoutMs ?? timeoutMs;
      const deadlineMs = Math.min(startedMs + limitMs, options.endMs ?? Number.POSITIVE_INFINITY);
      const state: RunState = { isOver: false };
      const context = new RunningJob(claim, job, definition, { ...options, deadlineMs, state });
      const hasOwnLimit = definition.timeoutMs !== undefined;
      const run: Run<C> = {
        ...{ claim, job, context, state },
        definition,
        startedMs,
        limitMs,
        hasOwnLimit,
        index: running.length,
        syncMs: 0,
      };
      running.push(run);
      try {
        const performJob = (): unknown => perform(definition, job.args, context);
        const result: unknown = runHandler(performJob, (error) => fail(run, error));
        run.syncMs = clock.nowMs() - run.startedMs;
        if (!isThenable(result)) return succeed(run, result);
        result.then(
          (value) => succeed(run, value),
          (error: unknown) => fail(run, error),
        );
        if (run.startedMs + limitMs < watchAtMs || !cancelWatch) watch();
      } catch (error) {
        fail(run, error);
      }
    },
    async abort(reason, failAfterMs) {
      const nowMs = clock.nowMs();
      for (const run of running) {
        const ranMs = nowMs - run.startedMs;
        if (ranMs >= failAfterMs) run.hopeless = timedOut(`did not end within the whole time of a drain, ${ranMs} ms`);
      }
      for (const run of [...running]) abortRun(run.state, reason);
      await clock.yield();
      for (const run of [...running]) end(run, abortedOutcome(run), run.hopeless && timeoutError(run.hopeless.message));
    },
    dispose() {
      cancelWatch?.();
      cancelWatch = undefined;
    },
  };
}

/** What the class's retry policy is told. */
function policyJob({ claim, job }: Run<Claim>) {
  return { queue: claim.queue, class: job.class, args: job.args, retries: job.retries };
}

/** What a directive says is in the outcome. */
function toldBy(result: unknown): unknown {
  return isDirective(result) ? undefined : result;
}

function timedOut(message: string): Failure {
  return { exception: "TimeoutError", message: `the job ${message}`, backtrace: [] };
}

function late(run: Pick<Run<Claim>, "limitMs">, durationMs: number): Failure {
  return timedOut(
    `took ${durationMs} ms, its time limit being ${run.limitMs} ms; it kept the event loop busy, so it could not be stopped`,
  );
}
