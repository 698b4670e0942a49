import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import type { DrainReport } from "../../src/core/report.ts";
import type { StartRequest } from "../../src/core/start-drain.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppOptions, type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const noop = { class: "Noop", perform: () => undefined };

describe.each(setups())("scaling out over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
    // Loads the scripts, so that no test pays for it.
    await world.push("q", ...payloads(20));
    await open({ concurrency: 2 }).app.drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const open = (options: Partial<AppOptions> = {}, changes: object = {}) => {
    const asked: StartRequest[] = [];
    const start = (request: StartRequest) => void asked.push(request);
    const scaleOut = { threshold: 10, maxDrains: 8, start, ...changes };
    return { app: world.app({ jobs: [noop], scaleOut, ...options }), asked };
  };

  /** Of one job that is run: several may end in one exchange or in two, as the machine has time for them. */
  const costOf = async (options: Partial<AppOptions>, jobs: number, maxJobs = 1): Promise<DrainReport> => {
    await world.push("q", ...payloads(jobs));
    const isReal = kind.server === "redis-server";
    if (isReal) await world.countCommands();
    const report = await world.app({ jobs: [noop], ...options }).drain({ maxJobs });
    if (isReal) expect(report.commands).toBe(await world.countCommands());
    await world.flush();
    return report;
  };

  test("eight drains on one Redis: the first starts seven, those start none, each job runs once", async () => {
    await world.push("q", ...payloads(600));
    const ran: number[] = [];
    const reports: Promise<DrainReport>[] = [];
    let asked = 0;
    let most = 0;
    const newHost = () => {
      const perform = async ([n]: readonly unknown[]) => {
        ran.push(n as number);
        await pause(10);
        most = Math.max(most, Number((await world.send(["ZCARD", world.keys.drains]))[0]));
      };
      const start = ({ depth, reason }: StartRequest) => {
        asked++;
        expect([reason, depth]).toEqual(["sibling", 1]);
        reports.push(newHost().drain({ depth }));
      };
      const scaleOut = { threshold: 50, maxDrains: 8, start };
      const redis = world.setup.newClient();
      return world.app({ redis, jobs: [{ class: "Noop", perform }], concurrency: 3, scaleOut });
    };
    reports.unshift(newHost().drain());
    await until(() => reports.length === 8);
    const ended = await Promise.all(reports);
    expect([asked, most]).toEqual([7, 8]);
    expect(ended.map(({ drainsStarted }) => drainsStarted)).toEqual([7, 0, 0, 0, 0, 0, 0, 0]);
    expect(ended.every(({ stopped, succeeded, lost }) => stopped === "empty" && succeeded > 20 && lost === 0)).toBe(
      true,
    );
    expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    await world.send(["DEL", world.keys.scaling]);
    await world.expectNoTraces();
  });

  test("eight ticks at the same moment start no more than are missing beside them", async () => {
    await world.push("q", ...payloads(400));
    const asked: StartRequest[] = [];
    const gate = createGate();
    const hosts = Array.from({ length: 8 }, () => {
      const scaleOut = { threshold: 10, maxDrains: 12, start: (request: StartRequest) => void asked.push(request) };
      const jobs = [{ class: "Noop", perform: () => gate.passed }];
      return world.app({ redis: world.setup.newClient(), jobs, concurrency: 2, scaleOut }).drain();
    });
    await until(async () => Number((await world.send(["ZCARD", world.keys.drains]))[0]) === 8);
    gate.open();
    const reports = await Promise.all(hosts);
    expect(asked.length).toBeLessThanOrEqual(11);
    expect(asked.length).toBeGreaterThanOrEqual(4);
    expect(reports.filter(({ drainsStarted }) => drainsStarted > 0)).toHaveLength(1);
  });

  test("a drain that empties its queues at once pays nothing for it", async () => {
    const { commands } = await costOf({}, 1, 10);
    expect(await costOf(open().app.options, 1, 10)).toMatchObject({ commands, drainsStarted: 0 });
  });

  test("one that leaves jobs behind looks once: 6 commands, 7 if drains are missing, 2 if others have looked", async () => {
    const { commands } = await costOf({}, 100);
    const { app, asked } = open({}, { threshold: 200 });
    expect(await costOf(app.options, 100)).toMatchObject({ commands: commands + 6, drainsStarted: 0 });
    expect(await costOf(open().app.options, 100)).toMatchObject({ commands: commands + 7, drainsStarted: 7 });
    await world.send(["SET", world.keys.scaling, "another"]);
    expect(await costOf(open().app.options, 100)).toMatchObject({ commands: commands + 2, drainsStarted: 0 });
    expect(asked).toEqual([]);
  });

  test("when the plan has ended, the next drain plans anew", async () => {
    await world.push("q", ...payloads(100));
    const { app, asked } = open({ concurrency: 2 });
    await app.drain({ maxJobs: 4 });
    expect(asked).toHaveLength(7);
    await app.drain({ maxJobs: 4 });
    expect(asked).toHaveLength(7);
    const [ttl] = await world.send(["PTTL", world.keys.scaling]);
    expect(Number(ttl)).toBeGreaterThan(50_000);
    expect(Number(ttl)).toBeLessThanOrEqual(60_000);
    await world.send(["DEL", world.keys.scaling]);
    await app.drain({ maxJobs: 4 });
    expect(asked).toHaveLength(14);
    expect(asked.at(-1)).toMatchObject({ reason: "sibling", depth: 1 });
  });

  test("no drain is started beyond maxDepth", async () => {
    await world.push("q", ...payloads(100));
    const { app, asked } = open({ concurrency: 2 }, { maxDepth: 3 });
    await app.drain({ maxJobs: 4, depth: 3 });
    expect(asked).toEqual([]);
    await app.drain({ maxJobs: 4, depth: 2 });
    expect(asked[0]).toMatchObject({ depth: 3 });
  });

  test("a host that refuses some: the others are counted and told, and the drain goes on", async () => {
    await world.push("q", ...payloads(100));
    let calls = 0;
    const start = async () => {
      if (++calls > 3) throw new Error("throttled");
    };
    const requested: unknown[] = [];
    const { app } = open({ concurrency: 2 }, { start });
    const report = await app.drain({
      onEvent: (event) => event.kind === "drain-requested" && requested.push(event.reason),
    });
    expect(report).toMatchObject({ stopped: "empty", succeeded: 100, drainsStarted: 3 });
    expect([calls, requested]).toEqual([7, ["sibling", "sibling", "sibling"]]);
  });

  test("a plan that cannot be made is logged, and the drain goes on", async () => {
    await world.push("q", ...payloads(50));
    await world.send(["SADD", world.keys.scaling, "not ours"]);
    const warned: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => void warned.push(text), error: () => {} };
    const { app } = open({ concurrency: 2, logger });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 50, drainsStarted: 0 });
    expect(warned).toEqual(["it is not known whether more drains are needed"]);
  });

  test("the drain does not wait for its host while there are jobs", async () => {
    await world.push("q", ...payloads(100));
    const gate = createGate();
    const { app } = open({ concurrency: 2 }, { start: () => gate.passed, maxDrains: 2 });
    const drain = app.drain();
    await until(async () => (await world.get(world.keys.processed)) === "100");
    gate.open();
    expect(await drain).toMatchObject({ stopped: "empty", drainsStarted: 1 });
  });

  test("jobs of a host's limits are kept back for what a drain may ask for", async () => {
    await world.push("q", payload(1));
    const { app } = open({ recordDrains: true });
    expect(await world.app({ jobs: [noop] }).drain({ maxRequests: 16 })).toMatchObject({ succeeded: 1 });
    // A record, a plan, seven starts.
    await world.push("q", payload(2));
    await expect(app.drain({ maxRequests: 16 })).rejects.toThrow(/maxRequests: 16 are too few .* 19 of its own/);
    expect(await app.drain({ maxRequests: 30 })).toMatchObject({ succeeded: 1 });
  });
});

describe("the option scaleOut", () => {
  const redis = fatedClient({} as Parameters<typeof fatedClient>[0], () => ({ carriedOut: false }));
  const start = () => undefined;
  test.each([
    {},
    { threshold: 10, maxDrains: 8 },
    { threshold: 0, maxDrains: 8, start },
    { threshold: 10, maxDrains: 1, start },
    { threshold: 10, maxDrains: 8, start, siblings: 7 },
  ])("refuses %j", (scaleOut) => {
    const create = () => createAirlift({ redis, queues: ["q"], jobs: [], scaleOut: scaleOut as never });
    expect(create).toThrow(/scaleOut: expected { threshold, maxDrains, start, maxDepth }: jobs for one drain/);
  });
});
