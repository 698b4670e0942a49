import fc from "fast-check";
import { expect, test } from "vitest";
import { planSchedule } from "../../src/cron/plan.ts";
import { parseRubySchedule } from "../../src/cron/ruby-schedule.ts";
import { missedPolicy, readSchedule, type Schedule, type ScheduleOptions } from "../../src/cron/schedule.ts";
import { encodeState, hashSpec, parseState, type ScheduleState } from "../../src/cron/schedule-state.ts";

const T = Date.UTC(2026, 10, 20, 9);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function define(members: Partial<ScheduleOptions>): Schedule {
  return readSchedule({ name: "s", class: "A", queue: "q", ...members }, { timezone: "UTC" });
}
const hourly = define({ cron: "0 * * * *" });

/** The state of a schedule that was seen or handled at an instant. */
const at = (schedule: Schedule, lastMs: number, ...others: Schedule[]): ScheduleState => {
  return { lastMs, specs: [schedule, ...others].map(({ spec }) => hashSpec(spec)), isPersistent: false };
};

test("a schedule that is seen for the first time starts now, and makes up for nothing", () => {
  for (const missed of ["skip", "one", "all"] as const) {
    const schedule = define({ cron: "0 * * * *", missed });
    expect(planSchedule(schedule, undefined, T)).toEqual({ kind: "note", state: at(schedule, T), nextMs: T + HOUR });
  }
});

test("nothing is due before the next tick, and from then on it is", () => {
  const state = at(hourly, T);
  expect(planSchedule(hourly, state, T)).toEqual({ kind: "wait", nextMs: T + HOUR });
  expect(planSchedule(hourly, state, T + HOUR - 1)).toEqual({ kind: "wait", nextMs: T + HOUR });
  expect(planSchedule(hourly, state, T + HOUR)).toEqual({
    kind: "due",
    ticksMs: [T + HOUR],
    state: at(hourly, T + HOUR),
    isCut: false,
    nextMs: T + 2 * HOUR,
  });
});

test("an interval is anchored where it was first seen", () => {
  const every = define({ every: "90s" });
  const { state } = planSchedule(every, undefined, T + 1_234) as { state: ScheduleState };
  expect(planSchedule(every, state, T + 91_233)).toEqual({ kind: "wait", nextMs: T + 91_234 });
  expect(planSchedule(every, state, T + 500_000)).toMatchObject({
    ticksMs: [T + 451_234],
    state: { lastMs: T + 451_234 },
    nextMs: T + 541_234,
  });
});

const missing = (policy: Partial<ScheduleOptions>, nowMs: number) => {
  const schedule = define({ cron: "*/10 * * * *", ...policy });
  return planSchedule(schedule, at(schedule, T), nowMs);
};

test("one: all missed ticks are one job", () => {
  const plan = missing({}, T + 5 * HOUR + MINUTE);
  expect(plan).toMatchObject({ ticksMs: [T + 5 * HOUR], isCut: false, nextMs: T + 5 * HOUR + 10 * MINUTE });
});

test("skip: missed ticks are none, unless the last one is recent", () => {
  expect(missing({ missed: "skip" }, T + 5 * HOUR + 5 * MINUTE)).toMatchObject({ ticksMs: [T + 5 * HOUR] });
  expect(missing({ missed: "skip" }, T + 5 * HOUR + 5 * MINUTE + 1)).toMatchObject({
    kind: "due",
    ticksMs: [],
    state: { lastMs: T + 5 * HOUR },
  });
});

test("all: each missed tick is a job, the latest of them if there are more than maxMissed", () => {
  const six = [10, 20, 30, 40, 50, 60].map((minutes) => T + minutes * MINUTE);
  const all = { missed: "all", maxMissed: 6 } as const;
  expect(missing(all, T + HOUR)).toMatchObject({ ticksMs: six, isCut: false });
  expect(missing({ ...all, maxMissed: 5 }, T + HOUR)).toMatchObject({ ticksMs: six.slice(1), isCut: true });
  expect(missing({ ...all, maxMissed: 1 }, T + HOUR)).toMatchObject({ ticksMs: six.slice(5), isCut: true });
  expect(missing({ ...all, lateMs: 20 * MINUTE }, T + HOUR)).toMatchObject({ ticksMs: six.slice(3), isCut: false });
});

test("a year of missed seconds takes no longer than those that are made up for", () => {
  const schedule = define({ cron: "* * * * * *", missed: "all" });
  const plan = planSchedule(schedule, at(schedule, T - 365 * 24 * HOUR), T);
  expect(plan).toMatchObject({ isCut: true, nextMs: T + 1_000 });
  expect(plan.kind === "due" && plan.ticksMs.length).toBe(100);
});

test("another line, zone or interval starts anew: nothing of the past is enqueued", () => {
  const before = at(hourly, T - 24 * HOUR);
  const changed = [{ cron: "* * * * *" }, { cron: "0 * * * *", timezone: "Asia/Kolkata" }, { every: "1h" }];
  for (const members of changed) {
    const schedule = define({ ...members, missed: "all" });
    expect(planSchedule(schedule, before, T)).toMatchObject({ kind: "note", state: at(schedule, T, hourly) });
  }
  // Another job at the same times goes on.
  const other = define({ cron: "0 * * * *", class: "B", queue: "r", args: [2] });
  expect(planSchedule(other, before, T)).toMatchObject({ kind: "due", ticksMs: [T] });
});

test("two versions of an app that drain in turns miss no tick of theirs, and burst with none", () => {
  const half = define({ cron: "30 * * * *", missed: "all" });
  const full = define({ cron: "0 * * * *", missed: "all" });
  let state: ScheduleState | undefined;
  const ticks: number[] = [];
  for (let minute = 1; minute <= 300; minute++) {
    const plan = planSchedule(minute % 2 === 0 ? half : full, state, T + minute * MINUTE);
    if (plan.kind !== "wait") state = plan.state;
    if (plan.kind === "due") ticks.push(...plan.ticksMs);
  }
  expect(ticks).toEqual(Array.from({ length: 10 }, (_, n) => T + (n + 1) * 30 * MINUTE).slice(0, ticks.length));
  expect(ticks.length).toBeGreaterThanOrEqual(9);
});

test("what Ruby's scheduler has enqueued is not missed", () => {
  const state = at(hourly, T - 24 * HOUR);
  const until = (handledMs: number) => planSchedule(hourly, state, T + MINUTE, handledMs);
  expect(until(T)).toEqual({ kind: "note", state: at(hourly, T), nextMs: T + HOUR });
  expect(until(T - 1_000)).toMatchObject({ kind: "due", ticksMs: [T] });
  const each = define({ cron: "0 * * * *", missed: "all" });
  expect(planSchedule(each, state, T, T - 3 * HOUR)).toMatchObject({
    ticksMs: [T - 2 * HOUR, T - HOUR, T],
    isCut: false,
  });
});

test("a first tick comes before those of the timetable", () => {
  const parse = (interval: object): Schedule => {
    const context = { timezone: "UTC", env: undefined, policy: missedPolicy({ missed: "all" }), queueOf: () => "q" };
    const parsed = parseRubySchedule("s", JSON.stringify({ class: "A", ...interval }), context);
    if (parsed.kind !== "schedule") throw new Error(parsed.kind);
    return parsed.schedule;
  };
  for (const [interval, later] of [
    [{ every: ["1h", { first_in: "10m" }] }, [70, 130, 190]],
    [{ cron: ["0 * * * *", { first_in: "10m" }] }, [60, 120, 180]],
  ] as const) {
    const schedule = parse(interval);
    const first = planSchedule(schedule, undefined, T);
    const state = (first as { state: ScheduleState }).state;
    expect(parseState(encodeState(state))).toEqual({
      ...at(schedule, T),
      firstMs: T + 10 * MINUTE,
      isPersistent: true,
    });
    expect(first.nextMs).toBe(T + 10 * MINUTE);
    expect(planSchedule(schedule, state, T + 9 * MINUTE)).toMatchObject({ kind: "wait", nextMs: T + 10 * MINUTE });
    const due = planSchedule(schedule, state, T + 10 * MINUTE);
    expect(due).toMatchObject({ ticksMs: [T + 10 * MINUTE], nextMs: T + later[0] * MINUTE });
    expect((due as { state: ScheduleState }).state).not.toHaveProperty("firstMs");
    // All at once, if nobody was there.
    expect(planSchedule(schedule, state, T + 191 * MINUTE)).toMatchObject({
      ticksMs: [10, ...later].map((minutes) => T + minutes * MINUTE),
    });
  }
  // One that is over is none.
  const over = planSchedule(parse({ every: ["1h", { first_at: "2026-11-20 08:00:00 UTC" }] }), undefined, T);
  expect(over).toMatchObject({ nextMs: T + HOUR });
});

test("a state that is none counts as a schedule never seen", () => {
  for (const text of ["", "1795206569000", "null", "[]", '{"last":"x","specs":[]}', '{"last":1}', "{"]) {
    expect(parseState(text)).toBeUndefined();
  }
});

test("whenever drains wake up, each tick is enqueued once with all, and the latest with one", () => {
  const lines = fc.constantFrom("*/7 * * * *", "30 2 * * *", "0 */3 * * *", "13,50 1-4 * * *", "5 4 * * sun");
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe");
  const intervals = fc.oneof(
    fc.record({ cron: lines, timezone: zones }),
    fc.record({ everyMs: fc.integer({ min: 60_000, max: 3 * HOUR }) }),
  );
  const wakeUps = fc.array(fc.integer({ min: 1, max: 12 * HOUR }), { minLength: 1, maxLength: 30 });
  const starts = fc.constantFrom("2026-03-27T20:15:00Z", "2026-10-23T20:15:00Z", "2026-11-20T00:00:00Z");
  fc.assert(
    fc.property(intervals, wakeUps, starts, (interval, gaps, start) => {
      const all = define({ ...interval, missed: "all", maxMissed: 1_000 });
      const one = define({ ...interval, missed: "one" });
      const startMs = Date.parse(start);
      let nowMs = startMs;
      let [allState, oneState] = [startOf(all, nowMs), startOf(one, nowMs)];
      const ticks: number[] = [];
      for (const gap of gaps) {
        const fromMs = nowMs;
        nowMs += gap;
        const due = planSchedule(all, allState, nowMs);
        const latest = planSchedule(one, oneState, nowMs);
        expect(latest.kind).toBe(due.kind);
        if (due.kind === "due" && latest.kind === "due") {
          ticks.push(...due.ticksMs);
          expect(latest.ticksMs).toEqual(due.ticksMs.slice(-1));
          expect(due.ticksMs.every((tick) => tick > fromMs && tick <= nowMs)).toBe(true);
          [allState, oneState] = [due.state, latest.state];
        }
        expect(due.nextMs).toBeGreaterThan(nowMs);
      }
      const expected: number[] = [];
      for (
        let tick = all.timetable.next(startMs, startMs);
        tick && tick <= nowMs;
        tick = all.timetable.next(tick, startMs)
      ) {
        expected.push(tick);
      }
      expect(ticks).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

function startOf(schedule: Schedule, nowMs: number): ScheduleState {
  const plan = planSchedule(schedule, undefined, nowMs);
  if (plan.kind !== "note") throw new Error(plan.kind);
  return plan.state;
}
