import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { luaSources } from "../../scripts/lua-sources.ts";

export interface ReplacedScript {
  readonly source: string;
  readonly sha1: string;
  readonly keyLockingSha1: string;
}

export const SCRIPTS = "src/resque/scripts/";
const KEY_LOCKING_HEADER = "#!lua flags=allow-key-locking\n";
const texts = new Map<string, string>();
const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

/** By name, the scripts that a file is part of, with a change in its text. */
export function exchangedScripts(
  file: string,
  edit: { readonly from: number; readonly to: number },
  replacement: string,
): Readonly<Record<string, ReplacedScript>> {
  const changed = file.slice(SCRIPTS.length);
  const read = (path: string): string => {
    const text = texts.get(path) ?? readFileSync(new URL(`../../${SCRIPTS}${path}`, import.meta.url), "utf8");
    texts.set(path, text);
    return path === changed ? text.slice(0, edit.from) + replacement + text.slice(edit.to) : text;
  };
  const concerned = luaSources(read).filter(({ files }) => files.includes(changed));
  return Object.fromEntries(
    concerned.map(({ name, source }) => [
      name,
      { source, sha1: sha1(source), keyLockingSha1: sha1(KEY_LOCKING_HEADER + source) },
    ]),
  );
}
