import { describeJsonError } from "../core/json.ts";

/** A text, read as JSON. `message` says what is wrong with it and quotes nothing of it. */
export type ParsedJson =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "invalid"; readonly message: string };

interface SourceContext {
  readonly source?: string;
}
/** The engine's own, ES2025; the compiler's library does not have them yet. */
type RawJson = { rawJSON(text: string): unknown; isRawJSON(value: unknown): boolean };
const { rawJSON, isRawJSON } = JSON as unknown as RawJson;

/**
 * Reads JSON so that `JSON.stringify` writes every number as it was written: `12345678901234567890`, `1.0` and `1e400` alike.
 * A number that JavaScript would write in another way is a raw JSON object (`JSON.rawJSON`) in the value, all others are numbers.
 */
export function parseExactJson(text: string): ParsedJson {
  try {
    return { kind: "value", value: MAY_CHANGE.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text) };
  } catch (error) {
    return { kind: "invalid", message: describeJsonError(error) };
  }
}

/** True for a number that {@link parseExactJson} kept as it was written. */
export function isExactNumber(value: unknown): boolean {
  return isRawJSON(value);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Reads UTF-8 bytes as text; undefined if they are not UTF-8. A byte order mark at the start is dropped. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** What a number that changes must hold: 16 digits, a fraction, an exponent, or -0. The reviver is slow, so it is kept for these. */
const MAY_CHANGE = /\d{16}|\d\.\d|\d[eE][+-]?\d|-0/;

function keepNumber(_key: string, value: unknown, context?: SourceContext): unknown {
  if (typeof value !== "number" || context?.source === undefined || context.source === String(value)) return value;
  return rawJSON(context.source);
}
