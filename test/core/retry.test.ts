import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toFailure } from "../../src/core/failure.ts";
import { type Backoff, backoffMs, decideRetry, type FailedAttempt, type RetryOptions } from "../../src/core/retry.ts";

const NOW_MS = Date.UTC(2026, 10, 20, 12);
class Declined extends Error {}
class TemporarilyDeclined extends Declined {}

function attempt(of: Partial<FailedAttempt> = {}): FailedAttempt {
  const error = of.error ?? new Error("no");
  return {
    error,
    failure: { exception: error instanceof Error ? error.constructor.name : "NonError", message: "no", backtrace: [] },
    job: { queue: "q", class: "A", args: [1] },
    retries: 0,
    nowMs: NOW_MS,
    random: () => 0,
    ...of,
  };
}

const waits = (backoff: Backoff, count: number, random = 0): number[] =>
  Array.from({ length: count }, (_, retries) => backoffMs(backoff, attempt({ retries, random: () => random })));
const seconds = (listMs: readonly number[]): number[] => listMs.map((ms) => ms / 1_000);

describe("backoff", () => {
  test("exponential: from 5 s, doubling, up to an hour", () => {
    expect(seconds(waits("exponential", 12))).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
  });

  test("exponential takes off up to half at random", () => {
    expect(waits("exponential", 2, 0.5)).toEqual([3_750, 7_500]);
    fc.assert(
      fc.property(fc.nat(40), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (retries, random) => {
        const full = backoffMs("exponential", attempt({ retries }));
        const taken = backoffMs("exponential", attempt({ retries, random: () => random }));
        expect(taken).toBeGreaterThanOrEqual(full / 2);
        expect(taken).toBeLessThanOrEqual(full);
      }),
    );
  });

  test("an exponential one of one's own", () => {
    expect(waits({ firstMs: 100, factor: 3, maxMs: 1_000, jitter: 0 }, 4, 0.9)).toEqual([100, 300, 900, 1_000]);
    // A limit that nobody has set makes no wait shorter than the first.
    expect(waits({ firstMs: 7_200_000, jitter: 0 }, 2, 0.9)).toEqual([7_200_000, 7_200_000]);
  });

  // gocraft/work worker.go: defaultBackoffCalculator, fails from 1.
  test("gocraft's: n⁴ + 15 + rand(30)·(n + 1) s", () => {
    expect(seconds(waits("gocraft", 4))).toEqual([16, 31, 96, 271]);
    expect(seconds(waits("gocraft", 2, 0.5))).toEqual([16 + 15 * 2, 31 + 15 * 3]);
  });

  // que-go que.go: intPow(errorCount, 4) + 3, after the count was raised.
  test("que's: n⁴ + 3 s", () => {
    expect(seconds(waits("que", 5))).toEqual([4, 19, 84, 259, 628]);
  });

  // resque-retry exponential_backoff.rb: backoff_strategy.
  test("resque-retry's: 0, 1 min, 10 min, 1 h, 3 h, 6 h, and 6 h again", () => {
    expect(seconds(waits("resque-retry", 7))).toEqual([0, 60, 600, 3_600, 10_800, 21_600, 21_600]);
  });

  test("a list: its last again and again", () => {
    expect(waits([10, 20], 4)).toEqual([10, 20, 20, 20]);
  });

  test("a function of attempt, error and job", () => {
    const backoff: Backoff = (n, error, { args }) => n * 1_000 + (error as Error).message.length + Number(args[0]);
    expect(backoffMs(backoff, attempt({ retries: 2 }))).toBe(3_003);
    expect(backoffMs(() => 0, attempt())).toBe(0);
  });

  test.each([Number.NaN, -1, "5", undefined])("a function that answers %s is told", (answer) => {
    expect(() => backoffMs((() => answer) as never, attempt())).toThrow(/retry\.backoff: expected .* got/);
  });

  test("never is more than a clock can hold, however often a job has failed", () => {
    for (const backoff of ["exponential", "gocraft", "que", "resque-retry"] as const) {
      const waitMs = backoffMs(backoff, attempt({ retries: 1e9 }));
      expect(waitMs).toBeLessThanOrEqual(2 ** 40);
      expect(Number.isFinite(waitMs)).toBe(true);
    }
  });
});

describe("a policy", () => {
  const decide = (policy: RetryOptions, of?: Partial<FailedAttempt>) => decideRetry(policy, attempt(of));

  test("tries 5 times again, if it does not say otherwise", () => {
    expect(decide({}, { retries: 4 })).toEqual({ kind: "retry", afterMs: 80_000 });
    expect(decide({}, { retries: 5 })).toEqual({ kind: "exhausted", drop: false });
  });

  test("of limit 0 never tries again", () => {
    expect(decide({ limit: 0 })).toEqual({ kind: "exhausted", drop: false });
  });

  test("may drop what is exhausted", () => {
    expect(decide({ limit: 1, exhausted: "drop" }, { retries: 1 })).toEqual({ kind: "exhausted", drop: true });
  });

  test("rules by error class hold for subclasses, and the first that fits counts", () => {
    const policy: RetryOptions = {
      rules: [
        { error: TemporarilyDeclined, action: "retry", limit: 1, backoff: [7] },
        { error: Declined, action: "fail" },
        { error: "TypeError", action: "discard" },
      ],
    };
    expect(decide(policy, { error: new TemporarilyDeclined() })).toEqual({ kind: "retry", afterMs: 7 });
    expect(decide(policy, { error: new TemporarilyDeclined(), retries: 1 }).kind).toBe("exhausted");
    expect(decide(policy, { error: new Declined() })).toEqual({ kind: "fail" });
    expect(decide(policy, { error: new TypeError() })).toEqual({ kind: "discard" });
    expect(decide(policy, { error: new RangeError() })).toEqual({ kind: "retry", afterMs: 5_000 });
    expect(decide(policy, { error: "a text" })).toEqual({ kind: "retry", afterMs: 5_000 });
  });

  test("a rule by class fits an error of that name whose class is another copy, or was elsewhere", () => {
    const policy: RetryOptions = { rules: [{ error: Declined, action: "fail" }] };
    const error = Object.assign(new Error("no"), { name: "Declined" });
    expect(decide(policy, { error, failure: toFailure(error) })).toEqual({ kind: "fail" });
  });

  test("does not try again what its error says is final, unless a rule says otherwise", () => {
    const error = Object.assign(new Declined(), { isFinal: true });
    expect(decide({}, { error })).toEqual({ kind: "fail" });
    expect(decide({ rules: [{ error: Declined, action: "retry" }] }, { error }).kind).toBe("retry");
    expect(decide({}, { error: Object.assign(new Declined(), { isFinal: "yes" }) }).kind).toBe("retry");
  });

  test("takes an error that cannot be read for one that is not final", () => {
    const hostile = Object.defineProperty(new Error("no"), "isFinal", {
      get: () => {
        throw new Error("hands off");
      },
    });
    expect(decide({}, { error: hostile }).kind).toBe("retry");
  });

  test("waits as long as the handler said", () => {
    expect(decide({ backoff: [10] }, { afterMs: 123 })).toEqual({ kind: "retry", afterMs: 123 });
  });

  describe("respects Retry-After", () => {
    const headers = (value: string) => new Headers({ "retry-after": value });
    test.each<[string, unknown, number]>([
      ["retryAfterMs", { retryAfterMs: 1_500 }, 1_500],
      ["retryAfter in seconds", { retryAfter: 3 }, 3_000],
      ["headers", { headers: headers("120") }, 120_000],
      ["plain headers", { headers: { "retry-after": "2" } }, 2_000],
      ["a response's headers", { response: { headers: headers("4") } }, 4_000],
      ["a response's headers, its own being null", { headers: null, response: { headers: headers("4") } }, 4_000],
      ["plain headers, one of which is called get", { headers: { get: "x", "retry-after": "2" } }, 2_000],
      ["a date of JavaScript's", { retryAfter: new Date(NOW_MS + 90_000) }, 90_000],
      ["a date", { headers: headers(new Date(NOW_MS + 90_000).toUTCString()) }, 90_000],
    ])("of an error's %s", (_what, members, afterMs) => {
      const error = Object.assign(new Error("429"), members);
      expect(decide({ backoff: [10] }, { error })).toEqual({ kind: "retry", afterMs });
    });

    test("unless the backoff is longer", () => {
      const error = Object.assign(new Error("429"), { retryAfter: 1 });
      expect(decide({ backoff: [5_000] }, { error })).toEqual({ kind: "retry", afterMs: 5_000 });
    });

    test.each<[string, unknown]>([
      ["a past date", { retryAfter: new Date(NOW_MS - 1).toUTCString() }],
      ["no time at all", { retryAfter: "soon" }],
      ["a negative one", { retryAfterMs: -5 }],
      ["headers that throw", { headers: { get: () => JSON.parse("{") } }],
      ["a number that is none", { retryAfterMs: Number.NaN }],
      ["an empty header", { headers: headers("") }],
    ])("but not %s", (_what, members) => {
      const error = Object.assign(new Error("429"), members);
      expect(decide({ backoff: [10] }, { error })).toEqual({ kind: "retry", afterMs: 10 });
    });

    test.each([null, undefined, 7, "text"])("and takes %s thrown for an error without one", (error) => {
      expect(decideRetry({ backoff: [10] }, { ...attempt(), error })).toEqual({ kind: "retry", afterMs: 10 });
    });
  });
});
