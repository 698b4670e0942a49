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
 * Refuses what the class's handler would be refused later, while there is somebody to tell. What a decoder makes of a payload is not
 * known here, so that a class with a decoder takes everything.
 *
 * @throws UsageError naming class and path; if the schema is asynchronous, the promise rejects with it
 */
export function validateForEnqueue(rules: ArgsRules, args: readonly unknown[]): void | Promise<void> {
  if (!rules.args || rules.decode) return;
  const check = ({ issues }: StandardSchemaV1.Result<unknown>): void => {
    if (issues) throw new UsageError(`enqueue: class ${JSON.stringify(rules.class)}: ${describe(issues, args).text}`);
  };
  const result = rules.args["~standard"].validate(args);
  return result instanceof Promise ? result.then(check) : check(result);
}

function validateArgs({ args: schema }: ArgsRules, value: unknown): unknown {
  if (!schema) return value;
  const take = (result: StandardSchemaV1.Result<unknown>): unknown => {
    if (!result.issues) return result.value;
    const { path, text } = describe(result.issues, value);
    throw invalid(text, { path });
  };
  const result = schema["~standard"].validate(value);
  return isThenable(result) ? result.then(take) : take(result);
}

function refuseToDecode(error: unknown): never {
  const { exception, message } = toFailure(error);
  throw invalid(`the payload cannot be decoded: ${exception}: ${message}`, { cause: error });
}

/** Without a backtrace: where Airlift was when it saw it helps nobody. */
function invalid(message: string, options: InvalidArgumentsOptions): InvalidArgumentsError {
  const error = new InvalidArgumentsError(message, options);
  error.stack = String(error);
  return error;
}

type Issue = StandardSchemaV1.Issue;

const MAX_ISSUES = 5;
const MAX_TEXT_CHARS = 200;

/** `args[1].email: Invalid email: Received a string; args[2]: …`, and the first of these paths, as `[1].email`. */
function describe(issues: readonly Issue[], args: unknown): { readonly path: string; readonly text: string } {
  const told = issues.slice(0, MAX_ISSUES).map(({ message, path = [] }) => {
    const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment));
    return { path: keys.map(formatKey).join(""), message: withoutValue(String(message), valueAt(args, keys)) };
  });
  const more = issues.length > told.length ? `; and ${issues.length - told.length} more` : "";
  const text = told.map(({ path, message }) => `args${path}: ${cut(message)}`).join("; ");
  return { path: told[0]?.path ?? "", text: (text || "args: refused by the schema") + more };
}

function formatKey(key: PropertyKey): string {
  if (typeof key === "number") return `[${key}]`;
  const name = String(key);
  if (/^\d+$/.test(name)) return `[${name}]`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${cut(name)}` : `[${JSON.stringify(cut(name))}]`;
}

function valueAt(args: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce((value, key) => (value === undefined || value === null ? undefined : Object(value)[key]), args);
}

/** Libraries quote what they refuse. A job's arguments belong in no log, so in the value's place stands its type. */
function withoutValue(message: string, value: unknown): string {
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) return message;
  const type = `a ${typeof value}`;
  const text = String(value);
  if (typeof value !== "string")
    return message.replace(new RegExp(`(?<![\\w.])${text.replace(/\W/g, "\\$&")}(?![\\w.])`, "g"), type);
  const forms = [JSON.stringify(text), `'${text}'`, `\`${text}\``, ...(text.length >= MIN_BARE_CHARS ? [text] : [])];
  return forms.reduce((masked, form) => masked.replaceAll(form, type), message);
}

/** A shorter text may as well be a part of the library's own words. */
const MIN_BARE_CHARS = 4;

function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS)}…`;
}
