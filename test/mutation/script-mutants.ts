import { createHash } from "node:crypto";
import { join } from "node:path";
import { luaSources } from "../../scripts/lua-sources.ts";
import { COVERED, COVERING, LOG, SCRIPTS, toReplacements } from "./exchanged-scripts.ts";
import { coveringText, mutationsOf } from "./lua-mutations.ts";
import type { Mutant } from "./mutant.ts";
import type { Sandbox } from "./sandbox.ts";

/** Makes the sandbox's scripts exchangeable, and tells all changes of them. */
export async function mutateScripts(sandbox: Sandbox, files: readonly string[]): Promise<readonly Mutant[]> {
  for (const { name, files: parts } of luaSources((path) => sandbox.read(SCRIPTS + path))) {
    const path = `src/resque/generated/${name}.generated.ts`;
    const paths = JSON.stringify(parts.map((part) => SCRIPTS + part));
    const exchangeable = sandbox
      .read(path)
      .replace(/: LuaScript = (\{[\s\S]*\});/, (_, script) => `: LuaScript = switched(${script}, ${paths});`);
    sandbox.write(path, `import { switched } from "../../../test/mutation/switched-script.ts";\n${exchangeable}`);
  }
  const nameOf = (file: string, block: number | undefined): string =>
    block === undefined ? file : `${COVERED}${file}#${block}`;
  const covering = luaSources((path) =>
    coveringText(sandbox.read(SCRIPTS + path), (block) => nameOf(SCRIPTS + path, block)),
  );
  sandbox.write(COVERING, JSON.stringify(toReplacements(covering)));
  // Each server that a test starts writes to the one log.
  const support = "test/support/redis.ts";
  sandbox.write(
    support,
    sandbox
      .read(support)
      .replace('"--appendonly", "no"', `$&, "--logfile", ${JSON.stringify(join(sandbox.path, LOG))}`),
  );
  return files.flatMap((file) => {
    const text = sandbox.read(file);
    const hash = createHash("sha1").update(text).digest("hex").slice(0, 12);
    return mutationsOf(text).map(({ kind, from, to, replacement, block }): Mutant => {
      const before = text.slice(0, from).split("\n");
      return {
        id: `${file}:${hash}:${from}-${to}:${replacement}`,
        file,
        kind,
        line: before.length,
        column: (before.at(-1)?.length ?? 0) + 1,
        original: text.slice(from, to),
        replacement,
        coveredAs: nameOf(file, block),
        edit: { from, to },
      };
    });
  });
}
