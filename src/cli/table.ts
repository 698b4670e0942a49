import { stripVTControlCharacters } from "node:util";

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string | number | undefined;
}

/** Control characters, and those that turn the direction of text: what comes from a payload must not write on the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** A text on one line, with nothing in it that a terminal acts on. */
export function toLine(text: string): string {
  return stripVTControlCharacters(text).replace(UNSAFE, " ").trim();
}

/**
 * Rows under their titles, in aligned columns, numbers to the right. A column that is empty in all rows is left out.
 *
 * @param width the last column is cut to fit into it; undefined for any width
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  const cells = columns.map(({ title, cell }) => ({ title, values: rows.map(cell) }));
  const shown = cells.filter(({ values }) => values.some((value) => value !== undefined && value !== ""));
  const texts = shown.map(({ title, values }) => {
    const isNumeric = values.every((value) => value === undefined || typeof value === "number");
    const lines = values.map((value) =>
      typeof value === "number" ? value.toLocaleString("en-US") : toLine(value ?? ""),
    );
    const longest = Math.max(title.length, ...lines.map((line) => line.length));
    return { isNumeric, longest, lines: [title, ...lines] };
  });
  return Array.from({ length: rows.length + 1 }, (_, index) => {
    const line = texts
      .map(({ isNumeric, longest, lines }) => {
        const text = lines[index] as string;
        return isNumeric ? text.padStart(longest) : text.padEnd(longest);
      })
      .join("  ")
      .trimEnd();
    return width !== undefined && line.length > width ? `${line.slice(0, width - 1)}…` : line;
  }).join("\n");
}
