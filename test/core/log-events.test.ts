import { expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import type { Logger } from "../../src/core/job-context.ts";
import { logEvents } from "../../src/core/log-events.ts";
import type { Outcome } from "../../src/core/outcome.ts";

function logOf(...events: readonly DrainEvent[]): [message: string, fields: unknown][] {
  const lines: [string, unknown][] = [];
  const line = (message: string, fields?: Record<string, unknown>) => void lines.push([message, fields]);
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const listen = logEvents(logger);
  for (const event of events) listen(event);
  return lines;
}

function linesOf(...outcomes: readonly Outcome[]): string[] {
  const toEvent = (outcome: Outcome): DrainEvent => ({
    ...{ kind: "job-ended", queue: "q", class: "Noop", outcome, durationMs: 1 },
  });
  return logOf(...outcomes.map(toEvent)).map(([message, fields]) => {
    const { class: className, error } = fields as Record<string, unknown>;
    return `${message}: ${className}, ${error}`;
  });
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

test("that another drain had taken a job back is logged, and that one did so with a dead drain's jobs", () => {
  expect(
    logOf(
      { kind: "job-lost", queue: "q", class: "Noop" },
      { kind: "drain-recovered", drainId: "d", requeued: 2, failed: 1 },
      { kind: "ticks-missed", silentMs: 5_000 },
    ),
  ).toEqual([
    ["another drain had taken the job back; it runs again", { queue: "q", class: "Noop" }],
    ["took back the jobs of a drain that died", { requeued: 2, failed: 1 }],
    ["no drain had ended for longer than there should be none", { silentMs: 5_000 }],
  ]);
});

test("a store that is away is logged once, and only while jobs are at stake", () => {
  const away = (attempt: number): DrainEvent => ({
    ...{ kind: "store-retry", error: new StoreError("unavailable", `attempt ${attempt}`), attempt, delayMs: 50 },
  });
  const claimed: DrainEvent = { kind: "job-claimed", queue: "q", class: "Noop", slot: 0 };
  expect(logOf(away(1))).toEqual([]);
  const lines = logOf(claimed, away(1), away(2));
  expect(lines.map(([message]) => message)).toEqual(["attempt 1; trying again until the lease or the time is over"]);
});
