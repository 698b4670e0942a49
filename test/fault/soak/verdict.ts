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
 * others each must have been held by its process, and by nobody else, when that was killed or frozen, or be one that came too late for that reason.
 */
export function judge({ leaseMs, lines, events, claimsOf }: VerdictInput): Verdict {
  const runs = runsOf(lines);
  const troubles = troublesOf(events, lines, leaseMs);
  const duplicates = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  const unexplained: number[] = [];
  const settledTwice: number[] = [];
  const recoveryMs: number[] = [];

  const reasonOf = (run: Run, others: readonly Run[], claims: readonly SeenClaim[]): Trouble | undefined => {
    if (run.settledMs !== undefined) return undefined;
    const own = troubles.get(run.process) ?? [];
    const elsewhere = claims.filter(({ process }) => process !== run.process);
    // One that begins after a freeze though the job is another's is not why that one's was handed on.
    const begun = others.filter((other) => !isLate(other, troubles.get(other.process) ?? [], claims));
    /** When the job was next handed to another, or begun again: what befell this process later is no reason for that. */
    const nextMs = Math.min(
      ...[...begun.map(({ startMs }) => startMs), ...elsewhere.map(({ atMs }) => atMs)].filter(
        (ms) => ms > run.startMs,
      ),
    );
    const held = own.find(({ cause, fromMs, toMs }) => {
      if (cause === "thaw" || fromMs > nextMs) return false;
      return run.startMs <= (cause === "machine" ? toMs : fromMs);
    });
    return (
      held ?? own.find((trouble) => trouble.cause === "thaw" && cameTooLate(trouble, run, claims, nextMs - leaseMs))
    );
  };

  for (const [job, ofJob] of runs) {
    if (ofJob.filter(({ settledMs }) => settledMs !== undefined).length > 1) settledTwice.push(job);
    if (ofJob.length === 1) continue;
    const reasons = ofJob.map((run) => reasonOf(run, ofJob, claimsOf(job)));
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

/** Whether a run began after a freeze, the job having been handed to another meanwhile. */
function isLate(run: Run, troubles: readonly Trouble[], claims: readonly SeenClaim[]): boolean {
  return troubles.some((trouble) => trouble.cause === "thaw" && cameTooLate(trouble, run, claims, Infinity));
}

/** Whether a run began after a freeze, the job having been handed to its process before, and to another by then or soon after. */
function cameTooLate({ fromMs, toMs }: Trouble, run: Run, claims: readonly SeenClaim[], soonMs: number): boolean {
  const isOwn = claims.some(({ process, atMs }) => process === run.process && atMs <= toMs);
  const isAnothers = claims.some(({ process, atMs }) => process !== run.process && atMs > fromMs && atMs < run.startMs);
  return run.startMs >= toMs && isOwn && (isAnothers || soonMs < toMs);
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
