import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import type { StartRequest } from "../../src/core/start-drain.ts";
import { needsSuccessor } from "../../src/core/successor.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppOptions, type AppWorld, fatedClient, openAppWorld } from "./app-world.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const noop = { class: "Noop", perform: () => undefined };

describe.each(setups())("successors over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const open = (options: Partial<AppOptions> = {}, maxDepth?: number) => {
    const asked: StartRequest[] = [];
    const start = (request: StartRequest) => void asked.push(request);
    const successor = { start, ...(maxDepth !== undefined && { maxDepth }) };
    return { app: world.app({ jobs: [noop], successor, marginMs: 0, ...options }), asked };
  };

  test("a drain whose time is up before its jobs are asks for the next when it has closed", async () => {
    await world.push("q", ...payloads(100));
    const events: DrainEvent[] = [];
    const traces: string[][] = [];
    const start = async (request: StartRequest) => {
      expect(request).toEqual({ reason: "successor", depth: 1, remaining: request.remaining });
      traces.push(await world.keyNames());
    };
    const jobs = [{ class: "Noop", perform: () => pause(50), timeoutMs: 1_500 }];
    const app = world.app({ jobs, successor: { start }, marginMs: 0, concurrency: 2 });
    const report = await app.drain({ deadlineMs: Date.now() + 2_600, onEvent: (event) => events.push(event) });
    expect(report).toMatchObject({ stopped: "deadline", drainsStarted: 1 });
    expect(report.remaining).toBeGreaterThan(0);
    const { keys } = world;
    expect(traces).toEqual([[keys.queue("q"), keys.queues, keys.processed].sort()]);
    expect(events.slice(-2)).toEqual([
      { kind: "drain-requested", reason: "successor", depth: 1, remaining: report.remaining },
      { kind: "drain-ended", drainId: expect.any(String), report },
    ]);
  });

  test("so does one that has used its budget, unless it is told not to", async () => {
    await world.push("q", ...payloads(9));
    const { app, asked } = open();
    expect(await app.drain({ maxJobs: 3 })).toMatchObject({ stopped: "budget", remaining: 6, drainsStarted: 1 });
    expect(asked).toEqual([{ reason: "successor", depth: 1, remaining: 6 }]);
    expect(await app.drain({ maxJobs: 3, successor: false })).toMatchObject({ stopped: "budget", drainsStarted: 0 });
    expect(asked).toHaveLength(1);
  });

  test("costs nothing", async () => {
    await world.push("q", ...payloads(3));
    const { commands } = await world.app({ jobs: [noop] }).drain({ maxJobs: 1 });
    await world.flush();
    await world.push("q", ...payloads(3));
    expect(await open().app.drain({ maxJobs: 1 })).toMatchObject({ drainsStarted: 1, commands });
  });

  test("a chain of drains ends with the jobs", async () => {
    await world.push("q", ...payloads(23));
    const depths: number[] = [];
    const start = ({ depth }: StartRequest) => {
      depths.push(depth);
      void app.drain({ depth, maxJobs: 5 });
    };
    const app = world.app({ jobs: [noop], successor: { start } });
    await app.drain({ maxJobs: 5 });
    await until(async () => (await world.get(world.keys.processed)) === "23");
    expect(depths).toEqual([1, 2, 3, 4]);
  });

  test("or at its depth, and the next tick begins anew", async () => {
    await world.push("q", ...payloads(40));
    const { app, asked } = open({}, 2);
    for (const depth of [0, 1, 2, 3]) await app.drain({ depth, maxJobs: 5 });
    await app.drain({ maxJobs: 5 });
    expect(asked.map(({ depth }) => depth)).toEqual([1, 2, 1]);
  });

  test("10 deep, if it is not said otherwise: fewer than the 16 after which Lambda stops a chain", async () => {
    await world.push("q", ...payloads(40));
    const { app, asked } = open();
    for (const depth of [9, 10]) await app.drain({ depth, maxJobs: 5 });
    expect(asked.map(({ depth }) => depth)).toEqual([10]);
  });

  test("a drain that could end no job has none: the next could not either", async () => {
    await world.push("q", payload(1), payload(2));
    const { app, asked } = open({ jobs: [{ class: "Noop", perform: () => new Promise(() => undefined) }] });
    const report = await app.drain({ deadlineMs: Date.now() + 1_200 });
    expect(report).toMatchObject({ stopped: "deadline", released: 2, remaining: 2, drainsStarted: 0 });
    expect(asked).toEqual([]);
  });

  test("a host that refuses is logged, and changes nothing else", async () => {
    await world.push("q", ...payloads(3));
    const warned: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => void warned.push(text), error: () => {} };
    const successor = { start: () => Promise.reject(new Error("throttled")) };
    const report = await world.app({ jobs: [noop], successor, logger }).drain({ maxJobs: 2 });
    expect(report).toMatchObject({ stopped: "budget", succeeded: 2, drainsStarted: 0 });
    expect(warned).toEqual(["the host could not start a drain"]);
  });

  test("a host that does not answer is not waited for beyond a moment after the deadline", async () => {
    await world.push("q", ...payloads(100));
    const successor = { start: () => new Promise(() => undefined) };
    const jobs = [{ class: "Noop", perform: () => pause(50), timeoutMs: 100 }];
    const app = world.app({ jobs, successor, marginMs: 0, concurrency: 1 });
    const deadlineMs = Date.now() + 1_500;
    expect(await app.drain({ deadlineMs })).toMatchObject({ stopped: "deadline", drainsStarted: 0 });
    // Not for the 5 seconds that it would have else.
    expect(Date.now()).toBeLessThan(deadlineMs + 4_000);
  });

  test("after a single drain its successor finds the lease free", async () => {
    await world.push("q", ...payloads(9));
    const reports: unknown[] = [];
    const start = async ({ depth }: StartRequest) => void reports.push(await app.drain({ depth }));
    const app = world.app({ jobs: [noop], single: true, successor: { start } });
    await app.drain({ maxJobs: 3 });
    expect(reports).toMatchObject([{ stopped: "empty", succeeded: 6 }]);
  });
});

describe("a drain needs a successor", () => {
  const report = { stopped: "deadline", remaining: 5, claimed: 3, released: 1, lost: 1 } as const;
  test("if it was cut off, has left jobs and has ended some", () => {
    expect(needsSuccessor(report)).toBe(true);
    expect(needsSuccessor({ ...report, stopped: "budget" })).toBe(true);
  });
  test.each([
    ...(["empty", "paused", "limited", "aborted", "lost", "busy"] as const).map((stopped) => ({ stopped })),
    { remaining: 0 },
    { claimed: 0, released: 0, lost: 0 },
    { released: 2 },
    { lost: 2 },
    // A late request of its own may have claimed more than it knows of.
    { released: 4 },
  ])("but not with %j", (change) => {
    expect(needsSuccessor({ ...report, ...change })).toBe(false);
  });
});

describe("the option successor", () => {
  const redis = fatedClient({} as Parameters<typeof fatedClient>[0], () => ({ carriedOut: false }));
  test.each([{}, { start: 1 }, { start: () => undefined, maxDepth: -1 }, { start: () => undefined, depth: 1 }, true])(
    "refuses %j",
    (successor) => {
      const create = () => createAirlift({ redis, queues: ["q"], jobs: [], successor: successor as never });
      expect(create).toThrow(/successor: expected { start, maxDepth }, start a function that starts a drain/);
    },
  );
  test.each([{ depth: -1 }, { depth: 1.5 }, { successor: true }])("drain refuses %j", async (options) => {
    const app = createAirlift({ redis, queues: ["q"], jobs: [] });
    await expect(app.drain(options as never)).rejects.toThrow(/drain: (depth|successor): expected/);
  });
});
