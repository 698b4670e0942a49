import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { CATALOGUE } from "../systems/catalogue.ts";

/** What one run of the benchmarks measures. */
export interface BenchOptions {
  readonly isQuick: boolean;
  readonly isJson: boolean;
  readonly only: readonly string[];
  readonly inFlight: readonly number[];
  readonly rounds: number;
  /** Added to each round trip in a second measurement of each row; 0 for none. */
  readonly latencyMs: number;
  /** Whether the paced, idle and memory measurements follow. */
  readonly hasFigures: boolean;
  readonly seconds: number;
  readonly warmMs: number;
  readonly memoryJobs: readonly number[];
  /** Where the measured processes write CPU profiles; undefined for none, as profiling slows them down. */
  readonly profileFolder: string | undefined;
}

/** A wrong command line: one line that names the value and what was expected. */
export class BenchUsageError extends Error {}

export const HELP = `Usage: npm run bench -- [options]

  --quick               one round of short measurements (under a minute on an idle machine)
  --only NAMES          only these systems: ${CATALOGUE.map((entry) => entry.name).join(",")}
                        (default all; with --quick all but floor-own)
  --in-flight NUMBERS   jobs in flight (default 1,25,100,500)
  --rounds N            rounds of which the medians are taken (default 3; 1 with --quick)
  --latency-ms N        measures each row again with N ms added to each round trip
  --table-only          without the paced, idle and memory measurements
  --profile FOLDER      each measured process writes a .cpuprofile into the folder, and is slower for it
  --json                prints every raw measurement as JSON instead of the tables
  --help`;

/** @throws BenchUsageError */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const { values } = parse(argv);
  if (values.help === true) return "help";
  const isQuick = values.quick === true;
  const names = CATALOGUE.map((entry) => entry.name);
  const only =
    values.only === undefined ? names.filter((name) => !isQuick || name !== "floor-own") : values.only.split(",");
  for (const name of only) {
    if (!names.includes(name)) throw new BenchUsageError(`--only: no system "${name}", expected ${names.join(", ")}`);
  }
  return {
    isQuick,
    isJson: values.json === true,
    only,
    inFlight: (values["in-flight"] ?? "1,25,100,500").split(",").map((text) => parseCount("--in-flight", text, 1)),
    rounds: parseCount("--rounds", values.rounds ?? (isQuick ? "1" : "3"), 1),
    latencyMs: parseCount("--latency-ms", values["latency-ms"] ?? "0", 0),
    hasFigures: values["table-only"] !== true,
    seconds: isQuick ? 0.5 : 2,
    warmMs: isQuick ? 250 : 1_000,
    profileFolder: values.profile === undefined ? undefined : resolve(values.profile),
    memoryJobs: isQuick ? [10_000, 100_000] : [10_000, 100_000, 1_000_000],
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        quick: { type: "boolean" },
        only: { type: "string" },
        "in-flight": { type: "string" },
        rounds: { type: "string" },
        "latency-ms": { type: "string" },
        "table-only": { type: "boolean" },
        profile: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new BenchUsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseCount(option: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < min) {
    throw new BenchUsageError(`${option}: got "${text}", expected a whole number from ${min} on`);
  }
  return value;
}
