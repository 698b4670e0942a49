import type { ClockShift } from "../../harness/clock-shift.ts";
import type { PlannedFault } from "../../harness/fault-plan.ts";
import { LONG, type Tempo } from "../settings.ts";
import { REDIS_LOCK } from "../soak-faults.ts";

/** Quicker than the plain soak: what is looked at here takes several leases to come to its end. */
export const FEATURES_LONG: Tempo = {
  ...LONG,
  ...{ leaseMs: 6_000, requestTimeoutMs: 1_500, maxCutOffMs: 2_000, longFreezeMs: [300, 2_500], pace: 0.8 },
};

/** For machines that are busy otherwise: a process that is killed costs as much as all its jobs. */
export const FEATURES_SHORT: Tempo = {
  ...LONG,
  ...{ leaseMs: 4_000, requestTimeoutMs: 1_200, maxCutOffMs: 1_600, pace: 0.9 },
  ...{ outageMs: [100, 500], shortFreezeMs: [100, 500], longFreezeMs: [300, 1_500] },
};

/** What becomes of Redis concerns all hosts at once, so it comes more often. */
const OUTAGES_PACE = 0.4;

export function quicken(faults: readonly PlannedFault[]): PlannedFault[] {
  return faults.map((fault) => {
    const [minMs, maxMs] = fault.everyMs;
    return fault.lock === REDIS_LOCK ? { ...fault, everyMs: [minMs * OUTAGES_PACE, maxMs * OUTAGES_PACE] } : fault;
  });
}

const MINUTE_MS = 60_000;

/** The hosts. No clock is as wrong as five minutes: then a receiver takes no signature from it. */
export const HOSTS: readonly {
  readonly name: string;
  readonly clock: ClockShift;
  readonly queues: readonly string[];
}[] = [
  { name: "right", clock: {}, queues: ["limited", "retries", "unique", "timed", "ticks", "handed", "told"] },
  { name: "ahead", clock: { offsetMs: 4 * MINUTE_MS }, queues: ["*"] },
  {
    name: "behind",
    clock: { offsetMs: -3 * MINUTE_MS, driftMsPerSecond: -50 },
    queues: ["limited=3", "unique=2", "*"],
  },
  { name: "drifting", clock: { offsetMs: -20_000, driftMsPerSecond: 100 }, queues: ["handed", "ticks", "t*", "*"] },
];

/** Long enough that drains see each other's ends, short enough that many come to their deadline. */
export const TICK_MS = 6_000;
