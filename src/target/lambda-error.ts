import { type Directive, release, retry } from "../core/directive.ts";
import { AirliftError } from "../core/errors.ts";

export interface LambdaErrorOptions extends ErrorOptions {
  /** The exception's name in Lambda's API, as `ResourceNotFoundException`. */
  readonly reason?: string | undefined;
  readonly status?: number | undefined;
}

/** A function that cannot be given the job: too much to carry, not there, not allowed. Another attempt would end the same. */
export class LambdaError extends AirliftError {
  override readonly name = "LambdaError" as const;
  readonly reason: string | undefined;
  readonly status: number | undefined;
  readonly isFinal = true;

  constructor(message: string, { reason, status, ...options }: LambdaErrorOptions = {}) {
    super("ERR_LAMBDA", message, options);
    this.reason = reason;
    this.status = status;
  }
}

/** Server faults that stay until somebody changes the function. */
const LASTING = [
  ...[
    "EC2AccessDeniedException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
  ],
  ...["InvalidZipFileException", "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException"],
  "KMSNotFoundException",
];
/** Client faults that pass by themselves. */
const PASSING = [
  ...["TooManyRequestsException", "ThrottlingException", "RequestLimitExceeded", "ServiceQuotaExceededException"],
  ...["ResourceConflictException", "CodeArtifactUserPendingException", "SnapStartNotReadyException"],
  ...[
    "SnapStartTimeoutException",
    "SnapStartRegenerationFailureException",
    "EFSIOException",
    "EFSMountTimeoutException",
  ],
  ...["EFSMountConnectivityException", "S3FilesMountConnectivityException", "S3FilesMountTimeoutException"],
  ...["RequestTimeTooSkewed", "RequestExpired"],
  // The chain of invocations that this drain belongs to is too long: the next tick begins another.
  "RecursiveInvocationException",
];
/** What failed before the request left: the function cannot have run. */
const UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"];
/** Of one that quotes the request nothing is passed on. */
const QUOTING = ["InvalidRequestContentException"];
const MAX_MESSAGE_CHARS = 500;

/** What the client throws, as far as it is read. */
interface InvokeFault {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown };
  readonly retryAfterSeconds?: unknown;
}

/**
 * What becomes of a job whose invocation failed. One that the function cannot have seen waits, no attempt counted; one that it may have seen is tried
 * again, counted.
 *
 * @throws LambdaError if it is no use to try again
 */
export function afterFault(error: unknown, functionName: string): Directive {
  const { name, message, code, $metadata, retryAfterSeconds } = Object(error) as InvokeFault;
  const reason = typeof name === "string" ? name : undefined;
  const status = typeof $metadata?.httpStatusCode === "number" ? $metadata.httpStatusCode : undefined;
  const what = `the Lambda function ${JSON.stringify(functionName)}`;
  const isUnsent = UNSENT.includes(String(code)) || /did not establish a connection/.test(String(message));
  if (status === undefined && isUnsent) return release({ afterMs: wait() });
  // An answer that began as a good one and was torn: the function has run.
  const isLost = status === undefined ? isOfNetwork(reason, code) : status < 300;
  if (isLost) return retry({ reason: `${what} did not answer (${String(code ?? reason)})` });
  const isPassing = PASSING.includes(reason ?? "") || status === 429 || isSkewed(reason, message);
  const isServers = status !== undefined && status >= 500 && !LASTING.includes(reason ?? "");
  if (isPassing || isServers) return release({ afterMs: wait(Number(retryAfterSeconds) * 1_000) });
  const said = QUOTING.includes(reason ?? "") ? "" : `: ${String(message).slice(0, MAX_MESSAGE_CHARS)}`;
  throw new LambdaError(`${what} could not be invoked: ${reason ?? "an error"}${said}`, { reason, status });
}

/** A connection that broke, or was silent for too long. Anything else, as missing credentials, came before it. */
function isOfNetwork(name: string | undefined, code: unknown): boolean {
  return name === "TimeoutError" || name === "AbortError" || /^(E[A-Z]+|UND_ERR_\w+|HPE_\w+)$/.test(String(code ?? ""));
}

/** A signature that was too early or too late: the client has learnt the time by that. */
function isSkewed(name: string | undefined, message: unknown): boolean {
  return name === "InvalidSignatureException" && /expired|not yet current/i.test(String(message));
}

/** Spread, so that what was turned away together does not return together. */
function wait(askedMs = 0): number {
  return askedMs > 0 ? askedMs : Math.round(2_500 + 5_000 * Math.random());
}
