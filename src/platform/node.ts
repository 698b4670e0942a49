import { AsyncLocalStorage } from "node:async_hooks";
import { constants } from "node:os";
import type { Logger } from "../core/job.ts";
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
 * sockets, fetch, async functions; on 22 only a throw in `queueMicrotask` arrives without one). An error without a context is
 * logged.
 */
export function guardLateErrors(log: Logger): LateErrorGuard {
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

/** The signals that ask a process to stop: Ctrl-C, an init system or container, Ruby Resque's graceful stop. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGQUIT"] as const;

export interface StopListener {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  dispose(): void;
}

export interface StopListenerOptions {
  /** Told of the first signal by name. */
  readonly onStop?: (name: string) => void;
  /** Told of the second, with the exit status that shells expect (128 + the signal's number). The process should end now. */
  readonly onForce: (name: string, status: number) => void;
}

/** Turns QUIT, TERM and INT into an AbortSignal, and a second one of any of them into a call of `onForce`. */
export function listenForStop(options: StopListenerOptions): StopListener {
  const controller = new AbortController();
  const take = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      options.onForce(name, 128 + (constants.signals[name] ?? 0));
      return;
    }
    controller.abort(new Error(`stopped by ${name}`));
    options.onStop?.(name);
  };
  for (const name of STOP_SIGNALS) process.on(name, take);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of STOP_SIGNALS) process.off(name, take);
    },
  };
}
