import { createHash } from "node:crypto";
import type { Mutant } from "./mutant.ts";
import type { Sandbox } from "./sandbox.ts";

/** What is used of Stryker's instrumenter, whose package is installed apart. */
interface Instrumenter {
  instrument(
    files: readonly { readonly name: string; readonly mutate: true; readonly content: string }[],
    options: { readonly plugins: null; readonly ignorers: readonly []; readonly excludedMutations: readonly string[] },
  ): Promise<{
    readonly files: readonly { readonly name: string; readonly content: string }[];
    readonly mutants: readonly {
      readonly id: string;
      readonly mutatorName: string;
      readonly replacement: string;
      /** "Ignored" if its kind is excluded. */
      readonly status?: string;
      readonly location: { readonly start: Position; readonly end: Position };
    }[];
  }>;
}

interface Position {
  /** From 0. */
  readonly line: number;
  readonly column: number;
}

/** Most texts are messages, which tests name by their meaning only; those that are names are checked as types. */
const EXCLUDED = ["StringLiteral"];
const silent = new Proxy({}, { get: () => () => false });

/** Writes all mutants of the files into the sandbox, each behind a switch. */
export async function mutateCore(sandbox: Sandbox, files: readonly string[]): Promise<readonly Mutant[]> {
  const name = "@stryker-mutator/instrumenter";
  const { Instrumenter } = (await import(name)) as { Instrumenter: new (logger: unknown) => Instrumenter };
  const all: Mutant[] = [];
  for (const file of files) {
    const content = sandbox.read(file);
    const instrumenter = new Instrumenter(silent);
    const options = { plugins: null, ignorers: [], excludedMutations: EXCLUDED } as const;
    const instrumented = await instrumenter.instrument([{ name: file, mutate: true, content }], options);
    const hash = createHash("sha1").update(content).digest("hex").slice(0, 12);
    // Each file's mutants are numbered from 0, and their switches share one namespace.
    const prefix = `${file}:${hash}:`;
    const text = instrumented.files[0]?.content ?? content;
    sandbox.write(
      file,
      text.replace(
        /(stryMutAct_9fa48|stryCov_9fa48)\(("\d+"(?:, "\d+")*)\)/g,
        (_, call, ids) => `${call}(${ids.replaceAll(/"(\d+)"/g, `"${prefix}$1"`)})`,
      ),
    );
    for (const { id, mutatorName, replacement, status, location } of instrumented.mutants) {
      if (status === "Ignored") continue;
      const { start, end } = location;
      all.push({
        id: prefix + id,
        file,
        kind: mutatorName,
        line: start.line + 1,
        column: start.column + 1,
        original: between(content, start, end),
        replacement,
        coveredAs: prefix + id,
      });
    }
  }
  return all;
}

function between(text: string, start: Position, end: Position): string {
  const lines = text.split("\n").slice(start.line, end.line + 1);
  lines[lines.length - 1] = (lines.at(-1) ?? "").slice(0, end.column);
  lines[0] = (lines[0] ?? "").slice(start.column);
  return lines.join("\n");
}
