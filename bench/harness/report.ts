import type { Measurement } from "./measure.ts";
import type { BenchOptions } from "./options.ts";
import type { Row } from "./statistics.ts";
import { perSecond } from "./statistics.ts";
import { formatRows, formatTable, short, whole } from "./table.ts";
import type { FigureMeasurement, Target } from "./targets.ts";

/** Everything that a run has found, and the content of --json. */
export interface BenchReport {
  readonly machine: {
    readonly cores: number;
    readonly cpu: string;
    readonly node: string;
    readonly redis: string;
    readonly packages: Readonly<Record<string, string>>;
    readonly load: readonly [number, number];
  };
  readonly options: BenchOptions;
  /** Raw measurements of the table, in the order in which they ran. */
  readonly table: readonly Measurement[];
  readonly figures: readonly FigureMeasurement[];
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
}

const BUSY_LOAD = 0.5;

/** The report for people. */
export function formatReport(report: BenchReport): string {
  const { machine, options } = report;
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`);
  const load = machine.load.map((value) => value.toFixed(1)).join(" before, ");
  return [
    `${machine.cores} x ${machine.cpu}, load ${load} at the end; Node ${machine.node}, redis-server ${machine.redis}, ${packages.join(", ")}`,
    `No-op jobs, medians of ${options.rounds} round${options.rounds === 1 ? "" : "s"}${options.isQuick ? " of short measurements" : ""}`,
    ...(machine.load[0] > BUSY_LOAD
      ? ["The machine was busy with other things: rates and times are too low to mean much."]
      : []),
    "",
    formatRows(report.rows, options.latencyMs),
    ...(report.figures.length === 0 ? [] : ["", formatFigures(report.figures)]),
    "",
    formatCounts([...report.table, ...report.figures.map((figure) => figure.measurement)]),
    ...(report.figures.length === 0 ? [] : ["", formatTargets(report.targets)]),
  ].join("\n");
}

const TITLES = {
  fifty: "no-op jobs at 50 in flight",
  paced: "jobs of 5 to 50 ms at 100 in flight",
  atOnce: "the same, exchanging at once",
  idle: "an idle tick",
  memory: "jobs queued, 100 in flight",
} as const;

function formatFigures(figures: readonly FigureMeasurement[]): string {
  const rows = figures.map(({ name, measurement: m }) => [
    TITLES[name],
    `${m.spec.system} (${m.spec.transport})`,
    whole(m.jobs),
    m.jobs === 0 ? "" : whole(perSecond(m)),
    whole(m.peakBytes / 1e6),
    whole(m.commands),
    m.jobs === 0 ? "" : short(m.commands / m.jobs),
    whole(m.requests),
  ]);
  return formatTable(["measurement", "system", "jobs", "jobs/s", "peak MB", "commands", "per job", "requests"], rows);
}

function formatCounts(measurements: readonly Measurement[]): string {
  const counted = measurements.filter((m) => m.own !== undefined);
  if (counted.length === 0) return "No system here counts its own commands.";
  const wrong = counted.filter((m) => m.own!.commands !== m.commands);
  const list = wrong.map(
    (m) => `${m.spec.inFlight} in flight over ${m.spec.transport}: ${m.own!.commands} counted, ${m.commands} seen`,
  );
  const verdict = wrong.length === 0 ? "" : ` (not: ${list.join("; ")})`;
  return `Commands as the drain counts them and as Redis does: equal in ${counted.length - wrong.length} of ${counted.length} drains${verdict}`;
}

function formatTargets(targets: readonly Target[]): string {
  const verdict = (isMet: boolean | undefined): string => (isMet === undefined ? "-" : isMet ? "met" : "NOT MET");
  return formatTable(
    ["", "target"],
    targets.map((target) => [verdict(target.isMet), `${target.text}: ${target.measured}`]),
  );
}
