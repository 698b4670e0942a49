import type { Measurement } from "./measure.ts";
import type { FigureName } from "./plan.ts";
import { median, perSecond, type Row } from "./statistics.ts";
import { short, whole } from "./table.ts";

/** A target with what was measured; `isMet` is undefined when this run did not measure it. */
export interface Target {
  readonly text: string;
  readonly measured: string;
  readonly isMet: boolean | undefined;
}

/** A measurement of a specific figure. */
export interface FigureMeasurement {
  readonly name: FigureName;
  readonly measurement: Measurement;
}

const MEMORY_LIMIT_MB = 150;
/** Peaks of different queue lengths may differ by this much and count as flat: the garbage collector's own play. */
const FLAT_RATIO = 1.25;

/** Compares what was measured with what Airlift sets out to reach over HTTP. */
export function judge(rows: readonly Row[], figures: readonly FigureMeasurement[]): Target[] {
  const airlift = rows.filter((row) => row.system === "airlift" && row.transport === "http");
  return [
    ...[
      { inFlight: 100, factor: 3 },
      { inFlight: 500, factor: 6 },
    ].map(({ inFlight, factor }) => judgeBullMq(rows, at(airlift, inFlight), inFlight, factor)),
    ...airlift.filter((row) => row.inFlight >= 25).map((row) => judgeFloor(rows, row)),
    ...["bullmq", "node-resque"].map((name) => judgeAhead(rows, airlift, name)),
    ...judgeCost(airlift, figures),
    ...judgePacing(figures),
    judgeIdle(figures),
    judgeMemory(figures),
  ];
}

function judgeBullMq(rows: readonly Row[], airlift: Row | undefined, inFlight: number, factor: number): Target {
  const text = `jobs/s at ${inFlight} in flight: ${factor} times BullMQ's best at any number in flight`;
  const best = fastest(rows.filter((row) => row.system === "bullmq"));
  if (airlift === undefined || best === undefined) return unmeasured(text);
  const same = at(
    rows.filter((row) => row.system === "bullmq"),
    inFlight,
  );
  const ratio = airlift.jobsPerSecond / best.jobsPerSecond;
  const remark =
    same === undefined ? "" : `; ${short(airlift.jobsPerSecond / same.jobsPerSecond)} times its figure at ${inFlight}`;
  const measured = `${short(ratio)} times (${whole(airlift.jobsPerSecond)} to ${whole(best.jobsPerSecond)} at ${best.inFlight})${remark}`;
  return { text, measured, isMet: ratio >= factor };
}

function judgeFloor(rows: readonly Row[], airlift: Row): Target {
  const text = `jobs/s at ${airlift.inFlight} in flight: 60 % of the floor at the same batch`;
  const find = (system: string): Row | undefined =>
    at(
      rows.filter((row) => row.system === system && row.transport === "http"),
      airlift.inFlight,
    );
  const floor = find("floor");
  const floorOwn = find("floor-own");
  if (floor === undefined) return unmeasured(text);
  const ratio = airlift.jobsPerSecond / floor.jobsPerSecond;
  const batch = `, ${whole(1 / airlift.requestsPerJob)} jobs a request`;
  const remark =
    floorOwn === undefined
      ? ""
      : `; ${percent(airlift.jobsPerSecond / floorOwn.jobsPerSecond)} of the floor on Airlift's own HTTP client`;
  const measured = `${percent(ratio)} (${whole(airlift.jobsPerSecond)} to ${whole(floor.jobsPerSecond)}${batch})${remark}`;
  return { text, measured, isMet: ratio >= 0.6 };
}

function judgeAhead(rows: readonly Row[], airlift: readonly Row[], name: string): Target {
  const text = `best jobs/s over HTTP: ahead of the best of ${name} over TCP`;
  const own = fastest(airlift);
  const other = fastest(rows.filter((row) => row.system === name));
  if (own === undefined || other === undefined) return unmeasured(text);
  const measured = `${short(own.jobsPerSecond / other.jobsPerSecond)} times (${whole(own.jobsPerSecond)} to ${whole(other.jobsPerSecond)})`;
  return { text, measured, isMet: own.jobsPerSecond > other.jobsPerSecond };
}

function judgeCost(airlift: readonly Row[], figures: readonly FigureMeasurement[]): Target[] {
  const fifty = of(figures, "fifty");
  const costs = airlift
    .filter((row) => row.inFlight >= 50)
    .map((row) => ({ inFlight: row.inFlight, commands: row.commandsPerJob, requests: row.requestsPerJob }));
  if (fifty.length > 0) {
    costs.unshift({
      inFlight: 50,
      commands: median(fifty.map((m) => m.commands / m.jobs)),
      requests: median(fifty.map((m) => m.requests / m.jobs)),
    });
  }
  const target = (kind: "commands" | "requests", limit: number): Target => {
    const text = `${kind} per no-op job from 50 in flight on: at most ${limit}`;
    if (costs.length === 0) return unmeasured(text);
    const measured = costs.map((cost) => `${short(cost[kind])} at ${cost.inFlight}`).join(", ");
    return { text, measured, isMet: costs.every((cost) => cost[kind] <= limit) };
  };
  return [target("commands", 0.15), target("requests", 0.03)];
}

function judgePacing(figures: readonly FigureMeasurement[]): Target[] {
  const costText = "commands per job of random 5 to 50 ms at 100 in flight: at most 0.25";
  const speedText =
    "jobs/s with these jobs: 95 % of exchanging at once (the floor, its slots refilled as they fall free)";
  const paced = of(figures, "paced");
  const atOnce = of(figures, "atOnce");
  if (paced.length === 0) return [unmeasured(costText), unmeasured(speedText)];
  const commands = median(paced.map((m) => m.commands / m.jobs));
  const cost = { text: costText, measured: short(commands), isMet: commands <= 0.25 };
  if (atOnce.length === 0) return [cost, unmeasured(speedText)];
  const [own, other] = [median(paced.map(perSecond)), median(atOnce.map(perSecond))];
  const otherCommands = median(atOnce.map((m) => m.commands / m.jobs));
  const measured = `${percent(own / other)} (${whole(own)} to ${whole(other)}, which costs ${short(otherCommands)} commands a job)`;
  return [cost, { text: speedText, measured, isMet: own / other >= 0.95 }];
}

function judgeIdle(figures: readonly FigureMeasurement[]): Target {
  const text = "commands of an idle tick: 1";
  const idle = of(figures, "idle");
  if (idle.length === 0) return unmeasured(text);
  const commands = Math.max(...idle.map((m) => m.commands));
  return { text, measured: `${commands} (${Object.keys(idle[0]!.commandsByName).join(", ")})`, isMet: commands === 1 };
}

function judgeMemory(figures: readonly FigureMeasurement[]): Target {
  const groups = Map.groupBy(of(figures, "memory"), (m) => m.jobs);
  const peaks = [...groups].map(([jobs, group]) => ({ jobs, mb: median(group.map((m) => m.peakBytes / 1e6)) }));
  peaks.sort((a, b) => a.jobs - b.jobs);
  const text = `peak memory from 10 thousand to 1 million queued jobs: under ${MEMORY_LIMIT_MB} MB and flat (within ${FLAT_RATIO} times)`;
  if (peaks.length < 2) return unmeasured(text);
  const isWhole = peaks.at(-1)!.jobs >= 1_000_000;
  const all = peaks.map(({ mb }) => mb);
  const isFlat = Math.max(...all) <= FLAT_RATIO * Math.min(...all);
  const measured = peaks.map(({ jobs, mb }) => `${whole(mb)} MB at ${whole(jobs)}`).join(", ");
  const isMet = Math.max(...all) < MEMORY_LIMIT_MB && isFlat;
  // A failure is one at any length, a success only at the full one.
  return isWhole || !isMet
    ? { text, measured, isMet }
    : { text, measured: `${measured}, no more in this run`, isMet: undefined };
}

const unmeasured = (text: string): Target => ({ text, measured: "not measured in this run", isMet: undefined });
const percent = (ratio: number): string => `${short(100 * ratio)} %`;
const at = (rows: readonly Row[], inFlight: number): Row | undefined => rows.find((row) => row.inFlight === inFlight);
const fastest = (rows: readonly Row[]): Row | undefined =>
  rows.toSorted((a, b) => b.jobsPerSecond - a.jobsPerSecond)[0];
const of = (figures: readonly FigureMeasurement[], name: FigureName): Measurement[] =>
  figures.filter((figure) => figure.name === name).map((figure) => figure.measurement);
