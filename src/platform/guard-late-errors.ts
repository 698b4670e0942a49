import type { Logger } from "../core/job-context.ts";
import type { RunHandler } from "../core/job-runner.ts";

/** What a guarded process does with errors that nobody caught. */
export interface LateErrorGuard {
  /**
   * Runs a job's handler. An error that escapes it later, out of a timer, a socket's event or a promise that nobody awaits, is
   * handed to `fail`, which has no effect once the job has ended; so it is logged as well.
   */
  readonly runHandler: RunHandler;
  /** Lets the process end on such errors again. */
  dispose(): void;
}

/**
 * Keeps one job's late error from ending the process and, with it, every other job that runs in it.
 *
 * Node keeps the asynchronous context for both of its events (tried on 22.12 and 24.21: timers, immediates, ticks, emitters,
 * sockets, fetch, async functions; on 22 only a throw in `queueMicrotask` arrives without one). Deno 2.9 loses it for what a timer
 * throws, and Bun 1.4 for rejections. An error without a context is logged.
 */
export function guardLateErrors(log: Logger): LateErrorGuard {
  // Asked for by name at run time, so that a bundle for a host without it stays free of it.
  const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
  const running = new AsyncLocalStorage<(error: unknown) => void>();
  const take = (error: unknown): void => {
    const fail = running.getStore();
    // The stack is all there is to find the origin by: nobody awaits what threw.
    const details = { error: error instanceof Error ? error.stack : String(error) };
    log.error(fail ? "a job's late error was not caught" : "an error outside of any job was not caught", details);
    fail?.(error);
  };
  process.on("uncaughtException", take);
  process.on("unhandledRejection", take);
  return {
    runHandler: (run, fail) => running.run(fail, run),
    dispose() {
      process.off("uncaughtException", take);
      process.off("unhandledRejection", take);
    },
  };
}
