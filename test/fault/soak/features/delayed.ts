import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type JobDefinition } from "../../../../src/index.ts";
import { encodePayload } from "../../../../src/resque/payload.ts";
import type { Evidence } from "./evidence.ts";
import type { Expectation, Feature, Producer } from "./feature.ts";
import { named } from "./job-key.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "timed";
const CLASS = "Timed";

export function delayedJobs(record: RecordRun): JobDefinition[] {
  return [defineJob({ class: CLASS, queue: QUEUE, perform: (_, job) => record(job, () => sleep(5)) })];
}

function expectation(payload: string): Expectation {
  return { hashes: new Set([hashOf(payload)]), end: "done", failures: 0 };
}

/** Jobs for later, enqueued by Airlift, and written as resque-scheduler and node-resque write them. */
export function delayed(): Feature {
  const expected = new Map<string, Expectation>();
  /** The earliest second at which each may be due, in ms. */
  const earliest = new Map<string, number>();

  const asOthers = async ({ write, keys, nowMs }: Producer, name: string, delayMs: number): Promise<void> => {
    const isNode = name.startsWith("node");
    const args = `["${named(name)}",2.50,{},[]]`;
    const item = isNode
      ? `{"class":"${CLASS}","queue":"${QUEUE}","args":${args}}`
      : `{"class":"${CLASS}","args":${args},"queue":"${QUEUE}"}`;
    expected.set(name, expectation(`{"class":"${CLASS}","args":${args}}`));
    const seconds = Math.floor((nowMs() + delayMs) / 1_000);
    earliest.set(name, seconds * 1_000);
    await write((transaction) => {
      transaction.rpush(keys.delayed(seconds), item);
      transaction.sadd(keys.timestamps(item), `delayed:${seconds}`);
      transaction.zadd(keys.delayedSchedule, seconds, String(seconds));
    });
  };
  const asOurs = async ({ airlift, nowMs }: Producer, name: string, delayMs: number): Promise<void> => {
    const job = { queue: QUEUE, class: CLASS, args: [named(name), { at: "later" }] };
    expected.set(name, expectation(encodePayload(CLASS, job.args)));
    earliest.set(name, Math.floor((nowMs() + delayMs) / 1_000) * 1_000);
    const atMs = nowMs() + delayMs;
    const enqueue = () => (name.startsWith("in") ? airlift.enqueueIn(delayMs, job) : airlift.enqueueAt(atMs, job));
    // Whether it is there after a request without an answer is not known: it may be there twice then.
    while (!(await enqueue().catch(() => undefined))) await sleep(100);
  };

  return {
    name: "delayed",
    expectation: (name) => expected.get(name),
    given: () => expected.keys(),
    produce: (producer) =>
      producer.pace(Math.ceil(producer.seconds * 6), async (number) => {
        const delayMs = producer.random.whole(200, 3_500);
        const form = (["in", "at", "ruby", "node"] as const)[number % 4] as string;
        const write = form === "in" || form === "at" ? asOurs : asOthers;
        await write(producer, `${form}-${number}`, delayMs);
      }),
    judge: (evidence) => [judgeTimes(evidence, earliest), judgeOnce(evidence, expected)],
  };
}

function judgeTimes({ journal, runsOf }: Evidence, earliest: ReadonlyMap<string, number>): Verdict {
  const verdict = openVerdict("delayed", "none comes to its queue, or runs, before its time by Redis' clock");
  for (const [name, atMs] of earliest) {
    for (const move of journal.moves.get(name) ?? []) {
      const dueMs = Math.max(atMs, move.kind === "delayed" ? (move.dueMs ?? 0) : 0);
      const isEarly = move.kind === "delayed" ? (move.dueMs ?? 0) < atMs : move.atMs < dueMs;
      verdict.check(!isEarly, () => `${name} was ${move.kind} at ${move.atMs}, due ${dueMs}`);
    }
    for (const { startMs } of runsOf.get(name) ?? []) {
      verdict.check(startMs >= atMs, () => `${name} ran ${atMs - startMs} ms before its time`);
    }
  }
  return verdict;
}

function judgeOnce({ journal }: Evidence, expected: ReadonlyMap<string, Expectation>): Verdict {
  const verdict = openVerdict("delayed", "each comes to its queue once");
  for (const name of expected.keys()) {
    const count = (kind: string): number => journal.moves.get(name)?.filter((move) => move.kind === kind).length ?? 0;
    const [given, promoted] = [count("delayed"), count("promoted")];
    verdict.check(given === promoted, () => `${name} was delayed ${given} times, promoted ${promoted} times`);
  }
  return verdict;
}
