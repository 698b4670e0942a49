import { expect, test } from "vitest";
import type { HostEvent } from "../harness/drain-host.ts";
import type { RunLine } from "../harness/run-log.ts";
import { judge, type Verdict } from "./verdict.ts";

const LEASE_MS = 3_000;

/** `at process what [job]`, each a line of the log or something that was done to a process; `claim` is what Redis handed out. */
function verdictOf(...story: readonly string[]): Verdict {
  const lines: RunLine[] = [];
  const events: HostEvent[] = [];
  const claims: { job: number; process: string; atMs: number; how: string }[] = [];
  for (const text of story) {
    const [at, process, what, ...rest] = text.split(" ") as [string, string, string, ...string[]];
    const atMs = Number(at);
    if (what === "claim") claims.push({ job: Number(rest[0]), process, atMs, how: "answered" });
    else if (["started", "killed", "frozen", "thawed", "ended"].includes(what)) {
      events.push({ atMs, process, kind: what as HostEvent["kind"] });
    } else if (what === "standstill") lines.push({ atMs, process, phase: what, job: "", note: rest.join(" ") });
    else lines.push({ atMs, process, phase: what, job: rest[0] as string, note: "" });
  }
  return judge({ leaseMs: LEASE_MS, lines, events, claimsOf: (job) => claims.filter((claim) => claim.job === job) });
}

const NONE = { kill: 0, freeze: 0, thaw: 0, machine: 0 };
const judged = (...story: readonly string[]) => {
  const { duplicates, unexplained, settledTwice, recoveryMs } = verdictOf(...story);
  return { duplicates, unexplained, settledTwice, recoveryMs };
};
const FINE = { duplicates: NONE, unexplained: [], settledTwice: [], recoveryMs: [] };

test("a job that ran once is no duplicate, whether its end was heard of or not", () => {
  expect(judged("1 a.1 start 7", "2 a.1 end 7", "3 a.1 settled 7")).toEqual(FINE);
  expect(judged("1 a.1 start 7", "2 a.1 killed")).toEqual(FINE);
});

test("a run that was killed is the reason for the next, which came so much later", () => {
  expect(judged("1 a.1 start 7", "10 a.1 killed", "5010 b.1 start 7", "5020 b.1 settled 7")).toEqual({
    ...FINE,
    duplicates: { ...NONE, kill: 1 },
    recoveryMs: [5_000],
  });
  // It had ended, but nobody knows whether Redis was told.
  const ended = judged("1 a.1 start 7", "2 a.1 end 7", "10 a.1 killed", "20 b.1 start 7");
  expect(ended).toMatchObject({ duplicates: { kill: 1 }, unexplained: [] });
});

test("a kill is no reason to run a job again whose end was taken in before", () => {
  expect(judged("1 a.1 start 7", "2 a.1 settled 7", "10 a.1 killed", "20 b.1 start 7")).toEqual({
    ...FINE,
    unexplained: [7],
  });
});

test("the death of another process, or of a later one, is no reason", () => {
  expect(judged("1 a.1 start 7", "10 a.2 killed", "20 b.1 start 7").unexplained).toEqual([7]);
});

test("two runs of one process that met nothing have no reason, nor have two at once", () => {
  expect(judged("1 a.1 start 7", "2 a.1 start 7").unexplained).toEqual([7]);
  expect(judged("1 a.1 start 7", "2 b.1 start 7", "3 a.1 settled 7", "4 b.1 settled 7")).toMatchObject({
    ...{ unexplained: [7], settledTwice: [7] },
  });
});

test("of three runs two must have a reason", () => {
  const story = ["1 a.1 start 7", "10 a.1 killed", "20 b.1 start 7", "40 c.1 start 7", "50 c.1 settled 7"];
  expect(judged(...story)).toMatchObject({ unexplained: [7], duplicates: { kill: 1 } });
  expect(judged(...story, "30 b.1 killed")).toMatchObject({ unexplained: [], duplicates: { kill: 2 } });
});

test("a long freeze is a reason for the job that was held, a short one is none", () => {
  const story = ["1 a.1 start 7", "2 a.1 end 7", "10 a.1 frozen", "4500 b.1 start 7", "4600 b.1 settled 7"];
  expect(judged(...story, "5000 a.1 thawed")).toEqual({
    ...FINE,
    duplicates: { ...NONE, freeze: 1 },
    recoveryMs: [4_490],
  });
  expect(judged(...story, "500 a.1 thawed").unexplained).toEqual([7]);
  // Frozen until it was killed.
  expect(judged(...story, "5000 a.1 killed").duplicates).toMatchObject({ freeze: 1 });
});

test("a kill is no reason for a job that had been handed to another before it", () => {
  const story = ["1 a.1 start 7", "100 b.1 claim 7", "110 b.1 start 7", "120 b.1 settled 7"];
  expect(judged(...story, "200 a.1 killed").unexplained).toEqual([7]);
  expect(judged(...story, "90 a.1 killed")).toMatchObject({ unexplained: [], duplicates: { kill: 1 } });
  // Nor for the first of two runs in one process.
  const twice = ["1 a.1 start 7", "50 a.1 start 7", "60 a.1 killed", "100 b.1 start 7"];
  expect(judged(...twice)).toMatchObject({ unexplained: [7], duplicates: { kill: 1 } });
});

test("a run that begins after a freeze is too late only if Redis had handed the job out before it", () => {
  const begins = ["10 a.1 frozen", "5000 a.1 thawed", "5001 a.1 start 7"];
  const story = [...begins, "4400 b.1 claim 7", "4500 b.1 start 7", "4600 b.1 settled 7"];
  expect(judged("5 a.1 claim 7", ...story)).toMatchObject({ unexplained: [], duplicates: { thaw: 1 }, recoveryMs: [] });
  expect(judged("5002 a.1 claim 7", ...story).unexplained).toEqual([7]);
  expect(judged("5 b.1 claim 7", ...story).unexplained).toEqual([7]);
  // Handed to another when it had just begun; and long after.
  expect(judged("5 a.1 claim 7", ...begins, "5100 b.1 start 7")).toMatchObject({ duplicates: { thaw: 1 } });
  expect(judged("5 a.1 claim 7", ...begins, "8001 b.1 start 7").unexplained).toEqual([7]);
});

test("a late run of a thawed process does not hide why the job went from the one that held it to a third", () => {
  const late = [
    "5 a.1 claim 7",
    "10 a.1 frozen",
    "4400 b.1 claim 7",
    "4500 b.1 start 7",
    "5000 a.1 thawed",
    "5001 a.1 start 7",
  ];
  const third = ["9000 c.1 claim 7", "9001 c.1 start 7", "9002 c.1 settled 7"];
  expect(judged(...late, "5100 b.1 killed", ...third)).toMatchObject({
    unexplained: [],
    duplicates: { kill: 1, thaw: 1 },
  });
  expect(judged(...late, ...third).unexplained).toEqual([7]);
});

test("a process that the machine gave no time for long is told apart; a standstill of the harness befalls all", () => {
  const story = ["0 a.1 started", "0 b.1 started", "1 a.1 start 7", "4000 b.1 start 7", "4001 b.1 settled 7"];
  expect(judged(...story, "3500 a.1 standstill 10 3500")).toMatchObject({
    unexplained: [],
    duplicates: { machine: 1 },
  });
  expect(judged(...story, "3500 harness standstill 10 3500").duplicates).toMatchObject({ machine: 1 });
  expect(judged(...story, "900 a.1 standstill 10 900").unexplained).toEqual([7]);
  expect(judged(...story, "3500 b.1 standstill 10 3500").unexplained).toEqual([7]);
});

test("an end without a beginning is a mistake of the log", () => {
  expect(() => verdictOf("1 a.1 settled 7")).toThrow("a.1 was told of the end of job 7, which it has not begun");
});
