import type { Violation } from "./audit.ts";
import type { SoakJob } from "./jobs.ts";
import type { SoakOptions, SoakRecord } from "./run-soak.ts";
import { fingerprint } from "./soak-job.ts";
import { CAUSES } from "./troubles.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What a soak has shown. */
export interface SoakReport {
  /** Every promise that was broken, with the ledger of the job that it concerns. */
  readonly broken: readonly string[];
  readonly lost: number;
  readonly duplicates: Verdict["duplicates"];
  /** For people. */
  readonly table: string;
}

/** No more ledgers than these are told: the rest is more of the same. */
const MAX_LEDGERS = 10;

/** Judges a soak. */
export function reportSoak(record: SoakRecord, options: SoakOptions): SoakReport {
  const verdict = judge({ ...record, leaseMs: options.tempo.leaseMs });
  const violations = [...violationsOf(record, verdict), ...record.violations];
  const told = new Set<number>();
  const broken = violations.map(({ text, job }) => {
    if (job === undefined || told.has(job) || told.size >= MAX_LEDGERS) return text;
    told.add(job);
    return [text, ...ledgerOf(job, record, verdict).map((line) => `    ${line}`)].join("\n");
  });
  const neverRan = record.jobs.filter(({ id, ending }) => runs(ending) && !verdict.runs.has(id)).length;
  const lost = Math.max(neverRan, record.jobs.length - record.processed);
  return { broken, lost, duplicates: verdict.duplicates, table: tableOf({ record, options, verdict, lost }) };
}

/** What is no job, or of a class that nobody knows, never reaches a handler. */
function runs(ending: SoakJob["ending"]): boolean {
  return ending === "done" || ending === "failed";
}

function violationsOf({ jobs, processed }: SoakRecord, verdict: Verdict): Violation[] {
  const violations: Violation[] = [];
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const { id, ending } of jobs) {
    if (runs(ending) !== verdict.runs.has(id)) {
      violations.push({
        text: `job ${id} ${runs(ending) ? "was lost: it never ran" : "ran, though it is none"}`,
        job: id,
      });
    }
  }
  for (const [id, ofJob] of verdict.runs) {
    const bytes = byId.get(id)?.bytes;
    if (!bytes) violations.push({ text: `job ${id} ran, and nobody made it`, job: id });
    else if (!ofJob.every(({ note }) => isUnchanged(note, bytes))) {
      violations.push({ text: `job ${id}: its handler was given other bytes than ${bytes}`, job: id });
    }
  }
  for (const job of verdict.unexplained) {
    violations.push({ text: `job ${job} ran more than once for no known reason`, job });
  }
  for (const job of verdict.settledTwice) violations.push({ text: `job ${job} was settled twice`, job });
  if (processed < jobs.length) {
    // Of those that ran, the lost are among the ones of whose end nobody was told.
    for (const [job, ofJob] of verdict.runs) {
      if (ofJob.every(({ settledMs }) => settledMs === undefined)) {
        violations.push({ text: `job ${job} ran, and may be one of those that were never settled`, job });
      }
    }
  }
  return violations;
}

/** White space at a payload's end gives way to the member that recovery writes. */
function isUnchanged(note: string, bytes: Buffer): boolean {
  const [print, mark] = note.split(" ");
  const text = bytes.toString();
  return print === fingerprint(mark === undefined ? text : text.trimEnd());
}

/** Everything that is known of a job, in the order in which it happened. */
function ledgerOf(job: number, { jobs, lines, events, claimsOf }: SoakRecord, verdict: Verdict): string[] {
  const processes = new Set([
    ...(verdict.runs.get(job) ?? []).map(({ process }) => process),
    ...claimsOf(job).map(({ process }) => process),
  ]);
  const made = jobs.find(({ id }) => id === job);
  const entries = [
    ...claimsOf(job).map(({ atMs, process, how }) => ({ atMs, text: `${process} handed the job by Redis (${how})` })),
    ...lines
      .filter((line) => line.job === String(job) || (line.job === "" && processes.has(line.process)))
      .map(({ atMs, process, phase, note }) => ({ atMs, text: `${process} ${phase} ${note}` })),
    ...events
      .filter(({ process }) => processes.has(process))
      .map(({ atMs, process, kind, status = "" }) => ({ atMs, text: `${process} was ${kind} ${status}` })),
  ].sort((a, b) => a.atMs - b.atMs);
  const firstMs = entries[0]?.atMs ?? 0;
  return [
    `made by ${made?.producer} for ${made?.queue}, to end ${made?.ending}: ${made?.bytes.subarray(0, 200)}`,
    ...entries.map(({ atMs, text }) => `${((atMs - firstMs) / 1_000).toFixed(3).padStart(9)} s  ${text.trimEnd()}`),
  ];
}

interface TableInput {
  readonly record: SoakRecord;
  readonly options: SoakOptions;
  readonly verdict: Verdict;
  readonly lost: number;
}

function tableOf({ record, options, verdict, lost }: TableInput): string {
  const { jobs, events, reports, requests, commands, faults, durationMs } = record;
  const gaveUp = record.lines.filter(({ phase }) => phase === "drain-failed").length;
  const started = events.filter(({ kind }) => kind === "started").length;
  const done = (kind: string): number => events.filter((event) => event.kind === kind).length;
  const perJob = (count: number): string => `${whole(count)} (${(count / jobs.length).toFixed(2)} a job)`;
  const rows: readonly (readonly [string, string])[] = [
    ["seed", String(options.seed)],
    ["producers beside node-resque and Airlift's three", record.ruby ?? "raw bytes alone"],
    ["duration", `${Math.round(durationMs / 1_000)} s`],
    ["jobs", whole(jobs.length)],
    ["  that fail, or are none", whole(jobs.filter(({ ending }) => ending !== "done").length)],
    ["  lost", whole(lost)],
    ["  settled", whole(record.processed)],
    ["  run more than once", whole([...verdict.runs.values()].filter((of) => of.length > 1).length)],
    ["runs beyond the first, held by a process that was", ""],
    ...CAUSES.map((cause) => [`  ${CAUSE_TEXTS[cause]}`, whole(verdict.duplicates[cause])] as const),
    ["  none of these", whole(verdict.unexplained.length)],
    ["recovery, from the kill or freeze to the next run", ""],
    ["  p50, p99, longest", percentiles(verdict.recoveryMs)],
    ["processes started", whole(started)],
    ["  killed, frozen", `${whole(done("killed"))}, ${whole(done("frozen"))}`],
    ["drains that ended, gave up", `${whole(reports.length)}, ${whole(gaveUp)}`],
    ["requests", perJob(requests)],
    ["commands that Redis carried out", perJob(commands)],
    ["faults", whole(Object.values(faults).reduce((sum, count) => sum + count, 0))],
    ...Object.entries(faults)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => [`  ${name}`, whole(count)] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const right = Math.max(...rows.map(([, value]) => value.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(right)}`.trimEnd()).join("\n");
}

const CAUSE_TEXTS = { kill: "killed", freeze: "frozen", thaw: "thawed", machine: "held up by the machine" } as const;

function percentiles(sorted: readonly number[]): string {
  if (sorted.length === 0) return "none";
  const at = (share: number): string =>
    `${((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number) / 1_000).toFixed(1)} s`;
  return `${at(0.5)}, ${at(0.99)}, ${at(1)}`;
}

const whole = (value: number): string => value.toLocaleString("en-US");
