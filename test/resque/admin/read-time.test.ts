import { expect, test } from "vitest";
import { readTime } from "../../../src/resque/admin/read-time.ts";

const AT = Date.UTC(2026, 10, 20, 18, 50, 57);
const HOUR = 3_600_000;

test.each([
  ["2026/11/20 18:50:57 UTC", AT],
  ["2026/11/20 18:50:57", AT],
  ["2026/11/20 18:50:57 GMT", AT],
  ["2026/11/20 18:50:57 CET", AT - HOUR],
  ["2026/11/20 18:50:57 CEST", AT - 2 * HOUR],
  ["2026/11/20 18:50:57 JST", AT - 9 * HOUR],
  ["2026/11/20 18:50:57 -03", AT + 3 * HOUR],
  ["2026/11/20 18:50:57 +0530", AT - 5.5 * HOUR],
  ["2026/11/20 18:50:57 EST", AT + 5 * HOUR],
  ["2026-11-20 18:50:57 +0000", AT],
  ["2026-11-20T18:50:57Z", AT],
  ["2026-11-20T18:50:57+00:00", AT],
  ["2026-11-20T20:50:57.625369019+02:00", AT],
  ["2026-11-20 20:50:57.62536901 +0200 CEST m=+0.012", AT],
  ["2026-11-20T18:50:57.625Z", AT],
  ["Fri Nov 20 2026 18:50:57 GMT+0000 (Coordinated Universal Time)", AT],
  ["Fri, 20 Nov 2026 18:50:57 +0000", AT],
  [String(AT / 1_000), AT],
])("%j is read", (text, ms) => {
  expect(readTime(text)).toBe(ms);
});

test.each(["", "never", "2026/13/45 18:50:57 UTC", "2026/11/20 18:50:57 XYZ", "5", 5, null, undefined, {}])(
  "%j is no time",
  (value) => {
    expect(readTime(value)).toBeUndefined();
  },
);
