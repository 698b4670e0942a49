import { expect, test } from "vitest";
import type { DrainEvent } from "../../src/core/events.ts";
import type { Logger } from "../../src/core/job-context.ts";
import { logEvents } from "../../src/core/log-events.ts";
import type { Outcome } from "../../src/core/outcome.ts";

function linesOf(...outcomes: readonly Outcome[]): string[] {
  const lines: string[] = [];
  const line = (message: string, fields?: Record<string, unknown>) =>
    void lines.push(`${message}: ${fields?.["class"]}, ${fields?.["error"]}`);
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const listen = logEvents(logger);
  for (const outcome of outcomes) {
    const event: DrainEvent = { kind: "job-ended", queue: "q", class: "Noop", outcome, durationMs: 1 };
    listen(event);
  }
  return lines;
}

const failure = { exception: "RangeError", message: "too far\nand more", backtrace: [] };

test("a job that has failed for good is logged, and so is one that is then kept nowhere", () => {
  expect(linesOf({ kind: "failed", failure }, { kind: "dropped", failure })).toEqual([
    "job failed: Noop, RangeError: too far",
    "job failed and is kept nowhere: Noop, RangeError: too far",
  ]);
});

test("what goes its way is not", () => {
  expect(
    linesOf(
      { kind: "ok" },
      { kind: "retrying", failure, afterMs: 1 },
      { kind: "postponed", afterMs: 1 },
      { kind: "released" },
    ),
  ).toEqual([]);
});
