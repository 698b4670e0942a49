import { CATALOGUE } from "../systems/catalogue.ts";
import type { MeasureSpec } from "./measure.ts";
import type { BenchOptions } from "./options.ts";

/** The cells of the main table, in the order of the first round. */
export function planTable(options: BenchOptions): MeasureSpec[] {
  return options.inFlight.flatMap((inFlight) =>
    CATALOGUE.filter(({ name }) => options.only.includes(name)).flatMap(({ name, transports }) =>
      transports.flatMap((transport) => {
        const { seconds, warmMs } = options;
        const spec = { system: name, transport, inFlight, workload: "noop", jobs: { seconds }, warmMs } as const;
        return options.latencyMs > 0
          ? [
              { ...spec, isDelayed: false },
              { ...spec, isDelayed: true },
            ]
          : [{ ...spec, isDelayed: false }];
      }),
    ),
  );
}

/** What is measured besides the table, each named for the targets. */
export type FigureName = "fifty" | "paced" | "atOnce" | "idle" | "memory";

export interface Figure {
  readonly name: FigureName;
  readonly spec: MeasureSpec;
}

const MEAN_SLEEP_MS = 27.5;
const PACED_IN_FLIGHT = 100;

/** The specific figures, all of them Airlift over HTTP, and the floor as the one that exchanges at once. */
export function planFigures(options: BenchOptions): Figure[] {
  const { seconds, warmMs } = options;
  const base = { system: "airlift", transport: "http", workload: "noop", isDelayed: false, warmMs } as const;
  const pacedJobs = { count: Math.ceil((PACED_IN_FLIGHT / MEAN_SLEEP_MS) * 1_000 * Math.max(1.5, 2 * seconds)) };
  const paced = { ...base, workload: "sleep", inFlight: PACED_IN_FLIGHT, jobs: pacedJobs, warmMs: 400 } as const;
  const figures: Figure[] = [
    { name: "fifty", spec: { ...base, inFlight: 50, jobs: { seconds } } },
    { name: "paced", spec: paced },
    { name: "atOnce", spec: { ...paced, system: "floor" } },
    { name: "idle", spec: { ...base, inFlight: 25, jobs: { count: 0 }, warmMs: 1 } },
    ...options.memoryJobs.map(
      (count): Figure => ({ name: "memory", spec: { ...base, inFlight: 100, jobs: { count }, warmMs: 4 * warmMs } }),
    ),
  ];
  return figures.filter(({ spec }) => options.only.includes(spec.system));
}

/** The same list backwards in every second round: whoever runs first in one runs last in the next. */
export function orderOfRound<T>(list: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? list : list.toReversed();
}
