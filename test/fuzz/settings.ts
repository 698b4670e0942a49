import type { Parameters } from "fast-check";

/** Another series of cases with AIRLIFT_FUZZ_SEED. */
const SEED = Number(process.env["AIRLIFT_FUZZ_SEED"] ?? 20_261_120);
/** So many times as many cases with AIRLIFT_FUZZ_FACTOR. */
const FACTOR = Number(process.env["AIRLIFT_FUZZ_FACTOR"] ?? 1);

/** Whether there is time for more than a sample: of payloads of 10 MB, for one. */
export const isLong: boolean = FACTOR > 1;

/** What a property is checked with: `runs` cases of a fixed series, or what the environment says (`npm run fuzz`). */
export function fuzzing<T>(runs: number, more: Parameters<T> = {}): Parameters<T> {
  return { seed: SEED, numRuns: Math.max(1, Math.ceil(runs * FACTOR)), ...more };
}
