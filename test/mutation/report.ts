import type { Ending, Mutant, Verdict } from "./mutant.ts";

export interface Judged {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

/** A table of the score of each file, as Markdown. */
export function scoreTable(judged: readonly Judged[]): string {
  const files = [...new Set(judged.map(({ mutant }) => mutant.file))].sort();
  const rows = files.map((file) =>
    row(
      file,
      judged.filter(({ mutant }) => mutant.file === file),
    ),
  );
  const head = [
    "| File | Mutants | Killed | Timeout | Survived | Uncovered | Score |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  return [...head, ...rows, row("all", judged)].join("\n");
}

function row(name: string, judged: readonly Judged[]): string {
  const count = (ending: Ending): number => judged.filter(({ verdict }) => verdict.ending === ending).length;
  const found = count("killed") + count("timeout");
  const score = `${((100 * found) / judged.length).toFixed(1)} %`;
  const cells = [name, judged.length, count("killed"), count("timeout"), count("survived"), count("uncovered"), score];
  return `| ${cells.join(" | ")} |`;
}

/** A line for each mutant that no test has found. */
export function survivorList(judged: readonly Judged[]): string {
  return judged
    .filter(({ verdict }) => verdict.ending === "survived" || verdict.ending === "uncovered")
    .map(({ mutant, verdict }) => {
      const { file, line, column, kind, original, replacement } = mutant;
      return `${file}:${line}:${column} ${verdict.ending} ${kind}: ${short(original)} -> ${short(replacement)}`;
    })
    .join("\n");
}

function short(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 110 ? `${line.slice(0, 70)} … ${line.slice(-35)}` : line;
}
