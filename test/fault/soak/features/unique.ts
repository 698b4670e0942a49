import { setTimeout as sleep } from "node:timers/promises";
import {
  defineJob,
  discard,
  type Enqueued,
  type JobDefinition,
  release,
  type UniqueOptions,
} from "../../../../src/index.ts";
import { encodePayload } from "../../../../src/resque/payload.ts";
import { CLOCKS_APART_MS, type Evidence, groupBy, storyOf } from "./evidence.ts";
import { type Expectation, type Feature, numberIn, type Producer, type Rest } from "./feature.ts";
import { named, nameIn } from "./job-key.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "unique";
const PERIOD_MS = 1_200;
/** Jobs of the same class that are not the same. */
const NAMES = 5;
const first = ([name]: readonly unknown[]): string => String(name);
const CLASSES: Readonly<Record<string, UniqueOptions>> = {
  Start: { until: "start" },
  Done: { until: "done" },
  Keyed: { until: "done", key: first },
  Newest: { until: "start", key: first, onConflict: "replace" },
  Period: { until: { periodMs: PERIOD_MS } },
};
/** Classes whose jobs bear a serial number beside what makes them the same. */
const WITH_SERIAL = new Set(["Keyed", "Newest"]);

/** By its number each job ends in another way: done, done at the second attempt, failed for good, discarded, done after it was put off. */
const ENDS: readonly Omit<Expectation, "hashes">[] = [
  { end: "done", failures: 0 },
  { end: "done", failures: 1 },
  { end: "failed", failures: 2 },
  { end: "done", failures: 0 },
  { end: "done", failures: 0 },
];

export function uniqueJobs(record: RecordRun): JobDefinition[] {
  const putOff = new Set<string>();
  return Object.entries(CLASSES).map(([name, unique]) =>
    defineJob({
      ...{ class: name, queue: QUEUE, unique, retry: { limit: 1, backoff: [70] } },
      perform: (_, job) =>
        record(job, async () => {
          const kind = numberIn(nameIn(job.raw) ?? "") % ENDS.length;
          await sleep(20 + 15 * kind);
          if ((kind === 1 && job.retries === 0) || kind === 2) throw new Error("declined");
          if (kind === 3) return discard("nothing to do");
          if (kind !== 4 || putOff.has(job.raw)) return undefined;
          putOff.add(job.raw);
          return release({ afterMs: 80 });
        }),
    }),
  );
}

/** What a job that was enqueued, however often it had to be sent, came to. By Redis' clock. */
interface Told {
  readonly name: string;
  readonly sentMs: number;
  readonly toldMs: number;
  readonly kind: Enqueued["kind"];
}

/** Unique jobs of every kind, enqueued over and over. */
export function unique(): Feature {
  const told: Told[] = [];
  const hashes = new Map<string, Set<string>>();
  let serial = 0;
  const probes: { readonly name: string; readonly kinds: string }[] = [];

  const jobOf = (className: string, number: number) => {
    const name = `${className}-${number}`;
    const args = [named(name), ...(WITH_SERIAL.has(className) ? [++serial] : [])];
    hashes.set(name, (hashes.get(name) ?? new Set()).add(hashOf(encodePayload(className, args))));
    return { name, job: { queue: QUEUE, class: className, args } };
  };

  return {
    name: "unique",
    expectation(name) {
      const end = classOf(name) in CLASSES ? ENDS[numberIn(name) % ENDS.length] : undefined;
      return end && { ...end, hashes: hashes.get(name) ?? new Set() };
    },
    given: () => new Set(told.map(({ name }) => name)),

    produce: ({ pace, random, airlift, seconds, nowMs }: Producer) =>
      pace(Math.ceil(seconds * 20), async () => {
        const { name, job } = jobOf(random.pick(Object.keys(CLASSES)), random.whole(0, NAMES - 1));
        const sentMs = nowMs();
        for (;;) {
          try {
            const { kind } = await airlift.enqueue(job);
            told.push({ name, sentMs, toldMs: nowMs(), kind });
            return;
          } catch {
            // Whether it is there is not known: it is sent again, as it may be.
            await sleep(100);
          }
        }
      }),

    async probe({ airlift }: Rest) {
      await sleep(PERIOD_MS);
      const jobs = Object.keys(CLASSES).flatMap((className) => ENDS.map((_, number) => jobOf(className, number)));
      for (const { name, job } of jobs) {
        const kinds = [(await airlift.enqueue(job)).kind, (await airlift.enqueue(job)).kind];
        probes.push({ name, kinds: kinds.join() });
      }
    },

    judge: (evidence) => [...judgeLives(evidence), judgeRuns(evidence), judgeTold(evidence, told), judgeProbes(probes)],
  };
}

/** From the moment at which a job was enqueued to the one at which it leaves its lock to others. */
interface Life {
  readonly name: string;
  /** The job's key. */
  readonly key: string;
  readonly fromMs: number;
  /** When the next may be enqueued at the earliest, and when at the latest. */
  readonly toMs: number;
  readonly latestMs: number;
}

/**
 * Of a lock until the start the life ends between the claim and the handler's beginning. If a request was carried out twice, one after the start of the
 * first copy, then both hold their lock by the same id, and what frees it for the first, should that be carried out late or twice, too, frees it for the
 * second: by the lock alone these cannot be told apart, so such a life may end as it begins.
 */
function livesOf({ journal, runsOf }: Evidence): Life[] {
  const lives: Life[] = [];
  for (const [key, moves] of journal.moves) {
    const name = key.replace(/@.*/, "");
    const className = classOf(name);
    const until = CLASSES[className]?.until;
    if (until === undefined) continue;
    const starts = moves.flatMap(({ kind }, at) => (kind === "enqueued" ? [at] : []));
    for (const [index, at] of starts.entries()) {
      const own = moves.slice(at, starts[index + 1] ?? moves.length);
      const fromMs = own[0]?.atMs as number;
      const over = own.find(({ kind }) => OVER.has(kind))?.atMs ?? Number.POSITIVE_INFINITY;
      const claimMs = own.find(({ kind }) => kind === "claimed" || kind === "replaced")?.atMs ?? over;
      const runMs = runsOf.get(key)?.find(({ startMs }) => startMs >= claimMs - CLOCKS_APART_MS)?.startMs ?? over;
      if (until === "done") lives.push({ name, key, fromMs, toMs: over, latestMs: over });
      else if (until === "start") {
        const toMs = index > 0 ? fromMs : claimMs;
        lives.push({ name, key, fromMs, toMs, latestMs: Math.max(claimMs, Math.min(runMs, over)) });
      } else
        lives.push({ name, key, fromMs, toMs: fromMs + PERIOD_MS - CLOCKS_APART_MS, latestMs: fromMs + PERIOD_MS });
    }
  }
  return lives;
}

const OVER: ReadonlySet<string> = new Set(["ended", "failed", "replaced"]);

function judgeLives(evidence: Evidence): Verdict[] {
  const promises: Readonly<Record<string, string>> = {
    Start: "until start: no other is enqueued while one waits",
    Done: "until done: no other is enqueued until one is over",
    Keyed: "until done, by a key: the same",
    Newest: "replace: one waits, the newest",
    Period: "a period: one in each",
  };
  const verdicts = Object.entries(promises).map(
    ([className, text]) => [className, openVerdict("unique", text)] as const,
  );
  const byClass = new Map(verdicts);
  for (const [name, lives] of groupBy(livesOf(evidence), (life) => life.name)) {
    const sorted = lives.toSorted((a, b) => a.fromMs - b.fromMs);
    for (const [index, life] of sorted.entries()) {
      const next = sorted[index + 1];
      const tell = () =>
        [
          `${name}: one from ${life.fromMs} to ${life.toMs}, another from ${next?.fromMs}`,
          ...[life, ...(next ? [next] : [])].map(({ key }) => storyOf(key, evidence)),
        ].join("\n      ");
      byClass.get(classOf(name))?.check(!next || next.fromMs >= life.toMs, tell);
    }
  }
  return verdicts.map(([, verdict]) => verdict);
}

/** The same from the side of the handlers: what a drain lost by a freeze may run on, and is not counted. */
function judgeRuns({ runs }: Evidence): Verdict {
  const verdict = openVerdict("unique", "until done: no two run at once");
  const guarded = runs.filter(({ job }) => ["Done", "Keyed"].includes(classOf(job.replace(/@.*/, ""))));
  for (const [name, same] of groupBy(guarded, ({ job }) => job.replace(/@.*/, ""))) {
    const spans = same.map((run) => ({ run, fromMs: run.startMs, toMs: run.heldUntilMs }));
    for (const span of spans) {
      const others = spans.filter((other) => other !== span && other.fromMs <= span.fromMs && other.toMs > span.fromMs);
      verdict.check(others.length === 0, () => `${name}: ${span.run.job} began while ${others[0]?.run.job} ran`);
    }
  }
  return verdict;
}

function judgeTold(evidence: Evidence, told: readonly Told[]): Verdict {
  const verdict = openVerdict("unique", "who enqueues is told the truth");
  const lives = groupBy(livesOf(evidence), (life) => life.name);
  for (const { name, sentMs, toldMs, kind } of told) {
    const own = lives.get(name) ?? [];
    const isTrue =
      kind === "dropped"
        ? own.some(({ fromMs, latestMs }) => fromMs <= toldMs + CLOCKS_APART_MS && latestMs >= sentMs - CLOCKS_APART_MS)
        : own.some(({ fromMs }) => fromMs >= sentMs - CLOCKS_APART_MS && fromMs <= toldMs + CLOCKS_APART_MS);
    verdict.check(isTrue, () => `${name} was told ${kind} between ${sentMs} and ${toldMs}`);
  }
  return verdict;
}

function judgeProbes(probes: readonly { readonly name: string; readonly kinds: string }[]): Verdict {
  const verdict = openVerdict("unique", "every lock is free at the end, and holds again");
  for (const { name, kinds } of probes) {
    const wanted = classOf(name) === "Newest" ? "queued,replaced" : "queued,dropped";
    verdict.check(kinds === wanted, () => `${name}: ${kinds}`);
  }
  return verdict;
}

function classOf(name: string): string {
  return name.replace(/-\d+$/, "");
}
