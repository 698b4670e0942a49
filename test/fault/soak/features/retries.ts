import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type JobContext, type JobDefinition, release, retry } from "../../../../src/index.ts";
import type { Evidence } from "./evidence.ts";
import { type Expectation, type Feature, numberIn, type Producer } from "./feature.ts";
import { named, nameIn } from "./job-key.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "retries";
/** How long each class waits between its attempts, in ms; the last again and again. */
const BACKOFFS: Readonly<Record<string, readonly number[]>> = {
  Flaky: [0, 90, 300],
  Doomed: [1_500, 2_000],
  Dropped: [40],
  Asking: [150],
};
/** What becomes of each class's job of this number. */
const ENDS: Readonly<Record<string, (number: number) => Omit<Expectation, "hashes">>> = {
  Flaky: (number) => ({ end: "done", failures: number % 4 }),
  Doomed: () => ({ end: "failed", failures: 3 }),
  Final: () => ({ end: "failed", failures: 1 }),
  Dropped: () => ({ end: "dropped", failures: 2 }),
  Gone: () => ({ end: "done", failures: 0 }),
  Asking: () => ({ end: "done", failures: 1 }),
  Later: () => ({ end: "done", failures: 0 }),
  Endless: () => ({ end: "failed", failures: 1 }),
};
const CLASSES = Object.keys(ENDS);

class OrderGone extends Error {
  override readonly name = "OrderGone";
}

/** Flaky jobs that fail a known number of times, doomed ones, and those that say themselves how they go on. */
export function retryJobs(record: RecordRun): JobDefinition[] {
  const later = new Set<string>();
  const job = (name: string, run: (job: JobContext) => unknown, more: Partial<JobDefinition> = {}): JobDefinition =>
    defineJob({ class: name, queue: QUEUE, ...more, perform: (_, context) => record(context, () => run(context)) });
  const fail = async (): Promise<never> => {
    await sleep(5);
    throw new Error("declined");
  };
  const backoff = (name: string): readonly number[] => BACKOFFS[name] ?? [];
  return [
    job("Flaky", ({ raw, retries }) => (retries < numberIn(nameIn(raw) ?? "") % 4 ? fail() : sleep(10)), {
      retry: { limit: 3, backoff: backoff("Flaky") },
    }),
    job("Doomed", fail, { retry: { limit: 2, backoff: backoff("Doomed") } }),
    job("Final", () => Promise.reject(Object.assign(new Error("no use"), { isFinal: true })), { retry: { limit: 5 } }),
    job("Dropped", fail, { retry: { limit: 1, backoff: backoff("Dropped"), exhausted: "drop" } }),
    job("Gone", () => Promise.reject(new OrderGone()), { retry: { rules: [{ error: OrderGone, action: "discard" }] } }),
    job("Asking", ({ retries }) => (retries < 1 ? retry({ afterMs: 150 }) : sleep(5))),
    job("Later", ({ raw }) => {
      // Nothing in the payload tells that it was here: each process puts it off once.
      if (later.has(raw)) return sleep(5);
      later.add(raw);
      return release({ afterMs: 120 });
    }),
    job("Endless", () => new Promise(() => undefined), { timeoutMs: 200 }),
  ];
}

export function retries(): Feature {
  const expected = new Map<string, Expectation>();
  return {
    name: "retries",
    expectation: (name) => expected.get(name),
    given: () => expected.keys(),

    produce: ({ push, pace, random, seconds }: Producer) =>
      pace(Math.ceil(seconds * 10), async (number) => {
        const className = number % 2 === 0 ? "Flaky" : random.pick(CLASSES);
        const name = `${className}-${number}`;
        // In forms that no encoder of ours would choose.
        const args = `["${named(name)}",1.0,[],{},12345678901234567890,"\\u2028<&>/é"]`;
        const head = number % 3 === 0 ? `{ "class":"${className}", ` : `{"class":"${className}",`;
        const payload = `${head}"args":${args}}`;
        const endOf = ENDS[className] as (number: number) => Omit<Expectation, "hashes">;
        expected.set(name, { hashes: new Set([hashOf(payload)]), ...endOf(number) });
        await push(QUEUE, payload);
      }),

    judge: (evidence) => [
      judgeCounts(evidence, expected),
      judgeRuns(evidence, expected),
      ...judgeWaits(evidence, expected),
    ],
  };
}

function judgeCounts({ journal }: Evidence, expected: ReadonlyMap<string, Expectation>): Verdict {
  const verdict = openVerdict("retries", "each failed attempt is counted, once");
  for (const [name, { end, failures }] of expected) {
    const moves = journal.moves.get(name) ?? [];
    const counted = moves.filter(({ kind, own }, at) => {
      const before = moves.slice(0, at).findLast((move) => move.kind === "claimed")?.own.retries ?? 0;
      return kind === "waiting" && (own.retries ?? 0) === before + 1;
    }).length;
    const wanted = end === "done" ? failures : failures - 1;
    verdict.check(counted === wanted, () => `${name} waited for ${counted} further attempts, not ${wanted}`);
  }
  return verdict;
}

function judgeRuns({ runsOf }: Evidence, expected: ReadonlyMap<string, Expectation>): Verdict {
  const verdict = openVerdict("retries", "no attempt is left out");
  for (const [name, { end, failures }] of expected) {
    const seen = new Set(runsOf.get(name)?.map((run) => run.retries));
    const last = end === "done" ? failures : failures - 1;
    for (let attempt = 0; attempt <= last; attempt++) {
      verdict.check(seen.has(attempt), () => `${name} was never run with ${attempt} failures behind it`);
    }
    verdict.check(seen.size <= last + 1, () => `${name} was run with ${[...seen]} failures behind it`);
  }
  return verdict;
}

/** A drain knows Redis' clock as well as its requests are quick, and its own clock steady: only what waits for long tells something. */
const CLOCK_ERROR_MS = 1_000;

/** By Redis' clock, whatever the drains' clocks show. */
function judgeWaits({ journal, runs }: Evidence, expected: ReadonlyMap<string, Expectation>): readonly Verdict[] {
  const enough = openVerdict("retries", "a failed attempt waits for as long as its backoff says");
  const notBefore = openVerdict("retries", "no attempt begins before its time");
  for (const { job, retries: failed, next, overMs } of runs) {
    const backoff = BACKOFFS[job.replace(/-\d+$/, "")];
    if (!expected.has(job) || !backoff || next?.kind !== "waiting" || next.dueMs === undefined) continue;
    const waitMs = backoff[Math.min(failed, backoff.length - 1)] as number;
    const waitsMs = next.dueMs - overMs;
    if (waitMs > CLOCK_ERROR_MS) {
      enough.check(waitsMs >= waitMs - CLOCK_ERROR_MS, () => `${job} waits ${waitsMs} ms, not ${waitMs}`);
    }
  }
  for (const name of expected.keys()) {
    let dueMs = 0;
    for (const { kind, atMs, ...move } of journal.moves.get(name) ?? []) {
      if (kind === "waiting") dueMs = move.dueMs ?? 0;
      else if (kind === "promoted" || kind === "claimed") {
        notBefore.check(atMs >= dueMs, () => `${name} was ${kind} ${dueMs - atMs} ms before it was due`);
      }
    }
  }
  return [enough, notBefore];
}
