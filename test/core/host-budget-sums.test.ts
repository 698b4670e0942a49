import { describe, expect, test } from "vitest";
import { createHostBudget, type HostBudgetOptions } from "../../src/core/host-budget.ts";
import type { JobUses } from "../../src/core/job-uses.ts";
import { createRegistry } from "../../src/core/registry.ts";
import { createManualClock } from "./manual-clock.ts";

const START_MS = 1_000_000;
const perform = () => undefined;

function createBench(
  limits: HostBudgetOptions["limits"],
  uses: JobUses = {},
  { timeoutMs = 30_000, ...options }: Partial<HostBudgetOptions> & { readonly timeoutMs?: number } = {},
) {
  const clock = createManualClock(START_MS);
  const usage = { requests: 0, commands: 0 };
  const definition = { class: "A", perform, uses, timeoutMs };
  const budget = createHostBudget({
    ...{ limits, clock, store: { usage }, registry: createRegistry([definition]) },
    settings: { timeoutMs: 60_000, leaseMs: 30_000 },
    budgetEndMs: Number.POSITIVE_INFINITY,
    ...options,
  });
  return { clock, usage, definition, budget };
}

/** Two exchanges, three beats of 30 s, and five requests to end with. */
const OWN = 10;

test("without limits there is always room, and nothing is counted", () => {
  const { budget, definition } = createBench({ maxConnections: 3 });
  budget.begin(definition);
  budget.correct({ requests: 1, connections: 1, invocations: 1 }, { requests: 9, connections: 1, invocations: 1 });
  budget.noteExchange(50);
  const { isShort, isScarce, spare } = budget;
  expect({ isShort, isScarce, spare, room: budget.roomBeside(7) }).toEqual({
    ...{ isShort: false, isScarce: false, spare: Number.POSITIVE_INFINITY, room: Number.POSITIVE_INFINITY },
  });
});

describe("of requests", () => {
  test("as many are spare as the drain, what was begun and its longest job leave", () => {
    const { budget, usage, definition } = createBench({ maxRequests: 50 }, { requests: 3 });
    expect(budget.spare).toBe(50 - OWN);
    usage.requests = 4;
    budget.begin(definition);
    expect(budget.spare).toBe(50 - OWN - 4 - 3);
    budget.correct({ requests: 3, connections: 1, invocations: 0 }, { requests: 1, connections: 1, invocations: 0 });
    expect(budget.spare).toBe(50 - OWN - 4 - 1);
    usage.requests = 200;
    expect(budget.spare).toBe(0);
  });

  test("fewer are kept for beats where little time is left, or where the jobs are short", async () => {
    const { budget, clock } = createBench({ maxRequests: 50 }, {}, { budgetEndMs: START_MS + 25_000 });
    expect(budget.spare).toBe(50 - OWN + 1);
    await clock.advance(10_000);
    expect(budget.spare).toBe(50 - OWN + 2);
    await clock.advance(90_000);
    expect(budget.spare).toBe(50 - OWN + 3);
    expect(createBench({ maxRequests: 50 }, {}, { timeoutMs: 9_999 }).budget.spare).toBe(50 - OWN + 3);
  });

  test("some are kept for other drains", () => {
    expect(createBench({ maxRequests: 50 }, {}, { forPeers: 6 }).budget.spare).toBe(50 - OWN - 6);
  });

  test("each exchange may take as many as the one that took most, but for the first", () => {
    const { budget } = createBench({ maxRequests: 100 });
    budget.noteExchange(7);
    expect(budget.spare).toBe(100 - OWN);
    budget.noteExchange(3);
    expect(budget.spare).toBe(100 - 5 * 3 - 5);
    budget.noteExchange(2);
    expect(budget.spare).toBe(100 - 5 * 3 - 5);
  });

  test("there is room for as many claims as the spare ones are enough for, whole and beside those that wait", () => {
    const { budget } = createBench({ maxRequests: OWN + 17 }, { requests: 5 });
    expect([0, 1, 2, 3, 4].map((waiting) => budget.roomBeside(waiting))).toEqual([3, 2, 1, 0, 0]);
  });

  test("it is short of them when there are too few for one job more", () => {
    const { budget, usage } = createBench({ maxRequests: OWN + 5 }, { requests: 5 });
    expect(budget.isShort).toBe(false);
    usage.requests = 1;
    expect([budget.isShort, budget.roomBeside(0)]).toEqual([true, 0]);
  });

  test("they are scarce below a hundred", () => {
    expect(createBench({ maxRequests: OWN + 100 }).budget.isScarce).toBe(false);
    expect(createBench({ maxRequests: OWN + 99 }).budget.isScarce).toBe(true);
  });

  test("jobs that make none find room as long as there is any", () => {
    const { budget } = createBench({ maxRequests: OWN }, { requests: 0 });
    expect([budget.isShort, budget.roomBeside(500)]).toEqual([false, Number.POSITIVE_INFINITY]);
  });
});

describe("of invocations", () => {
  const uses = { requests: 0, invocations: 2 };

  test("there is room for as many claims as those that are left are enough for", () => {
    const { budget, definition } = createBench({ maxInvocations: 7 }, uses);
    expect([budget.roomBeside(0), budget.roomBeside(2)]).toEqual([3, 1]);
    budget.begin(definition);
    expect([budget.roomBeside(0), budget.isShort]).toEqual([2, false]);
    budget.begin(definition);
    budget.begin(definition);
    expect([budget.roomBeside(0), budget.isShort]).toEqual([0, true]);
  });

  test("the very last one is used", () => {
    const { budget } = createBench({ maxInvocations: 2 }, uses);
    expect([budget.roomBeside(0), budget.isShort]).toEqual([1, false]);
  });

  test("whichever limit is narrower counts", () => {
    expect(
      createBench({ maxInvocations: 8, maxRequests: OWN + 3 }, { ...uses, requests: 1 }).budget.roomBeside(0),
    ).toBe(3);
    expect(
      createBench({ maxInvocations: 4, maxRequests: OWN + 3 }, { ...uses, requests: 1 }).budget.roomBeside(0),
    ).toBe(2);
  });
});

test("limits that are just wide enough for one job are taken, and narrower ones are refused", () => {
  expect(createBench({ maxRequests: OWN + 1 }).budget.roomBeside(0)).toBe(1);
  expect(() => createBench({ maxRequests: OWN })).toThrow(
    `maxRequests: ${OWN} are too few for a job that may take 30000 ms and make 1: its drain needs ${OWN} of its own`,
  );
  expect(() => createBench({ maxInvocations: 1 }, { invocations: 2 })).toThrow("maxInvocations: 1 are too few");
});
