import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { type LuaSource, luaSources } from "../../scripts/lua-sources.ts";

export interface ReplacedScript {
  readonly source: string;
  readonly sha1: string;
  readonly keyLockingSha1: string;
}

export const SCRIPTS = "src/resque/scripts/";
/** In the sandbox: the scripts as they are when it is seen what of them a test reaches, and the log in which they tell it. */
export const COVERING = "covering.json";
export const LOG = "redis.log";
/** A line of the log that tells it ends in this, and the block's name. */
export const COVERED = "covered ";
const root = new URL("../../", import.meta.url);
const KEY_LOCKING_HEADER = "#!lua flags=allow-key-locking\n";
let logLength = 0;
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
    const text = texts.get(path) ?? readFileSync(new URL(SCRIPTS + path, root), "utf8");
    texts.set(path, text);
    return path === changed ? text.slice(0, edit.from) + replacement + text.slice(edit.to) : text;
  };
  return toReplacements(luaSources(read).filter(({ files }) => files.includes(changed)));
}

export function toReplacements(scripts: readonly LuaSource[]): Readonly<Record<string, ReplacedScript>> {
  return Object.fromEntries(
    scripts.map(({ name, source }) => [
      name,
      { source, sha1: sha1(source), keyLockingSha1: sha1(KEY_LOCKING_HEADER + source) },
    ]),
  );
}

/** The scripts that tell what is reached; undefined where none are mutated. */
export function coveringScripts(): Readonly<Record<string, ReplacedScript>> | undefined {
  const file = new URL(COVERING, root);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  return undefined;
}

/** The names of the blocks that were reached since the last call. */
export function reachedBlocks(): readonly string[] {
  const log = new URL(LOG, root);
  const text = existsSync(log) ? readFileSync(log, "utf8") : "";
  const names = [...text.slice(logLength).matchAll(new RegExp(`${COVERED}.*$`, "gm"))].map(([name]) => name);
  logLength = text.length;
  return [...new Set(names)];
}
