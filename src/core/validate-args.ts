import type { StandardSchemaV1 } from "@standard-schema/spec";
import { UsageError } from "./errors.ts";
import { toFailure } from "./failure.ts";
import { InvalidArgumentsError } from "./invalid-arguments.ts";
import type { JobContext } from "./job-context.ts";
import { isThenable } from "./thenable.ts";

type Issues = readonly StandardSchemaV1.Issue[];

/** What a class says about its arguments. */
export interface ArgsRules {
  readonly class: string;
  readonly args?: StandardSchemaV1;
  readonly decode?: (raw: string, job: JobContext) => unknown;
}

/**
 * The arguments as the class's handler takes them: decoded, validated. Synchronous where decoder and schema are.
 *
 * @throws InvalidArgumentsError (or a promise that rejects with it)
 */
export function readArgs(rules: ArgsRules, args: readonly unknown[], job: JobContext): unknown {
  if (!rules.decode) return validate(rules, args);
  try {
    const decoded = rules.decode(job.raw, job);
    if (!isThenable(decoded)) return validate(rules, decoded);
    return decoded.then((value) => validate(rules, value), refuseToDecode);
  } catch (error) {
    return error instanceof InvalidArgumentsError ? Promise.reject(error) : refuseToDecode(error);
  }
}

/**
 * Refuses what the class's handler would refuse, while there is somebody to tell. What a decoder makes of a payload is not known
 * here, so that a class with one takes everything.
 *
 * @throws UsageError naming class and path (or a promise that rejects with it)
 */
export function validateForEnqueue(rules: ArgsRules, args: readonly unknown[]): void | Promise<void> {
  if (!rules.args || rules.decode) return;
  const refuse = (issues: Issues): never => {
    throw new UsageError(`enqueue: class ${JSON.stringify(rules.class)}: ${describe(issues, args).text}`);
  };
  const result = rules.args["~standard"].validate(args);
  if (isThenable(result)) return result.then(({ issues }) => issues && refuse(issues));
  if (result.issues) refuse(result.issues);
}
