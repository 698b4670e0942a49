import type { Airlift, DrainOptions } from "../airlift.ts";
import { consoleLogger } from "../console-logger.ts";
import { UsageError } from "../core/errors.ts";
import type { OnEvent } from "../core/events.ts";
import { guardLogger } from "../core/guard-logger.ts";
import type { Logger } from "../core/job-context.ts";
import { logEvents } from "../core/log-events.ts";
import type { DrainReport } from "../core/report.ts";
import { guardLateErrors, type LateErrorGuard } from "./guard-late-errors.ts";

/** What each drain of a host is given beside its deadline. */
export type HostedDrainOptions = Omit<DrainOptions, "deadlineMs" | "depth">;

export interface DrainRunnerOptions {
  /** How long the host lets a call take, in milliseconds. A drain ends the app's `marginMs` before that. */
  readonly maxDurationMs: number;
  /** A signal that aborts each drain at shutdown, the host's limits, a listener. */
  readonly drain?: HostedDrainOptions;
}

/** Drains as a host wants it: in its time, with a log, and such that one job's late error ends nothing else. */
export interface DrainRunner {
  /**
   * @param startedMs when the host began to count
   * @throws what the drain throws, which has been logged
   */
  run(startedMs: number, depth?: number): Promise<DrainReport>;
  /** The app's own, or the console. Never throws. */
  readonly logger: Logger;
}

/**
 * While a drain is under way, an error that nobody caught is logged, and fails its job if that can be told; it ends neither the process nor the other
 * jobs. A `runHandler` of the caller's stands for this.
 *
 * @param what names the maker in messages
 * @throws UsageError
 */
export function createDrainRunner(what: string, airlift: Airlift, options: DrainRunnerOptions): DrainRunner {
  const { maxDurationMs, drain: given = {} } = options;
  const { marginMs } = airlift.options;
  if (!(Number.isSafeInteger(maxDurationMs) && maxDurationMs > marginMs)) {
    const expected = `a whole number of milliseconds, more than the margin (marginMs: ${marginMs})`;
    throw new UsageError(`${what}: maxDurationMs: expected ${expected}, got ${String(maxDurationMs)}`);
  }
  const logger = guardLogger(airlift.options.logger ?? consoleLogger);
  let running = 0;
  let guard: LateErrorGuard | undefined;

  const run = async (startedMs: number, depth = 0): Promise<DrainReport> => {
    if (running++ === 0 && !given.runHandler && hasProcess()) guard = guardLateErrors(logger);
    const log = logEvents(logger);
    const onEvent: OnEvent = (event) => {
      log(event);
      given.onEvent?.(event);
    };
    const guarded = guard && { runHandler: guard.runHandler };
    try {
      const deadlineMs = startedMs + maxDurationMs;
      const report = await airlift.drain({ ...guarded, ...given, deadlineMs, depth, onEvent });
      logger.info("drained", { ...report });
      return report;
    } catch (error) {
      logger.error(`the drain failed: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    } finally {
      if (--running === 0) {
        guard?.dispose();
        guard = undefined;
      }
    }
  };
  return { run, logger };
}

/** Node, and what passes for it. */
function hasProcess(): boolean {
  const { process } = globalThis;
  return typeof process?.on === "function" && typeof process.getBuiltinModule === "function";
}
