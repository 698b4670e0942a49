import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type JobDefinition } from "../../../../src/index.ts";
import { http } from "../../../../src/target/http.ts";
import { type Evidence, mostAtOnce } from "./evidence.ts";
import { type Expectation, type Feature, numberIn, type Producer } from "./feature.ts";
import { named, nameIn } from "./job-key.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "handed";
/** How long a receiver has. */
const LEASE_MS = 2_500;
const LIMIT = { running: 3 };
const RETRY = { limit: 1, backoff: [80] };
const ENDS: readonly Omit<Expectation, "hashes">[] = [
  { end: "done", failures: 0 },
  { end: "done", failures: 1 },
  { end: "failed", failures: 2 },
];

/** What a receiver does with a message. */
export type Reception = "runs" | "forgets" | "runs twice" | "runs late";
const RECEPTIONS: readonly Reception[] = ["runs", "forgets", "runs", "runs twice", "runs late"];

/** A job is met by something bad at its first delivery only. */
export function receptionOf(payload: string, attempt: number): Reception {
  return attempt > 1 ? "runs" : (RECEPTIONS[numberIn(nameIn(payload) ?? "") % RECEPTIONS.length] as Reception);
}

/** How long a receiver that comes late waits before it begins. */
export const LATE_MS: number = LEASE_MS + 600;

/** In the drain: handed over. */
export function handedJobs(url: string, secret: string): JobDefinition[] {
  const perform = http(url, { secret, acknowledge: { leaseMs: LEASE_MS } });
  return [
    defineJob({ class: "Handed", queue: QUEUE, retry: RETRY, perform }),
    defineJob({ class: "HandedFew", queue: QUEUE, retry: RETRY, limit: LIMIT, perform }),
  ];
}

/** At the receiver: run, and acknowledged. */
export function receivedJobs(record: RecordRun): JobDefinition[] {
  return ["Handed", "HandedFew"].map((name) =>
    defineJob({
      ...{ class: name, queue: QUEUE, retry: RETRY, timeoutMs: 1_000 },
      perform: (_, job) =>
        record(job, async () => {
          const { failures } = endOf(nameIn(job.raw) ?? "");
          await sleep(30);
          if (job.retries < failures) throw new Error("declined");
        }),
    }),
  );
}

function endOf(name: string): Omit<Expectation, "hashes"> {
  return ENDS[numberIn(name) % ENDS.length] as Omit<Expectation, "hashes">;
}

/** Jobs that run elsewhere, and are acknowledged: by receivers that forget them, run them twice, or begin when their lease has ended. */
export function detached(): Feature {
  const expected = new Map<string, Expectation>();
  return {
    name: "detached",
    expectation: (name) => expected.get(name),
    given: () => expected.keys(),
    produce: ({ pace, push, seconds }: Producer) =>
      pace(Math.ceil(seconds * 4), async (number) => {
        const className = number % 2 === 0 ? "Handed" : "HandedFew";
        const name = `${className}-${number}`;
        const payload = `{"class":"${className}","args":["${named(name)}",3.0,{}]}`;
        expected.set(name, { hashes: new Set([hashOf(payload)]), ...endOf(name) });
        await push(QUEUE, payload);
      }),
    judge: (evidence) => [judgeReceptions(evidence, expected), judgePlaces(evidence)],
  };
}

/** Whoever is not heard of costs a crash, and the job another run; nothing else does. */
function judgeReceptions({ journal, runsOf }: Evidence, expected: ReadonlyMap<string, Expectation>): Verdict {
  const verdict = openVerdict("detached", "a job that is not acknowledged comes back when its lease ends, not before");
  for (const name of expected.keys()) {
    for (const [at, move] of (journal.moves.get(name) ?? []).entries()) {
      const next = journal.moves.get(name)?.[at + 1];
      if (move.kind !== "detached" || next?.kind !== "promoted") continue;
      verdict.check(
        next.atMs >= (move.dueMs ?? 0),
        () => `${name} came back ${(move.dueMs ?? 0) - next.atMs} ms early`,
      );
    }
    verdict.check((runsOf.get(name)?.length ?? 0) > 0, () => `${name} never ran at its receiver`);
  }
  return verdict;
}

/** From the claim to the acknowledgement, or to the lease's end. */
function judgePlaces({ journal }: Evidence): Verdict {
  const verdict = openVerdict("detached", "a limit counts those that wait for their acknowledgement");
  const spans: { job: string; fromMs: number; toMs: number }[] = [];
  for (const [job, moves] of journal.moves) {
    if (!job.startsWith("HandedFew")) continue;
    for (const [at, { kind, atMs, dueMs }] of moves.entries()) {
      const nextMs = moves[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      if (kind === "claimed") spans.push({ job, fromMs: atMs, toMs: nextMs });
      if (kind === "detached") spans.push({ job, fromMs: atMs, toMs: Math.min(nextMs, dueMs ?? nextMs) });
    }
  }
  const { count, spans: most } = mostAtOnce(spans);
  for (const _ of spans) verdict.check(count <= LIMIT.running, () => `${count} at once: ${most.map(({ job }) => job)}`);
  return verdict;
}
