/** Every error that Airlift throws by itself. `code` is stable; the message is for people. */
export class AirliftError extends Error {
  override readonly name: string = "AirliftError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface UsageErrorOptions extends ErrorOptions {
  readonly jobIndex?: number;
}

/** A wrong option, argument or payload given by the caller. The message names the value and what was expected. */
export class UsageError extends AirliftError {
  override readonly name = "UsageError" as const;
  /** Which of a list of jobs is wrong, from 0. */
  readonly jobIndex: number | undefined;

  constructor(message: string, options: UsageErrorOptions = {}) {
    super("ERR_USAGE", message, options);
    this.jobIndex = options.jobIndex;
  }
}

/**
 * Why a store refused or could not answer.
 *
 * - `unavailable`: no answer, or one that is not the store's (network, time limit, 5xx, HTML); the call may have taken effect
 * - `throttled`: over a quota or rate, 429; the call had no effect
 * - `unauthorized`: the credentials are wrong
 * - `full`: the database takes no more writes
 * - `rejected`: the store understood the call and refused it (wrong type, no permission, script error)
 */
export type StoreErrorReason = "unavailable" | "throttled" | "unauthorized" | "full" | "rejected";

export interface StoreErrorOptions extends ErrorOptions {
  /** HTTP status of the answer, if there was one. */
  readonly status?: number;
  /** How long the store asked us to wait. */
  readonly retryAfterMs?: number;
}

/** An error of the database behind the queues. Its message never holds a payload, a token or a command's arguments. */
export class StoreError extends AirliftError {
  override readonly name = "StoreError" as const;
  readonly reason: StoreErrorReason;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: StoreErrorReason, message: string, options: StoreErrorOptions = {}) {
    super("ERR_STORE", message, options);
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same call may be sent again: the others would only be refused again. */
  get retryable(): boolean {
    return this.reason === "unavailable" || this.reason === "throttled" || this.reason === "full";
  }
}

/** True for a {@link StoreError}, also one of another copy of this package. */
export function isStoreError(error: unknown): error is StoreError {
  return error instanceof Error && error.name === "StoreError" && "reason" in error;
}
