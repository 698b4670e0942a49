import { guardLogger } from "./guard-logger.ts";
import type { AppHooks, EnqueuedJob, HookOwner, Hooks, HooksOptions, JobHooks } from "./hooks.ts";
import { completedJob } from "./job-status.ts";
import type { Outcome } from "./outcome.ts";
import { isThenable } from "./thenable.ts";
import { within } from "./within.ts";

/** How long is waited for a hook: one that hangs must not take the place of jobs. */
const LIMIT_MS = 5_000;

export function createHooks({ app, find, clock, logger, emit }: HooksOptions): Hooks {
  const log = guardLogger(logger);

  const guard = (name: keyof AppHooks, job: EnqueuedJob | undefined, call: () => unknown): unknown => {
    const fields = fieldsOf(job);
    const tell = (error: unknown): void => emit?.({ kind: "hook-failed", hook: name, ...fields, error });
    const report = (error: unknown): void => {
      log.error(`the hook ${name} failed`, { ...fields, error });
      tell(error);
    };
    const wait = async (promise: PromiseLike<unknown>): Promise<unknown> => {
      let answer: unknown;
      const ending = promise.then((value) => {
        answer = value;
      });
      const hasEnded = await within(clock, LIMIT_MS, ending);
      if (!hasEnded) {
        const message = `the hook ${name} did not end within ${LIMIT_MS} ms`;
        log.error(message, { ...fields });
        tell(new Error(message));
      }
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
      const waitFor = (promise: Promise<unknown>): void => {
        pending.add(promise);
        void promise.then(() => pending.delete(promise));
      };
      const waitForLater = (promise: Promise<unknown> | undefined): void => {
        if (promise !== undefined) waitFor(promise);
      };
      return {
        waitFor,
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

/** Hooks are told of a job by the object that its handler had, which may have become anything. */
function fieldsOf(job: EnqueuedJob | undefined): { readonly queue: string; readonly class: string } | undefined {
  try {
    return job && { queue: job.queue, class: job.class };
  } catch {
    return undefined;
  }
}

function momentOf({ kind }: Outcome): "afterPerform" | "onFailure" | undefined {
  if (kind === "ok") return "afterPerform";
  return kind === "failed" || kind === "dropped" || kind === "retrying" ? "onFailure" : undefined;
}

/** Of results that may be promises; undefined if none is. */
function ending(results: readonly unknown[]): Promise<unknown> | undefined {
  return results.some(isThenable) ? Promise.all(results) : undefined;
}
