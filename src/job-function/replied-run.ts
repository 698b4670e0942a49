import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/job-context.ts";
import type { RepliedOutcome } from "../core/job-message.ts";
import type { PerformJob, RunHandler } from "../core/job-runner.ts";
import { type AnyJobDefinition, createRegistry } from "../core/registry.ts";
import { isThenable } from "../core/thenable.ts";
import type { ReceivedJob } from "./read-message.ts";
import { replyOf } from "./replied-outcome.ts";
import { runJob } from "./run-job.ts";

export interface RepliedRunDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly perform: PerformJob;
  readonly jobs: readonly AnyJobDefinition[];
  readonly timeoutMs: number;
  readonly marginMs: number;
}

/** Under what a job runs. Instants are in ms since the epoch. */
export interface RunHost {
  /** When nobody waits any more, as the message says. */
  readonly deadlineMs: number;
  /** When the host ends the function. */
  readonly hostEndMs: number;
  readonly signal: AbortSignal | undefined;
  readonly runHandler: RunHandler | undefined;
  /** How long its result may be in the reply. */
  readonly maxResultChars: number;
}

/** Runs one job for a drain that waits for the answer. What becomes of it is decided there, so nothing is decided here. */
export function createRepliedRun(deps: RepliedRunDeps): (job: ReceivedJob, host: RunHost) => Promise<RepliedOutcome> {
  const { clock, timeoutMs, marginMs } = deps;
  const registry = createRegistry(deps.jobs.map(({ retry: _, ...definition }) => definition));

  return async (received, { deadlineMs, hostEndMs, maxResultChars, ...host }) => {
    const endMs = Math.min(deadlineMs, hostEndMs) - marginMs;
    if (endMs <= clock.nowMs()) {
      deps.logger.warn("a job came when its time was over, by this clock, less the margin; it goes back", {
        queue: received.queue,
        ...(received.job.kind === "job" && { class: received.job.class }),
      });
      return { kind: "release" };
    }
    const told: { result?: unknown; error?: unknown } = {};
    // The runner would make an outcome of what a directive says.
    const perform = function performJob(...args: Parameters<PerformJob>): unknown {
      const keep = (result: unknown): void => {
        told.result = result;
      };
      const result = deps.perform(...args);
      return isThenable(result) ? result.then(keep) : keep(result);
    };
    const { outcome } = await runJob(
      received,
      {
        ...{ ...deps, registry, perform },
        hooks: {
          afterJob(_definition, _job, _outcome, error) {
            told.error = error;
          },
        },
        keepsResult: () => false,
      },
      { timeoutMs, endMs, ...host },
    );
    const reply = replyOf(outcome, told, { clock, maxResultChars });
    // A drain does not fail what it has no time left for.
    const isOverdue = reply.kind === "failed" && reply.failure.exception === "TimeoutError" && clock.nowMs() >= endMs;
    return isOverdue && deadlineMs <= hostEndMs ? { ...reply, isOverdue } : reply;
  };
}
