import { expect, test } from "vitest";
import { refusalOf, unknownClass } from "../../src/core/refused-job.ts";
import type { ClaimedJob } from "../../src/core/store.ts";

const job = { kind: "job", class: "A", args: [], raw: "{}", attempt: 1, retries: 0 } as const;
const definition = { class: "A", perform: () => undefined };
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `C${n}`);

test("a job that can be run is not refused, nor one whose class is not known yet", () => {
  expect([refusalOf(job, definition), refusalOf(job, undefined)]).toEqual([undefined, undefined]);
});

test("a payload that is no job is refused, with the reason", () => {
  const malformed = { kind: "malformed", raw: "x", reason: "no JSON", isBinary: false } as const;
  expect(refusalOf(malformed, undefined)).toEqual({
    ...{ exception: "MalformedPayload", message: "the payload is not a Resque job: no JSON", backtrace: [] },
  });
});

test("what the store refuses is refused", () => {
  const refusal = { exception: "X", message: "y", backtrace: [] };
  expect(refusalOf({ ...job, refusal }, definition)).toBe(refusal);
});

test("an Active Job needs a definition that reads one", () => {
  const active: ClaimedJob = { ...job, isActiveJob: true };
  expect(refusalOf(active, definition)).toMatchObject({
    exception: "UnknownJobClass",
    message: expect.stringContaining('define the class "A" by activeJob()'),
  });
  const wired = { ...definition, wire: undefined };
  expect([refusalOf(active, wired as never), refusalOf(active, undefined)]).toEqual([undefined, undefined]);
});

test.each([
  [[], 'this app has no job for the class "B"; it knows none'],
  [["A"], 'this app has no job for the class "B"; it knows A'],
  [names(20), `this app has no job for the class "B"; it knows ${names(20).join(", ")}`],
  [names(21), `this app has no job for the class "B"; it knows ${names(20).join(", ")}, …`],
])("an unknown class is told with those that are known: %o", (classes, message) => {
  expect(unknownClass("B", { classes })).toEqual({ exception: "UnknownJobClass", message, backtrace: [] });
});

test.each([
  [200, "x".repeat(200)],
  [201, `${"x".repeat(200)}…`],
])("of a class's name of %i characters 200 are told", (length, told) => {
  const { message } = unknownClass("x".repeat(length), { classes: [] });
  expect(message).toBe(`this app has no job for the class "${told}"; it knows none`);
});
