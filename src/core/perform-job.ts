import type { Hooks } from "./hooks.ts";
import type { JobContext } from "./job-context.ts";
import type { PerformJob } from "./job-runner.ts";
import { type AnyMiddleware, performJob as performInside } from "./middleware.ts";
import type { AnyJobDefinition } from "./registry.ts";
import type { Resources } from "./resources.ts";
import { isThenable } from "./thenable.ts";
import { readArgs } from "./validate-args.ts";

export interface PerformerOptions {
  /** The app's own, around those of each class. */
  readonly middleware?: readonly AnyMiddleware[] | undefined;
  readonly hooks?: Pick<Hooks, "beforePerform"> | undefined;
  readonly resources?: Resources | undefined;
}

/**
 * What happens to a claimed job: its arguments are decoded and validated, the hooks before it called, and its handler run inside the
 * app's middleware and its class's. A job that has none of these is one call, and a handler that is synchronous stays so.
 *
 * What is over while it was waited for, by its time limit or its drain's end, is not begun any more: it may run elsewhere by then.
 *
 * Each function that calls one of the user's is named `performJob`, for there core/failure.ts cuts a failure's backtrace.
 */
export function createPerformer({ middleware = [], hooks, resources }: PerformerOptions): PerformJob {
  const run = function performJob(definition: AnyJobDefinition, args: unknown, job: JobContext): unknown {
    if (middleware.length === 0 && !definition.middleware) return definition.perform(args, job);
    const chain = [...middleware, ...(definition.middleware ?? [])];
    return performInside(chain, job, function performJob() {
      job.signal.throwIfAborted();
      return definition.perform(args, job);
    });
  };
  const start = function performJob(definition: AnyJobDefinition, args: unknown, job: JobContext): unknown {
    const before = hooks?.beforePerform(definition, job);
    if (before === undefined) return run(definition, args, job);
    return before.then(function performJob() {
      job.signal.throwIfAborted();
      return run(definition, args, job);
    });
  };
  return function performJob(definition, args, job) {
    if (resources) (job as { resources: object }).resources = resources.opened;
    if (!definition.args && !definition.decode) return start(definition, args, job);
    const read = readArgs(definition, args, job);
    if (!isThenable(read)) return start(definition, read, job);
    return read.then(function performJob(value) {
      job.signal.throwIfAborted();
      return start(definition, value, job);
    });
  };
}
