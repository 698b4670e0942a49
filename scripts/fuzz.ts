/**
 * Fuzzes for a while: the properties of test/fuzz/ over and over, each time with another seed and several times as many cases as in `npm test`.
 *
 *     npm run fuzz -- --minutes 30
 *     npm run fuzz -- --seed 123456 payload     what failed, once more
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseCount } from "../src/cli/option-parsers.ts";
import { parseAmount } from "./parse-amount.ts";
import { parseCommand } from "./parse-command.ts";

const MAX_SEED = 2 ** 31 - 1;

const { options, args } = parseCommand<{ minutes: number; seed?: number; factor: number }>(
  "npm run fuzz --",
  (command) =>
    command
      .argument("[names...]", "only files of test/fuzz whose path contains one of these")
      .option("--minutes <n>", "begins no other round after so long", parseAmount, 10)
      .option("--factor <n>", "so many times as many cases as in npm test", parseCount, 10)
      .option("--seed <n>", "one round, of this seed", parseCount),
);
const files = args.length > 0 ? args.map((name) => `test/fuzz/${name}`) : ["test/fuzz/"];
const endMs = Date.now() + options.minutes * 60_000;

let rounds = 0;
do {
  const seed = options.seed ?? randomInt(1, MAX_SEED);
  rounds += 1;
  console.log(`fuzz: round ${rounds}, seed ${seed}`);
  const { status } = spawnSync("npx", ["vitest", "run", ...files, "--testTimeout", "3600000"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, AIRLIFT_FUZZ_SEED: String(seed), AIRLIFT_FUZZ_FACTOR: String(options.factor) },
    stdio: "inherit",
  });
  if (status !== 0) {
    const again = ["npm run fuzz --", "--seed", seed, "--factor", options.factor, ...args].join(" ");
    console.error(`fuzz: failed with seed ${seed}; once more: ${again}`);
    process.exit(1);
  }
} while (options.seed === undefined && Date.now() < endMs);
console.log(`fuzz: ${rounds} ${rounds === 1 ? "round" : "rounds"} without a failure`);
