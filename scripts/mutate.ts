/**
 * Mutation testing: changes the source in many small ways, one at a time, and sees which of them no test notices. docs/testing.md tells what
 * was found. Installs what it needs on first use; that is none of the package's own dependencies.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "../test/mutation/run.ts";

const HELP = `Usage: npm run mutation -- core|scripts [options]

  core              src/core, with Stryker's mutants
  scripts           the Lua scripts, with mutants of our own, on a redis-server
  --only NAMES      only files whose path contains one of these: exchange-loop,retry
  --tests NAMES     only tests whose path contains one of these
  --fresh           tries all; without it only what no test has noticed so far, and what has changed
  --sample N        at most N mutants of each file, chosen by --seed (default all)
  --seed N          (default 1)
  --budget MS       a mutant that tests have met for so long has survived (default 8000)
  --minutes N       ends after so long; the next run goes on (default no limit)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    tests: { type: "string", default: "" },
    fresh: { type: "boolean", default: false },
    sample: { type: "string", default: "Infinity" },
    seed: { type: "string", default: "1" },
    budget: { type: "string", default: "8000" },
    minutes: { type: "string", default: "Infinity" },
    help: { type: "boolean", default: false },
  },
});
const [suite] = positionals;
if (values.help || (suite !== "core" && suite !== "scripts")) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}

const folder = fileURLToPath(new URL("../test/mutation/", import.meta.url));
if (!existsSync(`${folder}node_modules/.package-lock.json`)) {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
}
await run({
  suite,
  only: names(values.only),
  tests: names(values.tests),
  isFresh: values.fresh,
  sample: Number(values.sample),
  seed: Number(values.seed),
  budgetMs: Number(values.budget),
  minutes: Number(values.minutes),
});

function names(list: string): readonly string[] {
  return list.split(",").filter((name) => name !== "");
}
