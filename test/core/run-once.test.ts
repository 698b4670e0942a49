import { expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import { createRunOnce, type RunStore } from "../../src/core/run-once.ts";
import { createManualClock } from "./manual-clock.ts";

function setUp({ renew = async () => undefined, complete }: Partial<Pick<RunStore, "renew" | "complete">> = {}) {
  const clock = createManualClock();
  const calls: string[] = [];
  const lines: string[] = [];
  const controller = new AbortController();
  const told = async (call: string): Promise<void> => void calls.push(call);
  const store: RunStore = {
    keyOf: async () => "key",
    begin: async (key, token, ttlMs) => {
      await told(`begin ${key} ${token} ${ttlMs}`);
      return { kind: "begun" };
    },
    renew: async (key, token, ttlMs) => {
      await told(`renew ${key} ${token} ${ttlMs}`);
      await renew(key, token, ttlMs);
    },
    async complete(key, result, ttlMs) {
      await told(`complete ${key} ${result} ${ttlMs}`);
      await complete?.(key, result, ttlMs);
    },
    abandon: (key, token) => told(`abandon ${key} ${token}`),
  };
  const times = { ttlMs: 9_000, runningTtlMs: 3_000, retryAfterMs: 1, maxResultChars: 100 };
  const runOnce = createRunOnce({ ...times, store, clock, random: () => 0, newToken: () => "token" });
  const log = { warn: (line: string) => void lines.push(line) };
  const job = { signal: controller.signal, log } as unknown as JobContext;
  let end = (): void => undefined;
  const running = runOnce(job, undefined, () => new Promise<number>((resolve) => (end = () => resolve(5))));
  return { clock, calls, lines, controller, running, end: () => end() };
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
