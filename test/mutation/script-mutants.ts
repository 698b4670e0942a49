import { createHash } from "node:crypto";
import { luaSources } from "../../scripts/lua-sources.ts";
import { mutationsOf } from "./lua-mutations.ts";
import type { Activation, Mutant, ReplacedScript } from "./mutant.ts";
import type { Sandbox } from "./sandbox.ts";

const FOLDER = "src/resque/scripts/";
const KEY_LOCKING_HEADER = "#!lua flags=allow-key-locking\n";
const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

/** Makes the sandbox's scripts exchangeable, and tells what to exchange them for. */
export async function mutateScripts(sandbox: Sandbox, files: readonly string[]): Promise<readonly Mutant[]> {
  const read = (path: string): string => sandbox.read(FOLDER + path);
  const scripts = luaSources(read);
  sandbox.write("src/resque/generated/switched.ts", sandbox.read("test/switched-script.ts"));
  for (const { name, files: parts } of scripts) {
    const path = `src/resque/generated/${name}.generated.ts`;
    const given = sandbox.read(path);
    const paths = JSON.stringify(parts.map((part) => FOLDER + part));
    const exchanged = given.replace(
      /: LuaScript = (\{[\s\S]*\});/,
      (_, script) => `: LuaScript = switched(${script}, ${paths});`,
    );
    sandbox.write(path, `import { switched } from "./switched.ts";\n${exchanged}`);
  }
  return files.flatMap((file) => {
    const part = file.slice(FOLDER.length);
    const text = read(part);
    const concerned = scripts.filter((script) => script.files.includes(part));
    return mutationsOf(text).map(({ kind, from, to, replacement }): Mutant => {
      const mutated = text.slice(0, from) + replacement + text.slice(to);
      const sources = luaSources((path) => (path === part ? mutated : read(path)));
      const replaced = concerned.map(({ name }) =>
        toReplacement(name, sources.find((other) => other.name === name)!.source),
      );
      const before = text.slice(0, from).split("\n");
      const activation: Activation = { kind: "scripts", scripts: replaced };
      const line = before.length;
      const column = (before.at(-1)?.length ?? 0) + 1;
      const original = text.slice(from, to);
      const key = `${sha1(text).slice(0, 12)}:${from}-${to}:${replacement}`;
      return { key, file, kind, line, column, original, replacement, activation, coveredAs: file };
    });
  });
}

function toReplacement(name: string, source: string): ReplacedScript {
  return { name, source, sha1: sha1(source), keyLockingSha1: sha1(KEY_LOCKING_HEADER + source) };
}
