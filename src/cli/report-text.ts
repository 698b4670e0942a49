import type { DrainReport, StopReason } from "../core/report.ts";

const WHY: Readonly<Record<StopReason, string>> = {
  empty: "the queues are empty",
  deadline: "the time is up",
  paused: "what is left is paused",
  limited: "what is left waits for the limits of its classes",
  budget: "the number of jobs asked for is reached",
  aborted: "asked to stop",
  busy: "another drain is the single one",
  lost: "silent for longer than the lease; another drain has taken the jobs back",
};

/** A drain's report for people: what it did, why it stopped, what is left, what it cost. */
export function formatReport(report: DrainReport): string {
  return [
    `did      ${formatWork(report)}`,
    `stopped  ${whyStopped(report)} (${report.stopped})`,
    `left     ${formatCount(report.remaining, "job")}${formatNextDue(report.nextDueMs)}`,
    `cost     ${formatCost(report)}`,
  ].join("\n");
}

function formatNextDue(nextDueMs: number | undefined): string {
  return nextDueMs === undefined ? "" : `; the next is due in ${formatDuration(Math.max(0, nextDueMs - Date.now()))}`;
}

function whyStopped({ stopped, remaining }: DrainReport): string {
  return stopped === "empty" && remaining > 0 ? "what is left is of classes that this app does not have" : WHY[stopped];
}

/** The same in one line. */
export function formatReportLine(report: DrainReport): string {
  return `${formatWork(report)}; ${formatNumber(report.remaining)} left; ${formatCost(report)}`;
}

/** Whether a drain found anything to do. */
export function isIdle(report: DrainReport): boolean {
  return report.claimed + report.recovered + report.promoted + report.scheduled === 0;
}

/** `1,204 jobs`, `1 job`. */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `1,204` */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** `85 ms`, `3.2 s`, `4 min 5 s` */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1_000);
  return `${formatNumber(Math.floor(seconds / 60))} min ${seconds % 60} s`;
}

function formatWork(report: DrainReport): string {
  const parts = [
    ["succeeded", report.succeeded],
    ["failed", report.failed],
    ["to be tried again", report.retried],
    ["discarded", report.discarded],
    ["handed on", report.detached],
    ["given back", report.released],
    ["lost to another drain", report.lost],
  ] as const;
  const details = parts.filter(([, count]) => count > 0).map(([name, count]) => `${formatNumber(count)} ${name}`);
  const recovered = report.recovered > 0 ? `; ${formatNumber(report.recovered)} taken back from dead drains` : "";
  const due = report.promoted + report.scheduled;
  const promoted = due > 0 ? `; ${formatNumber(due)} that were due queued` : "";
  const jobs = `${formatCount(report.claimed, "job")} in ${formatDuration(report.durationMs)}`;
  return `${jobs}${details.length > 0 ? `: ${details.join(", ")}` : ""}${recovered}${promoted}`;
}

function formatCost(report: DrainReport): string {
  const total = `${formatCount(report.commands, "command")} in ${formatCount(report.requests, "request")}`;
  return report.claimed > 0 ? `${total} (${(report.commands / report.claimed).toFixed(2)} commands a job)` : total;
}
