import { describe, expect, test } from "vitest";
import { createPacing, maxHand, type Pacing } from "../../src/core/pacing.ts";

function seasoned(concurrency: number, durationMs: number, { exchangeMs = 1, jobs = 1_000 } = {}): Pacing {
  const pacing = createPacing(concurrency);
  for (let i = 0; i < jobs; i++) {
    pacing.noteJob(durationMs);
    pacing.noteExchange(exchangeMs);
  }
  return pacing;
}

describe("pacing", () => {
  test("holds nothing in hand and gathers nothing before the first job has ended", () => {
    const { hand, gatherMs } = createPacing(100);
    expect({ hand, gatherMs }).toEqual({ hand: 0, gatherMs: 0 });
  });

  test.each([0, 0.1, 1, 5, 27, 50, 199, 200, 999])(
    "of jobs of %d ms gathers for a short part of them",
    (durationMs) => {
      const { gatherMs } = seasoned(100, durationMs);
      expect(gatherMs).toBeLessThanOrEqual(0.3 * durationMs + 1e-9);
      expect(gatherMs).toBeLessThanOrEqual(50);
    },
  );

  test.each([1_001, 3_000, 60_000, 3_600_000])(
    "holds no job of %d ms in hand, and gathers 4 %% of it or 200 ms at most",
    (durationMs) => {
      const { hand, gatherMs } = seasoned(100, durationMs);
      expect(hand).toBe(0);
      expect(gatherMs).toBeLessThanOrEqual(Math.min(200, Math.max(50, 0.04 * durationMs)) + 1e-9);
    },
  );

  test.each([1, 2, 25, 100, 1_000])("never holds more than its slots allow, at %i in flight", (concurrency) => {
    for (const durationMs of [0, 0.001, 1, 10, 100, 1_000]) {
      for (const exchangeMs of [0, 1, 50, 5_000]) {
        const { hand } = seasoned(concurrency, durationMs, { exchangeMs, jobs: 200 });
        expect(hand).toBeGreaterThanOrEqual(0);
        expect(hand).toBeLessThanOrEqual(maxHand(concurrency));
        expect(Number.isInteger(hand)).toBe(true);
      }
    }
  });

  test("holds enough that nobody waits while finished jobs gather and are exchanged", () => {
    const pacing = seasoned(100, 30, { exchangeMs: 2 });
    const endMeanwhile = (100 / 30) * (pacing.gatherMs + 2);
    expect(pacing.hand).toBeGreaterThanOrEqual(endMeanwhile);
    expect(pacing.hand).toBeLessThanOrEqual(Math.ceil(2 * endMeanwhile));
  });

  test("holds more when exchanges are slow", () => {
    expect(seasoned(100, 100, { exchangeMs: 20 }).hand).toBeGreaterThan(seasoned(100, 100, { exchangeMs: 1 }).hand);
  });

  test("believes the first job", () => {
    const [first, many] = [seasoned(10, 40, { jobs: 1 }), seasoned(10, 40)];
    expect(first.gatherMs).toBeGreaterThan(0);
    expect(first.gatherMs).toBeCloseTo(many.gatherMs);
  });

  test("adapts when the jobs become others", () => {
    const pacing = seasoned(100, 5);
    const { hand: before, gatherMs } = pacing;
    for (let i = 0; i < 200; i++) pacing.noteJob(10_000);
    expect(before).toBeGreaterThan(0);
    expect(pacing.hand).toBe(0);
    expect(pacing.gatherMs).toBeGreaterThan(gatherMs);
  });

  test("one slow exchange does not turn everything round", () => {
    const pacing = seasoned(100, 100);
    const before = pacing.hand;
    pacing.noteExchange(3_600_000);
    expect(pacing.hand).toBeLessThanOrEqual(before + 65);
  });

  test.each([1, 2, 10, 50])("at %i in flight takes half of it for worth an exchange", (concurrency) => {
    expect(createPacing(concurrency).gatherJobs).toBe(Math.ceil(concurrency / 2));
  });

  test("takes no more jobs for worth an exchange than make it cheap: 5 commands over them are 0.1 to 0.2 each", () => {
    for (const concurrency of [100, 1_000]) {
      const { gatherJobs } = createPacing(concurrency);
      expect(5 / gatherJobs).toBeLessThanOrEqual(0.2);
      expect(5 / gatherJobs).toBeGreaterThanOrEqual(0.1);
    }
  });

  test("where exchanges are few, finished jobs wait for each other", () => {
    let isScarce = false;
    const pacing = createPacing(20, () => isScarce);
    for (let i = 0; i < 100; i++) pacing.noteJob(2);
    expect(pacing).toMatchObject({ gatherJobs: 10, gatherMs: expect.closeTo(0.6, 1) });
    isScarce = true;
    expect(pacing).toMatchObject({ gatherJobs: 20, gatherMs: 250, hand: 10 });
  });
});
