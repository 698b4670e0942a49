import { stripVTControlCharacters } from "node:util";

/**
 * What terminals and readers of lines act on: control characters, those that turn the direction of text, separators of lines that are none of ours. What
 * comes from a payload must not write on the terminal, and pass for a line of its own.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const UNSAFE_RUN: RegExp = new RegExp(`${UNSAFE.source}+`, "g");
/** As far as people read, and a search for escape sequences need not look further. */
const MAX_LINE_CHARS = 10_000;

/** A text on one line, with nothing in it that a terminal acts on. */
export function toLine(text: string): string {
  const shown = text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}…` : text;
  return stripVTControlCharacters(shown).replace(UNSAFE_RUN, " ").trim();
}

/** The same of a text that may have lines: the stack of an error, a table. */
export function toLines(text: string): string {
  return text
    .split("\n")
    .map((line) => stripVTControlCharacters(line).replace(UNSAFE, " ").trimEnd())
    .join("\n");
}

/** JSON that says the same, its unsafe characters written as escapes: outside of its texts it has none but line ends. */
export function toSafeJson(json: string): string {
  return json.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
