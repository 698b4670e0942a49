import type { HostEvent } from "../../harness/drain-host.ts";
import { type Evidence, storyOf, type WitnessedRun } from "./evidence.ts";
import type { MoveKind } from "./journal.ts";

/**
 * Why a job was run once more than its attempts asked for.
 *
 * - `kill`, `freeze`: its drain's process was killed, or stood still, so that its lease ended
 * - `cut off`: its drain lived, but could not tell Redis so in time
 * - `given back`: its drain's time was up
 * - `not acknowledged`: its receiver was not heard of within the lease
 * - `delivered twice`: its receiver was sent it again
 * - `enqueued twice`: its producer's request was repeated, or arrived again
 */
export const CAUSES = [
  "kill",
  "freeze",
  "cut off",
  "given back",
  "not acknowledged",
  "delivered twice",
  "enqueued twice",
] as const;
export type Cause = (typeof CAUSES)[number];

/** What becomes of a job whose run does not count. */
const GONE: ReadonlySet<MoveKind> = new Set(["released", "recovered"]);

/** Runs beyond one for each attempt. */
export interface Duplicates {
  readonly counts: Readonly<Record<Cause, number>>;
  /** The stories of jobs that ran once more for no known cause. */
  readonly unexplained: readonly string[];
}

export function explainDuplicates(
  { runsOf, journal, leaseMs }: Evidence,
  events: readonly HostEvent[],
  toRedisMs: (monotonicMs: number) => number,
): Duplicates {
  const counts = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  const unexplained: string[] = [];
  const troubles = events.filter(({ kind }) => kind === "killed" || kind === "frozen");
  const causeOf = (job: string, run: WitnessedRun): Cause | undefined => {
    const moves = journal.moves.get(job) ?? [];
    if (moves.filter(({ kind }) => kind === "enqueued" || kind === "delayed").length > 1) return "enqueued twice";
    const { next } = run;
    if (next?.kind === "released") return "given back";
    if (run.drainId === "receiver")
      return moves.some(({ kind }, at) => kind === "detached" && moves[at + 1]?.kind === "promoted")
        ? "not acknowledged"
        : "delivered twice";
    if (next?.kind !== "recovered") return undefined;
    const own = troubles.filter(({ process, atMs }) => process === run.process && toRedisMs(atMs) <= next.atMs);
    const last = own.at(-1);
    if (!last || toRedisMs(last.atMs) < next.atMs - 3 * leaseMs) return "cut off";
    return last.kind === "killed" ? "kill" : "freeze";
  };
  for (const [job, runs] of runsOf) {
    const attempts = new Map<number, WitnessedRun[]>();
    // What was put off by its handler runs again because it asked to.
    const wanted = runs.filter(
      ({ next, retries }) => !(next?.kind === "waiting" && (next.own.retries ?? 0) === retries),
    );
    for (const run of wanted) attempts.set(run.retries, [...(attempts.get(run.retries) ?? []), run]);
    for (const same of attempts.values()) {
      // One that was lost may begin last of all, once its process is thawed.
      const counted = same.findLast(({ next }) => next && !GONE.has(next.kind)) ?? same.at(-1);
      for (const run of same) {
        if (run === counted) continue;
        const cause = causeOf(job, run);
        if (cause) counts[cause]++;
        else unexplained.push(storyOf(job, { journal, runsOf }));
      }
    }
  }
  return { counts, unexplained };
}
