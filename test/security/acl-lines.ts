import { readFileSync } from "node:fs";
import { root } from "../../scripts/entries.ts";

const text = readFileSync(new URL("docs/security.md", root), "utf8");

/** The lines of docs/security.md that make users, by the name of the block that they stand in: `drain`, `drain limits`. */
export const ACL_LINES: ReadonlyMap<string, readonly string[]> = new Map(
  Array.from(text.matchAll(/^```redis (.+)\n([^`]*)^```$/gm), ([, name = "", lines = ""]) => [
    name,
    lines.split("\n").filter((line) => line !== ""),
  ]),
);

/** The lines of a block. */
export function linesOf(name: string): readonly string[] {
  const lines = ACL_LINES.get(name);
  if (!lines || lines.length === 0) throw new Error(`docs/security.md has no lines for ${name}`);
  return lines;
}

/** The options of a user, whose blocks are named `<user> <option>`. */
export function optionsOf(user: string): readonly string[] {
  return [...ACL_LINES.keys()].flatMap((name) => (name.startsWith(`${user} `) ? [name.slice(user.length + 1)] : []));
}

/** Each way to write the lines with one rule less, and which that is. */
export function* withoutOneRule(
  lines: readonly string[],
): Generator<{ readonly rule: string; readonly lines: readonly string[] }> {
  for (const [index, line] of lines.entries()) {
    for (const match of line.matchAll(/(?:[+~]|%[RW]+~)[^\s()]+/g)) {
      const less = line.slice(0, match.index) + line.slice(match.index + match[0].length);
      yield { rule: `${match[0]} of line ${index + 1}`, lines: lines.with(index, tidy(less)) };
    }
  }
}

/** Without spaces that a rule has left behind, and without selectors that allow nothing any more. */
function tidy(line: string): string {
  return line.replaceAll(/ +/g, " ").replaceAll("( ", "(").replaceAll(" )", ")").replaceAll(" ()", "").trim();
}
