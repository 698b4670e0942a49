import type { HostEvent } from "../../harness/drain-host.ts";
import type { Evidence } from "./evidence.ts";

/** Everything that is known of a job, in the order in which it happened. */
export function ledgerOf(
  job: string,
  { journal, runsOf }: Evidence,
  events: readonly HostEvent[],
  toRedisMs: (monotonicMs: number) => number,
): string[] {
  const runs = runsOf.get(job) ?? [];
  const processes = new Set(runs.map(({ process }) => process));
  const counts = (retries = 0, crashes = 0): string => `${retries} failed, ${crashes} crashed`;
  const entries = [
    ...(journal.moves.get(job) ?? []).map(({ atMs, kind, own, drainId = "", dueMs }) => ({
      atMs,
      text: `${kind} (${counts(own.retries, own.crashes)}) ${drainId}${dueMs === undefined ? "" : ` due ${dueMs}`}`,
    })),
    ...runs.map(({ startMs, process, drainId, retries, crashes }) => ({
      atMs: startMs,
      text: `  begins in ${process}, drain ${drainId} (${counts(retries, crashes)})`,
    })),
    ...runs.flatMap(({ endMs, process }) =>
      endMs === undefined ? [] : [{ atMs: endMs, text: `  ends in ${process}` }],
    ),
    ...events
      .filter(({ process }) => processes.has(process))
      .map(({ atMs, process, kind, status = "" }) => ({
        atMs: toRedisMs(atMs),
        text: `    ${process} is ${kind} ${status}`,
      })),
  ].sort((a, b) => a.atMs - b.atMs);
  const firstMs = entries[0]?.atMs ?? 0;
  return entries.map(({ atMs, text }) => `${(atMs - firstMs).toFixed(1).padStart(10)} ms  ${text.trimEnd()}`);
}
