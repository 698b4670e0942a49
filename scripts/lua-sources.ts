/** How the files of src/resque/scripts/ become scripts. */
import { readdirSync, readFileSync } from "node:fs";

/** What Redis is told to run, and the files whose texts it consists of, parts included. */
export interface LuaSource {
  readonly name: string;
  readonly source: string;
  readonly files: readonly string[];
}

const folder: URL = new URL("../src/resque/scripts/", import.meta.url);

/** Comments and indentation cost bytes in every bundle and in every EVAL; Redis needs neither. */
function strip(source: string): string {
  return source
    .replace(/--\[\[[\s\S]*?\]\]\n?/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*--.*$/, "").trim())
    .filter((line) => line !== "")
    .join("\n");
}

/**
 * A script is a file, or a folder whose files follow each other by name. A file whose name begins with `_` is no script but a part of several: the
 * line `-- include _name` stands for it.
 *
 * @param read the text of a file, by its path within the folder
 */
export function luaSources(
  read: (path: string) => string = (path) => readFileSync(new URL(path, folder), "utf8"),
): readonly LuaSource[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith("_"));
  const sources = entries.map((entry): LuaSource => {
    const files: string[] = [];
    const include = (path: string): string => {
      files.push(path);
      return read(path).replace(/^-- include (_.*)\n/gm, (_, part: string) => include(`${part}.lua`));
    };
    if (!entry.isDirectory()) {
      return { name: entry.name.replace(/\.lua$/, ""), source: strip(include(entry.name)), files };
    }
    const parts = readdirSync(new URL(`${entry.name}/`, folder)).sort();
    const source = parts.map((file) => strip(include(`${entry.name}/${file}`))).join("\n");
    return { name: entry.name, source, files };
  });
  return sources.sort((a, b) => (a.name < b.name ? -1 : 1));
}
