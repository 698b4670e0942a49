import type { HostEvent } from "../harness/drain-host.ts";
import type { RunLine } from "../harness/run-log.ts";
import type { SeenClaim } from "./claims.ts";
import { CAUSES, type Cause, type Trouble, troublesOf } from "./troubles.ts";

/** One run of a job. */
export interface Run {
  readonly process: string;
  readonly startMs: number;
  /** When its process heard that Redis had taken the job's end in. */
  readonly settledMs: number | undefined;
  /** What the handler was given, as `start` was written. */
  readonly note: string;
}

export interface VerdictInput {
  readonly leaseMs: number;
  readonly lines: readonly RunLine[];
  readonly events: readonly HostEvent[];
  readonly claimsOf: (job: number) => readonly SeenClaim[];
}

export interface Verdict {
  readonly runs: ReadonlyMap<number, readonly Run[]>;
  /** Runs beyond the first of their jobs, by what was the reason. */
  readonly duplicates: Readonly<Record<Cause, number>>;
  /** Jobs that ran again for no reason that is known. */
  readonly unexplained: readonly number[];
  /** Jobs whose end was taken in twice. */
  readonly settledTwice: readonly number[];
  /** From the kill or the freeze of a process to the next run of a job that it held, in another; in order. */
  readonly recoveryMs: readonly number[];
}

/**
 * Tells of each job that ran more than once why it did. A run whose end was taken in is the one that counts, so it is a reason for no other; of the
 * others each must have been cut short by what befell its process, or be one that came too late for that reason.
 */
export function judge({ leaseMs, lines, events, claimsOf }: VerdictInput): Verdict {
  const runs = runsOf(lines);
  const troubles = troublesOf(events, lines, leaseMs);
  const duplicates = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  const unexplained: number[] = [];
  const settledTwice: number[] = [];
  const recoveryMs: number[] = [];

  const reasonOf = (job: number, run: Run): Trouble | undefined => {
    if (run.settledMs !== undefined) return undefined;
    const wasClaimedBefore = (atMs: number): boolean =>
      claimsOf(job).some((claim) => claim.process === run.process && claim.atMs <= atMs);
    const own = troubles.get(run.process) ?? [];
    return (
      own.find(({ cause, fromMs, toMs }) => cause !== "thaw" && run.startMs <= (cause === "machine" ? toMs : fromMs)) ??
      own.find(({ cause, toMs }) => cause === "thaw" && run.startMs >= toMs && wasClaimedBefore(toMs))
    );
  };

  for (const [job, ofJob] of runs) {
    if (ofJob.filter(({ settledMs }) => settledMs !== undefined).length > 1) settledTwice.push(job);
    if (ofJob.length === 1) continue;
    const reasons = ofJob.map((run) => reasonOf(job, run));
    const known = reasons.filter((reason) => reason !== undefined);
    if (known.length < ofJob.length - 1) unexplained.push(job);
    for (const { cause } of known.slice(0, ofJob.length - 1)) duplicates[cause]++;
    for (const [index, run] of ofJob.entries()) {
      const reason = reasons[index];
      if (reason?.cause !== "kill" && reason?.cause !== "freeze") continue;
      const next = ofJob.find(({ process, startMs }) => process !== run.process && startMs > reason.fromMs);
      if (next) recoveryMs.push(next.startMs - reason.fromMs);
    }
  }
  return { runs, duplicates, unexplained, settledTwice, recoveryMs: recoveryMs.sort((a, b) => a - b) };
}

/** The runs of each job, in the order of their starts. */
function runsOf(lines: readonly RunLine[]): Map<number, Run[]> {
  const runs = new Map<number, Run[]>();
  for (const { phase, job, process, atMs, note } of lines) {
    if (phase === "start") {
      const run: Run = { process, startMs: atMs, settledMs: undefined, note };
      const of = runs.get(Number(job));
      if (of) of.push(run);
      else runs.set(Number(job), [run]);
    } else if (phase === "settled") {
      const of = runs.get(Number(job)) ?? [];
      const index = of.findLastIndex((run) => run.process === process && run.settledMs === undefined);
      const run = of[index];
      if (!run) throw new Error(`${process} was told of the end of job ${job}, which it has not begun`);
      of[index] = { ...run, settledMs: atMs };
    }
  }
  for (const of of runs.values()) of.sort((a, b) => a.startMs - b.startMs);
  return runs;
}
