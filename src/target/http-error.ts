import { AirliftError } from "../core/errors.ts";

/** An endpoint that did not take a job, in a way that another attempt would not change. Its message names the endpoint's origin alone. */
export class HttpError extends AirliftError {
  override readonly name = "HttpError" as const;
  /** A class's `retry` does not try again, unless one of its rules names this error. */
  readonly isFinal = true as const;
  /** Of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super("ERR_HTTP_TARGET", message);
    this.status = status;
  }
}
