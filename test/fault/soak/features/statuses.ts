import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, discard, type JobDefinition, type JobStatus, release } from "../../../../src/index.ts";
import { encodePayload } from "../../../../src/resque/payload.ts";
import { type Expectation, type Feature, numberIn, type Producer, type Rest } from "./feature.ts";
import { named, nameIn } from "./job-key.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { openVerdict, type Verdict } from "./verdict.ts";

const QUEUE = "told";
const STATUS = { ttlMs: 3_600_000, results: true };

/** By its number each job ends in another way, and its status says in the end. */
const ENDS: readonly (Omit<Expectation, "hashes"> & { readonly state: JobStatus["state"] })[] = [
  { end: "done", failures: 0, state: "done" },
  { end: "done", failures: 1, state: "done" },
  { end: "failed", failures: 2, state: "failed" },
  { end: "done", failures: 0, state: "discarded" },
  { end: "done", failures: 0, state: "done" },
];
const endOf = (number: number) => ENDS[number % ENDS.length] as (typeof ENDS)[number];

export function toldJobs(record: RecordRun): JobDefinition[] {
  const putOff = new Set<string>();
  return [
    defineJob({
      ...{ class: "Told", queue: QUEUE, status: STATUS, retry: { limit: 1, backoff: [60] } },
      perform: (_, job) =>
        record(job, async () => {
          const number = numberIn(nameIn(job.raw) ?? "");
          const { failures, state } = endOf(number);
          // Of one that takes a second it is told that it runs.
          await sleep(number % 20 === 0 ? 1_200 : 10);
          if (job.retries < failures) throw new Error("declined");
          if (state === "discarded") return discard("nothing to do");
          if (number % ENDS.length !== 4 || putOff.has(job.raw)) return { number };
          putOff.add(job.raw);
          return release({ afterMs: 100 });
        }),
    }),
  ];
}

/** Jobs whose status is kept, enqueued by an id, now and for later. */
export function statuses(): Feature {
  const expected = new Map<string, Expectation>();
  const known = new Map<string, JobStatus | undefined>();
  return {
    name: "status",
    expectation: (name) => expected.get(name),
    given: () => expected.keys(),
    produce: ({ pace, airlift, seconds }: Producer) =>
      pace(Math.ceil(seconds * 6), async (number) => {
        const name = `Told-${number}`;
        const job = { queue: QUEUE, class: "Told", args: [named(name)] };
        expected.set(name, { ...endOf(number), hashes: new Set([hashOf(encodePayload("Told", job.args))]) });
        const later = number % 4 === 0 ? { inMs: 1_500 } : {};
        // As many copies as requests that were answered by nothing: each is a job of its own under the same id.
        while (!(await airlift.enqueue({ ...job, ...later, id: name }).catch(() => undefined))) await sleep(100);
      }),
    async probe({ airlift }: Rest) {
      const ids = [...expected.keys()];
      const found = await airlift.jobs(ids);
      for (const [index, id] of ids.entries()) known.set(id, found[index]);
    },
    judge: () => [judgeStates(known)],
  };
}

function judgeStates(known: ReadonlyMap<string, JobStatus | undefined>): Verdict {
  const verdict = openVerdict("status", "the last status of a job is what became of it");
  for (const [id, status] of known) {
    const number = numberIn(id);
    const { state, failures, end } = endOf(number);
    const isTrue = status?.state === state && (state !== "failed" || status.failure?.message === "declined");
    const hasResult = state !== "done" || JSON.stringify(status?.result) === JSON.stringify({ number });
    const wasTried = (status?.attempt ?? 0) >= (end === "done" ? failures + 1 : failures);
    verdict.check(
      isTrue && hasResult && wasTried,
      () => `${id} is told to be ${JSON.stringify(status)}, but is ${state}`,
    );
  }
  return verdict;
}
