import { AirliftError } from "./errors.ts";

export interface InvalidArgumentsOptions extends ErrorOptions {
  /** Where in the arguments, as `[0].address.zip`. */
  readonly path?: string;
}

/** A job's arguments are not what its class takes. Another attempt would end the same, so the job fails at once, whatever its retry policy. */
export class InvalidArgumentsError extends AirliftError {
  override readonly name = "InvalidArgumentsError" as const;
  readonly path: string | undefined;

  constructor(message: string, options: InvalidArgumentsOptions = {}) {
    super("ERR_INVALID_ARGUMENTS", message, options);
    this.path = options.path;
  }
}
