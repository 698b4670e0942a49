import type { Clock } from "./clock.ts";
import { guardLogger } from "./guard-logger.ts";
import type { DrainHooks } from "./hooks.ts";
import type { Logger } from "./job.ts";
import type { Failure, Outcome } from "./outcome.ts";
import type { AnyJobDefinition } from "./registry.ts";
import { decideRetry, type RetryDecision, type RetryJob, type RetryOptions } from "./retry.ts";
import { isThenable } from "./thenable.ts";

export interface FailedAttemptDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Waits for what the policy's functions still do. @default nobody does */
  readonly hooks?: Partial<Pick<DrainHooks, "waitFor">> | undefined;
}

export interface EndedAttempt {
  readonly definition: AnyJobDefinition;
  readonly job: RetryJob & { readonly retries: number };
  readonly failure: Failure;
  readonly error: unknown;
  /** Set if the handler asked for another attempt by itself; its wait then, if it said one. */
  readonly asked?: { readonly afterMs: number | undefined };
}

/** Errors after which another attempt would end the same: what the job says cannot be understood. */
const HOPELESS_ERRORS = ["InvalidArgumentsError"];

/** What becomes of an attempt that did not end well: tried again, failed, or dropped, as its class's policy says. */
export function outcomeOfFailure(deps: FailedAttemptDeps, attempt: EndedAttempt): Outcome {
  const { definition, failure, asked } = attempt;
  const policy = definition.retry ?? (asked && {});
  if (!policy || HOPELESS_ERRORS.includes(failure.exception)) return { kind: "failed", failure };
  const decision = decide(deps, attempt, policy);
  switch (decision.kind) {
    case "retry":
      return { kind: "retrying", failure, afterMs: decision.afterMs };
    case "discard":
      return { kind: "discarded", reason: failure.message };
    case "exhausted":
      tellExhausted(deps, attempt, policy);
      return decision.drop ? { kind: "dropped", failure } : { kind: "failed", failure };
    case "fail":
      return { kind: "failed", failure };
  }
}

function decide(deps: FailedAttemptDeps, attempt: EndedAttempt, policy: RetryOptions): RetryDecision {
  const { error, failure, job, asked } = attempt;
  const failed = {
    ...{ error, failure, job, retries: job.retries, afterMs: asked?.afterMs },
    ...{ nowMs: deps.clock.nowMs(), random: deps.random },
  };
  try {
    return decideRetry(policy, failed);
  } catch (problem) {
    report(deps, attempt, "retry.backoff failed; the default is used", problem);
    return decideRetry({ ...(policy.limit !== undefined && { limit: policy.limit }) }, failed);
  }
}

function tellExhausted(deps: FailedAttemptDeps, attempt: EndedAttempt, { onExhausted }: RetryOptions): void {
  if (!onExhausted) return;
  const { job, error } = attempt;
  const onProblem = (problem: unknown): void => report(deps, attempt, "retry.onExhausted failed", problem);
  try {
    const { queue, args } = job;
    const result: unknown = onExhausted({ queue, class: job.class, args }, error);
    if (!isThenable(result)) return;
    const ending = Promise.resolve(result).catch(onProblem);
    deps.hooks?.waitFor?.(ending);
  } catch (problem) {
    onProblem(problem);
  }
}

function report({ logger }: FailedAttemptDeps, { job }: EndedAttempt, message: string, error: unknown): void {
  guardLogger(logger, { queue: job.queue, class: job.class }).error(message, { error });
}
