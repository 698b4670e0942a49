/** How integers beyond 2^53 arrive: as a bigint, or as the digits that were written. */
export type BigIntegers = "bigint" | "text";

type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
type RawJson = { rawJSON(text: string): unknown };

/** Only a number of 16 digits or more can be an integer that a double does not hold; the reviver costs time, so it is kept for those. */
const MAY_HOLD_BIG_INTEGER = /\d{16}/;

/**
 * JSON.parse that keeps integers exact. Built on the source text that the engine hands to a reviver (ES2025; V8 since 11.4),
 * so that what is JSON, duplicate members and `__proto__` stay the engine's business.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string, bigIntegers: BigIntegers = "bigint"): unknown {
  if (!MAY_HOLD_BIG_INTEGER.test(text)) return JSON.parse(text);
  const revive: SourceReviver = (_key, value, context) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const digits = context.source;
    if (digits === undefined || !/^-?\d+$/.test(digits)) return value;
    return bigIntegers === "bigint" ? BigInt(digits) : digits;
  };
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}

/**
 * JSON.stringify that writes a bigint as an integer and refuses what JSON would silently turn into null.
 *
 * @throws TypeError naming the value and the member that holds it
 */
export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, function (this: unknown, key: string, member: unknown) {
    if (typeof member === "bigint") return (JSON as unknown as RawJson).rawJSON(String(member));
    if (
      (typeof member === "number" && !Number.isFinite(member)) ||
      typeof member === "function" ||
      typeof member === "symbol" ||
      // As an object's member it means that there is none; in an array it would become null.
      (member === undefined && Array.isArray(this))
    ) {
      throw new TypeError(`${String(member)} at ${JSON.stringify(key)} has no JSON form`);
    }
    return member;
  });
}

/** What is wrong with a text that JSON.parse refused. The engine's own message quotes the text; of it only the position is passed on. */
export function describeJsonError(error: unknown): string {
  if (error instanceof RangeError) return "is nested too deeply";
  const { message } = error as Error;
  if (message.startsWith("Unexpected end")) return "is not valid JSON: it ends too early";
  const position = /at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
  return position === undefined ? "is not valid JSON" : `is not valid JSON (at character ${Number(position) + 1})`;
}
