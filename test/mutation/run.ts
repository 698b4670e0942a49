import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mutateCore } from "./core-mutants.ts";
import { coverage } from "./coverage.ts";
import type { Mutant, Verdict } from "./mutant.ts";
import { createPlanner, type Planner } from "./plan.ts";
import { type Judged, scoreTable, survivorList } from "./report.ts";
import { openResults } from "./results.ts";
import { createRunner, type Runner } from "./runner.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";
import { mutateScripts } from "./script-mutants.ts";

export interface RunOptions {
  readonly suite: "core" | "scripts";
  /** Only files whose path contains one of these; in this order. */
  readonly only: readonly string[];
  readonly isFresh: boolean;
  /** How many mutants of each file at most, chosen by the seed. */
  readonly sample: number;
  readonly seed: number;
  readonly budgetMs: number;
  /** Ends after this time; what is left is tried by the next run. */
  readonly minutes: number;
}

interface Suite {
  readonly files: string;
  readonly tests: readonly string[];
  /** @see setups() */
  readonly redis: string;
  /** How long a test may take beyond six times its usual time. */
  readonly slackMs: number;
  isNear(file: string, testFile: string): boolean;
  mutate(sandbox: Sandbox, files: readonly string[]): Promise<readonly Mutant[]>;
}

/** Which tests are about which scripts; the first that fits a file counts. */
const NEAR_SCRIPTS: readonly (readonly [part: string, tests: RegExp])[] = [
  ["exchange/2", /exchange|refused|drain-scripts/],
  ["exchange/3", /exchange|limits/],
  ["exchange/4", /limits/],
  ["exchange/", /exchange|drain-scripts|limits/],
  ["unique", /unique/],
  ["lock", /unique/],
  ["recover", /drain-scripts|limits|unique/],
  ["drain", /drain-scripts/],
  ["ack", /ack/],
  ["schedules", /schedules/],
  ["due", /schedules/],
  ["delayed", /promote|delay/],
  ["promote", /promote/],
  ["replace", /replace/],
  ["plan", /plan/],
  ["statuses", /status/],
  ["", /admin/],
];

const SUITES: Readonly<Record<RunOptions["suite"], Suite>> = {
  core: {
    files: "src/core/*.ts",
    tests: ["core", "fault", "job-function", "target"].map((name) => `test/${name}/**/*.test.ts`),
    redis: "embedded-tcp",
    slackMs: 3_000,
    isNear: (file, testFile) => stem(file) === stem(testFile),
    mutate: mutateCore,
  },
  scripts: {
    files: "src/resque/scripts/**/*.lua",
    tests: ["core", "cron", "fault", "interop", "resque"].map((name) => `test/${name}/**/*.test.ts`),
    redis: "redis-server-tcp",
    slackMs: 5_000,
    isNear: (file, testFile) =>
      testFile.startsWith("test/resque/") &&
      (NEAR_SCRIPTS.find(([part]) => file.includes(part))?.[1].test(testFile) ?? false),
    mutate: mutateScripts,
  },
};
const stem = (file: string): string | undefined => basename(file).split(".")[0];
const HANG_FACTOR = 6;
/** Loading a file's modules, its hooks. */
const BETWEEN_MS = 20_000;
const root = fileURLToPath(new URL("../../", import.meta.url));

export async function run(options: RunOptions): Promise<void> {
  const suite = SUITES[options.suite];
  using sandbox = openSandbox();
  const inOrder = (file: string): number => options.only.findIndex((part) => file.includes(part));
  const files = globSync(suite.files, { cwd: root })
    .filter((file) => options.only.length === 0 || inOrder(file) >= 0)
    .sort((a, b) => inOrder(a) - inOrder(b) || (a < b ? -1 : 1));
  const mutants = sample(await suite.mutate(sandbox, files), options);
  const results = openResults(join(root, `coverage/mutation/${options.suite}.json`), options.isFresh);
  const runner = createRunner(sandbox.path, { AIRLIFT_TEST_REDIS: suite.redis });
  try {
    console.log(`${mutants.length} mutants of ${files.length} files; the tests without any of them first`);
    const found = suite.tests.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
    const path = join(root, `coverage/mutation/${options.suite}-tests.json`);
    const { tests, loads } = await coverage(runner, sandbox, found, path);
    const endMs = performance.now() + options.minutes * 60_000;
    const planner = createPlanner(tests, loads, mutants, suite.isNear, options.budgetMs);
    const left = mutants.filter((mutant) => !isSettled(results.get(mutant)));
    for (const [index, mutant] of left.entries()) {
      if (performance.now() > endMs) break;
      const verdict = await judge(runner, planner, mutant, suite.slackMs);
      results.set(mutant, verdict);
      if (index % 20 === 19) results.save();
      const { file, line, kind } = mutant;
      console.log(
        `${index + 1}/${left.length} ${verdict.ending} ${file}:${line} ${kind} ${verdict.ms} ms ${verdict.killer ?? ""}`,
      );
    }
  } finally {
    results.save();
    await runner.close();
  }
  const judged = mutants.flatMap((mutant): Judged[] => {
    const verdict = results.get(mutant);
    return verdict ? [{ mutant, verdict }] : [];
  });
  console.log(`\n${survivorList(judged)}\n\n${scoreTable(judged)}`);
  if (judged.length < mutants.length) console.log(`\n${mutants.length - judged.length} not tried yet`);
}

const isSettled = (verdict: Verdict | undefined): boolean =>
  verdict?.ending === "killed" || verdict?.ending === "timeout";

async function judge(runner: Runner, planner: Planner, mutant: Mutant, slackMs: number): Promise<Verdict> {
  const startedMs = performance.now();
  const { order, tests, msOf } = planner.planFor(mutant);
  const verdict = (ending: Verdict["ending"], killer?: string): Verdict => {
    const ms = Math.round(performance.now() - startedMs);
    return { ending, tests, ms, ...(killer && { killer }) };
  };
  if (tests === 0) return verdict("uncovered");
  const limitMs = (id?: string): number => (id === undefined ? BETWEEN_MS : slackMs + HANG_FACTOR * msOf(id));
  const ended = await runner.run({ activation: mutant.activation, ...order }, limitMs);
  if (ended.kind === "hung") return verdict("timeout", ended.test);
  const failed = ended.tests.find(({ state }) => state === "failed");
  if (failed) planner.noteKill(mutant, failed.file);
  if (failed) return verdict("killed", `${failed.file}#${failed.name}`);
  return ended.error ? verdict("killed", ended.error.split("\n")[0]) : verdict("survived");
}

function sample(mutants: readonly Mutant[], { sample: most, seed }: RunOptions): readonly Mutant[] {
  if (most === Number.POSITIVE_INFINITY) return mutants;
  let state = seed;
  // mulberry32
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const drawn = mutants.map((mutant) => ({ mutant, draw: random() }));
  const files = [...new Set(mutants.map(({ file }) => file))];
  const chosen = new Set(
    files.flatMap((file) =>
      drawn
        .filter(({ mutant }) => mutant.file === file)
        .sort((a, b) => a.draw - b.draw)
        .slice(0, most)
        .map(({ mutant }) => mutant),
    ),
  );
  return mutants.filter((mutant) => chosen.has(mutant));
}
