import type { Clock } from "./clock.ts";
import { toFailure } from "./failure.ts";
import { guardLogger } from "./guard-logger.ts";
import type { JobContext, Logger } from "./job.ts";
import { type Failure, OK, type Outcome, RELEASED } from "./outcome.ts";
import type { AnyJobDefinition } from "./registry.ts";
import type { Claim, ClaimedJob } from "./store.ts";

/**
 * Runs the handler. A host that can tell which job an error thrown out of the blue belongs to (a late callback, an unhandled
 * rejection) wraps the run and calls `fail`.
 */
export type RunHandler = <T>(run: () => T, fail: (error: unknown) => void) => T;

export interface JobRunnerOptions<C extends Claim> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runHandler: RunHandler;
  /** The time limit of classes that have none of their own. */
  readonly timeoutMs: number;
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

type JobOf<Kind extends ClaimedJob["kind"]> = Extract<ClaimedJob, { kind: Kind }>;

interface Run<C extends Claim> {
  readonly claim: C;
  readonly context: Context;
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

/** Made for each job, so the signal and the logger are made only when they are asked for. */
class Context implements JobContext {
  readonly queue: string;
  readonly #job: JobOf<"job">;
  readonly #logger: Logger;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor(queue: string, job: JobOf<"job">, logger: Logger) {
    this.queue = queue;
    this.#job = job;
    this.#logger = logger;
  }

  get class(): string {
    return this.#job.class;
  }
  get args(): readonly unknown[] {
    return this.#job.args;
  }
  get raw(): string {
    return this.#job.raw;
  }
  get attempt(): number {
    return this.#job.attempt;
  }
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
  get log(): Logger {
    return guardLogger(this.#logger, { queue: this.queue, class: this.class });
  }
  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
  get isAborted(): boolean {
    return this.#reason !== undefined;
  }
}

export function createJobRunner<C extends Claim>(options: JobRunnerOptions<C>): JobRunner<C> {
  const { clock, logger, runHandler, timeoutMs, onEnd } = options;
  // An array, as a Set that is changed for each job leaves garbage that V8's scavenger keeps (100 MB over a million jobs).
  const running: Run<C>[] = [];
  /** When a job was last seen to end. */
  let lastActiveMs = 0;
  let longestMs = 0;
  let cancelWatch: (() => void) | undefined;
  let watchAtMs = Number.POSITIVE_INFINITY;

  const end = (run: Run<C>, outcome: Outcome): void => {
    if (run.index < 0) return;
    const last = running.pop() as Run<C>;
    if (last !== run) {
      running[run.index] = last;
      last.index = run.index;
    }
    run.index = -1;
    const nowMs = clock.nowMs();
    const durationMs = nowMs - run.startedMs;
    if (!run.hasOwnLimit) longestMs = Math.max(longestMs, durationMs);
    // Its timer did not fire, so the loop was kept busy. By this job, if it comes first after that; others are late for it.
    const isFirst = lastActiveMs <= run.startedMs + run.limitMs;
    const isLate = outcome.kind === "ok" && durationMs > run.limitMs && (run.syncMs > run.limitMs || isFirst);
    lastActiveMs = nowMs;
    onEnd(run.claim, isLate ? failedLate(run, durationMs) : outcome, durationMs);
  };

  const fail = (run: Run<C>, error: unknown): void => {
    // An aborted handler that throws is doing as it was told.
    const outcome = run.context.isAborted
      ? abortedOutcome(run)
      : { kind: "failed" as const, failure: toFailure(error) };
    end(run, outcome);
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
      end(run, { kind: "failed", failure });
      run.context.abort(abortReason(failure));
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
      const context = new Context(claim.queue, job, logger);
      const limitMs = definition.timeoutMs ?? timeoutMs;
      const hasOwnLimit = definition.timeoutMs !== undefined;
      const run: Run<C> = {
        claim,
        context,
        startedMs: clock.nowMs(),
        limitMs,
        hasOwnLimit,
        index: running.length,
        syncMs: 0,
      };
      running.push(run);
      try {
        const performJob = (): unknown => definition.perform(job.args, context);
        const result: unknown = runHandler(performJob, (error) => fail(run, error));
        run.syncMs = clock.nowMs() - run.startedMs;
        if (!isThenable(result)) return end(run, OK);
        result.then(
          () => end(run, OK),
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
      for (const run of [...running]) run.context.abort(reason);
      await clock.yield();
      for (const run of [...running]) end(run, abortedOutcome(run));
    },
    dispose() {
      cancelWatch?.();
      cancelWatch = undefined;
    },
  };
}

function abortedOutcome({ hopeless }: Pick<Run<Claim>, "hopeless">): Outcome {
  return hopeless ? { kind: "failed", failure: hopeless } : RELEASED;
}

function timedOut(message: string): Failure {
  return { exception: "TimeoutError", message: `the job ${message}`, backtrace: [] };
}

function failedLate(run: Pick<Run<Claim>, "limitMs">, durationMs: number): Outcome {
  const failure = timedOut(
    `took ${durationMs} ms, its time limit being ${run.limitMs} ms; it kept the event loop busy, so it could not be stopped`,
  );
  return { kind: "failed", failure };
}

function abortReason({ message }: Failure): Error {
  const error = new Error(message);
  error.name = "TimeoutError";
  return error;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
