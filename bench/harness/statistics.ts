import type { Transport } from "../systems/system.ts";
import type { Measurement } from "./measure.ts";

/** Measurements of the same thing, as medians. */
export interface Row {
  readonly system: string;
  readonly transport: Transport;
  readonly inFlight: number;
  readonly jobsPerSecond: number;
  /** Lowest and highest of the rounds. */
  readonly range: readonly [number, number];
  readonly workerMicros: number;
  readonly gatewayMicros: number;
  readonly redisMicros: number;
  readonly peakMb: number;
  readonly commandsPerJob: number;
  readonly requestsPerJob: number;
  /** With injected latency, if that was measured. */
  readonly delayedJobsPerSecond: number | undefined;
  readonly rounds: number;
}

/** The middle value; of an even number, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

export const perSecond = (m: Measurement): number => (m.jobs / m.wallMs) * 1_000;

/** One row for each system, transport and number in flight, in the order of their first measurement. */
export function toRows(measurements: readonly Measurement[]): Row[] {
  const groups = Map.groupBy(measurements, ({ spec }) => `${spec.system} ${spec.transport} ${spec.inFlight}`);
  return [...groups.values()].map((group) => {
    const plain = group.filter((m) => !m.spec.isDelayed);
    const delayed = group.filter((m) => m.spec.isDelayed);
    const of = (value: (m: Measurement) => number): number => median(plain.map(value));
    const { system, transport, inFlight } = group[0]!.spec;
    const rates = plain.map(perSecond);
    return {
      system,
      transport,
      inFlight,
      jobsPerSecond: of(perSecond),
      range: [Math.min(...rates), Math.max(...rates)],
      workerMicros: of((m) => m.cpuMicros.worker / m.jobs),
      gatewayMicros: of((m) => m.cpuMicros.gateway / m.jobs),
      redisMicros: of((m) => m.cpuMicros.redis / m.jobs),
      peakMb: of((m) => m.peakBytes / 1e6),
      commandsPerJob: of((m) => m.commands / m.jobs),
      requestsPerJob: of((m) => m.requests / m.jobs),
      delayedJobsPerSecond: delayed.length === 0 ? undefined : median(delayed.map(perSecond)),
      rounds: plain.length,
    };
  });
}
