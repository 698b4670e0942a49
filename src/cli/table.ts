import { toLine } from "./terminal-text.ts";

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string | number | undefined;
}

/** Of a cell; what is longer is looked at as JSON. */
const MAX_CELL_CHARS = 500;

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
      typeof value === "number" ? value.toLocaleString("en-US") : toCell(value ?? ""),
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

function toCell(text: string): string {
  return toLine(text.length > MAX_CELL_CHARS ? `${text.slice(0, MAX_CELL_CHARS)}…` : text);
}
