import type { Failure } from "./outcome.ts";

export interface RemoteJobErrorOptions {
  readonly retryAfterMs?: number;
  readonly isFinal?: boolean;
}

/** A job failed at its receiver. It bears the name, message and backtrace that the receiver told, and a class's `retry` rules know it by that name. */
export class RemoteJobError extends Error {
  /** As the receiver's language writes it, one frame or remark a line. */
  readonly backtrace: readonly string[];
  /** How long the receiver asked to wait before another attempt. */
  readonly retryAfterMs: number | undefined;
  /** Another attempt would end the same. */
  readonly isFinal: boolean;

  constructor({ exception, message, backtrace }: Failure, options: RemoteJobErrorOptions = {}) {
    super(message);
    this.name = exception;
    this.backtrace = backtrace;
    this.retryAfterMs = options.retryAfterMs;
    this.isFinal = options.isFinal ?? false;
    // Where it was read says nothing about where it happened.
    this.stack = [`${exception}: ${message}`, ...backtrace].join("\n");
  }
}
