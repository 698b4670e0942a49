import { expect, test } from "vitest";
import { readCronText } from "../../src/cron/cron-text.ts";

test.each([
  ["0 9 * * *", "0 9 * * *", undefined],
  ["  0   9 *\t* *  ", "0 9 * * *", undefined],
  ["30 0 9 * * 1-5", "30 0 9 * * 1-5", undefined],
  ["0 9 * * * Europe/Berlin", "0 9 * * *", "Europe/Berlin"],
  ["30 0 9 * * * America/Argentina/Buenos_Aires", "30 0 9 * * *", "America/Argentina/Buenos_Aires"],
  ["0 9 * * * UTC", "0 9 * * *", "UTC"],
  ["0 9 * * * Etc/GMT+3", "0 9 * * *", "Etc/GMT+3"],
  ["0 9 * * * +09:00", "0 9 * * *", "+09:00"],
  ["0 9 * * * -0330", "0 9 * * *", "-0330"],
  // A day of the week is no time zone, and the other way about.
  ["0 0 9 * * MON", "0 0 9 * * MON", undefined],
  ["0 0 9 * * Fri", "0 0 9 * * Fri", undefined],
  ["0 9 * * MON MST", "0 9 * * MON", "MST"],
  ["@daily", "0 0 * * *", undefined],
  ["@noon Asia/Tokyo", "0 12 * * *", "Asia/Tokyo"],
])("takes %j apart", (text, pattern, timezone) => {
  expect(readCronText(text)).toEqual({ pattern, isAnd: false, timezone });
});

test.each([
  ["0 22-4 * * *", "0 22,23,0,1,2,3,4 * * *"],
  ["0 22-4/2 * * *", "0 22,0,2,4 * * *"],
  ["0 24 * * *", "0 0 * * *"],
  ["0 22-24 * * *", "0 22,23,0 * * *"],
  ["50-10/5 * * * *", "50,55,0,5,10 * * * *"],
  ["0 0 * * fri-mon", "0 0 * * 5,6,0,1"],
  ["0 0 * * 6-2", "0 0 * * 6,0,1,2"],
  ["0 0 1 nov-feb *", "0 0 1 11,12,1,2 *"],
  ["0 0 28-2 * *", "0 0 28,29,30,31,1,2 * *"],
  ["0 0 last * *", "0 0 L * *"],
  ["0 0 -1,15 * *", "0 0 L,15 * *"],
  ["0 0 * * mon#-1", "0 0 * * mon#L"],
  ["0 0 * * mon#2,fri#last", "0 0 * * mon#2,fri#L"],
  // What is right as it is, and what is wrong, is left to the parser.
  ["0 9-17/2 * * mon-fri", "0 9-17/2 * * mon-fri"],
  ["0 0 * * 5-7", "0 0 * * 5-7"],
  ["90-10 * * * *", "90-10 * * * *"],
  ["10-90 * * * *", "10-90 * * * *"],
])("says %j of Ruby's schedules in the parser's words", (text, pattern) => {
  expect(readCronText(text).pattern).toBe(pattern);
});

test("an & asks for both the day of the month and the day of the week", () => {
  const expected = { pattern: "0 9 1-7 * 1", isAnd: true, timezone: undefined };
  expect(readCronText("0 9 1-7 * 1&")).toEqual(expected);
  expect(readCronText("0 9 1-7& * 1")).toEqual(expected);
});

test.each([
  ["", "expected 5 or 6 fields, got 0"],
  ["* * * *", "expected 5 or 6 fields, got 4"],
  ["* * * * * * *", "expected 5 or 6 fields, got 7"],
  ["2026-01-01T00:00:00", "expected 5 or 6 fields, got 1"],
  ["@reboot", "expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @noon, @hourly, got @reboot"],
  ["@daily at noon", "expected 5 or 6 fields, got 3"],
])("refuses %j", (text, message) => {
  expect(() => readCronText(text)).toThrow(new Error(message));
});
