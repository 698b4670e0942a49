import type { CheckInChange } from "./checkins.ts";
import type { Clock } from "./clock.ts";
import type { UnknownClassPolicy } from "./drain-deps.ts";
import type { DrainHooks } from "./hooks.ts";
import type { HostBudget } from "./host-budget.ts";
import type { Logger } from "./job-context.ts";
import { createJobRunner, type PerformJob, type RunHandler } from "./job-runner.ts";
import { type Failure, type Outcome, RELEASED, REQUEUED } from "./outcome.ts";
import { refusalOf, unknownClass } from "./refused-job.ts";
import type { AnyJobDefinition, Registry } from "./registry.ts";
import type { Claim } from "./store.ts";

export interface HandOptions<C extends Claim> {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly concurrency: number;
  readonly unknownClass: UnknownClassPolicy;
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly runHandler: RunHandler;
  readonly perform: PerformJob;
  readonly hooks: DrainHooks | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Jobs that have ended here, but take up as much as a running one: they are being sent elsewhere. */
  readonly elsewhere: () => number;
  /** When the drain aborts all jobs. */
  readonly endMs: number;
  readonly budget: Pick<HostBudget, "begin" | "correct">;
  /** Whether a job with this time limit of its own may still be started. */
  readonly fits: (timeoutMs: number | undefined) => boolean;
  /** The job's handler is called next. */
  readonly onStart: (claim: C) => void;
  readonly onCheckIn: (claim: C, change: CheckInChange) => void;
  readonly keepsResult: (definition: AnyJobDefinition) => boolean;
  /** Called once for each claim. */
  readonly finish: (claim: C, outcome: Outcome, durationMs: number) => void;
  /** Told how long each handler took. */
  readonly onRun: (durationMs: number) => void;
  /** Nothing is left to start or to wait for. */
  readonly onIdle: () => void;
}

/** The claimed jobs of a drain: those that run, as many as the concurrency, and those held in hand until one of them ends. */
export interface Hand<C extends Claim> {
  /** Running and in hand. */
  readonly size: number;
  /** In hand, not begun. */
  readonly waiting: number;
  readonly isIdle: boolean;
  /** The longest run so far of a class without a time limit of its own. */
  readonly longestMs: number;
  take(claim: C): void;
  /** Starts what may be started. */
  pump(): void;
  /** Releases what was not started. */
  release(): void;
  /** @see JobRunner.abort */
  abort(reason: Error, failAfterMs: number): Promise<void>;
  dispose(): void;
}

/** Handlers may keep the event loop busy this long in a row. */
const MAX_BUSY_MS = 10;
/** … and as many may be begun where nobody sees how long they do. */
const MAX_UNSEEN = 4;

export function createHand<C extends Claim>(options: HandOptions<C>): Hand<C> {
  const { clock, registry, concurrency, budget, fits, finish } = options;
  const waiting: C[] = [];
  let isPumping = false;
  let busyMs = 0;
  let unseen = 0;

  const runner = createJobRunner<C>({
    clock,
    logger: options.logger,
    runHandler: options.runHandler,
    perform: options.perform,
    hooks: options.hooks,
    keepsResult: options.keepsResult,
    onCheckIn: options.onCheckIn,
    onUsed: budget.correct,
    random: options.random,
    timeoutMs: options.timeoutMs,
    endMs: options.endMs,
    onEnd(claim, outcome, durationMs) {
      // How long a job takes that is sent elsewhere is known when it has been.
      if (outcome.kind !== "detached") options.onRun(durationMs);
      finish(claim, outcome, durationMs);
      pump();
    },
  });

  const begin = (claim: C): void => {
    const { job } = claim;
    const definition = job.kind === "job" ? registry.find(job.class) : undefined;
    const failure = refusalOf(job, definition);
    if (failure || job.kind === "malformed") finish(claim, { kind: "failed", failure: failure as Failure }, 0);
    else if (definition && !fits(definition.timeoutMs)) finish(claim, RELEASED, 0);
    else if (definition) {
      options.onStart(claim);
      budget.begin(definition);
      runner.start(claim, job, definition);
    }
    // `leave` hands out none that it could read; what it could not read is put back.
    else if (options.unknownClass !== "fail") finish(claim, REQUEUED, 0);
    else finish(claim, { kind: "failed", failure: unknownClass(job.class, registry) }, 0);
  };

  /** Jobs that compute get a turn each, so that time limits, the beat and the deadline get theirs. */
  const pump = (): void => {
    // A handler that returns at once ends in here, and the loop below goes on by itself.
    if (isPumping) return;
    isPumping = true;
    while (waiting.length > 0 && runner.size + options.elsewhere() < concurrency) {
      if (busyMs >= MAX_BUSY_MS || unseen >= MAX_UNSEEN) {
        void clock.yield().then(() => {
          busyMs = 0;
          unseen = 0;
          isPumping = false;
          pump();
        });
        return;
      }
      const beforeMs = clock.nowMs();
      begin(waiting.shift() as C);
      busyMs += clock.nowMs() - beforeMs;
      if (clock.standsStill) unseen++;
    }
    isPumping = false;
    if (runner.size + waiting.length === 0) options.onIdle();
  };

  return {
    get size() {
      return runner.size + waiting.length;
    },
    get waiting() {
      return waiting.length;
    },
    get isIdle() {
      return runner.size + waiting.length === 0;
    },
    get longestMs() {
      return runner.longestMs;
    },
    take: (claim) => void waiting.push(claim),
    pump,
    release() {
      for (const claim of waiting.splice(0)) finish(claim, RELEASED, 0);
    },
    abort: runner.abort,
    dispose: runner.dispose,
  };
}
