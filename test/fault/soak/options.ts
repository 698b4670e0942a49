import { parseArgs } from "node:util";
import { FEATURES_LONG, FEATURES_SHORT } from "./features/settings.ts";
import type { SoakOptions } from "./run-soak.ts";
import { LONG, SHORT } from "./settings.ts";

/** A wrong command line: one line that names the value and what was expected. */
export class SoakUsageError extends Error {}

export const HELP = `Usage: npm run soak -- [options]

Four hosts drain queues under all faults at once; afterwards every job is accounted for. Exit status 1 if a promise was broken or, with --features, never put to the test.

  --jobs N      how many jobs (default 100000)
  --seed N      of all that is drawn (default 1)
  --minutes N   over how long the jobs are enqueued, as 5 or 0.5 (default 4)
  --fast        a shorter lease, and faults that follow each other faster
  --features    with retries, delayed and unique jobs, schedules, limits, acknowledged jobs and statuses in use, as many jobs as the time allows
  --help`;

/** What the command line asks for; of the soak of the features `jobs` means nothing. */
export type SoakCommand = SoakOptions & { readonly isOfFeatures: boolean };

/** @throws SoakUsageError */
export function parseSoakOptions(argv: readonly string[]): SoakCommand | "help" {
  const values = parse(argv);
  if (values.help === true) return "help";
  const minutes = Number(values.minutes ?? "4");
  if (!(minutes > 0 && minutes <= 600)) {
    throw new SoakUsageError(`--minutes: got "${values.minutes}", expected a number above 0, at most 600`);
  }
  const isOfFeatures = values.features === true;
  if (isOfFeatures && values.jobs !== undefined) {
    throw new SoakUsageError("--jobs: with --features the number of jobs comes from --minutes");
  }
  const [long, short] = isOfFeatures ? [FEATURES_LONG, FEATURES_SHORT] : [LONG, SHORT];
  return {
    isOfFeatures,
    jobs: parseCount("--jobs", values.jobs ?? "100000", 1, 10_000_000),
    seed: parseCount("--seed", values.seed ?? "1", 0, Number.MAX_SAFE_INTEGER),
    produceForMs: minutes * 60_000,
    tempo: values.fast === true ? short : long,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        jobs: { type: "string" },
        seed: { type: "string" },
        minutes: { type: "string" },
        fast: { type: "boolean" },
        features: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new SoakUsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseCount(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new SoakUsageError(`${option}: got "${text}", expected a whole number from ${min} to ${max}`);
  }
  return value;
}
