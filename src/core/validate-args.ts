import type { StandardSchemaV1 } from "@standard-schema/spec";
import { UsageError } from "./errors.ts";
import { toFailure } from "./failure.ts";
import { InvalidArgumentsError, type InvalidArgumentsOptions } from "./invalid-arguments.ts";
import type { JobContext } from "./job-context.ts";
import { isThenable } from "./thenable.ts";

/** What a class says of its arguments. */
export interface ArgsRules {
  readonly class: string;
  readonly args?: StandardSchemaV1 | undefined;
  readonly decode?: ((raw: string, job: JobContext) => unknown) | undefined;
  /** Its decoder makes of a payload what was given to `enqueue`. */
  readonly wire?: object | undefined;
}

/**
 * The arguments as the class's handler takes them, decoded and validated; a promise if decoder or schema are asynchronous.
 *
 * @throws InvalidArgumentsError
 */
export function readArgs(rules: ArgsRules, args: readonly unknown[], job: JobContext): unknown {
  if (!rules.decode) return validateArgs(rules, args);
  let decoded: unknown;
  try {
    decoded = rules.decode(job.raw, job);
    if (isThenable(decoded)) return decoded.then((value) => validateArgs(rules, value), refuseToDecode);
  } catch (error) {
    return refuseToDecode(error);
  }
  return validateArgs(rules, decoded);
}

/**
 * Refuses what would be refused when the job runs, while there is somebody to tell. What a decoder makes of a payload is not known
 * here, so that a class with a decoder takes everything, unless it says that the decoder gives back what was enqueued (`wire`).
 *
 * @throws UsageError naming class and path
 */
export async function validateForEnqueue(rules: ArgsRules, args: readonly unknown[]): Promise<void> {
  if (!rules.args || (rules.decode && !rules.wire)) return;
  const { issues } = await rules.args["~standard"].validate(args);
  if (!issues) return;
  const { text } = await describe(issues, args);
  throw new UsageError(`enqueue: class ${JSON.stringify(rules.class)}: ${text}`);
}

function validateArgs({ args: schema }: ArgsRules, value: unknown): unknown {
  if (!schema) return value;
  const take = (result: StandardSchemaV1.Result<unknown>): unknown =>
    result.issues ? refuse(result.issues, value) : result.value;
  const result = schema["~standard"].validate(value);
  return isThenable(result) ? result.then(take) : take(result);
}

async function refuse(issues: Issues, value: unknown): Promise<never> {
  const { path, text } = await describe(issues, value);
  throw invalid(text, { path });
}

function refuseToDecode(error: unknown): never {
  // A decoder that knows what is wrong has said so.
  if (error instanceof InvalidArgumentsError)
    throw invalid(error.message, { ...(error.path !== undefined && { path: error.path }) });
  const { exception, message } = toFailure(error);
  throw invalid(`the payload cannot be decoded: ${exception}: ${message}`, { cause: error });
}

/** Without a backtrace: where Airlift was when it saw it helps nobody. */
function invalid(message: string, options: InvalidArgumentsOptions): InvalidArgumentsError {
  const error = new InvalidArgumentsError(message, options);
  error.stack = String(error);
  return error;
}

type Issues = readonly StandardSchemaV1.Issue[];

/** Loaded when something is refused: most drains never need it. */
async function describe(issues: Issues, args: unknown): Promise<{ readonly path: string; readonly text: string }> {
  const { describeIssues } = await import("./schema-issues.ts");
  return describeIssues(issues, args);
}
