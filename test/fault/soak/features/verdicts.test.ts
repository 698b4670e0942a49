import { describe, expect, test } from "vitest";
import { createKeys } from "../../../../src/resque/keys.ts";
import type { HostEvent } from "../../harness/drain-host.ts";
import { createRandom } from "../../harness/random.ts";
import { delayed } from "./delayed.ts";
import { explainDuplicates } from "./duplicates.ts";
import { judgeEveryJob } from "./every-job.ts";
import { type Evidence, groupBy, matchRuns, mostAtOnce } from "./evidence.ts";
import type { Expectation, Feature, Producer } from "./feature.ts";
import { nameOf } from "./job-key.ts";
import type { Move, MoveKind, SeenDrain, SeenTick } from "./journal.ts";
import { limits } from "./limits.ts";
import { retries } from "./retries.ts";
import { hashOf, type Run } from "./run-records.ts";
import { schedules } from "./schedules.ts";
import { unique } from "./unique.ts";
import { isKept, type Verdict } from "./verdict.ts";

/** A move: what, when, and then by which drain (`d1`), or how many attempts failed and drains crashed before (`1,0`). */
type Told = readonly [kind: MoveKind, atMs: number, ...more: string[]];

const PAYLOAD = '{"class":"Ok","args":["#ok-1#",1.0]}';
const OK: Expectation = { hashes: new Set([hashOf(PAYLOAD)]), end: "done", failures: 0 };

function movesOf(told: readonly Told[]): Move[] {
  return told.map(([kind, atMs, ...more]) => {
    const drainId = more.find((text) => text.startsWith("d"));
    const [failed, crashed] =
      more
        .find((text) => text.includes(","))
        ?.split(",")
        .map(Number) ?? [];
    const own = { ...(failed && { retries: failed }), ...(crashed && { crashes: crashed }) };
    return { kind, atMs, own, ...(drainId !== undefined && { drainId }) };
  });
}

function evidenceOf({
  jobs = {},
  runs = [],
  ticks = [],
  drains: told = {},
  ...rest
}: {
  jobs?: Readonly<Record<string, readonly Told[]>>;
  runs?: readonly (Pick<Run, "job" | "drainId" | "startMs" | "endMs"> & Partial<Run>)[];
  ticks?: readonly SeenTick[];
  drains?: Readonly<Record<string, SeenDrain>>;
} & Partial<Pick<Evidence, "failed" | "counters" | "keysLeft">> = {}): Evidence {
  const drains = new Map(Object.entries(told));
  const moves = new Map(Object.entries(jobs).map(([job, told]) => [job, movesOf(told)]));
  const journal = { moves, drains, ticks };
  const all = runs.map((run) => ({ process: "h.1", retries: 0, crashes: 0, hash: hashOf(PAYLOAD), ...run }));
  const matched = matchRuns(all, journal, [], (atMs) => atMs);
  return {
    ...{ journal, runs: matched, runsOf: groupBy(matched, ({ job }) => job), leaseMs: 1_000 },
    ...{ failed: [], keysLeft: [], counters: { processed: 0, failed: 0 }, ...rest },
  };
}

const brokenOf = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ brokenCount }) => brokenCount > 0).map(({ promise }) => promise);

/** Has a feature enqueue what it would, to nowhere. */
async function produced(feature: Feature): Promise<Feature> {
  const producer: Pick<Producer, "random" | "keys" | "seconds" | "nowMs" | "write" | "push" | "pace"> = {
    ...{ random: createRandom(1), keys: createKeys(), seconds: 4, nowMs: () => 1_000_000 },
    write: async () => undefined,
    push: async () => undefined,
    pace: async (count, work) => {
      for (let number = 0; number < count; number++) await work(number);
    },
  };
  const airlift = { enqueueIn: async () => ({}), enqueueAt: async () => ({}) };
  await feature.produce({ ...producer, airlift } as unknown as Producer);
  return feature;
}

describe("of every job", () => {
  const good: readonly Told[] = [
    ["enqueued", 1],
    ["claimed", 2, "d1"],
    ["ended", 9],
  ];
  const ran = { job: "ok-1", drainId: "d1", startMs: 3, endMs: 8 };
  const one = { processed: 1, failed: 0 };
  const judge = (evidence: Evidence): string[] =>
    brokenOf(judgeEveryJob(evidence, (name) => (name === "ok-1" ? OK : undefined), ["ok-1"]));
  const MOVES = "each job is in one place, and goes from there as its states allow";

  test("all is kept by one that is claimed, run, and ended", () => {
    const verdicts = judgeEveryJob(
      evidenceOf({ jobs: { "ok-1": good }, runs: [ran], counters: one }),
      (name) => (nameOf(name) === "ok-1" ? OK : undefined),
      ["ok-1"],
    );
    expect(brokenOf(verdicts)).toEqual([]);
    // What was never put to the test was not kept.
    expect(verdicts.filter((verdict) => !isKept(verdict)).map(({ promise }) => promise)).toEqual([
      "the failed list holds what failed for good, once, as its producer wrote it",
      "a drain's jobs are taken back when its lease has ended, not before",
    ]);
  });

  test.each<[string, Parameters<typeof evidenceOf>[0], string]>([
    ["is lost", { jobs: { "ok-1": [["enqueued", 1]] }, runs: [] }, "no job is lost: each has run"],
    ["has no end", { jobs: { "ok-1": good.slice(0, 2) } }, "each job ends once, as it should"],
    ["ends twice", { jobs: { "ok-1": [...good, ["ended", 12]] } }, "each job ends once, as it should"],
    ["is in two places", { jobs: { "ok-1": [["enqueued", 1], ["promoted", 2], ...good.slice(1)] } }, MOVES],
    [
      "skips an attempt",
      {
        jobs: {
          "ok-1": [
            ["enqueued", 1],
            ["claimed", 2, "d1"],
            ["waiting", 3, "2,0"],
            ["promoted", 4, "2,0"],
          ],
        },
      },
      MOVES,
    ],
    [
      "is charged a crash for nothing",
      {
        jobs: {
          "ok-1": [
            ["enqueued", 1],
            ["claimed", 2, "d1"],
            ["released", 3, "0,1"],
            ["claimed", 4, "d2", "0,1"],
          ],
        },
      },
      MOVES,
    ],
    [
      "is run twice for one claim",
      {
        jobs: { "ok-1": good },
        runs: [
          { ...ran, endMs: 4 },
          { ...ran, startMs: 5 },
        ],
      },
      "a job runs again only if its drain lost it or gave it back",
    ],
    [
      "runs in two drains that both hold it",
      {
        jobs: {
          "ok-1": [
            ["enqueued", 1],
            ["claimed", 2, "d1"],
            ["claimed", 4, "d2"],
            ["ended", 9],
          ],
        },
        runs: [ran, { ...ran, drainId: "d2", startMs: 5 }],
      },
      "a job runs again only if its drain lost it or gave it back",
    ],
    [
      "is run though nobody claimed it",
      { jobs: { "ok-1": good }, runs: [{ ...ran, drainId: "d7" }] },
      "a job runs again only if its drain lost it or gave it back",
    ],
    ["has other bytes", { jobs: { "ok-1": good }, runs: [{ ...ran, hash: "other" }] }, "no payload is changed"],
    [
      "is counted twice",
      { jobs: { "ok-1": good }, counters: { processed: 2, failed: 0 } },
      "processed and failed are the attempts that counted",
    ],
    [
      "is in the failed list though it should not",
      { jobs: { "ok-1": good }, failed: [{ payload: PAYLOAD, exception: "E" }] },
      "the failed list holds what failed for good, once, as its producer wrote it",
    ],
    [
      "is taken from a drain that lives",
      { drains: { d1: { pid: 1, leases: [{ atMs: 2, endMs: 50 }], gone: { atMs: 40, by: "recovered" } } } },
      "a drain's jobs are taken back when its lease has ended, not before",
    ],
    [
      "leaves something",
      { keysLeft: ["resque:lock:Ok"] },
      "nothing is left in Redis: no worker, lock, place, book or job",
    ],
  ])("it is seen if one %s", (_, evidence, promise) => {
    expect(judge(evidenceOf({ runs: [ran], ...evidence }))).toContain(promise);
  });
});

describe("of limits", () => {
  const claims = (toMs: number, how: MoveKind = "ended"): Readonly<Record<string, readonly Told[]>> => ({
    "Narrow-1": [
      ["enqueued", 1],
      ["claimed", 10, "d1"],
      [how, toMs],
    ],
    "Narrow-2": [
      ["enqueued", 1],
      ["claimed", 50, "d2"],
      ["ended", 90],
    ],
  });
  const runs = [
    { job: "Narrow-1", drainId: "d1", startMs: 20, endMs: 80 },
    { job: "Narrow-2", drainId: "d2", startMs: 60, endMs: 85 },
  ];
  const judge = (evidence: Evidence): string[] =>
    brokenOf(limits().judge(evidence)).filter((text) => !/end$/.test(text));

  test("it is seen if more run, and are held, than may", () => {
    expect(judge(evidenceOf({ jobs: claims(85), runs }))).toEqual([
      "no more handlers run at once than may, among drains that hold their lease",
      "no more jobs are in drains' hands at once than may",
    ]);
  });

  test("what runs on when another drain has taken the job back counts no more", () => {
    expect(judge(evidenceOf({ jobs: claims(40, "recovered"), runs }))).toEqual([]);
  });

  test("it is seen if more start in a period than may", () => {
    const starts = (everyMs: number) =>
      Object.fromEntries(
        Array.from({ length: 7 }, (_, n) => [
          `Rated-${n}`,
          [
            ["enqueued", 1],
            ["claimed", 100 + n * everyMs, "d1"],
            ["ended", 101 + n * everyMs],
          ] as const,
        ]),
      );
    expect(judge(evidenceOf({ jobs: starts(100) }))).toEqual(["no more jobs start in any period than may"]);
    expect(judge(evidenceOf({ jobs: starts(151) }))).toEqual([]);
  });
});

describe("of runs beyond the first", () => {
  const jobs = (...more: Told[]) => ({
    "ok-1": [["enqueued", 5], ["claimed", 10, "d1"], ["recovered", 2_000], ["claimed", 2_010, "d2"], ...more] as Told[],
  });
  const first = { job: "ok-1", process: "a.1", drainId: "d1", endMs: undefined };
  const second = { job: "ok-1", process: "b.1", drainId: "d2", startMs: 2_020, endMs: 2_030 };
  const frozen = { kind: "frozen", process: "a.1", atMs: 15 } as const;
  const explain = (evidence: Evidence, ...events: HostEvent[]) => {
    const { counts, unexplained } = explainDuplicates(evidence, events, (atMs) => atMs);
    return { ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)), not: unexplained.length };
  };

  test.each([
    ["before", 12],
    ["after", 2_025],
  ])("one that its drain lost is explained, whether it begins %s the one that counts", (_, startMs) => {
    const evidence = evidenceOf({ jobs: jobs(["ended", 2_040]), runs: [{ ...first, startMs }, second] });
    expect(explain(evidence, frozen)).toEqual({ freeze: 1, not: 0 });
    expect(explain(evidence, { ...frozen, kind: "killed" })).toEqual({ kill: 1, not: 0 });
    expect(explain(evidence)).toEqual({ "cut off": 1, not: 0 });
  });

  test("one beside another that counts is told with its story", () => {
    const evidence = evidenceOf({
      jobs: {
        "ok-1": [
          ["enqueued", 5],
          ["claimed", 10, "d1"],
          ["ended", 30],
          ["claimed", 40, "d2"],
          ["ended", 50],
        ],
      },
      runs: [
        { ...first, startMs: 12 },
        { ...second, startMs: 42 },
      ],
    });
    expect(explain(evidence, frozen)).toEqual({ not: 1 });
    expect(explainDuplicates(evidence, [], (atMs) => atMs).unexplained).toEqual([
      "ok-1: 5 enqueued, 10 claimed by d1, 12 run in a.1, 30 ended, 40 claimed by d2, 42 run in b.1, 50 ended",
    ]);
  });
});

describe("of unique jobs", () => {
  const lives = (className: string, nextMs: number) => ({
    [`${className}-0@a`]: [
      ["enqueued", 10],
      ["claimed", 20, "d1"],
      ["ended", 40],
    ] as const,
    [`${className}-0@b`]: [
      ["enqueued", nextMs],
      ["claimed", 2_000, "d1"],
      ["ended", 2_040],
    ] as const,
  });
  const judge = (evidence: Evidence): string[] => brokenOf(unique().judge(evidence));

  test.each([
    ["Start", 15, 25, "until start: no other is enqueued while one waits"],
    ["Done", 30, 45, "until done: no other is enqueued until one is over"],
    ["Keyed", 30, 45, "until done, by a key: the same"],
    ["Newest", 15, 25, "replace: one waits, the newest"],
    ["Period", 1_100, 1_211, "a period: one in each"],
  ])("it is seen if a second %s is there too early", (className, earlyMs, rightMs, promise) => {
    expect(judge(evidenceOf({ jobs: lives(className, earlyMs) }))).toContain(promise);
    expect(judge(evidenceOf({ jobs: lives(className, rightMs) }))).toEqual([]);
  });

  test("of one that was enqueued twice, the second copy's lock may be freed by the first one's start; the first copy's may not", () => {
    const jobs = (nextMs: number) => ({
      "Start-0@a": [
        ...[["enqueued", 10] as const, ["claimed", 20, "d1"] as const],
        ...[["enqueued", 30] as const, ["ended", 40] as const, ["claimed", 90, "d1"] as const, ["ended", 95] as const],
      ],
      "Start-0@b": [["enqueued", nextMs] as const, ["claimed", 2_000, "d1"] as const, ["ended", 2_040] as const],
    });
    expect(judge(evidenceOf({ jobs: jobs(50) }))).toEqual([]);
    expect(judge(evidenceOf({ jobs: jobs(15) }))).toEqual(["until start: no other is enqueued while one waits"]);
  });

  test("it is seen if two run at once", () => {
    const runs = [
      { job: "Done-0@a", drainId: "d1", startMs: 25, endMs: 60 },
      { job: "Done-0@b", drainId: "d1", startMs: 50, endMs: 70 },
    ];
    expect(judge(evidenceOf({ jobs: lives("Done", 45), runs }))).toEqual(["until done: no two run at once"]);
  });
});

describe("of schedules", () => {
  const tick = (schedule: string, atMs: number, lastMs: number, ...ticks: number[]): SeenTick => ({
    ...{ schedule, atMs, lastMs, jobs: ticks.map((tickMs) => `tick:${schedule}:${tickMs}`) },
  });
  const judge = (...ticks: SeenTick[]): string[] => brokenOf(schedules().judge(evidenceOf({ ticks })));

  test("all is kept by each policy as it is meant", () => {
    const first = [tick("all", 500, 500), tick("one", 500, 500), tick("skip", 500, 500)];
    const then = [
      ...[tick("all", 6_100, 6_000, 2_000, 4_000, 6_000), tick("one", 6_100, 6_000, 6_000)],
      ...[tick("skip", 2_600, 2_500, 2_500), tick("skip", 9_900, 7_500)],
    ];
    expect(judge(...first, ...then)).toEqual([]);
  });

  test.each<[string, SeenTick, string]>([
    ["is left out", tick("all", 6_100, 6_000, 2_000, 6_000), "missed: all. Each tick has its job"],
    [
      "is made up for by many",
      tick("one", 6_100, 6_000, 5_000, 6_000),
      "missed: one. Ticks that were missed have one job",
    ],
    ["is dropped in time", tick("skip", 2_600, 2_500), "missed: skip. What is dropped was late"],
    ["is invented", tick("all", 6_100, 2_500, 2_000, 2_500), "none is invented, and none comes before its time"],
    ["comes before its time", tick("one", 1_900, 2_000, 2_000), "none is invented, and none comes before its time"],
    ["goes back", tick("one", 2_000, 0, 0), "missed: one. Ticks that were missed have one job"],
  ])("it is seen if one %s", (_, change, promise) => {
    expect(judge(tick(change.schedule, 500, 500), change)).toContain(promise);
  });

  test("it is seen if one is enqueued twice", () => {
    const jobs = {
      "tick:one:1000": [
        ["ticked", 1_001],
        ["ticked", 1_002],
      ] as const,
    };
    expect(brokenOf(schedules().judge(evidenceOf({ jobs })))).toEqual(["no tick is enqueued twice, whoever looks"]);
  });
});

test("of delayed jobs it is seen if one comes before its time, or twice", async () => {
  const feature = await produced(delayed());
  const jobs = Object.fromEntries(
    [...feature.given()].map((name) => [
      name,
      [
        ["delayed", 1],
        ["promoted", 2_000_000],
        ["claimed", 2_000_001],
      ] as const,
    ]),
  );
  const [first = ""] = Object.keys(jobs);
  const judge = (moves: readonly Told[]): string[] => {
    const evidence = evidenceOf({ jobs: { ...jobs, [first]: moves } });
    for (const own of evidence.journal.moves.values()) Object.assign(own[0] ?? {}, { dueMs: 1_900_000 });
    return brokenOf(feature.judge(evidence));
  };
  expect(judge(jobs[first] as readonly Told[])).toEqual([]);
  expect(
    judge([
      ["delayed", 1],
      ["promoted", 900_000],
    ]),
  ).toEqual(["none comes to its queue, or runs, before its time by Redis' clock"]);
  expect(
    judge([
      ["delayed", 1],
      ["promoted", 2_000_000],
      ["promoted", 2_000_001],
    ]),
  ).toEqual(["each comes to its queue once"]);
});

test("of retries it is seen if an attempt is left out, or comes too early", async () => {
  const feature = await produced(retries());
  const name = [...feature.given()].find((each) => each.startsWith("Doomed-")) as string;
  const judge = (secondMs: number, ...attempts: number[]): (readonly [string, number])[] => {
    const told: Told[] = [
      ...([
        ["enqueued", 1],
        ["claimed", 2, "d1"],
        ["waiting", 20, "1,0"],
        ["promoted", secondMs, "1,0"],
      ] as const),
      ...([
        ["claimed", secondMs, "d1", "1,0"],
        ["waiting", 9_000, "2,0"],
        ["promoted", 19_000, "2,0"],
      ] as const),
      ...([
        ["claimed", 19_001, "d1", "2,0"],
        ["failed", 19_010],
      ] as const),
    ];
    const starts = [5, secondMs + 1, 19_002];
    const runs = attempts.map((at) => ({
      ...{ job: name, drainId: "d1", retries: at, startMs: starts[at] as number, endMs: (starts[at] as number) + 5 },
    }));
    const evidence = evidenceOf({ jobs: { [name]: told }, runs });
    const waits = evidence.journal.moves.get(name)?.filter(({ kind }) => kind === "waiting") ?? [];
    for (const [index, wait] of waits.entries()) Object.assign(wait, { dueMs: index === 0 ? 2_000 : 19_000 });
    return feature.judge(evidence).map(({ promise, brokenCount }) => [promise, brokenCount] as const);
  };
  // Of all others nothing was seen.
  const most = new Map(judge(2_000, 0, 1, 2));
  const worse = (...args: Parameters<typeof judge>): string[] =>
    judge(...args).flatMap(([promise, count]) => (count > (most.get(promise) ?? 0) ? [promise] : []));
  expect(worse(2_000, 0, 1, 2)).toEqual([]);
  expect(worse(2_000, 0, 2)).toEqual(["no attempt is left out"]);
  expect(worse(1_500, 0, 1, 2)).toEqual(["no attempt begins before its time"]);
});

test("the most at once are counted, one that ends as another begins being gone", () => {
  const spans = [
    { fromMs: 0, toMs: 10 },
    { fromMs: 10, toMs: 20 },
    { fromMs: 5, toMs: 12 },
  ];
  expect(mostAtOnce(spans)).toEqual({ count: 2, spans: [spans[0], spans[2]] });
});
