import type { HostEvent } from "../../harness/drain-host.ts";
import type { Journal, Move } from "./journal.ts";
import type { Run } from "./run-records.ts";

/** A run beside what Redis knew of it. Instants are by Redis' clock. */
export interface WitnessedRun extends Run {
  /** The claim that it belongs to; undefined if the witness did not see it. */
  readonly claim: Move | undefined;
  /** What became of the job after that claim. */
  readonly next: Move | undefined;
  /** When it was over: it ended, or its process did. */
  readonly overMs: number;
  /** Until when its drain held the job: it is over, or the job was given back, or taken back by another. What runs on after that is nobody's. */
  readonly heldUntilMs: number;
}

/** All that is known when the soak is over. */
export interface Evidence {
  readonly journal: Journal;
  readonly runs: readonly WitnessedRun[];
  /** By the key of the job. */
  readonly runsOf: ReadonlyMap<string, readonly WitnessedRun[]>;
  /** What stands in the failed list. */
  readonly failed: readonly { readonly payload: string; readonly exception: string }[];
  /** `stat:processed` and `stat:failed`. */
  readonly counters: { readonly processed: number; readonly failed: number };
  /** Keys that are left when everything has ended, beside those that a Resque always has. */
  readonly keysLeft: readonly string[];
  readonly leaseMs: number;
}

/** How far apart two instants of Redis' clock and the machine's may be that are one. */
export const CLOCKS_APART_MS = 2;

/**
 * Puts what handlers have written beside what Redis has seen.
 *
 * @param toRedisMs from the machine's own clock
 */
export function matchRuns(
  runs: readonly Run[],
  journal: Journal,
  events: readonly HostEvent[],
  toRedisMs: (monotonicMs: number) => number,
): WitnessedRun[] {
  const ends = new Map<string, number>();
  for (const { kind, process, atMs } of events) {
    if (kind === "killed" || (kind === "ended" && !ends.has(process))) ends.set(process, toRedisMs(atMs));
  }
  return runs.map((run) => {
    const startMs = toRedisMs(run.startMs);
    const moves = journal.moves.get(run.job) ?? [];
    const at = moves.findLastIndex(
      ({ kind, drainId, own, atMs }) =>
        kind === "claimed" &&
        drainId === run.drainId &&
        (own.retries ?? 0) === run.retries &&
        (own.crashes ?? 0) === run.crashes &&
        atMs <= startMs + CLOCKS_APART_MS,
    );
    const next = at === -1 ? undefined : moves[at + 1];
    const ownEndMs = run.endMs === undefined ? undefined : toRedisMs(run.endMs);
    // A handler that never ends is over when its time limit has settled it.
    const overMs =
      ownEndMs ?? Math.min(ends.get(run.process) ?? Number.POSITIVE_INFINITY, next?.atMs ?? Number.POSITIVE_INFINITY);
    const backMs =
      next?.kind === "recovered" || next?.kind === "released" ? next.atMs - CLOCKS_APART_MS : Number.POSITIVE_INFINITY;
    return {
      ...run,
      ...{
        startMs,
        endMs: ownEndMs,
        claim: moves[at],
        next,
        overMs,
        heldUntilMs: Math.max(startMs, Math.min(overMs, backMs)),
      },
    };
  });
}

/** All that is known of a job, in the order of Redis' clock. */
export function storyOf(key: string, { journal, runsOf }: Pick<Evidence, "journal" | "runsOf">): string {
  const moves = journal.moves.get(key) ?? [];
  const runs = runsOf.get(key) ?? [];
  const steps = [
    ...moves.map(({ kind, atMs, drainId }) => ({
      atMs,
      text: [kind, ...(drainId ? [`by ${drainId}`] : [])].join(" "),
    })),
    ...runs.map(({ startMs, process }) => ({ atMs: startMs, text: `run in ${process}` })),
  ];
  return `${key}: ${steps
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ atMs, text }) => `${atMs} ${text}`)
    .join(", ")}`;
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** The largest number of spans that hold at one moment, and which. One that ends as another begins holds no more. */
export function mostAtOnce<T extends { readonly fromMs: number; readonly toMs: number }>(
  spans: readonly T[],
): { readonly count: number; readonly spans: readonly T[] } {
  const starts = spans.toSorted((a, b) => a.fromMs - b.fromMs);
  let most: readonly T[] = [];
  let open: T[] = [];
  for (const span of starts) {
    open = open.filter(({ toMs }) => toMs > span.fromMs);
    open.push(span);
    if (open.length > most.length) most = [...open];
  }
  return { count: most.length, spans: most };
}
