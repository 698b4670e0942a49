import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type JobDefinition, type LimitOptions } from "../../../../src/index.ts";
import { CLOCKS_APART_MS, type Evidence, groupBy, mostAtOnce } from "./evidence.ts";
import { type Expectation, type Feature, numberIn, type Producer, type Rest } from "./feature.ts";
import { named, nameIn } from "./job-key.ts";
import type { SeenDrain } from "./journal.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "limited";
const LIMITS: Readonly<Record<string, LimitOptions>> = {
  Narrow: { running: 1 },
  Wide: { running: 4 },
  Tenant: { running: 2, by: [1, "tenant"] },
  Rated: { rate: { jobs: 6, periodMs: 900 } },
  Both: { running: 2, rate: { jobs: 5, periodMs: 800 }, by: [1, "tenant"] },
};
const CLASSES = Object.keys(LIMITS);
/** Jobs of each class in a second of the run. */
const PER_SECOND: Readonly<Record<string, number>> = { Narrow: 2, Wide: 6, Tenant: 6, Rated: 4, Both: 4 };
const TENANTS = 3;

export function limitedJobs(record: RecordRun): JobDefinition[] {
  return CLASSES.map((name) =>
    defineJob({
      ...{ class: name, queue: QUEUE, limit: LIMITS[name] as LimitOptions, retry: { limit: 1, backoff: [50] } },
      perform: (_, job) =>
        record(job, async () => {
          const number = numberIn(nameIn(job.raw) ?? "");
          await sleep(15 + (number % 7) * 15);
          if (number % 11 === 0 && job.retries === 0) throw new Error("declined");
        }),
    }),
  );
}

/** Classes of which only so many may run at once, or start in a period. */
export function limits(): Feature {
  const expected = new Map<string, Expectation>();
  let probes = 0;

  const payloadOf = (className: string, number: number): { name: string; payload: string } => {
    const name = `${className}-${number}`;
    const payload = `{"class":"${className}","args":["${named(name)}",{"tenant":"t${number % TENANTS}"}]}`;
    const failures = number % 11 === 0 ? 1 : 0;
    expected.set(name, { hashes: new Set([hashOf(payload)]), end: "done", failures });
    return { name, payload };
  };
  return {
    name: "limits",
    expectation: (name) => expected.get(name),
    given: () => expected.keys(),

    produce: async ({ pace, push, seconds }: Producer) => {
      const produceClass = (className: string): Promise<void> =>
        pace(Math.ceil(seconds * (PER_SECOND[className] ?? 0)), (number) =>
          push(QUEUE, payloadOf(className, number + 1).payload),
        );
      await Promise.all(CLASSES.map(produceClass));
    },

    /** As many as may run at once: had one place leaked, they would come to their ends all the same, but never be there together. */
    async probe({ redis, keys }: Rest) {
      for (const className of ["Narrow", "Wide"]) {
        const most = LIMITS[className]?.running as number;
        for (let n = 0; n < most; n++) {
          await redis.rpush(keys.queue(QUEUE), payloadOf(className, 1_000_000 + 7 * n + 6).payload);
          probes++;
        }
      }
    },

    judge: (evidence) => [
      judgeRunning(evidence),
      judgePlaces(evidence),
      judgeRates(evidence),
      judgeProbes(evidence, probes),
    ],
  };
}

/** The class and key that a job is counted under. */
function placeOf(job: string): string | undefined {
  const className = job.replace(/-\d+$/, "");
  const limit = LIMITS[className];
  return limit && (limit.by ? `${className} t${numberIn(job) % TENANTS}` : className);
}

function limitOf(place: string): LimitOptions {
  return LIMITS[place.replace(/ .*/, "")] as LimitOptions;
}

/** Handlers. What a drain does with jobs that another has taken back meanwhile is not counted: it was frozen, and lost its lease. */
function judgeRunning({ runs }: Evidence): Verdict {
  const verdict = openVerdict("limits", "no more handlers run at once than may, among drains that hold their lease");
  const limited = runs.filter(({ job }) => placeOf(job) !== undefined);
  for (const [place, same] of groupBy(limited, ({ job }) => placeOf(job) ?? "")) {
    const { running } = limitOf(place);
    if (running === undefined) continue;
    const spans = same.map(({ job, startMs, heldUntilMs }) => ({ job, fromMs: startMs, toMs: heldUntilMs }));
    for (const span of spans) {
      const { count, spans: most } = mostAtOnce(
        spans.filter(({ fromMs, toMs }) => fromMs <= span.fromMs && toMs > span.fromMs),
      );
      verdict.check(
        count <= running,
        () => `${count} of ${place} ran at ${span.fromMs}: ${most.map(({ job }) => job)}`,
      );
    }
  }
  return verdict;
}

/** The same as Redis saw it: jobs in the slots of drains, a drain being believed to be dead one lease after its lease's end. */
function judgePlaces({ journal, leaseMs }: Evidence): Verdict {
  const verdict = openVerdict("limits", "no more jobs are in drains' hands at once than may");
  const spans: { place: string; job: string; fromMs: number; toMs: number }[] = [];
  for (const [job, moves] of journal.moves) {
    const place = placeOf(job);
    if (place === undefined || limitOf(place).running === undefined) continue;
    for (const [at, { kind, atMs, drainId }] of moves.entries()) {
      if (kind !== "claimed") continue;
      const deadMs = believedDeadMs(journal.drains.get(drainId ?? ""), atMs, leaseMs);
      spans.push({ place, job, fromMs: atMs, toMs: Math.min(moves[at + 1]?.atMs ?? Number.POSITIVE_INFINITY, deadMs) });
    }
  }
  for (const [place, same] of groupBy(spans, (span) => span.place)) {
    const running = limitOf(place).running as number;
    const { count, spans: most } = mostAtOnce(same);
    for (const _ of same) verdict.check(count <= running, () => `${count} of ${place}: ${most.map(({ job }) => job)}`);
  }
  return verdict;
}

/** When a drain's places are given away though nobody has recovered it. */
function believedDeadMs(drain: SeenDrain | undefined, fromMs: number, leaseMs: number): number {
  const leases = drain?.leases ?? [];
  for (const [at, { endMs }] of leases.entries()) {
    const renewedMs = leases[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const deadMs = endMs + leaseMs;
    if (renewedMs > deadMs && deadMs > fromMs) return deadMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** A start is the moment at which a drain takes the job, whatever becomes of it: what the script that did it read from the clock. */
function judgeRates({ journal }: Evidence): Verdict {
  const verdict = openVerdict("limits", "no more jobs start in any period than may");
  const starts: { place: string; job: string; atMs: number }[] = [];
  for (const [job, moves] of journal.moves) {
    const place = placeOf(job);
    if (place === undefined || !limitOf(place).rate) continue;
    for (const { kind, atMs, readMs = atMs } of moves)
      if (kind === "claimed") starts.push({ place, job, atMs: readMs });
  }
  for (const [place, same] of groupBy(starts, (start) => start.place)) {
    const { jobs, periodMs } = limitOf(place).rate as NonNullable<LimitOptions["rate"]>;
    const sorted = same.toSorted((a, b) => a.atMs - b.atMs);
    for (const [at, { atMs, job }] of sorted.entries()) {
      const tooSoon = sorted[at + jobs];
      const isKept = !tooSoon || tooSoon.atMs - atMs > periodMs - CLOCKS_APART_MS;
      verdict.check(
        isKept,
        () => `${jobs + 1} of ${place} began within ${(tooSoon?.atMs ?? 0) - atMs} ms, ${job} the first`,
      );
    }
  }
  return verdict;
}

function judgeProbes({ runs }: Evidence, probes: number): Verdict {
  const verdict = openVerdict("limits", "every place is free at the end");
  for (const className of ["Narrow", "Wide"]) {
    const spans = runs
      .filter(({ job }) => job.startsWith(className) && numberIn(job) > 1_000_000)
      .map(({ startMs, overMs }) => ({ fromMs: startMs, toMs: overMs }));
    const running = LIMITS[className]?.running as number;
    const { count } = mostAtOnce(spans);
    verdict.check(probes > 0 && count === running, () => `${count} of ${className} ran at once, ${running} may`);
  }
  return verdict;
}
