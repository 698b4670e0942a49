import type { Clock } from "../core/clock.ts";
import { type Directive, isDirective, readDirective } from "../core/directive.ts";
import { toFailure } from "../core/failure.ts";
import type { RepliedOutcome } from "../core/job-message.ts";
import type { Outcome } from "../core/outcome.ts";
import { isFinal, retryAfterMs } from "../core/retry.ts";
import { HANDED_ON } from "./run-job.ts";

/** Of all results of a reply, which has a limit of some megabytes. A longer one than its job's share is left out, and the job is done. */
export const MAX_RESULT_CHARS = 1_000_000;

/** What a run without a retry policy says, for who decides what becomes of it. `result` and `error` are the handler's. */
export function replyOf(
  outcome: Outcome,
  told: { readonly result?: unknown; readonly error?: unknown },
  { clock, maxResultChars }: { readonly clock: Clock; readonly maxResultChars: number },
): RepliedOutcome {
  if (outcome.kind === "ok") {
    const { result } = told;
    if (isDirective(result)) return ofDirective(result);
    return { kind: "ok", ...(isShort(result, maxResultChars) && { result }) };
  }
  if (outcome.kind !== "failed") return statedOutcome(outcome, maxResultChars);
  const waitMs = retryAfterMs({ error: told.error, nowMs: clock.nowMs() });
  return {
    ...statedOutcome(outcome, maxResultChars),
    ...(waitMs > 0 && { retryAfterMs: waitMs }),
    ...(isFinal(told.error) && { isFinal: true }),
  } as RepliedOutcome;
}

/** An outcome that is decided. */
export function statedOutcome(outcome: Outcome, maxResultChars: number): RepliedOutcome {
  switch (outcome.kind) {
    case "ok":
      return { kind: "ok", ...(isShort(outcome.result, maxResultChars) && { result: outcome.result }) };
    case "discarded":
      return { kind: "discard", ...(outcome.reason !== undefined && { reason: outcome.reason }) };
    case "failed":
    case "dropped":
      return { kind: "failed", failure: outcome.failure };
    case "retrying":
      return { kind: "retry", afterMs: outcome.afterMs, reason: outcome.failure.message };
    case "postponed":
    case "detached":
      return { kind: "release", afterMs: outcome.afterMs };
    case "released":
    case "requeued":
      return { kind: "release", afterMs: 0 };
  }
}

function ofDirective(given: Directive): RepliedOutcome {
  let directive: Directive;
  try {
    directive = readDirective(given);
  } catch (error) {
    return { kind: "failed", failure: toFailure(error) };
  }
  switch (directive.kind) {
    case "retry": {
      const { afterMs, reason } = directive;
      return { kind: "retry", ...(afterMs !== undefined && { afterMs }), ...(reason !== undefined && { reason }) };
    }
    case "discard":
      return { kind: "discard", ...(directive.reason !== undefined && { reason: directive.reason }) };
    case "release":
      return { kind: "release", afterMs: directive.afterMs };
    case "detach":
      return HANDED_ON;
  }
}

/** Hosts write replies by JSON.stringify, which fails on what has no JSON form. */
function isShort(result: unknown, maxChars: number): boolean {
  try {
    const text = JSON.stringify(result) as string | undefined;
    return text !== undefined && text.length <= maxChars;
  } catch {
    return false;
  }
}
