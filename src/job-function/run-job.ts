import type { Clock } from "../core/clock.ts";
import type { DrainHooks } from "../core/hooks.ts";
import type { Logger } from "../core/job-context.ts";
import { createJobRunner, type PerformJob, type RunHandler } from "../core/job-runner.ts";
import { type Outcome, RELEASED } from "../core/outcome.ts";
import { refusalOf, unknownClass } from "../core/refused-job.ts";
import type { AnyJobDefinition, Registry } from "../core/registry.ts";
import type { Claim } from "../core/store.ts";
import type { ReceivedJob } from "./read-message.ts";

export interface RunDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly perform: PerformJob;
  readonly hooks: Pick<DrainHooks, "afterJob"> | undefined;
  readonly keepsResult: (definition: AnyJobDefinition) => boolean;
}

export interface RunOptions {
  /** The time limit of a class that has none of its own. */
  readonly timeoutMs: number;
  /** When the run must have ended, in ms since the epoch. */
  readonly endMs: number;
  /** Aborted when the host ends: what still runs is given back. */
  readonly signal: AbortSignal | undefined;
  readonly runHandler: RunHandler | undefined;
}

export interface EndedRun {
  readonly outcome: Outcome;
  readonly endedMs: number;
  readonly durationMs: number;
}

/** Runs one job as a drain would, under whatever limit is the nearest; resolves when it has ended. */
export function runJob({ queue, job }: ReceivedJob, deps: RunDeps, options: RunOptions): Promise<EndedRun> {
  const { clock, registry } = deps;
  const definition = job.kind === "job" ? registry.find(job.class) : undefined;
  const failure = refusalOf(job, definition);
  const ended = (outcome: Outcome, durationMs = 0): EndedRun => ({ outcome, endedMs: clock.nowMs(), durationMs });
  if (failure || job.kind !== "job") return Promise.resolve(ended({ kind: "failed", failure: failure as never }));
  if (!definition) return Promise.resolve(ended({ kind: "failed", failure: unknownClass(job.class, registry) }));

  const { signal } = options;
  if (signal?.aborted) return Promise.resolve(ended(RELEASED));
  return new Promise((resolve) => {
    const onAbort = (): void => void runner.abort(signal?.reason, Number.POSITIVE_INFINITY);
    const runner = createJobRunner<Claim>({
      ...deps,
      runHandler: options.runHandler ?? ((run) => run()),
      timeoutMs: options.timeoutMs,
      onEnd(_claim, outcome, durationMs) {
        signal?.removeEventListener("abort", onAbort);
        runner.dispose();
        resolve(ended(outcome.kind === "detached" ? HANDED_ON : outcome, durationMs));
      },
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    const limitMs = Math.min(definition.timeoutMs ?? options.timeoutMs, options.endMs - clock.nowMs());
    const limited = { ...definition, timeoutMs: Math.max(1, Math.floor(limitMs)) };
    runner.start({ slot: 0, token: "", queue, job }, job, limited);
  });
}

/** A receiver that would hand its job on could not tell who sent it. */
export const HANDED_ON: Extract<Outcome, { kind: "failed" }> = {
  kind: "failed",
  failure: {
    exception: "UsageError",
    message: "a job function cannot hand its job on to a receiver that acknowledges it: let the drain do that",
    backtrace: [],
  },
};
