import type { AirliftStatus } from "../airlift.ts";
import { formatDuration, formatNumber } from "./report-text.ts";
import { type ShowOptions, show } from "./show.ts";
import { toLine } from "./terminal-text.ts";

/** Prints the status of the queues. */
export async function runStatus(options: ShowOptions): Promise<void> {
  await show(options, (airlift) => airlift.status(), formatStatus);
}

function formatStatus(status: AirliftStatus): string {
  const queues = status.queues.map(({ name, size, paused }) => [
    toLine(name),
    formatNumber(size),
    paused ? "paused" : "",
  ]);
  const counters = [
    ["workers", formatNumber(status.workers), `${formatNumber(status.working)} at work`],
    ["drains", formatNumber(status.drains), ""],
    ["retries", formatNumber(status.retries), "waiting"],
    ["delayed", formatNumber(status.delayed), "due times"],
    ["failed list", formatNumber(status.failed), ""],
    ["attempts", formatNumber(status.processed), `${formatNumber(status.failures)} failed`],
    ...lastDrainRow(status.lastDrain),
  ];
  return [
    ...(status.paused ? ["everything is paused", ""] : []),
    ...(status.pausedClasses.length > 0 ? [toLine(`paused classes: ${status.pausedClasses.join(", ")}`), ""] : []),
    ...(queues.length > 0 ? alignRows([["QUEUE", "JOBS", ""], ...queues]) : ["no queues yet"]),
    "",
    ...alignRows(counters),
  ].join("\n");
}

function lastDrainRow(last: AirliftStatus["lastDrain"]): string[][] {
  if (!last) return [];
  const ago = formatDuration(Math.max(0, Date.now() - last.endedMs));
  return [["last drain", `${ago} ago`, toLine(`${last.stopped}, ${formatNumber(last.claimed)} jobs`)]];
}

/** Columns: text, number, remark. */
function alignRows(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [first, second] = [width(0), width(1)];
  return rows.map(([name = "", count = "", remark = ""]) =>
    `${name.padEnd(first)}  ${count.padStart(second)}  ${remark}`.trimEnd(),
  );
}
