import { setTimeout as sleep } from "node:timers/promises";
import { cron } from "../../../../src/cron/cron.ts";
import { defineJob, type JobDefinition, type Scheduler } from "../../../../src/index.ts";
import { encodePayload } from "../../../../src/resque/payload.ts";
import { type Evidence, groupBy } from "./evidence.ts";
import type { Expectation, Feature } from "./feature.ts";
import { named } from "./job-key.ts";
import type { SeenTick } from "./journal.ts";
import { hashOf, type RecordRun } from "./run-records.ts";
import { type OpenVerdict, openVerdict, type Verdict } from "./verdict.ts";

const CLASS = "Tick";
const LATE_MS = 1_500;
/** From one tick to the next. */
const STEP_MS: Readonly<Record<string, number>> = { all: 2_000, one: 1_000, skip: 1_000 };

export function tickJobs(record: RecordRun): JobDefinition[] {
  return [defineJob({ class: CLASS, queue: "ticks", perform: (_, job) => record(job, () => sleep(5)) })];
}

/** One schedule for each policy for missed ticks, all of them quicker than any host would be. */
export function soakScheduler(): Scheduler {
  const job = (name: string) => ({
    name,
    class: CLASS,
    queue: "ticks",
    args: (tick: Date) => [named(tickName(name, +tick))],
  });
  return cron({
    schedules: [
      { ...job("all"), cron: "*/2 * * * * *", missed: "all", maxMissed: 1_000 },
      { ...job("one"), cron: "* * * * * *", missed: "one" },
      { ...job("skip"), every: "1s", missed: "skip", lateMs: LATE_MS },
    ],
  });
}

function tickName(schedule: string, tickMs: number): string {
  return `tick:${schedule}:${tickMs}`;
}

/** Schedules need no producer: whichever drain comes first after a tick enqueues its job. */
export function schedules(): Feature {
  return {
    name: "cron",
    expectation(name): Expectation | undefined {
      if (!/^tick:(all|one|skip):\d+$/.test(name)) return undefined;
      return { hashes: new Set([hashOf(encodePayload(CLASS, [named(name)]))]), end: "done", failures: 0 };
    },
    given: () => [],
    produce: async () => undefined,
    judge: (evidence) => judge(evidence),
  };
}

function judge({ journal }: Evidence): readonly Verdict[] {
  const once = openVerdict("cron", "no tick is enqueued twice, whoever looks");
  for (const [name, moves] of journal.moves) {
    if (!name.startsWith("tick:")) continue;
    const times = moves.filter(({ kind }) => kind === "ticked").length;
    once.check(times === 1, () => `${name} was enqueued ${times} times`);
  }
  const invented = openVerdict("cron", "none is invented, and none comes before its time");
  const policies: Readonly<Record<string, OpenVerdict>> = {
    all: openVerdict("cron", "missed: all. Each tick has its job"),
    one: openVerdict("cron", "missed: one. Ticks that were missed have one job"),
    skip: openVerdict("cron", "missed: skip. What is dropped was late"),
  };
  for (const [schedule, changes] of groupBy(journal.ticks, (tick) => tick.schedule)) {
    const firstMs = changes[0]?.lastMs ?? 0;
    for (const [index, change] of changes.entries()) {
      const before = changes[index - 1];
      const ticksMs = ticksOf(change);
      for (const tickMs of ticksMs) {
        const isOnGrid = (tickMs - (schedule === "skip" ? firstMs : 0)) % (STEP_MS[schedule] as number) === 0;
        invented.check(isOnGrid && tickMs <= change.atMs, () => `${schedule} had a tick ${tickMs} at ${change.atMs}`);
      }
      if (before) judgeStep(before, change, ticksMs, policies[schedule] as OpenVerdict);
      else invented.check(ticksMs.length === 0, () => `${schedule} began with ${ticksMs.length} jobs`);
    }
  }
  return [once, invented, ...Object.values(policies)];
}

/** A schedule's state has moved on from one tick to another. */
function judgeStep(before: SeenTick, after: SeenTick, ticksMs: readonly number[], policy: OpenVerdict): void {
  const { schedule, lastMs, atMs } = after;
  const isLast = ticksMs.length === 1 && ticksMs[0] === lastMs;
  const areRight: Readonly<Record<string, () => boolean>> = {
    all: () => ticksBetween(before.lastMs, lastMs, STEP_MS["all"] as number).join() === ticksMs.join(),
    one: () => isLast,
    skip: () => isLast || (ticksMs.length === 0 && atMs - lastMs > LATE_MS),
  };
  const tell = () => `${schedule} went from ${before.lastMs} to ${lastMs} at ${atMs} with jobs for ${ticksMs}`;
  policy.check(lastMs > before.lastMs && areRight[schedule]?.() === true, tell);
}

function ticksBetween(afterMs: number, lastMs: number, stepMs: number): number[] {
  const ticks: number[] = [];
  for (let tickMs = Math.floor(lastMs / stepMs) * stepMs; tickMs > afterMs; tickMs -= stepMs) ticks.unshift(tickMs);
  return ticks;
}

function ticksOf({ schedule, jobs }: SeenTick): number[] {
  const names = jobs.filter((name) => name.startsWith(`tick:${schedule}:`));
  return names.map((name) => Number(name.slice(name.lastIndexOf(":") + 1))).sort((a, b) => a - b);
}
