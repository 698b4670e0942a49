import { fileURLToPath, pathToFileURL } from "node:url";

/** How wrong the clock of a process is. */
export interface ClockShift {
  /** Ahead, or behind if it is negative. */
  readonly offsetMs?: number;
  /** How much it gains in each second, or loses. */
  readonly driftMsPerSecond?: number;
}

/** Holds a {@link ClockShift} as JSON. */
export const CLOCK_VARIABLE = "AIRLIFT_TEST_CLOCK";

/** What such a clock shows at `realMs`, having been started at `sinceMs`. */
export function shiftedMs({ offsetMs = 0, driftMsPerSecond = 0 }: ClockShift, realMs: number, sinceMs: number): number {
  return realMs + offsetMs + ((realMs - sinceMs) / 1_000) * driftMsPerSecond;
}

/** What Node is started with for a process of its own time. */
export function clockArguments(shift: ClockShift): { readonly args: string[]; readonly env: Record<string, string> } {
  if (Object.keys(shift).length === 0) return { args: [], env: {} };
  const module = fileURLToPath(new URL("shifted-clock.ts", import.meta.url));
  return { args: ["--import", pathToFileURL(module).href], env: { [CLOCK_VARIABLE]: JSON.stringify(shift) } };
}
