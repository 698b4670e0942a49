import { expect, test } from "vitest";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Settlement } from "../../src/core/store.ts";
import { createTally } from "../../src/core/tally.ts";

const failure = { exception: "Error", message: "", backtrace: [] };
const ENDS: readonly Outcome[] = [
  { kind: "ok" },
  { kind: "discarded", reason: undefined },
  { kind: "failed", failure },
  { kind: "dropped", failure },
  { kind: "retrying", failure, afterMs: 1 },
  { kind: "postponed", afterMs: 1 },
  { kind: "released" },
  { kind: "requeued" },
  { kind: "detached", afterMs: 1, dispatch: async () => undefined },
];

function ended(slot: number, outcome: Outcome): Settlement {
  const job = { kind: "malformed", raw: "", reason: "none", isBinary: false } as const;
  return { claim: { slot, token: "t.1.1", queue: "q", job }, outcome };
}

test("each end is counted as one thing, and what is handed over only when it has been", () => {
  const tally = createTally();
  tally.settled(
    ENDS.map((outcome) => ended(0, outcome)),
    [],
  );
  expect(tally).toMatchObject({
    ...{ succeeded: 1, discarded: 1, failed: 2, retried: 1, released: 3, detached: 0, lost: 0 },
    ...{ claimed: 0, recovered: 0, promoted: 0, scheduled: 0 },
  });
});

test("what is lost is counted as nothing else, whatever its end", () => {
  const tally = createTally();
  const all = ENDS.map((outcome) => ended(0, outcome));
  tally.settled(all, all);
  expect(tally).toMatchObject({ succeeded: 0, discarded: 0, failed: 0, retried: 0, released: 0, lost: all.length });
  expect(tally.changedSlots()).toEqual([]);
});

test("a worker is shown attempts and failures as Ruby Resque counts them, and none for jobs that were only given back", () => {
  const tally = createTally();
  const figures = ENDS.map((outcome, slot) => {
    tally.settled([ended(slot, outcome)], []);
    return tally.changedSlots();
  });
  const [well, badly] = [
    { processed: 1, failed: 0 },
    { processed: 1, failed: 1 },
  ];
  expect(figures).toEqual([
    [{ slot: 0, ...well }],
    [{ slot: 1, ...well }],
    [{ slot: 2, ...badly }],
    [{ slot: 3, ...badly }],
    [{ slot: 4, ...badly }],
    ...[[], [], [], []],
  ]);
});

test("a worker's figures add up, and are told again only once they have changed", () => {
  const tally = createTally();
  const [ok, , failed] = ENDS as [Outcome, Outcome, Outcome];
  tally.settled([ended(3, ok), ended(3, failed), ended(1, ok)], []);
  expect(tally.changedSlots()).toEqual([
    { slot: 3, processed: 2, failed: 1 },
    { slot: 1, processed: 1, failed: 0 },
  ]);
  expect(tally.changedSlots()).toEqual([]);
  tally.settled([ended(3, failed)], []);
  expect(tally.changedSlots()).toEqual([{ slot: 3, processed: 3, failed: 2 }]);
});
