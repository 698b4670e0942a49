import type { StoreError } from "./errors.ts";

/** Tells which errors of a store may pass: the same call is worth sending again. */
export interface Passing {
  /** From now on jobs may be in flight. */
  begin(): void;
  mayPass(error: StoreError): boolean;
}

/**
 * Credentials that were good a moment ago and are refused now are being changed, or whoever checks them is disturbed; and to give up would be to run
 * the jobs in flight again. Before that nothing is at stake, and wrong ones should be told soon.
 */
export function createPassing(): Passing {
  let hasBegun = false;
  return {
    begin() {
      hasBegun = true;
    },
    mayPass: ({ retryable, reason }) => retryable || (hasBegun && reason === "unauthorized"),
  };
}
