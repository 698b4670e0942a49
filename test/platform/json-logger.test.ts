import { expect, test } from "vitest";
import { createJsonLogger, type JsonLoggerOptions } from "../../src/platform/json-logger.ts";

function openLog(options: Partial<JsonLoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = createJsonLogger({ write: (line) => lines.push(line), ...options });
  return { logger, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? "") };
}

test("a call is one line: time, level, message, what each line bears, and the fields", () => {
  const { logger, lines, last } = openLog({ fields: () => ({ requestId: "r1" }) });
  logger.warn("job failed", { queue: "mail\nlow" });
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain("\n");
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(last()).toEqual({ timestamp, level: "WARN", message: "job failed", requestId: "r1", queue: "mail\nlow" });
});

test.each([
  [undefined, ["INFO", "WARN", "ERROR"]],
  ["debug", ["DEBUG", "INFO", "WARN", "ERROR"]],
  ["error", ["ERROR"]],
] as const)("with the level %s it writes %j", (level, expected) => {
  const { logger, lines } = openLog(level && { level });
  for (const name of ["debug", "info", "warn", "error"] as const) logger[name]("x");
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(expected);
});

test("an error tells its name, message, stack and cause, wherever it is", () => {
  const { logger, last } = openLog();
  const cause = new RangeError("below");
  logger.error("failed", { error: new TypeError("above", { cause }), list: [cause] });
  const told = { name: "RangeError", message: "below", stack: expect.stringContaining("RangeError: below") };
  expect(last()).toMatchObject({ error: { name: "TypeError", message: "above", cause: told }, list: [told] });
});

test("integers beyond 2^53 keep their digits", () => {
  const { logger, last } = openLog();
  logger.info("x", { id: 12345678901234567890n });
  expect(last()).toMatchObject({ id: "12345678901234567890" });
});

test("no field passes for the time, the level, the message or what each line bears", () => {
  const { logger, last } = openLog({ fields: () => ({ requestId: "r1" }) });
  logger.info("real", { message: "false", level: "ERROR", timestamp: "0", requestId: "r2", other: 1 });
  expect(last()).toMatchObject({ message: "real", level: "INFO", requestId: "r1", other: 1 });
  expect(last()["timestamp"]).not.toBe("0");
});

test("fields that have no JSON form cost the fields, not the line", () => {
  const { logger, last } = openLog();
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  logger.info("kept", { circle });
  expect(last()).toMatchObject({ level: "INFO", message: "kept" });
});
