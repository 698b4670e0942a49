import { describe, expect, test } from "vitest";
import { StoreError, type StoreErrorReason } from "../../src/core/errors.ts";
import { repeat } from "../../src/core/repeat.ts";
import { createManualClock } from "./manual-clock.ts";

const DAY_MS = 86_400_000;

/** Repeats a call that fails with these errors, one after the other, and then succeeds. */
function start(errors: readonly unknown[], { random = 1, forMs = DAY_MS as number | (() => number) } = {}) {
  const clock = createManualClock();
  const attempts: { attempt: number; atMs: number }[] = [];
  const retries: { attempt: number; delayMs: number }[] = [];
  const startMs = clock.nowMs();
  const untilMs = (): number => startMs + (typeof forMs === "number" ? forMs : forMs());
  const call = async (attempt: number): Promise<string> => {
    attempts.push({ attempt, atMs: clock.nowMs() - startMs });
    if (attempt <= errors.length) throw errors[attempt - 1];
    return "done";
  };
  const onRetry = (_error: StoreError, attempt: number, delayMs: number): void =>
    void retries.push({ attempt, delayMs });
  const result = repeat(call, { clock, random: () => random, untilMs, onRetry });
  result.catch(() => undefined);
  return { clock, result, attempts, retries };
}

const unavailable = (): StoreError => new StoreError("unavailable", "no answer");

describe("a call that fails", () => {
  test("and succeeds at once is called once", async () => {
    const { result, attempts } = start([]);
    expect(await result).toBe("done");
    expect(attempts).toEqual([{ attempt: 1, atMs: 0 }]);
  });

  test("is repeated after pauses that double up to 2 s, each attempt numbered", async () => {
    const { clock, result, attempts } = start(Array.from({ length: 10 }, unavailable));
    await clock.advance(60_000);
    expect(await result).toBe("done");
    const delays = attempts.slice(1).map(({ atMs }, i) => atMs - (attempts[i]?.atMs ?? 0));
    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000]);
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("is repeated at the earliest after half of the pause", async () => {
    const { clock, attempts } = start([unavailable(), unavailable()], { random: 0 });
    await clock.advance(1_000);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 25, 75]);
  });

  test("waits as long as the store asked for", async () => {
    const error = new StoreError("throttled", "too many", { retryAfterMs: 2_000 });
    const { clock, attempts, retries } = start([error]);
    await clock.advance(1_999);
    expect(attempts).toHaveLength(1);
    await clock.advance(1);
    expect(attempts).toHaveLength(2);
    expect(retries).toEqual([{ attempt: 1, delayMs: 2_000 }]);
  });

  test("is given up, with its last error, when the next attempt would be too late", async () => {
    const last = unavailable();
    const { clock, result, attempts } = start([unavailable(), unavailable(), last, unavailable()], { forMs: 349 });
    await clock.advance(DAY_MS);
    await expect(result).rejects.toBe(last);
    expect(attempts).toHaveLength(3);
    expect(clock.pendingMs).toEqual([]);
  });

  test("is given up soon after the end has come nearer than its next attempt", async () => {
    const error = new StoreError("throttled", "too many", { retryAfterMs: 60_000 });
    let forMs = DAY_MS;
    const { clock, result, attempts } = start([error], { forMs: () => forMs });
    await clock.advance(10_100);
    forMs = 12_000;
    let ended: unknown;
    result.catch((reason: unknown) => {
      ended = reason;
    });
    await clock.advance(500);
    expect([ended, attempts.length, clock.pendingMs]).toEqual([error, 1, []]);
  });

  test("is given up at once if the store asks for more patience than there is", async () => {
    const error = new StoreError("throttled", "too many", { retryAfterMs: 10_000 });
    const { result, retries } = start([error], { forMs: 9_999 });
    await expect(result).rejects.toBe(error);
    expect(retries).toEqual([]);
  });

  test.each(["unavailable", "throttled", "full"] as StoreErrorReason[])("for %s is repeated", async (reason) => {
    const { clock, result } = start([new StoreError(reason, "no")]);
    await clock.advance(1_000);
    expect(await result).toBe("done");
  });

  test.each(["unauthorized", "rejected"] as StoreErrorReason[])("for %s is not repeated", async (reason) => {
    const { result, attempts, retries } = start([new StoreError(reason, "no")]);
    await expect(result).rejects.toMatchObject({ reason });
    expect([attempts.length, retries.length]).toEqual([1, 0]);
  });

  test("with another error is not repeated", async () => {
    const error = new TypeError("a bug");
    const { result, attempts } = start([error]);
    await expect(result).rejects.toBe(error);
    expect(attempts).toHaveLength(1);
  });
});

describe("a call that is not answered", () => {
  function wait(untilMs: (startMs: number) => number) {
    const clock = createManualClock();
    const startMs = clock.nowMs();
    let answer = (): void => undefined;
    const call = () => new Promise<string>((resolve) => (answer = () => resolve("late")));
    const endings: unknown[] = [];
    const options = { clock, random: () => 0, untilMs: () => untilMs(startMs), onRetry: () => undefined };
    repeat(call, options).then(
      (value) => endings.push(value),
      (error: StoreError) => endings.push(error.message),
    );
    return { clock, endings, answer: () => answer() };
  }
  const given = "no answer from Redis in the time that was left";

  test("is waited for as long as there is time, and no longer", async () => {
    const { clock, endings } = wait((startMs) => startMs + 1_234);
    await clock.advance(1_233);
    expect(endings).toEqual([]);
    await clock.advance(1);
    expect([endings, clock.pendingMs]).toEqual([[given], []]);
  });

  test("is given up soon after the end has come nearer", async () => {
    let lengthMs = DAY_MS;
    const { clock, endings } = wait((startMs) => startMs + lengthMs);
    await clock.advance(10_100);
    lengthMs = 0;
    await clock.advance(500);
    expect([endings, clock.pendingMs]).toEqual([[given], []]);
  });

  test("is given up at once if time is up already", async () => {
    const { clock, endings } = wait((startMs) => startMs - 1);
    await clock.advance(0);
    expect(endings).toEqual([given]);
  });

  test("… but for what has come while the loop was busy, or the process stood still: that is read first", async () => {
    let looks = 0;
    const { clock, endings, answer } = wait((startMs) => {
      // Timers that are due are called back before sockets are read.
      if (++looks === 2) setImmediate(answer);
      return startMs + 400;
    });
    await clock.advance(400);
    expect([endings, clock.pendingMs]).toEqual([["late"], []]);
  });

  test("leaves no timer when it is answered after all", async () => {
    const { clock, endings, answer } = wait((startMs) => startMs + DAY_MS);
    await clock.advance(10_000);
    expect(clock.pendingMs).toEqual([500]);
    answer();
    await clock.advance(0);
    expect([endings, clock.pendingMs]).toEqual([["late"], []]);
  });
});
