import { explainDuplicates } from "./duplicates.ts";
import { judgeEveryJob } from "./every-job.ts";
import type { FeaturesRecord } from "./run-features.ts";
import { isKept, type Verdict } from "./verdict.ts";

export interface FeaturesReport {
  /** Every promise that was broken, with the first cases. */
  readonly broken: readonly string[];
  /** Every promise that was never put to the test. */
  readonly untested: readonly string[];
  readonly duplicates: Readonly<Record<string, number>>;
  /** For people. */
  readonly table: string;
}

/** Judges a soak of the features. */
export function reportFeatures(record: FeaturesRecord, seed: number): FeaturesReport {
  const { features, evidence, events, toRedisMs } = record;
  const expectationOf = (name: string) => {
    for (const feature of features) {
      const expectation = feature.expectation(name);
      if (expectation) return expectation;
    }
    return undefined;
  };
  const names = features.flatMap((feature) => [...feature.given()]);
  const verdicts = [
    ...judgeEveryJob(evidence, expectationOf, names),
    ...features.flatMap((feature) => feature.judge(evidence)),
  ];
  const { counts: duplicates, unexplained } = explainDuplicates(evidence, events, toRedisMs);
  const broken = verdicts
    .filter(({ brokenCount }) => brokenCount > 0)
    .map(({ feature, promise, checked, brokenCount, broken: cases }) =>
      [`${feature}: ${promise}: ${brokenCount} of ${checked}`, ...cases.map((text) => `    ${text}`)].join("\n"),
    );
  for (const story of unexplained) broken.push(`a run beyond the first has no known cause: ${story}`);
  const untested = verdicts
    .filter(({ checked }) => checked === 0)
    .map(({ feature, promise }) => `${feature}: ${promise}`);
  return { broken, untested, duplicates, table: tableOf(record, verdicts, duplicates, seed) };
}

function tableOf(
  { evidence, events, faults, receptions, ends, requests, durationMs }: FeaturesRecord,
  verdicts: readonly Verdict[],
  duplicates: Readonly<Record<string, number>>,
  seed: number,
): string {
  const done = (kind: string): number => events.filter((event) => event.kind === kind).length;
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  const listed = (counts: Readonly<Record<string, number>>): Row[] =>
    Object.entries(counts)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => [`  ${name}`, whole(count)]);
  const rows: readonly Row[] = [
    ["seed", String(seed)],
    ["duration", `${Math.round(durationMs / 1_000)} s`],
    ["jobs", whole(evidence.journal.moves.size)],
    ["runs", whole(evidence.runs.length)],
    ["runs beyond one for each attempt", whole(sum(duplicates))],
    ...listed(duplicates),
    ["processes started", whole(done("started"))],
    ["  killed, frozen", `${whole(done("killed"))}, ${whole(done("frozen"))}`],
    ["drains", whole(sum(ends))],
    ...listed(ends),
    ["messages at the receiver", whole(sum(receptions))],
    ...listed(receptions),
    ["requests", whole(requests)],
    ["faults", whole(sum(faults))],
    ...listed(faults),
    ["promises, and how often each was put to the test", ""],
    ...verdicts.map((verdict): Row => {
      const { feature, promise, checked, brokenCount } = verdict;
      const count = brokenCount > 0 ? `${whole(checked)}, broken ${whole(brokenCount)}` : whole(checked);
      return [
        `  ${feature}: ${promise}`,
        isKept(verdict) ? count : `${count}  ${brokenCount > 0 ? "BROKEN" : "UNTESTED"}`,
      ];
    }),
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, value]) => `${label.padEnd(width)}${value}`.trimEnd()).join("\n");
}

type Row = readonly [label: string, value: string];

function whole(count: number): string {
  return count.toLocaleString("en");
}
