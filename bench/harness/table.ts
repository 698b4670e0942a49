import type { Row } from "./statistics.ts";

/** Lines of right-aligned columns, the first two left-aligned, under a rule. */
export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(heads), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** The main table: one block for each number in flight, the fastest first. */
export function formatRows(rows: readonly Row[], latencyMs: number): string {
  const sorted = rows.toSorted((a, b) => a.inFlight - b.inFlight || b.jobsPerSecond - a.jobsPerSecond);
  const heads = ["in flight", "system", "jobs/s", "lowest-highest", "worker us/job", "gateway", "redis", "all"];
  heads.push("peak MB", "commands/job", "requests/job", ...(latencyMs > 0 ? [`jobs/s at +${latencyMs} ms`] : []));
  const cells = sorted.map((row) => [
    String(row.inFlight),
    `${row.system} (${row.transport})`,
    whole(row.jobsPerSecond),
    row.rounds > 1 ? `${whole(row.range[0])}-${whole(row.range[1])}` : "",
    short(row.workerMicros),
    row.transport === "http" ? short(row.gatewayMicros) : "",
    short(row.redisMicros),
    short(row.workerMicros + row.gatewayMicros + row.redisMicros),
    whole(row.peakMb),
    short(row.commandsPerJob),
    short(row.requestsPerJob),
    ...(latencyMs > 0 ? [row.delayedJobsPerSecond === undefined ? "" : whole(row.delayedJobsPerSecond)] : []),
  ]);
  return formatTable(heads, cells);
}

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

/** Three significant digits. */
export const short = (value: number): string =>
  value >= 100 ? whole(value) : Number.isNaN(value) ? "" : String(Number(value.toPrecision(3)));
