import { expect, test } from "vitest";
import { attemptOffset, JOB_WRAPPER_CLASS, unwrapActiveJob } from "../../src/resque/active-job-wrapper.ts";
import { readFixtures, VERSIONS } from "../active-job/fixtures.ts";

test.each(VERSIONS)("every payload of Rails %s is an Active Job, by its class", (version) => {
  const classes = new Set(
    readFixtures(version).map(({ raw }) => {
      const payload = JSON.parse(raw);
      expect(payload.class).toBe(JOB_WRAPPER_CLASS);
      const unwrapped = unwrapActiveJob(payload);
      expect(unwrapped?.jobData).toBe(payload.args[0]);
      return unwrapped?.jobClass;
    }),
  );
  expect([...classes].slice(0, 3)).toEqual(["ExampleJob", "CountedJob", "FlakyJob"]);
});

test.each([
  ["another class", { class: "InvoiceJob", args: [{ job_class: "InvoiceJob" }] }],
  ["a wrapper without arguments", { class: JOB_WRAPPER_CLASS, args: [] }],
  ["a wrapper of no list", { class: JOB_WRAPPER_CLASS, args: { 0: { job_class: "A" } } }],
  ["a wrapper of null", { class: JOB_WRAPPER_CLASS, args: [null] }],
  ["a wrapper of a text", { class: JOB_WRAPPER_CLASS, args: ["InvoiceJob"] }],
  ["a job without a class", { class: JOB_WRAPPER_CLASS, args: [{ job_id: "1" }] }],
  ["a job of the empty class", { class: JOB_WRAPPER_CLASS, args: [{ job_class: "" }] }],
  ["a job of a class that is no text", { class: JOB_WRAPPER_CLASS, args: [{ job_class: ["A"] }] }],
])("%s is no Active Job", (_what, payload) => {
  expect(unwrapActiveJob(payload)).toBeUndefined();
});

test.each([
  [0, 0],
  [3, 3],
  [-1, 0],
  [1.5, 0],
  ["3", 0],
  [null, 0],
  [undefined, 0],
])("executions of %j count for %i attempts", (executions, offset) => {
  expect(attemptOffset({ job_class: "A", executions })).toBe(offset);
});
