import type { Logger } from "../core/job.ts";
import { guardLateErrors, type LateErrorGuard, listenForStop } from "../platform/node.ts";

/** A process that runs jobs: it stops when it is told to, and no job's late error ends it. */
export interface Supervision extends Disposable {
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  readonly runHandler: LateErrorGuard["runHandler"];
}

/** Takes the signals and the late errors of this process until it is disposed. */
export function superviseProcess(log: Logger): Supervision {
  const guard = guardLateErrors(log);
  const stop = listenForStop({
    onStop: (name) => log.info(`${name}: no more jobs are taken, the running ones may end; once more ends at once`),
    onForce: (name, status) => {
      log.warn(`${name}: ended at once; what was running will run again when its lease is over`);
      process.exit(status);
    },
  });
  return {
    signal: stop.signal,
    runHandler: guard.runHandler,
    [Symbol.dispose]() {
      guard.dispose();
      stop.dispose();
    },
  };
}
