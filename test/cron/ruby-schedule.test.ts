import { expect, test } from "vitest";
import { parseRubySchedule, type RubyScheduleContext } from "../../src/cron/ruby-schedule.ts";
import { missedPolicy, type Schedule } from "../../src/cron/schedule.ts";

const CONTEXT: RubyScheduleContext = {
  timezone: "UTC",
  env: undefined,
  policy: missedPolicy(),
  queueOf: (className) => (className === "Known" ? "known" : undefined),
};
const NOW_MS = Date.UTC(2026, 10, 20, 18, 50, 57);
const base = { every: "1h", class: "SendEmail", queue: "mail" };

const parse = (config: unknown, context: Partial<RubyScheduleContext> = {}) =>
  parseRubySchedule("a name", JSON.stringify(config), { ...CONTEXT, ...context });
function schedule(config: unknown, context: Partial<RubyScheduleContext> = {}): Schedule {
  const parsed = parse(config, context);
  if (parsed.kind !== "schedule") throw new Error(JSON.stringify(parsed));
  return parsed.schedule;
}

test.each([
  [undefined, []],
  [null, []],
  ["/tmp", ["/tmp"]],
  [false, [false]],
  [0, [0]],
  [{ a: [1] }, [{ a: [1] }]],
  [[], []],
  [
    ["a", { b: 1 }],
    ["a", { b: 1 }],
  ],
])("args %j are those that Ruby's Array(args) makes", (args, expected) => {
  expect(schedule({ ...base, args }).argsAt(NOW_MS)).toEqual(expected);
});

test("integers that a double does not hold stay what they are", () => {
  const json = '{"every":"1h","class":"A","queue":"q","args":[12345678901234567890,{"id":-9007199254740993}]}';
  const parsed = parseRubySchedule("a name", json, CONTEXT);
  expect(parsed.kind === "schedule" && parsed.schedule.argsAt(NOW_MS)).toEqual([
    12345678901234567890n,
    { id: -9007199254740993n },
  ]);
  expect(parseRubySchedule("a name", json.replace('"1h"', "[12345678901234567890,{}]"), CONTEXT)).toMatchObject({
    problem: "every: [12345678901234567890,{}]: expected a text",
  });
});

test("cron comes before every, and an empty one is none", () => {
  const when = (config: object) => schedule({ ...base, ...config }).timetable.text;
  expect(when({})).toBe("every 1h");
  expect(when({ cron: "*/5 * * * *" })).toBe("*/5 * * * * (UTC)");
  expect(when({ cron: "" })).toBe("every 1h");
  expect(when({ cron: [] })).toBe("every 1h");
  expect(when({ cron: null })).toBe("every 1h");
  expect(when({ cron: "0 30 6 * * 1 Europe/Stockholm" })).toBe("0 30 6 * * 1 (Europe/Stockholm)");
  expect(when({ every: ["30s", { overlap: false, tags: ["a"] }] })).toBe("every 30s");
  expect(when({ every: [300, { first_in: 5 }] })).toBe("every 300s");
});

test("lines without a time zone follow that of the app", () => {
  expect(schedule({ ...base, cron: "0 9 * * *" }, { timezone: "Asia/Tokyo" }).timetable.timezone).toBe("Asia/Tokyo");
});

test.each([
  [{ first_in: "120s" }, NOW_MS + 120_000],
  [{ first_in: 300 }, NOW_MS + 300_000],
  [{ first: "10m" }, NOW_MS + 600_000],
  [{ first: 0 }, NOW_MS],
  [{ first_at: "2026-11-21 09:00:00 +0100" }, Date.UTC(2026, 10, 21, 8)],
  [{ first_at: "2026-11-21T09:00:00.500Z" }, Date.UTC(2026, 10, 21, 9, 0, 0, 500)],
  [{ first_time: "2026-11-21 09:00:00 UTC" }, Date.UTC(2026, 10, 21, 9)],
  [{ first_in: null }, undefined],
])("%j says when it is due for the first time", (options, expected) => {
  expect(schedule({ ...base, every: ["1h", options] }).firstMs(NOW_MS)).toBe(expected);
  expect(schedule({ ...base, cron: ["0 * * * *", options] }).firstMs(NOW_MS)).toBe(expected);
});

test("a schedule with another first tick is another schedule", () => {
  const spec = (options: object) => schedule({ ...base, every: ["1h", options] }).spec;
  expect(new Set([schedule(base).spec, spec({}), spec({ first_in: "1m" }), spec({ first_in: "2m" })]).size).toBe(3);
});

test("without a class the name is one, without a queue it is that of the class", () => {
  expect(parseRubySchedule("Known", '{"every":"1m"}', CONTEXT)).toMatchObject({
    schedule: { class: "Known", queue: "known" },
  });
});

test.each([
  ["production", "production", "schedule"],
  ["staging, production", "production", "schedule"],
  ["staging production", "production", "schedule"],
  ["staging", "production", "elsewhere"],
  ["production", undefined, "elsewhere"],
])("one for %j runs in environment %j: %s", (environments, env, kind) => {
  expect(parse({ ...base, rails_env: environments }, { env }).kind).toBe(kind);
  expect(parse({ ...base, env: environments }, { env }).kind).toBe(kind);
});

test.each([
  ["nonsense", "it is not valid JSON"],
  ["[]", "expected an object"],
  ["null", "expected an object"],
])("%s is told as what it is not", (json, problem) => {
  expect(parseRubySchedule("x", json, CONTEXT)).toEqual({ kind: "problem", problem, config: undefined });
});

test.each([
  [{ every: undefined }, "expected cron or every"],
  [{ every: "soon" }, 'every: "soon": expected a duration, as "30s" or "1h30m"'],
  [{ every: 300 }, "every: 300: expected a text"],
  [{ cron: "5/* * * *" }, 'cron: "5/* * * *": expected 5 or 6 fields, got 4'],
  [{ cron: { a: 1 } }, 'cron: {"a":1}: expected a text'],
  [{ every: ["1h", { times: 3 }] }, 'every: ["1h",{"times":3}]: times: only Ruby\'s scheduler knows when that is'],
  [{ every: ["1h", { last_in: "3d" }] }, "last_in: only Ruby's scheduler knows when that is"],
  [{ every: ["1h", { first_at: "tomorrow" }] }, "first_at: expected a duration or a time"],
  [{ class: 5 }, "class: expected a text"],
  [
    { queue: undefined },
    "queue: missing; Ruby takes it from the class SendEmail, which this app does not define with a queue",
  ],
  [{ custom_job_class: "JobWithStatus" }, 'custom_job_class: only Ruby knows what "JobWithStatus" enqueues'],
  [{ rails_env: ["production"] }, "rails_env: expected a text"],
])("one with %j is not understood", (members, problem) => {
  expect(parse({ ...base, ...members })).toMatchObject({ kind: "problem", problem: expect.stringContaining(problem) });
});
