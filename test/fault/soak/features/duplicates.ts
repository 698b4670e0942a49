import type { HostEvent } from "../../harness/drain-host.ts";
import type { Evidence, WitnessedRun } from "./evidence.ts";

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

/** Runs beyond one for each attempt, by cause. `unexplained` should be none. */
export function countDuplicates(
  { runsOf, journal, leaseMs }: Evidence,
  events: readonly HostEvent[],
  toRedisMs: (monotonicMs: number) => number,
): Readonly<Record<Cause | "unexplained", number>> {
  const counts = Object.fromEntries([...CAUSES, "unexplained"].map((cause) => [cause, 0])) as Record<
    Cause | "unexplained",
    number
  >;
  const troubles = events.filter(({ kind }) => kind === "killed" || kind === "frozen");
  const causeOf = (job: string, run: WitnessedRun): Cause | "unexplained" => {
    const moves = journal.moves.get(job) ?? [];
    if (moves.filter(({ kind }) => kind === "enqueued" || kind === "delayed").length > 1) return "enqueued twice";
    const { next } = run;
    if (next?.kind === "released") return "given back";
    if (run.drainId === "receiver")
      return moves.some(({ kind }, at) => kind === "detached" && moves[at + 1]?.kind === "promoted")
        ? "not acknowledged"
        : "delivered twice";
    if (next?.kind !== "recovered") return "unexplained";
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
      // The last of them is the one that counted.
      for (const run of same.slice(0, -1)) counts[causeOf(job, run)]++;
    }
  }
  return counts;
}
