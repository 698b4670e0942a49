import { describe, expect, test } from "vitest";
import { messageChange, progressChange } from "../../src/core/checkins.ts";
import { createNoteBoard } from "../../src/core/notes.ts";
import type { Claim } from "../../src/core/store.ts";

function claimOf(slot: number, id?: string): Claim {
  const job = { kind: "job", class: "Job", args: [], raw: "", attempt: 1, retries: 0, ...(id && { id }) } as const;
  return { slot, token: `d.${slot}`, queue: "q", job };
}

function createBench(keepsStatus = true) {
  let wakes = 0;
  const board = createNoteBoard(keepsStatus, () => {
    wakes++;
  });
  return {
    board,
    get wakes() {
      return wakes;
    },
  };
}

const none = Number.POSITIVE_INFINITY;

describe("jobs that run", () => {
  test("are told after a second, each once", () => {
    const bench = createBench();
    const { board } = bench;
    const [a, b] = [claimOf(0, "a"), claimOf(1, "b")];
    board.start(a, 5_000);
    board.start(b, 5_400);
    expect([board.dueMs, bench.wakes]).toEqual([6_000, 1]);
    expect(board.take(5_999)).toBeUndefined();
    expect(board.take(6_000)).toEqual({ started: [{ claim: a, startedMs: 5_000 }], checkins: [] });
    // Not sooner than a second after the request before.
    expect(board.dueMs).toBe(7_000);
    expect(board.take(6_999)).toBeUndefined();
    expect(board.take(7_000)).toEqual({ started: [{ claim: b, startedMs: 5_400 }], checkins: [] });
    expect([board.dueMs, board.take(100_000)]).toEqual([none, undefined]);
  });

  test("are not told if they have ended by then, or if no status of theirs is kept", () => {
    const { board } = createBench();
    const a = claimOf(0, "a");
    board.start(a, 5_000);
    board.end(a);
    board.start(claimOf(1), 5_000);
    board.start({ ...claimOf(2), job: { kind: "malformed", raw: "", reason: "", isBinary: false } }, 5_000);
    expect(board.take(9_000)).toBeUndefined();
    expect(board.dueMs).toBe(none);
    const without = createBench(false);
    without.board.start(a, 5_000);
    expect([without.board.dueMs, without.wakes]).toEqual([none, 0]);
  });

  test("are told again if the request was in vain, but not once they have ended", () => {
    const { board } = createBench();
    const [a, b] = [claimOf(0, "a"), claimOf(1, "b")];
    board.start(a, 5_000);
    board.start(b, 5_000);
    const notes = board.take(6_000);
    board.end(b);
    if (notes) board.putBack(notes);
    expect(board.dueMs).toBe(7_000);
    expect(board.take(7_000)).toEqual({ started: [{ claim: a, startedMs: 5_000 }], checkins: [] });
  });
});

describe("check-ins", () => {
  test("ride on a request at once, but not two within a second; a request of their own waits for a second", () => {
    const bench = createBench(false);
    const { board } = bench;
    const a = claimOf(0);
    board.checkIn(a, { message: "one" }, 5_000);
    expect([board.dueMs, bench.wakes]).toEqual([6_000, 1]);
    expect(board.take(5_001)?.checkins).toEqual([{ claim: a, checkin: { message: "one", atMs: 5_000 } }]);
    expect(board.dueMs).toBe(none);
    board.checkIn(a, { message: "two" }, 5_100);
    expect(board.take(6_000)).toBeUndefined();
    expect(board.dueMs).toBe(6_100);
    expect(board.take(6_001)?.checkins).toHaveLength(1);
  });

  test("the latest of several counts, a message beside a progress", () => {
    const { board } = createBench(false);
    const [a, b] = [claimOf(0), claimOf(1)];
    expect(board.checkIn(a, { message: "one" }, 1)).toEqual({ message: "one", atMs: 1 });
    board.checkIn(a, { message: "two" }, 2);
    board.checkIn(b, { done: 5 }, 2);
    const checkin = { message: "two", done: 1, total: 9, atMs: 3 };
    expect(board.checkIn(a, { done: 1, total: 9 }, 3)).toEqual(checkin);
    expect(board.take(4)?.checkins).toEqual([
      { claim: a, checkin },
      { claim: b, checkin: { done: 5, atMs: 2 } },
    ]);
    // What was told before stays beside what is told next.
    expect(board.checkIn(a, { done: 2, total: 9 }, 5)).toEqual({ message: "two", done: 2, total: 9, atMs: 5 });
    expect(board.take(5_000)?.checkins).toHaveLength(1);
  });

  test("and what is told of jobs that run go together", () => {
    const { board } = createBench();
    const a = claimOf(0, "a");
    board.start(a, 5_000);
    board.checkIn(a, { done: 1 }, 5_900);
    expect(board.take(6_000)).toEqual({
      started: [{ claim: a, startedMs: 5_000 }],
      checkins: [{ claim: a, checkin: { done: 1, atMs: 5_900 } }],
    });
  });

  test("end with their job: the slot's next one begins anew", () => {
    const { board } = createBench(false);
    const [a, b] = [claimOf(0), claimOf(0)];
    board.checkIn(a, { message: "one" }, 1);
    board.end(a);
    expect(board.take(5_000)).toBeUndefined();
    expect(board.checkIn(b, { done: 1 }, 6_000)).toEqual({ done: 1, atMs: 6_000 });
    expect(board.take(6_000)?.checkins).toEqual([{ claim: b, checkin: { done: 1, atMs: 6_000 } }]);
  });

  test("are sent again if the request was in vain, the newer one if there is one", () => {
    const { board } = createBench(false);
    const [a, b] = [claimOf(0), claimOf(1)];
    board.checkIn(a, { message: "one" }, 1);
    board.checkIn(b, { message: "one" }, 1);
    const notes = board.take(1);
    board.checkIn(a, { message: "two" }, 2);
    expect(board.dueMs).toBe(1_002);
    if (notes) board.putBack(notes);
    expect(board.dueMs).toBe(1_001);
    expect(board.take(1_001)?.checkins.map(({ checkin }) => checkin.message)).toEqual(["two", "one"]);
  });
});

describe("what a handler tells", () => {
  test("is never more than a line", () => {
    expect(messageChange("x".repeat(501))).toEqual({ message: "x".repeat(500) });
  });

  test("may be anything", () => {
    const hostile = {
      toString() {
        throw new Error("hands off");
      },
    };
    expect(messageChange(hostile)).toEqual({ message: "a message that cannot be read" });
    expect(messageChange(5)).toEqual({ message: "5" });
    expect(progressChange(1, 2)).toEqual({ done: 1, total: 2 });
    expect(progressChange(Number.NaN, "2")).toEqual({});
    expect(progressChange(1, undefined)).toEqual({ done: 1 });
  });
});
