import { type Evidence, groupBy } from "./evidence.ts";
import type { Expectation } from "./feature.ts";
import { nameOf } from "./job-key.ts";
import type { Move, MoveKind } from "./journal.ts";
import { hashOf } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

/** How a job comes into the world. */
const GIVEN: ReadonlySet<MoveKind> = new Set(["enqueued", "delayed", "ticked"]);
/** How it leaves it. */
const OVER: ReadonlySet<MoveKind> = new Set(["ended", "failed", "replaced"]);
const FROM_QUEUE: readonly MoveKind[] = ["claimed", "replaced"];
/** Where a job may go from each place. */
const NEXT: Readonly<Record<MoveKind, readonly MoveKind[]>> = {
  ...{ enqueued: FROM_QUEUE, ticked: FROM_QUEUE, promoted: FROM_QUEUE, released: FROM_QUEUE, recovered: FROM_QUEUE },
  delayed: ["promoted", "replaced"],
  claimed: ["released", "recovered", "waiting", "detached", "failed", "ended"],
  waiting: ["promoted"],
  detached: ["promoted", "released", "waiting", "failed", "ended"],
  ...{ failed: [], ended: [], replaced: [] },
};

export type ExpectationOf = (name: string) => Expectation | undefined;

/** What holds for the jobs of all features. */
export function judgeEveryJob(
  evidence: Evidence,
  expectationOf: ExpectationOf,
  names: readonly string[],
): readonly Verdict[] {
  return [
    judgeLost(evidence, expectationOf, names),
    judgeMoves(evidence),
    judgeEnds(evidence, expectationOf),
    judgeFailed(evidence, expectationOf),
    judgeRunsAgain(evidence),
    judgeRecoveries(evidence),
    judgeBytes(evidence, expectationOf),
    judgeCounters(evidence, expectationOf),
    judgeLeft(evidence),
  ];
}

/** By what handlers wrote, whatever Redis was seen to do. */
function judgeLost({ runsOf, runs }: Evidence, expectationOf: ExpectationOf, names: readonly string[]): Verdict {
  const verdict = openVerdict("all", "no job is lost: each has run");
  const ran = new Set(runs.map(({ job }) => nameOf(job)));
  for (const name of names) verdict.check(ran.has(name), () => `${name} has never run`);
  for (const [job] of runsOf)
    verdict.check(expectationOf(nameOf(job)) !== undefined, () => `nobody has enqueued ${job}`);
  return verdict;
}

/** How many copies of a job were given: of a request that was repeated, or arrived twice, several. */
function copiesOf(moves: readonly Move[]): number {
  return moves.filter(({ kind }) => GIVEN.has(kind)).length;
}

/** From place to place as docs/states.md has it; each failed attempt and each crash counted by one, and by no other step. */
function judgeMoves({ journal }: Evidence): Verdict {
  const verdict = openVerdict("all", "each job is in one place, and goes from there as its states allow");
  for (const [job, moves] of journal.moves) {
    // Copies of one job cannot be told apart.
    if (copiesOf(moves) !== 1) continue;
    for (const [at, move] of moves.entries()) {
      const before = moves[at - 1];
      const isFirst = before === undefined && GIVEN.has(move.kind);
      const isNext = before !== undefined && NEXT[before.kind].includes(move.kind) && countsRight(before, move);
      const story = () => moves.map(({ kind, own }) => `${kind}(${own.retries ?? 0},${own.crashes ?? 0})`).join(" ");
      verdict.check(isFirst || isNext, () => `${job}: ${story()}`);
    }
  }
  return verdict;
}

function countsRight(before: Move, move: Move): boolean {
  const retries = (move.own.retries ?? 0) - (before.own.retries ?? 0);
  const crashes = (move.own.crashes ?? 0) - (before.own.crashes ?? 0);
  switch (move.kind) {
    case "failed":
      // Whoever queues it again begins anew.
      return (move.own.retries ?? 0) + (move.own.crashes ?? 0) === 0;
    case "waiting":
      // What was handed over bears a crash until its receiver is heard of.
      return retries <= 1 && retries >= 0 && crashes === (before.kind === "detached" ? -1 : 0);
    case "recovered":
    case "detached":
      return retries === 0 && crashes === 1;
    case "released":
      return retries === 0 && crashes === (before.kind === "detached" ? -1 : 0);
    default:
      return retries === 0 && crashes === 0;
  }
}

function judgeEnds({ journal }: Evidence, expectationOf: ExpectationOf): Verdict {
  const verdict = openVerdict("all", "each job ends once, as it should");
  for (const [job, moves] of journal.moves) {
    const end = expectationOf(nameOf(job))?.end === "failed" ? "failed" : "ended";
    const isReplaced = moves.some(({ kind }) => kind === "replaced");
    const ends = moves.filter(({ kind }) => OVER.has(kind)).map(({ kind }) => kind);
    const areRight = ends.every((kind) => kind === end || (isReplaced && kind === "replaced"));
    const tell = () => `${job} was given ${copiesOf(moves)} times and came to ${ends.length === 0 ? "no end" : ends}`;
    verdict.check(ends.length === copiesOf(moves) && areRight, tell);
  }
  return verdict;
}

/** By what stands in the list. */
function judgeFailed({ journal, failed }: Evidence, expectationOf: ExpectationOf): Verdict {
  const verdict = openVerdict("all", "the failed list holds what failed for good, once, as its producer wrote it");
  const entries = groupBy(failed, ({ payload }) => nameOf(payload));
  const copies = new Map<string, number>();
  for (const [job, moves] of journal.moves) {
    const name = nameOf(job);
    const replaced = moves.filter(({ kind }) => kind === "replaced").length;
    if (expectationOf(name)?.end === "failed") copies.set(name, (copies.get(name) ?? 0) + copiesOf(moves) - replaced);
  }
  for (const [name, count] of copies) {
    const own = entries.get(name) ?? [];
    verdict.check(own.length === count, () => `${name} was given ${count} times, and failed ${own.length} times`);
  }
  for (const { payload, exception } of failed) {
    const { hashes, end } = expectationOf(nameOf(payload)) ?? {};
    const isUnchanged = hashes?.has(hashOf(payload)) === true && !/"(retries|crashes)":/.test(payload);
    verdict.check(end === "failed" && isUnchanged, () => `${exception}: ${payload}`);
  }
  return verdict;
}

/** A claim is run once; another run needs another claim; and no two claims hold a job at the same time. */
function judgeRunsAgain({ runs, runsOf, journal }: Evidence): Verdict {
  const verdict = openVerdict("all", "a job runs again only if its drain lost it or gave it back");
  for (const [job, own] of runsOf) {
    // Copies of one job cannot be told apart, and a receiver may be sent a message twice.
    if (copiesOf(journal.moves.get(job) ?? []) > 1 || own[0]?.drainId === "receiver") continue;
    for (const [at, run] of own.entries()) {
      const same = own.slice(0, at).find(({ claim }) => claim !== undefined && claim === run.claim);
      verdict.check(!same, () => `${job} was run twice by ${run.process} for one claim`);
      const beside = own.find(
        (other) => other !== run && other.startMs <= run.startMs && other.heldUntilMs > run.startMs,
      );
      verdict.check(!beside, () => `${job} began in ${run.process} while it ran in ${beside?.process}`);
    }
  }
  const unseen = runs.filter(({ claim, drainId }) => claim === undefined && drainId !== "receiver");
  verdict.check(unseen.length === 0, () => `${unseen.length} runs of ${runs.length} have no claim: ${unseen[0]?.job}`);
  return verdict;
}

function judgeRecoveries({ journal }: Evidence): Verdict {
  const verdict = openVerdict("all", "a drain's jobs are taken back when its lease has ended, not before");
  for (const [id, { leases, gone }] of journal.drains) {
    if (gone?.by !== "recovered") continue;
    const endMs = leases.at(-1)?.endMs ?? Number.POSITIVE_INFINITY;
    verdict.check(gone.atMs > endMs, () => `drain ${id} was recovered ${endMs - gone.atMs} ms before its lease ended`);
  }
  return verdict;
}

function judgeBytes({ runs }: Evidence, expectationOf: ExpectationOf): Verdict {
  const verdict = openVerdict("all", "no payload is changed");
  for (const { job, hash } of runs) {
    const wanted = expectationOf(nameOf(job))?.hashes;
    verdict.check(wanted?.has(hash) === true, () => `${job} came with other bytes than its producer's`);
  }
  return verdict;
}

function judgeCounters({ journal, counters }: Evidence, expectationOf: ExpectationOf): Verdict {
  const verdict = openVerdict("all", "processed and failed are the attempts that counted");
  let processed = 0;
  let failures = 0;
  for (const [job, moves] of journal.moves) {
    const expectation = expectationOf(nameOf(job));
    const copies = moves.filter(({ kind }) => kind === "ended" || kind === "failed").length;
    if (!expectation) continue;
    processed += copies * (expectation.failures + (expectation.end === "done" ? 1 : 0));
    failures += copies * expectation.failures;
  }
  verdict.check(counters.processed === processed, () => `processed: ${counters.processed}, not ${processed}`);
  verdict.check(counters.failed === failures, () => `failed: ${counters.failed}, not ${failures}`);
  return verdict;
}

function judgeLeft({ keysLeft }: Evidence): Verdict {
  const verdict = openVerdict("all", "nothing is left in Redis: no worker, lock, place, book or job");
  verdict.check(keysLeft.length === 0, () => `${keysLeft.length} keys: ${keysLeft.slice(0, 5)}`);
  return verdict;
}
