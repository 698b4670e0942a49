import { UsageError } from "../../core/errors.ts";

/** Which part of a list to show. */
export interface PageOptions {
  /** How many items to pass over. @default 0 */
  readonly offset?: number;
  /** How many items to return, 1 to 1000. A page may hold fewer, as large items make it short. @default 50 */
  readonly limit?: number;
}

export const DEFAULT_PAGE_LIMIT = 50;
export const MAX_PAGE_LIMIT = 1_000;

/** Fills in the defaults. @throws UsageError naming the option and `what` it is an option of */
export function checkPage(what: string, { offset = 0, limit }: PageOptions): Required<PageOptions> {
  return { offset: checkIndex(what, "offset", offset), limit: checkLimit(what, limit) };
}

/** @throws UsageError */
export function checkLimit(what: string, limit: number = DEFAULT_PAGE_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_LIMIT) return limit;
  throw new UsageError(`${what}: limit: expected an integer from 1 to ${MAX_PAGE_LIMIT}, got ${limit}`);
}

/** @throws UsageError */
export function checkIndex(what: string, name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new UsageError(`${what}: ${name}: expected an integer from 0, got ${value}`);
}

/** @throws UsageError for a member that is not among `known` */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`${what}: unknown option "${unknown}"; expected ${known.join(", ")}`);
}

/** @throws UsageError for a member that is there but undefined: left out it means more, and who named it had something narrower in mind */
export function checkGiven(what: string, options: object, names: readonly string[]): void {
  const name = names.find((each) => each in options && Reflect.get(options, each) === undefined);
  if (name !== undefined) throw new UsageError(`${what}: ${name}: expected a value, or no such member, got undefined`);
}

/** @throws UsageError for anything but a text that is not empty */
export function checkText(what: string, name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(`${what}: ${name}: expected a text that is not empty, got ${JSON.stringify(value)}`);
}

/** @throws UsageError for anything but a date or ms since the epoch: null or a text would be some time in 1970 */
export function checkInstant(what: string, name: string, value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : value;
  if (ms === undefined || Number.isFinite(ms)) return ms as number | undefined;
  const given = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new UsageError(`${what}: ${name}: expected an instant in ms since the epoch, or a Date, got ${given}`);
}
