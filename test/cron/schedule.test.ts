import { expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { type CronOptions, cron } from "../../src/cron/cron.ts";
import { missedPolicy, readSchedule } from "../../src/cron/schedule.ts";

/** Options as somebody who has no types would give them. */
const wrong = (options: unknown): (() => unknown) => {
  return () => cron(options as CronOptions);
};
const nightly = { name: "nightly", cron: "0 2 * * *", class: "Backup", queue: "low" };
const withMember = (members: object): (() => unknown) => wrong({ schedules: [{ ...nightly, ...members }] });

test.each([
  [{ cron: "61 * * * *" }, 'cron: schedule "nightly": cron: "61 * * * *": Invalid value for minute: 61'],
  [{ cron: "0 0 30 2 *" }, 'cron: schedule "nightly": cron: "0 0 30 2 *": there is no such day'],
  [{ cron: 5 }, 'cron: schedule "nightly": cron: expected a text that is not empty, got 5'],
  [{ cron: undefined }, 'cron: schedule "nightly": expected one of cron, every and everyMs, got none'],
  [{ every: "1h" }, 'cron: schedule "nightly": expected one of cron, every and everyMs, got cron and every'],
  [
    { cron: undefined, every: "soon" },
    'cron: schedule "nightly": every: "soon": expected a duration, as "30s" or "1h30m"',
  ],
  [{ cron: undefined, everyMs: 999 }, 'cron: schedule "nightly": everyMs: 999: expected 1 second to 100 years'],
  [
    { cron: undefined, everyMs: 1.5 },
    'cron: schedule "nightly": everyMs: expected an integer of milliseconds, got 1.5',
  ],
  [{ timezone: "Berlin" }, 'cron: schedule "nightly": timezone: unknown time zone "Berlin"'],
  [{ cron: undefined, every: "1h", timezone: "UTC" }, 'cron: schedule "nightly": timezone: an interval has none'],
  [
    { cron: "0 2 * * * UTC", timezone: "CET" },
    'cron: schedule "nightly": cron: "0 2 * * * UTC": its time zone and the option timezone exclude each other',
  ],
  [{ class: "" }, 'cron: schedule "nightly": class: expected a text that is not empty, got ""'],
  [{ class: undefined }, 'cron: schedule "nightly": class: missing, expected a text that is not empty'],
  [{ queue: null }, 'cron: schedule "nightly": queue: expected a text that is not empty, got null'],
  [{ args: "a" }, 'cron: schedule "nightly": args: expected an array, or a function that returns one, got "a"'],
  [{ args: [Number.NaN] }, 'cron: schedule "nightly": args: NaN at "0" has no JSON form (class Backup)'],
  [{ missed: "never" }, 'cron: schedule "nightly": missed: expected "skip", "one" or "all", got "never"'],
  [{ maxMissed: 0 }, 'cron: schedule "nightly": maxMissed: expected an integer from 1 to 1000, got 0'],
  [{ lateMs: 0 }, 'cron: schedule "nightly": lateMs: expected milliseconds, more than 0, got 0'],
  [{ tz: "UTC" }, 'cron: schedule "nightly": tz: unknown option'],
  [{ name: "" }, 'cron: schedule without a name: name: expected a text that is not empty, got ""'],
])("a schedule with %j is refused by name and value", (members, message) => {
  expect(withMember(members)).toThrow(new UsageError(message));
});

test.each([
  [undefined, "cron: expected an object, got undefined"],
  [{ schedules: {} }, "cron: schedules: expected an array of schedules, got an object"],
  [{ schedules: [null] }, "cron: schedule without a name: expected an object, got null"],
  [{ schedules: [nightly, { ...nightly, cron: "0 3 * * *" }] }, 'cron: the schedule "nightly" is defined twice'],
  [{ timezone: "Mars" }, 'cron: timezone: unknown time zone "Mars"'],
  [{ persistent: "yes" }, 'cron: persistent: expected true or false, got "yes"'],
  [{ missed: "some" }, 'cron: missed: expected "skip", "one" or "all", got "some"'],
  [{ schedule: [] }, "cron: schedule: unknown option"],
  [{ constructor: 1 }, "cron: constructor: unknown option"],
])("cron(%j) is refused", (options, message) => {
  expect(wrong(options)).toThrow(new UsageError(message));
});

test("right schedules are taken", () => {
  const schedules = [
    nightly,
    { name: "weekdays", cron: "0 30 9 * * 1-5", timezone: "Europe/Berlin", class: "Report", queue: "mail", args: [1n] },
    { name: "sweep", every: "30s", class: "Sweep", queue: "low", missed: "skip", lateMs: 60_000 },
    {
      name: "beat",
      everyMs: 5_000,
      class: "Beat",
      args: (tick: Date) => [tick.getTime()],
      missed: "all",
      maxMissed: 5,
    },
  ] as const;
  expect(cron({ schedules, persistent: true, env: "production", timezone: "CET" }).bind).toBeTypeOf("function");
});

test("a schedule takes what it does not say from the app's options", () => {
  const read = (members: object, defaults: object) =>
    readSchedule({ ...nightly, ...members }, { timezone: "UTC", ...defaults });
  expect(read({}, { timezone: "CET" }).timetable.text).toBe("0 2 * * * (CET)");
  expect(read({}, {})).toMatchObject({ missed: "one", maxMissed: 100, lateMs: Number.POSITIVE_INFINITY });
  expect(read({}, { missed: "all", maxMissed: 7 })).toMatchObject({ missed: "all", maxMissed: 7 });
  expect(read({ missed: "one" }, { missed: "all", maxMissed: 7 })).toMatchObject({ missed: "one", maxMissed: 7 });
  expect(missedPolicy({ missed: "skip" }).lateMs).toBe(300_000);
  expect(missedPolicy({ missed: "skip" }, { lateMs: 1_000 }).lateMs).toBe(1_000);
});
