import { expect, test } from "vitest";
import { release } from "../../src/core/directive.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import { createRunOnce, type RunStore } from "../../src/core/run-once.ts";
import { createManualClock } from "./manual-clock.ts";

function setUp({ renew = async () => undefined, complete, begin, abandon }: Partial<RunStore> = {}) {
  const clock = createManualClock();
  const calls: string[] = [];
  const lines: string[] = [];
  const controller = new AbortController();
  const told = async (call: string): Promise<void> => void calls.push(call);
  const store: RunStore = {
    keyOf: async () => "key",
    begin: async (key, token, ttlMs) => {
      await told(`begin ${key} ${token} ${ttlMs}`);
      return begin ? begin(key, token, ttlMs) : { kind: "begun" };
    },
    renew: async (key, token, ttlMs) => {
      await told(`renew ${key} ${token} ${ttlMs}`);
      await renew(key, token, ttlMs);
    },
    async complete(key, result, ttlMs) {
      await told(`complete ${key} ${result} ${ttlMs}`);
      await complete?.(key, result, ttlMs);
    },
    async abandon(key, token) {
      await told(`abandon ${key} ${token}`);
      await abandon?.(key, token);
    },
  };
  const times = { ttlMs: 9_000, runningTtlMs: 3_000, retryAfterMs: 70, maxResultChars: 100 };
  const runOnce = createRunOnce({ ...times, store, clock, random: () => 0, newToken: () => "token" });
  const line = (text: string) => void lines.push(text);
  const log = { warn: line, error: line };
  const job = { signal: controller.signal, log } as unknown as JobContext;
  let end = (_result: unknown): void => undefined;
  let fail = (_error: Error): void => undefined;
  let runs = 0;
  const running = runOnce(job, undefined, () => {
    runs++;
    return new Promise<unknown>((resolve, reject) => {
      [end, fail] = [resolve, reject];
    });
  });
  running.catch(() => undefined);
  const ended = (...results: unknown[]): void => end(results.length > 0 ? results[0] : 5);
  return {
    clock,
    calls,
    lines,
    controller,
    running,
    end: ended,
    fail: (error: Error) => fail(error),
    runs: () => runs,
  };
}

test("the mark of a run that goes on is renewed each third of its time, until the run ends", async () => {
  const { clock, calls, running, end } = setUp();
  await clock.advance(2_999);
  expect(calls).toEqual(["begin key token 3000", "renew key token 3000", "renew key token 3000"]);
  end();
  expect(await running).toBe(5);
  await clock.advance(10_000);
  expect(calls.slice(3)).toEqual(["complete key 5 9000"]);
  expect(clock.pendingMs).toEqual([]);
});

test("an aborted run is renewed no more, though it does not end", async () => {
  const { clock, calls, controller } = setUp();
  await clock.advance(1_500);
  controller.abort();
  await clock.advance(10_000);
  expect(calls).toEqual(["begin key token 3000", "renew key token 3000"]);
  expect(clock.pendingMs).toEqual([]);
});

test("a renewal that fails is told, and tried again the next time", async () => {
  const { clock, calls, lines, running, end } = setUp({
    renew: () => Promise.reject(new StoreError("rejected", "no")),
  });
  await clock.advance(2_500);
  end();
  await running;
  expect(calls).toContain("complete key 5 9000");
  expect(lines).toEqual(Array(2).fill("idempotency: the mark of a run was not renewed"));
});

test("that a run is done is told again to a store that refuses its credentials for a while: they were good before it", async () => {
  let refusals = 3;
  const complete = async (): Promise<void> => {
    if (refusals-- > 0) throw new StoreError("unauthorized", "WRONGPASS");
  };
  const { clock, calls, running, end } = setUp({ complete });
  await clock.advance(1);
  end();
  await clock.advance(2_000);
  expect(await running).toBe(5);
  expect(calls.filter((call) => call.startsWith("complete"))).toHaveLength(4);
});

const refused = () => Promise.reject(new StoreError("rejected", "no"));

test("a run that fails leaves neither its mark nor what renews it, and its error is told", async () => {
  const { clock, calls, running, fail } = setUp();
  const error = new Error("boom");
  await clock.advance(1);
  fail(error);
  await expect(running).rejects.toBe(error);
  await clock.advance(10_000);
  expect([calls.slice(1), clock.pendingMs]).toEqual([["abandon key token"], []]);
});

test("so does one that is to be tried again", async () => {
  const { clock, calls, running, end } = setUp();
  await clock.advance(1);
  end(release());
  expect(await running).toMatchObject({ kind: "release" });
  expect(calls.slice(1)).toEqual(["abandon key token"]);
});

test("a mark that cannot be removed is told in the log, and hides no error", async () => {
  const { clock, lines, running, fail } = setUp({ abandon: refused });
  await clock.advance(1);
  fail(new Error("boom"));
  await expect(running).rejects.toThrow("boom");
  expect(lines).toEqual(["idempotency: the mark of a run that is over was not removed; it ends by itself"]);
});

test("a run that is done is done, though that cannot be kept: to fail it would have it run again at once", async () => {
  const { clock, lines, running, end } = setUp({ complete: refused });
  await clock.advance(1);
  end();
  expect(await running).toBe(5);
  expect(lines).toEqual(["idempotency: it was not kept that a job is done: delivered once more, it would run again"]);
});

test("what runs elsewhere is given back for a while, unrun", async () => {
  const { running, runs } = setUp({ begin: async () => ({ kind: "running" }) });
  expect(await running).toMatchObject({ kind: "release", afterMs: 70 });
  expect(runs()).toBe(0);
});

test.each([
  ["", undefined],
  ["[1]", [1]],
])("what was done is not run again, and returns what it had: %j", async (result, returned) => {
  const { running, runs } = setUp({ begin: async () => ({ kind: "done", result }) });
  expect([await running, runs()]).toEqual([returned, 0]);
});

const circle: unknown[] = [];
circle.push(circle);

test.each([
  ["too long", "x".repeat(99), 1],
  ["just short enough", "x".repeat(98), 0],
  ["a circle", circle, 1],
  ["none", undefined, 0],
])("a result that is %s: the job is done all the same", async (_what, result, warnings) => {
  const { clock, calls, lines, running, end } = setUp();
  await clock.advance(1);
  end(result);
  await running;
  const kept = warnings > 0 || result === undefined ? "" : JSON.stringify(result);
  expect([calls.slice(1), lines.length]).toEqual([[`complete key ${kept} 9000`], warnings]);
});

test("a store that does not answer before a run is asked again for five seconds, and then the job fails", async () => {
  let asked = 0;
  const begin = (): Promise<never> => {
    asked++;
    return Promise.reject(new StoreError("unavailable", "away"));
  };
  const { clock, running, runs } = setUp({ begin });
  await clock.advance(6_000);
  await expect(running).rejects.toThrow("away");
  expect([asked > 5, runs()]).toEqual([true, 0]);
});
