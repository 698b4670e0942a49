import { expect, test } from "vitest";
import { createLull } from "../../src/core/lull.ts";
import type { Claim, ExchangeResult } from "../../src/core/store.ts";

const job = { kind: "malformed", raw: "", reason: "none", isBinary: false } as const;
const claim: Claim = { slot: 0, token: "d.0", queue: "q", job };

function resultOf(result: Partial<ExchangeResult>): ExchangeResult {
  const none = { claims: [], lost: [], isRegistered: true, isPaused: false, isLimited: false, freesInMs: undefined };
  return { ...none, isDrained: true, ...result };
}

test("queues are asked again a second after they gave less, then less and less often, like an idle Ruby worker", () => {
  const lull = createLull();
  lull.note(resultOf({}), 10_000);
  const polls = [lull.pollAtMs];
  for (let n = 0; n < 4; n++) {
    lull.notePoll(lull.pollAtMs);
    polls.push(lull.pollAtMs);
  }
  expect(polls).toEqual([11_000, 13_000, 17_000, 22_000, 27_000]);
});

test("they are asked as often as at first once they gave a job, and no more often if they gave none", () => {
  const lull = createLull();
  lull.note(resultOf({}), 0);
  lull.notePoll(1_000);
  lull.note(resultOf({}), 5_000);
  expect(lull.pollAtMs).toBe(7_000);
  lull.note(resultOf({ claims: [claim] }), 5_000);
  expect(lull.pollAtMs).toBe(6_000);
});

test("a rate is waited for a moment longer than it says, as clocks differ; without one nothing is waited for", () => {
  const lull = createLull();
  expect(lull.freesAtMs).toBe(Number.POSITIVE_INFINITY);
  lull.note(resultOf({ isLimited: true, freesInMs: 500 }), 10_000);
  expect(lull.freesAtMs).toBe(10_502);
  lull.note(resultOf({ isLimited: true }), 10_000);
  expect(lull.freesAtMs).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  [{}, "empty"],
  [{ isPaused: true }, "paused"],
  [{ isLimited: true }, "limited"],
  // Limits pass by themselves.
  [{ isPaused: true, isLimited: true }, "limited"],
] as const)("of queues that told %o the drain says: %s", (told, reason) => {
  const lull = createLull();
  lull.note(resultOf(told), 0);
  expect([lull.reason, lull.isLimited, lull.isDrained]).toEqual([reason, reason === "limited", true]);
  lull.end();
  expect([lull.reason, lull.isDrained]).toEqual([reason, false]);
});
