import { describe, expect, test } from "vitest";
import { type EndedAttempt, outcomeOfFailure } from "../../src/core/failed-attempt.ts";
import type { RetryOptions } from "../../src/core/retry.ts";
import { createManualClock } from "./manual-clock.ts";

const error = new Error("boom");
const failure = { exception: "Error", message: "boom", backtrace: [] };

function end(retry: RetryOptions | undefined, attempt: Partial<EndedAttempt> & { readonly retries?: number } = {}) {
  const { retries = 0, ...others } = attempt;
  const logged: unknown[] = [];
  const waited: Promise<unknown>[] = [];
  const line = (message: string, fields?: object) => void logged.push({ message, ...fields });
  const deps = {
    clock: createManualClock(),
    random: () => 0,
    logger: { debug: line, info: line, warn: line, error: line },
    hooks: { waitFor: (promise: Promise<unknown>) => void waited.push(promise) },
  };
  const definition = { class: "A", perform: () => undefined, ...(retry && { retry }) };
  const job = { queue: "q", class: "A", args: [1], retries };
  const outcome = outcomeOfFailure(deps, { definition, job, failure, error, ...others });
  return { outcome, logged, waited };
}

describe("an attempt that did not end well", () => {
  test.each<[what: string, retry: RetryOptions | undefined, attempt: Parameters<typeof end>[1], outcome: object]>([
    ["without a policy fails", undefined, {}, { kind: "failed", failure }],
    ["is tried again after its backoff", { backoff: [700] }, {}, { kind: "retrying", failure, afterMs: 700 }],
    ["may be discarded", { rules: [{ error: "Error", action: "discard" }] }, {}, { kind: "discarded", reason: "boom" }],
    ["may fail at once", { rules: [{ error: "Error", action: "fail" }] }, {}, { kind: "failed", failure }],
    ["fails once it was tried often enough", { limit: 2 }, { retries: 2 }, { kind: "failed", failure }],
    ["is dropped then if it says so", { limit: 2, exhausted: "drop" }, { retries: 2 }, { kind: "dropped", failure }],
    [
      "asked for another is tried again",
      undefined,
      { asked: { afterMs: 90 } },
      { kind: "retrying", failure, afterMs: 90 },
    ],
  ])("%s", (_what, retry, attempt, outcome) => {
    expect(end(retry, attempt)).toEqual({ outcome, logged: [], waited: [] });
  });

  test("whose arguments cannot be understood fails at once: another would end the same", () => {
    const hopeless = { ...failure, exception: "InvalidArgumentsError" };
    expect(end({ limit: 5 }, { failure: hopeless }).outcome).toEqual({ kind: "failed", failure: hopeless });
  });
});

describe("a backoff that throws", () => {
  const problem = new Error("from the backoff");
  const backoff = (): never => {
    throw problem;
  };

  test("is told in the log, and the default is used", () => {
    const { outcome, logged } = end({ backoff });
    expect(outcome).toEqual({ kind: "retrying", failure, afterMs: 5_000 });
    expect(logged).toEqual([
      { message: "retry.backoff failed; the default is used", queue: "q", class: "A", error: problem },
    ]);
  });

  test("keeps the policy's limit, be it more than the default or less", () => {
    expect(end({ backoff, limit: 9 }, { retries: 8 }).outcome).toMatchObject({ kind: "retrying" });
    expect(end({ backoff, limit: 9 }, { retries: 9 }).outcome).toMatchObject({ kind: "failed" });
    expect(end({ backoff }, { retries: 4 }).outcome).toMatchObject({ kind: "retrying" });
    expect(end({ backoff }, { retries: 5 }).outcome).toMatchObject({ kind: "failed" });
  });
});

describe("onExhausted", () => {
  const problem = new Error("from the hook");
  const told = [{ message: "retry.onExhausted failed", queue: "q", class: "A", error: problem }];

  test("is told of the job and the error, when the job has used up its retries and not before", () => {
    const calls: unknown[] = [];
    const onExhausted = (...args: unknown[]) => void calls.push(args);
    end({ limit: 1, onExhausted });
    expect(calls).toEqual([]);
    const { waited } = end({ limit: 1, onExhausted }, { retries: 1 });
    expect([calls, waited]).toEqual([[[{ queue: "q", class: "A", args: [1] }, error]], []]);
  });

  test("that throws is logged, and the job ends as it would", () => {
    const onExhausted = () => {
      throw problem;
    };
    expect(end({ limit: 0, onExhausted })).toEqual({ outcome: { kind: "failed", failure }, logged: told, waited: [] });
  });

  test("that is not done yet is waited for, and one that rejects is logged", async () => {
    const { outcome, logged, waited } = end({ limit: 0, onExhausted: () => Promise.reject(problem) });
    expect([outcome.kind, logged, waited.length]).toEqual(["failed", [], 1]);
    await waited[0];
    expect(logged).toEqual(told);
  });

  test("is called, too, where nobody waits", () => {
    let calls = 0;
    const onExhausted = async () => void calls++;
    const logged: unknown[] = [];
    const line = (message: string) => void logged.push(message);
    const logger = { debug: line, info: line, warn: line, error: line };
    const deps = { clock: createManualClock(), random: () => 0, logger };
    const attempt = {
      definition: { class: "A", perform: () => undefined, retry: { limit: 0, onExhausted } },
      job: { queue: "q", class: "A", args: [], retries: 0 },
    };
    outcomeOfFailure(deps, { ...attempt, failure, error });
    outcomeOfFailure({ ...deps, hooks: {} }, { ...attempt, failure, error });
    expect([calls, logged]).toEqual([2, []]);
  });
});
