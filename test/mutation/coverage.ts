import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { KnownTest } from "./mutant.ts";
import type { Runner } from "./runner.ts";
import type { Sandbox } from "./sandbox.ts";

/** What is known of the tests as they are without any mutant. */
export interface Coverage {
  readonly tests: readonly KnownTest[];
  /** What is run when modules are loaded, and by hooks of whole files. */
  readonly loads: Readonly<Record<string, number>>;
}

interface Kept {
  readonly state: string;
  readonly byFile: Record<string, Coverage & { readonly hash: string }>;
}

const PATIENCE_MS = 300_000;

/** Runs each test once and sees what it reaches. What was seen before is kept as long as the sources and the test's file are the same. */
export async function coverage(
  runner: Runner,
  sandbox: Sandbox,
  testFiles: readonly string[],
  path: string,
): Promise<Coverage> {
  const sha1 = (...texts: string[]): string => createHash("sha1").update(texts.join()).digest("hex");
  const sources = globSync(["src/**/*.ts", "test/**/*.ts"], { cwd: sandbox.path }).sort();
  const shared = sources.filter((file) => !file.endsWith(".test.ts"));
  const state = sha1(...shared.map(sandbox.read));
  const known = readKept(path);
  const kept: Kept = known?.state === state ? known : { state, byFile: {} };
  const changed = testFiles.filter((file) => kept.byFile[file]?.hash !== sha1(sandbox.read(file)));
  for (const file of changed) {
    const ended = await runner.run({ files: [{ file }] }, () => PATIENCE_MS);
    if (ended.kind === "hung") throw new Error(`a test hangs without any mutant: ${ended.test}`);
    const problem = ended.error ?? ended.tests.find(({ state }) => state === "failed")?.name;
    if (problem) console.log(`${file} is left out, as it fails without any mutant: ${problem}`);
    const tests = problem ? [] : ended.tests.filter(({ state }) => state === "passed");
    kept.byFile[file] = { hash: sha1(sandbox.read(file)), tests, loads: problem ? {} : ended.loads };
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(kept));
  const all = testFiles.flatMap((file) => kept.byFile[file] ?? []);
  return { tests: all.flatMap(({ tests }) => tests), loads: Object.assign({}, ...all.map(({ loads }) => loads)) };
}

function readKept(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Kept;
  } catch {
    return undefined;
  }
}
