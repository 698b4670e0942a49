import type { Clock } from "./clock.ts";
import { guardLogger } from "./guard-logger.ts";
import type { JobContext, Logger } from "./job-context.ts";
import { type CompletedJob, completedJob } from "./job-status.ts";
import type { Outcome } from "./outcome.ts";
import type { DrainReport } from "./report.ts";
import type { Settlement } from "./store.ts";
import { isThenable } from "./thenable.ts";
import { within } from "./within.ts";

/** A job on its way into its queue. */
export interface EnqueuedJob {
  readonly queue: string;
  readonly class: string;
  readonly args?: readonly unknown[];
}

/**
 * Functions that are told of a job at the moments at which Ruby Resque calls its hooks. What one throws is logged and changes nothing. One
 * that returns a promise is waited for where it says so, up to 5 seconds, and then left to itself.
 */
export interface JobHooks {
  /** Before the handler and its middleware, which wait for it; that time is the job's. A job whose arguments are refused never gets here. */
  readonly beforePerform?: (job: JobContext) => unknown;
  /** The job is done: its handler has returned, and nothing but a result. The drain waits for it at its end. */
  readonly afterPerform?: (job: JobContext, result: unknown) => unknown;
  /** An attempt has failed; `outcome` says whether another follows. The drain waits for it at its end. */
  readonly onFailure?: (job: JobContext, error: unknown, outcome: Outcome) => unknown;
  /**
   * A job is over for good: done, discarded, failed or dropped, and Redis has taken that in. Called once for each job, though if its drain dies at
   * that moment it is not. The drain waits for it at its end.
   */
  readonly onComplete?: (job: CompletedJob) => unknown;
  /** Before a job of this app's is enqueued, which waits for it. If it returns false, the job is not enqueued. */
  readonly beforeEnqueue?: (job: EnqueuedJob) => unknown;
  /** The job is in its queue, or waits for its time. The caller of `enqueue` waits for it. */
  readonly afterEnqueue?: (job: EnqueuedJob) => unknown;
}

/** Hooks of a whole app. */
export interface AppHooks extends JobHooks {
  /** A drain that had something to do has emptied its queues. */
  readonly queueEmpty?: (report: DrainReport) => unknown;
  /** A drain has ended, whatever it found. `drain()` waits for it, but not beyond the drain's deadline. */
  readonly drainEnd?: (report: DrainReport) => unknown;
}

/** Whoever has hooks of its own: a class. */
interface HookOwner {
  readonly hooks?: JobHooks | undefined;
}

export interface HooksOptions {
  readonly app: AppHooks | undefined;
  readonly find: (className: string) => HookOwner | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Calls hooks: the app's, then the class's. Nothing here ever throws, and no promise rejects or takes longer than the limit. */
export interface Hooks {
  /** Undefined if there is nothing to wait for. */
  beforePerform(definition: HookOwner, job: JobContext): Promise<unknown> | undefined;
  /** The jobs that may be enqueued; a promise only if a hook is asynchronous. */
  beforeEnqueue<Job extends EnqueuedJob>(
    jobs: readonly Job[],
    of?: HookOwner,
  ): readonly Job[] | Promise<readonly Job[]>;
  afterEnqueue(jobs: readonly EnqueuedJob[], of?: HookOwner): Promise<unknown> | undefined;
  openDrain(): DrainHooks;
}

/** The hooks of one drain. */
export interface DrainHooks {
  /** @param told the handler's result, or the error */
  afterJob(definition: HookOwner, job: JobContext, outcome: Outcome, told: unknown): void;
  /** Whether `completed` will want to know what the handler returned. */
  keepsResult(definition: HookOwner): boolean;
  /** Settlements that the store has taken. */
  completed(settlements: readonly Settlement[], lost: readonly Settlement[]): void;
  /** Ends, at `deadlineMs` at the latest, when all hooks of the drain have ended. Without a report the drain has thrown. */
  end(report: DrainReport | undefined, deadlineMs: number | undefined): Promise<void>;
}

/** How long is waited for a hook: one that hangs must not take the place of jobs. */
const LIMIT_MS = 5_000;

export function createHooks({ app, find, clock, logger }: HooksOptions): Hooks {
  const log = guardLogger(logger);

  const guard = (name: keyof AppHooks, job: EnqueuedJob | undefined, call: () => unknown): unknown => {
    const fields = job && { queue: job.queue, class: job.class };
    const report = (error: unknown): void => log.error(`the hook ${name} failed`, { ...fields, error });
    const wait = async (promise: PromiseLike<unknown>): Promise<unknown> => {
      let answer: unknown;
      const ending = promise.then((value) => {
        answer = value;
      });
      const hasEnded = await within(clock, LIMIT_MS, ending);
      if (!hasEnded) log.error(`the hook ${name} did not end within ${LIMIT_MS} ms`, { ...fields });
      return answer;
    };
    try {
      const result = call();
      return isThenable(result) ? wait(result).catch(report) : result;
    } catch (error) {
      return report(error);
    }
  };
  /** Calls the app's and the class's, and returns what they do. */
  const each = <Name extends keyof JobHooks>(
    name: Name,
    own: HookOwner | undefined,
    job: EnqueuedJob,
    call: (hook: NonNullable<JobHooks[Name]>) => unknown,
  ): unknown[] => {
    const hooks = [app?.[name], own?.hooks?.[name]].filter((hook) => hook !== undefined);
    return hooks.map((hook) => guard(name, job, () => call(hook as NonNullable<JobHooks[Name]>)));
  };
  const has = (name: keyof JobHooks, own: HookOwner | undefined): boolean =>
    app?.[name] !== undefined || own?.hooks?.[name] !== undefined;

  return {
    beforePerform(definition, job) {
      if (!has("beforePerform", definition)) return undefined;
      return ending(each("beforePerform", definition, job, (hook) => hook(job)));
    },
    beforeEnqueue(jobs, of) {
      if (!jobs.some((job) => has("beforeEnqueue", of ?? find(job.class)))) return jobs;
      const answers = jobs.map((job) => each("beforeEnqueue", of ?? find(job.class), job, (hook) => hook(job)));
      const allowed = (all: readonly unknown[][]) => jobs.filter((_job, index) => !all[index]?.includes(false));
      return answers.flat().some(isThenable)
        ? Promise.all(answers.map((answer) => Promise.all(answer))).then(allowed)
        : allowed(answers);
    },
    afterEnqueue(jobs, of) {
      if (!jobs.some((job) => has("afterEnqueue", of ?? find(job.class)))) return undefined;
      return ending(jobs.flatMap((job) => each("afterEnqueue", of ?? find(job.class), job, (hook) => hook(job))));
    },
    openDrain() {
      const pending = new Set<Promise<unknown>>();
      const waitForLater = (promise: Promise<unknown> | undefined): void => {
        if (promise === undefined) return;
        pending.add(promise);
        void promise.then(() => pending.delete(promise));
      };
      return {
        afterJob(definition, job, outcome, told) {
          const name = momentOf(outcome);
          if (!name || !has(name, definition)) return;
          waitForLater(
            ending(
              name === "afterPerform"
                ? each(name, definition, job, (hook) => hook(job, told))
                : each(name, definition, job, (hook) => hook(job, told, outcome)),
            ),
          );
        },
        keepsResult: (definition) => has("onComplete", definition),
        completed(settlements, lost) {
          for (const settlement of settlements) {
            const { job } = settlement.claim;
            const definition = job.kind === "job" ? find(job.class) : undefined;
            if (!has("onComplete", definition) || lost.includes(settlement)) continue;
            const completed = completedJob(settlement);
            if (completed) waitForLater(ending(each("onComplete", definition, completed, (hook) => hook(completed))));
          }
        },
        async end(report, deadlineMs = Number.POSITIVE_INFINITY) {
          const untilMs = Math.min(deadlineMs, clock.nowMs() + LIMIT_MS);
          const wait = async (results: readonly unknown[]): Promise<void> => {
            const leftMs = untilMs - clock.nowMs();
            const promise = ending(results);
            if (leftMs > 0 && promise !== undefined) await within(clock, leftMs, promise);
          };
          await wait([...pending]);
          if (!report) return;
          const { queueEmpty, drainEnd } = app ?? {};
          const didEmpty = report.stopped === "empty" && report.claimed > 0;
          if (queueEmpty && didEmpty) await wait([guard("queueEmpty", undefined, () => queueEmpty(report))]);
          if (drainEnd) await wait([guard("drainEnd", undefined, () => drainEnd(report))]);
        },
      };
    },
  };
}

function momentOf({ kind }: Outcome): "afterPerform" | "onFailure" | undefined {
  if (kind === "ok") return "afterPerform";
  return kind === "failed" || kind === "dropped" || kind === "retrying" ? "onFailure" : undefined;
}

/** Of results that may be promises; undefined if none is. */
function ending(results: readonly unknown[]): Promise<unknown> | undefined {
  return results.some(isThenable) ? Promise.all(results) : undefined;
}
