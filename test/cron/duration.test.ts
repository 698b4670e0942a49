import { expect, test } from "vitest";
import { parseDuration } from "../../src/cron/duration.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  ["30s", 30_000],
  ["1h30m", 90 * MINUTE],
  ["1h10s", HOUR + 10_000],
  ["1w2d", 9 * DAY],
  ["15mins", 15 * MINUTE],
  ["2 days", 2 * DAY],
  ["1 day, 12 hours and 5 minutes", 36 * HOUR + 5 * MINUTE],
  ["1.5h", 90 * MINUTE],
  [".5h", 30 * MINUTE],
  ["1Y", 365 * DAY],
  ["1M", 30 * DAY],
  ["2 months", 60 * DAY],
  ["1m", MINUTE],
  ["90", 90_000],
  ["1m30", 90_000],
  [" 10 sec ", 10_000],
  ["0", 0],
  ["PT1H30M", 90 * MINUTE],
  ["pt0.5s", 500],
  ["P1Y2M3DT4H", (365 + 60 + 3) * DAY + 4 * HOUR],
  ["P2W", 14 * DAY],
])("reads %j as Ruby's scheduler does", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  "  ",
  "P",
  "PT",
  "soon",
  "h",
  "1x",
  "1h soon",
  "30 1h",
  "-1h",
  "1hand",
  "1h,",
  "1h and",
  "every 5m",
  "NaN",
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
