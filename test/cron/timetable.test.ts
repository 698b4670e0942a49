import fc from "fast-check";
import { expect, test } from "vitest";
import { cronTimetable, durationTimetable, everyTimetable, type Timetable } from "../../src/cron/timetable.ts";

/** The ticks after one instant up to another, as `2026-03-29T01:00:00Z`. */
function ticks(timetable: Timetable, ...[after, until]: readonly string[]): string[] {
  const found: string[] = [];
  let at = timetable.next(Date.parse(after as string), 0);
  while (at !== undefined && at <= Date.parse(until as string)) {
    found.push(new Date(at).toISOString().replace(".000", ""));
    at = timetable.next(at, 0);
  }
  return found;
}

test("fields are minutes to days of the week, with seconds before them", () => {
  expect(ticks(cronTimetable("30 9 * * 1-5", "UTC"), "2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z")).toEqual([
    "2026-11-20T09:30:00Z",
    "2026-11-23T09:30:00Z",
  ]);
  expect(ticks(cronTimetable("*/20 59 23 * * *", "UTC"), "2026-11-20T23:59:00Z", "2026-11-21T23:59:00Z")).toEqual([
    "2026-11-20T23:59:20Z",
    "2026-11-20T23:59:40Z",
    "2026-11-21T23:59:00Z",
  ]);
});

test("a line's own time zone comes before the given one", () => {
  const day = ["2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"] as const;
  expect(ticks(cronTimetable("0 9 * * *", "Asia/Kolkata"), ...day)).toEqual(["2026-11-20T03:30:00Z"]);
  expect(ticks(cronTimetable("0 9 * * * Europe/Berlin", "Asia/Kolkata"), ...day)).toEqual(["2026-11-20T08:00:00Z"]);
  expect(ticks(cronTimetable("0 9 * * * -03:30", "Asia/Kolkata"), ...day)).toEqual(["2026-11-20T12:30:00Z"]);
  expect(ticks(cronTimetable("0 9 * * * +0900", "Asia/Kolkata"), ...day)).toEqual(["2026-11-21T00:00:00Z"]);
});

test("days fit the day of the month or that of the week, with & both", () => {
  const month = ["2026-11-01T12:00:00Z", "2026-11-30T12:00:00Z"] as const;
  const days = (line: string) => ticks(cronTimetable(line, "UTC"), ...month).map((tick) => tick.slice(8, 10));
  expect(days("0 0 13 * 5")).toEqual(["06", "13", "20", "27"]);
  expect(days("0 0 14 * 5")).toEqual(["06", "13", "14", "20", "27"]);
  expect(days("0 0 14-20 * 5&")).toEqual(["20"]);
  expect(days("0 0 last * *")).toEqual(["30"]);
  expect(days("0 0 * * mon#-1")).toEqual(["30"]);
});

// Berlin: at 01:00Z of 29 March 2026 02:00 becomes 03:00, at 01:00Z of 25 October 03:00 becomes 02:00.
const SPRING = ["2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"] as const;
const AUTUMN = ["2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"] as const;
const NEW_YORK_SPRING = ["2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z"] as const;
const NEW_YORK_AUTUMN = ["2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z"] as const;
const HAVANA_SPRING = ["2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z"] as const;
const HAVANA_AUTUMN = ["2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z"] as const;
const LORD_HOWE_SPRING = ["2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z"] as const;
const LORD_HOWE_AUTUMN = ["2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"] as const;

test.each([
  ["30 2 * * *", "Europe/Berlin", SPRING, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]],
  ["30 2 * * *", "America/New_York", NEW_YORK_SPRING, ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]],
  // There is no midnight in Havana that day.
  ["0 0 * * *", "America/Havana", HAVANA_SPRING, ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"]],
  // The clocks of Lord Howe change by half an hour.
  ["15 2 * * *", "Australia/Lord_Howe", LORD_HOWE_SPRING, ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]],
  [
    "30 2,14 * * *",
    "Europe/Berlin",
    SPRING,
    ["2026-03-28T13:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T12:30:00Z", "2026-03-30T00:30:00Z"],
  ],
] as const)("a time of day that is skipped is due at the end of the gap: %s in %s", (line, zone, days, expected) => {
  expect(ticks(cronTimetable(line, zone), ...days)).toEqual(expected);
});

test.each([
  ["30 2 * * *", "Europe/Berlin", AUTUMN, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]],
  ["30 1 * * *", "America/New_York", NEW_YORK_AUTUMN, ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]],
  ["0 0 * * *", "America/Havana", HAVANA_AUTUMN, ["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"]],
  ["45 1 * * *", "Australia/Lord_Howe", LORD_HOWE_AUTUMN, ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]],
  [
    "30 2,14 * * *",
    "Europe/Berlin",
    AUTUMN,
    ["2026-10-24T12:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T13:30:00Z", "2026-10-26T01:30:00Z"],
  ],
] as const)("a time of day that comes twice is due the first time: %s in %s", (line, zone, days, expected) => {
  expect(ticks(cronTimetable(line, zone), ...days)).toEqual(expected);
});

test("what recurs goes on through both changes", () => {
  const hourly = cronTimetable("0 * * * *", "Europe/Berlin");
  for (const days of [SPRING, AUTUMN]) {
    const hours = ticks(hourly, ...days).map(Date.parse);
    expect(hours).toHaveLength(48);
    expect(new Set(hours.slice(1).map((hour, index) => hour - (hours[index] as number)))).toEqual(new Set([3_600_000]));
  }
  const halfHours = cronTimetable("*/30 2 * * *", "Europe/Berlin");
  expect(ticks(halfHours, ...AUTUMN)).toEqual([
    ...["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
    ...["2026-10-26T01:00:00Z", "2026-10-26T01:30:00Z"],
  ]);
  expect(ticks(halfHours, ...SPRING)).toEqual(["2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"]);
});

test("a day that a zone skips altogether is passed over", () => {
  // Samoa had no 30 December 2011.
  const noons = ticks(cronTimetable("0 12 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z");
  expect(noons).toEqual(["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"]);
});

const LINES = [
  "30 2 * * *",
  "*/17 1-3 * * *",
  "15,45 0-3 * * *",
  "0 0 last * *",
  "10 22-4 * * sun",
  "7 */5 * * * *",
  "0 0 29 2 *",
];
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Havana",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "+05:30",
];

test("the last tick and the next one have none between them, whatever the instant", () => {
  const instants = fc.integer({ min: Date.UTC(2015, 0, 1), max: Date.UTC(2035, 0, 1) });
  fc.assert(
    fc.property(fc.constantFrom(...LINES), fc.constantFrom(...ZONES), instants, (line, zone, atMs) => {
      const timetable = cronTimetable(line, zone);
      const last = timetable.last(atMs, 0) as number;
      const next = timetable.next(atMs, 0) as number;
      expect(last).toBeLessThanOrEqual(atMs);
      expect(next).toBeGreaterThan(atMs);
      expect(timetable.next(last, 0)).toBe(next);
      expect(timetable.last(next - 1, 0)).toBe(last);
      expect(timetable.last(next, 0)).toBe(next);
    }),
    { numRuns: 400 },
  );
});

test("an interval is counted from its anchor", () => {
  const every = durationTimetable("1m30s");
  expect(every.text).toBe("every 1m30s");
  expect(every.spec).toBe(everyTimetable(90_000, "90000 ms").spec);
  expect([every.next(1_000, 1_000), every.next(90_999, 1_000), every.next(91_000, 1_000)]).toEqual([
    91_000, 91_000, 181_000,
  ]);
  expect([every.last(1_000, 1_000), every.last(91_000, 1_000), every.last(180_999, 1_000)]).toEqual([
    1_000, 91_000, 91_000,
  ]);
  expect([every.next(500, 1_000), every.last(500, 1_000)]).toEqual([1_000, undefined]);
});

test("timetables with the same ticks have one spec, others another", () => {
  const spec = (line: string, zone: string) => cronTimetable(line, zone).spec;
  expect(spec("0 9 * * * Europe/Berlin", "UTC")).toBe(spec(" 0  9 * * *", "Europe/Berlin"));
  expect(spec("@hourly", "UTC")).toBe(spec("0 * * * *", "UTC"));
  expect(
    new Set([spec("0 9 * * 1", "UTC"), spec("0 9 1 * 1&", "UTC"), spec("0 9 1 * 1", "UTC"), spec("0 9 1 * 1", "CET")])
      .size,
  ).toBe(4);
});

test("a timetable says when it is", () => {
  expect(cronTimetable(" 0 9 * * *  Europe/Berlin", "UTC").text).toBe("0 9 * * * (Europe/Berlin)");
  expect(cronTimetable("@daily", "Asia/Tokyo").text).toBe("@daily (Asia/Tokyo)");
});

test.each([
  ["61 * * * *", "Invalid value for minute: 61"],
  ["* 25 * * *", "Invalid value for hour: 25"],
  ["x * * * *", "illegal characters"],
  ["0 0 30 2 *", "there is no such day"],
  ["0 0 * * 1%2", "illegal characters"],
  ["0 0 * * * Nowhere/At_All", 'unknown time zone "Nowhere/At_All"'],
  ["0 0 1 1 * 2020", "Invalid value for dayOfWeek: 2020"],
])("refuses %j", (line, message) => {
  expect(() => cronTimetable(line, "UTC")).toThrow(message);
});

test("refuses a zone that it is given, and intervals out of bounds", () => {
  expect(() => cronTimetable("* * * * *", "Mars")).toThrow('unknown time zone "Mars"');
  expect(() => durationTimetable("soon")).toThrow('expected a duration, as "30s" or "1h30m"');
  for (const text of ["0.9s", "0", "101y"])
    expect(() => durationTimetable(text)).toThrow("expected 1 second to 100 years");
  expect(() => everyTimetable(Number.NaN, "")).toThrow("expected 1 second to 100 years");
});
