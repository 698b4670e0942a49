/**
 * Mutation testing: changes the source in many small ways, one at a time, and sees which of them no test notices. docs/testing.md tells what
 * was found. Installs what it needs on first use; that is none of the package's own dependencies.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Argument } from "commander";
import { parseCount } from "../src/cli/option-parsers.ts";
import { run } from "../test/mutation/run.ts";
import { parseAmount } from "./parse-amount.ts";
import { parseCommand } from "./parse-command.ts";

interface Options {
  readonly only?: readonly string[];
  readonly tests?: readonly string[];
  readonly fresh: boolean;
  readonly sample?: number;
  readonly seed: number;
  readonly budget: number;
  readonly minutes?: number;
}

const { options, args } = parseCommand<Options>("npm run mutation --", (command) =>
  command
    .addArgument(
      new Argument(
        "<suite>",
        "src/core with Stryker's mutants, or the Lua scripts with our own, on a redis-server",
      ).choices(["core", "scripts"]),
    )
    .option("--only <names>", "only files whose path contains one of these: exchange-loop,retry", parseNames)
    .option("--tests <names>", "only tests whose path contains one of these", parseNames)
    .option("--fresh", "tries all; without it only what no test has noticed so far, and what has changed", false)
    .option("--sample <n>", "at most so many mutants of each file, chosen by --seed", parseCount)
    .option("--seed <n>", "of the sample", parseCount, 1)
    .option("--budget <ms>", "a mutant that tests have met for so long has survived", parseCount, 8_000)
    .option("--minutes <n>", "ends after so long; the next run goes on", parseAmount),
);

const folder = fileURLToPath(new URL("../test/mutation/", import.meta.url));
if (!existsSync(`${folder}node_modules/.package-lock.json`)) {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
}
await run({
  suite: args[0] as "core" | "scripts",
  only: options.only ?? [],
  tests: options.tests ?? [],
  isFresh: options.fresh,
  sample: options.sample ?? Infinity,
  seed: options.seed,
  budgetMs: options.budget,
  minutes: options.minutes ?? Infinity,
});

function parseNames(list: string): readonly string[] {
  return list.split(",").filter((name) => name !== "");
}
