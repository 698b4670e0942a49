import { globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mutateCore } from "./core-mutants.ts";
import { meet } from "./judge.ts";
import type { Mutant } from "./mutant.ts";
import { type Judged, scoreTable, survivorList } from "./report.ts";
import { openResults } from "./results.ts";
import { createRunner } from "./runner.ts";
import { sampleOf } from "./sample.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";
import { mutateScripts } from "./script-mutants.ts";
import { openTimes, type Times } from "./times.ts";

export interface RunOptions {
  readonly suite: "core" | "scripts";
  /** Only files whose path contains one of these. */
  readonly only: readonly string[];
  /** Only tests whose path contains one of these. */
  readonly tests: readonly string[];
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
  readonly slackMs: number;
  mutate(sandbox: Sandbox, files: readonly string[]): Promise<readonly Mutant[]>;
}

const SUITES: Readonly<Record<RunOptions["suite"], Suite>> = {
  core: {
    files: "src/core/*.ts",
    tests: [
      "test/{core,target,job-function}/*.test.ts",
      "test/idempotency.test.ts",
      "test/fault/{recovery,drain,protocol}.test.ts",
    ],
    redis: "embedded-tcp",
    slackMs: 4_000,
    mutate: mutateCore,
  },
  scripts: {
    files: "src/resque/scripts/**/*.lua",
    tests: [
      "test/resque/**/*.test.ts",
      "test/{core,cron,interop}/*.test.ts",
      "test/idempotency.test.ts",
      "test/fault/{recovery,drain,protocol}.test.ts",
    ],
    redis: "redis-server-tcp",
    slackMs: 4_000,
    mutate: mutateScripts,
  },
};
/** Tests that take long come when most mutants have been found by others. */
const SWEEPS = [
  [0, 100],
  [100, 600],
  [600, Number.POSITIVE_INFINITY],
] as const;
const root = fileURLToPath(new URL("../../", import.meta.url));

export async function run(options: RunOptions): Promise<void> {
  const suite = SUITES[options.suite];
  using sandbox = openSandbox();
  const contains = (parts: readonly string[]) => (file: string) =>
    parts.length === 0 || parts.some((part) => file.includes(part));
  const files = globSync(suite.files, { cwd: root }).filter(contains(options.only)).sort();
  const mutants = sampleOf(await suite.mutate(sandbox, files), options.sample, options.seed);
  const results = openResults(join(root, `coverage/mutation/${options.suite}.json`), options.isFresh);
  results.renewSurvivors();
  const runner = createRunner(sandbox.path, { AIRLIFT_TEST_REDIS: suite.redis });
  let endMs = performance.now() + options.minutes * 60_000;
  process.once("SIGINT", () => {
    endMs = 0;
  });
  const isOver = (): boolean => performance.now() >= endMs;
  const times = openTimes(join(root, `coverage/mutation/${options.suite}-times.json`));
  const found = suite.tests.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
  const tests = quickestFirst(sandbox, found.filter(contains(options.tests)), times);
  const { budgetMs } = options;
  try {
    for (const [fromMs, belowMs] of SWEEPS) {
      for (const [index, test] of tests.entries()) {
        if (isOver() || (times.longestMs(test) ?? belowMs) < fromMs) continue;
        const startedMs = performance.now();
        const { slackMs } = suite;
        await meet(runner, test, mutants, results, {
          ...{ slackMs, budgetMs, fromMs, belowMs, isOver, times },
          log: console.log,
        });
        results.save();
        times.save();
        const seconds = Math.round((performance.now() - startedMs) / 1_000);
        const row = scoreTable(judgedOf(mutants, results.get)).split("\n").at(-1);
        console.log(`${index + 1}/${tests.length} ${test}, tests of ${fromMs} to ${belowMs} ms: ${seconds} s ${row}`);
      }
    }
  } finally {
    results.save();
    await runner.close();
  }
  const judged = judgedOf(mutants, results.get);
  console.log(`\n${survivorList(judged)}\n\n${scoreTable(judged)}`);
  if (isOver()) console.log("\nended before all tests had met all mutants");
}

/** Files without a long test first; where that is not known, those that need no Redis, and the small ones. */
function quickestFirst(sandbox: Sandbox, files: readonly string[], times: Times): readonly string[] {
  const weight = (file: string): number => {
    const text = sandbox.read(file);
    return times.longestMs(file) ?? text.length / 1_000 + (/World\(|startRedis|setups\(/.test(text) ? 20 : 0);
  };
  return [...files].sort((a, b) => weight(a) - weight(b));
}

function judgedOf(
  mutants: readonly Mutant[],
  get: (mutant: Mutant) => Judged["verdict"] | undefined,
): readonly Judged[] {
  return mutants.map((mutant) => ({ mutant, verdict: get(mutant) ?? { ending: "uncovered", tests: 0, ms: 0 } }));
}
