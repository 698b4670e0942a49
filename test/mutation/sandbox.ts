import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Other hosts, and what is installed. */
const LEFT_OUT = ["test/runtime", "test/mutation/node_modules"];

/** A copy of the sources and tests, which mutants are written into. */
export interface Sandbox extends Disposable {
  readonly path: string;
  read(file: string): string;
  write(file: string, text: string): void;
}

export function openSandbox(): Sandbox {
  const path = mkdtempSync(join(tmpdir(), "airlift-mutation-"));
  const isWanted = (from: string): boolean => !LEFT_OUT.includes(relative(root, from).split(sep).join("/"));
  const copied = ["src", "test", "scripts", "examples", "package.json", "tsconfig.json", "vitest.config.ts"];
  for (const name of copied) cpSync(join(root, name), join(path, name), { recursive: true, filter: isWanted });
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"), "dir");
  return {
    path,
    read: (file) => readFileSync(join(path, file), "utf8"),
    write: (file, text) => writeFileSync(join(path, file), text),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
