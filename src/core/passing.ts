import type { StoreError } from "./errors.ts";

/** Tells which errors of a store may pass: the same call is worth sending again. */
export interface Passing {
  /** From now on jobs may be in flight. */
  begin(): void;
  mayPass(error: StoreError): boolean;
}

/** Before jobs are in flight nothing is at stake, and wrong credentials should be told soon. */
export function createPassing(): Passing {
  let hasBegun = false;
  return {
    begin() {
      hasBegun = true;
    },
    mayPass: (error) => (hasBegun ? mayPassMidway(error) : error.retryable),
  };
}

/**
 * Credentials that were good a moment ago and are refused now are being changed, or whoever checks them is disturbed; and to give up would be to run
 * again what has run.
 */
export function mayPassMidway({ retryable, reason }: StoreError): boolean {
  return retryable || reason === "unauthorized";
}
