import type { ClockShift } from "../harness/clock-shift.ts";
import type { FaultRates } from "../harness/request-faults.ts";

/** How long things take in a soak. All faults together keep a drain from Redis for less than its lease. */
export interface Tempo {
  readonly leaseMs: number;
  /** After which a drain gives a request up. */
  readonly requestTimeoutMs: number;
  /** Faults of single requests do not keep a drain from Redis for longer. */
  readonly maxCutOffMs: number;
  /** Outages of Redis, or of its service, last so long. */
  readonly outageMs: readonly [min: number, max: number];
  /** Freezes that are survived. */
  readonly shortFreezeMs: readonly [min: number, max: number];
  /** Freezes past the lease: so much longer than that. */
  readonly longFreezeMs: readonly [min: number, max: number];
  /** Intervals between faults are multiplied by it. */
  readonly pace: number;
  /** For how long, at most, faults go on when the last job is in its queue. */
  readonly fireForMs: number;
  readonly rates: FaultRates;
}

/** One request in seven meets one. */
export const RATES: FaultRates = {
  ...{ "drop-request": 0.01, "drop-reply": 0.02, "cut-reply": 0.02, delay: 0.02, "repeat-late": 0.03 },
  ...{ "arrive-late": 0.01, "stall-undone": 0.005, "stall-done": 0.005, "status-429": 0.005 },
  ...{ "status-500": 0.01, "status-502": 0.01, full: 0.005, unauthorized: 0.005 },
};
/** One in three, where there are few. */
const HIGH_RATES: FaultRates = {
  ...{ "drop-request": 0.02, "drop-reply": 0.05, "cut-reply": 0.05, delay: 0.02, "repeat-late": 0.08 },
  ...{ "arrive-late": 0.03, "stall-undone": 0.01, "stall-done": 0.015, "status-429": 0.01 },
  ...{ "status-500": 0.02, "status-502": 0.02, full: 0.01, unauthorized: 0.01 },
};

export const LONG: Tempo = {
  leaseMs: 7_500,
  requestTimeoutMs: 800,
  maxCutOffMs: 1_500,
  outageMs: [200, 1_000],
  shortFreezeMs: [100, 1_000],
  longFreezeMs: [500, 4_000],
  pace: 1,
  fireForMs: 60_000,
  rates: RATES,
};

export const SHORT: Tempo = {
  leaseMs: 4_500,
  requestTimeoutMs: 500,
  maxCutOffMs: 900,
  outageMs: [100, 500],
  shortFreezeMs: [100, 500],
  longFreezeMs: [300, 2_000],
  pace: 0.35,
  fireForMs: 3_000,
  rates: HIGH_RATES,
};

const HOUR_MS = 3_600_000;

/** The hosts: what each takes the time for, and how it names the queues. */
export const HOSTS: readonly {
  readonly name: string;
  readonly clock: ClockShift;
  readonly queues: readonly string[];
}[] = [
  { name: "right", clock: {}, queues: ["critical", "mail", "img-resize", "img-größe"] },
  { name: "ahead", clock: { offsetMs: 5 * HOUR_MS }, queues: ["critical=4", "mail=2", "img-resize", "img-größe"] },
  { name: "behind", clock: { offsetMs: -3 * HOUR_MS, driftMsPerSecond: -50 }, queues: ["*"] },
  { name: "drifting", clock: { offsetMs: -7 * 60_000, driftMsPerSecond: 100 }, queues: ["img-*", "*"] },
];

/** A job is given up only after more than any freeze: one that is frozen with its process is none that hangs. */
export const JOB_TIMEOUT_MS = 20_000;
/** A drain claims as long as a job's whole time limit is left: for so long, drawn anew for each. A thawed one must have time to go on. */
export const CLAIM_FOR_MS: readonly [min: number, max: number] = [4_000, 45_000];
