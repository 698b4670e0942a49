import { ACCEPTED, type Directive, UNSENT } from "./directive.ts";
import { type DetachedOutcome, type Outcome, RELEASED } from "./outcome.ts";

/** What a job's runner makes of what a dispatch tells, as of what a handler tells. */
export interface Endings {
  ofResult(result: unknown): Outcome;
  ofError(error: unknown): Outcome;
  /** It is sent, or will not be. */
  onDispatched(): void;
  /** @param told the result, or the error */
  onEnd(outcome: Outcome, told: unknown): void;
}

/** The outcome of a job that its handler detaches. */
export function detachedOutcome(
  { leaseMs, dispatch }: Extract<Directive, { kind: "detach" }>,
  endings: Endings,
): DetachedOutcome {
  return {
    kind: "detached",
    afterMs: leaseMs,
    async dispatch(ack, options) {
      let told: unknown;
      let outcome: Outcome;
      try {
        told = await dispatch(ack, options);
        if (told === ACCEPTED) return undefined;
        outcome = told === UNSENT ? RELEASED : endings.ofResult(told);
      } catch (error) {
        // Whether it arrived is not known: its lease will tell.
        if (options.signal.aborted) return undefined;
        told = error;
        outcome = endings.ofError(error);
      } finally {
        endings.onDispatched();
      }
      endings.onEnd(outcome, told);
      return outcome;
    },
  };
}
