import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { formatReport } from "../../src/cli/report-text.ts";
import { ACCEPTED, detach } from "../../src/core/directive.ts";
import type { LimitOptions } from "../../src/core/limit.ts";
import type { DrainReport } from "../../src/core/report.ts";
import { createAirlift } from "../../src/index.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const send = (...args: unknown[]): string => `{"class":"Send","args":${JSON.stringify(args)}}`;
const sends = (count: number): string[] => Array.from({ length: count }, (_, n) => send(n));

/** Handlers that know how many of a name run at once. */
function createGauge(): {
  readonly most: Map<string, number>;
  run(name: string, work: () => Promise<unknown>): Promise<void>;
} {
  const most = new Map<string, number>();
  const now = new Map<string, number>();
  return {
    most,
    async run(name, work) {
      const count = (now.get(name) ?? 0) + 1;
      now.set(name, count);
      most.set(name, Math.max(most.get(name) ?? 0, count));
      await work();
      now.set(name, (now.get(name) as number) - 1);
    },
  };
}

describe.each(setups())("limits of an app's classes over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(async () => {
    await world.send(["DEL", world.keys.starts, world.keys.pausedClasses]);
    await world.expectNoTraces();
  });
  const noop = { class: "Noop", perform: () => undefined };
  const limited = (limit: LimitOptions, perform: (args: readonly unknown[]) => unknown = () => undefined) => ({
    ...{ class: "Send", limit, perform },
  });

  test("fifty drains at once run one job of a class at a time, and none is left behind", async () => {
    const gauge = createGauge();
    const jobs = [limited({ running: 1 }, () => gauge.run("Send", () => sleep(1))), noop];
    await world.push("q", ...sends(40).flatMap((raw, n) => [raw, payload(n)]));
    const reports: DrainReport[] = [];
    while (reports.reduce((sum, { succeeded }) => sum + succeeded, 0) < 80) {
      const drains = Array.from({ length: 50 }, () => world.app({ jobs, concurrency: 2, timeoutMs: 9_000 }).drain());
      reports.push(...(await Promise.all(drains)));
      if (reports.length > 2_000) throw new Error("jobs are left that no drain runs");
    }
    expect(Object.fromEntries(gauge.most)).toEqual({ Send: 1 });
    expect(new Set(reports.map(({ stopped }) => stopped))).toEqual(new Set(["limited", "empty"]));
    expect(await world.queued("q")).toEqual([]);
    expect(await world.get(world.keys.processed)).toBe("80");
  });

  test("each tenant has its limit, across drains, and the others' jobs are not kept waiting", async () => {
    const gauge = createGauge();
    const perform = ([{ tenant }]: readonly unknown[] & [{ tenant: string }]) => gauge.run(tenant, () => sleep(5));
    const job = limited({ running: 2, by: [0, "tenant"] }, perform as (args: readonly unknown[]) => unknown);
    const tenants = ["big", "big", "big", "big", "big", "big", "x", "big", "y", "big", "x", "x", "y", "big"];
    await world.push("q", ...tenants.map((tenant, n) => send({ tenant }, n)));
    const drains = [1, 2, 3].map(() => world.app({ jobs: [job], concurrency: 4 }).drain());
    const reports = await Promise.all(drains);
    const last = await world.app({ jobs: [job] }).drain();
    expect([...reports, last].reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(tenants.length);
    for (const most of gauge.most.values()) expect(most).toBeLessThanOrEqual(2);
    expect(gauge.most.get("big")).toBe(2);
  });

  test("a drain whose jobs hold the places goes on as they end", async () => {
    const gauge = createGauge();
    await world.push("q", ...sends(12), ...payloads(4));
    const app = world.app({
      jobs: [limited({ running: 2 }, () => gauge.run("Send", () => sleep(3))), noop],
      concurrency: 6,
    });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 16, remaining: 0 });
    expect(Object.fromEntries(gauge.most)).toEqual({ Send: 2 });
  });

  test.each<[string, () => unknown, Partial<DrainReport>]>([
    ["fail", () => Promise.reject(new Error("no")), { failed: 5 }],
    ["throw", () => expect.fail("no"), { failed: 5 }],
    ["never end", () => new Promise(() => undefined), { failed: 5 }],
  ])("jobs that %s give their places back", async (_how, perform, counts) => {
    await world.push("q", ...sends(5));
    const app = world.app({ jobs: [{ ...limited({ running: 1 }, perform), timeoutMs: 20 }], concurrency: 3 });
    expect(await app.drain()).toMatchObject({ stopped: "empty", ...counts });
  });

  test("a drain that finds all places taken ends at once, and says why", async () => {
    await world.push("q", ...sends(3), payload(0));
    const gate = createGate();
    const started = createGate();
    const job = limited({ running: 1 }, () => {
      started.open();
      return gate.passed;
    });
    const holder = world.app({ jobs: [job, noop] }).drain({ maxJobs: 2 });
    await started.passed;
    const other = world.app({ jobs: [job, noop] });
    const report = await other.drain();
    expect(report).toMatchObject({ stopped: "limited", claimed: 0, remaining: 2 });
    expect(report.nextDueMs).toBeUndefined();
    // EXISTS; a survey of 4; an exchange of 9 and SMEMBERS for none; LLEN.
    expect(report.commands).toBeLessThanOrEqual(20);
    expect(formatReport(report)).toContain("stopped  what is left waits for the limits of its classes (limited)");
    gate.open();
    expect(await holder).toMatchObject({ stopped: "budget", succeeded: 2 });
    expect(await other.drain()).toMatchObject({ stopped: "empty", succeeded: 2 });
  });

  test("a drain that dies gives its places back when it is recovered", async () => {
    await world.push("q", ...sends(3));
    const job = limited({ running: 1 });
    const frozen = fatedClient(world.client, (call) => (call > 3 ? { carriedOut: false } : "ok"));
    await new Promise<void>((resolve) => {
      world
        .app({ redis: frozen, jobs: [job] })
        .drain({ onEvent: ({ kind: event }) => event === "job-claimed" && resolve() })
        .catch(() => undefined);
    });
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ stopped: "limited", claimed: 0, remaining: 2 });
    await world.endLeases();
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ stopped: "empty", recovered: 1, succeeded: 3 });
  });

  describe("a rate", () => {
    test("that is free soon is waited for", async () => {
      await world.push("q", ...sends(12), ...payloads(3));
      const periodMs = 150;
      const job = limited({ rate: { jobs: 4, periodMs } });
      const report = await world.app({ jobs: [job, noop], concurrency: 10 }).drain();
      expect(report).toMatchObject({ stopped: "empty", succeeded: 15 });
      expect(report.durationMs).toBeGreaterThanOrEqual(2 * periodMs);
      // Each exchange at its time, and hardly one in vain.
      expect(report.requests).toBeLessThanOrEqual(14);
    });

    test("holds across drains", async () => {
      await world.push("q", ...sends(9));
      const job = limited({ rate: { jobs: 4, periodMs: 60_000 } });
      const reports = await Promise.all([1, 2, 3].map(() => world.app({ jobs: [job] }).drain()));
      expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(4);
      expect(await world.queued("q")).toEqual(sends(9).slice(4));
    });

    test("that is free late is not waited for: the report says when", async () => {
      await world.push("q", ...sends(3));
      const beforeMs = Date.now();
      const report = await world.app({ jobs: [limited({ rate: { jobs: 2, periodMs: 60_000 } })] }).drain();
      expect(report).toMatchObject({ stopped: "limited", succeeded: 2, remaining: 1 });
      expect(report.durationMs).toBeLessThan(30_000);
      expect(report.nextDueMs).toBeGreaterThanOrEqual(beforeMs + 58_000);
      expect(report.nextDueMs).toBeLessThanOrEqual(Date.now() + 62_000);
      expect(formatReport(report)).toMatch(/1 job; the next is due in (\d\d\.\d s|1 min)/);
    });

    test("is not waited for beyond the time of the drain", async () => {
      await world.push("q", ...sends(2));
      const app = world.app({ jobs: [limited({ rate: { jobs: 1, periodMs: 4_900 } })], marginMs: 0 });
      const report = await app.drain({ deadlineMs: Date.now() + 4_500 });
      expect(report).toMatchObject({ stopped: "limited", succeeded: 1, remaining: 1 });
      expect(report.durationMs).toBeLessThan(4_000);
    });

    test("is not waited for once the drain is aborted", async () => {
      await world.push("q", ...sends(2));
      const controller = new AbortController();
      const app = world.app({ jobs: [limited({ rate: { jobs: 1, periodMs: 4_900 } })] });
      const report = await app.drain({
        signal: controller.signal,
        onEvent: ({ kind: event }) => event === "job-ended" && setTimeout(() => controller.abort(), 30),
      });
      expect(report).toMatchObject({ stopped: "aborted", succeeded: 1, remaining: 1 });
      expect(report.durationMs).toBeLessThan(4_500);
    });
  });

  describe("a paused class", () => {
    const pause = (classes: readonly string[]) =>
      world.send(["SET", world.keys.pausedClasses, JSON.stringify(classes)]);

    test("stays in its queue, passed by the others, until it is resumed", async () => {
      await world.push("q", send(0), payload(0), send(1), payload(1));
      await pause(["Send"]);
      const jobs = [{ class: "Send", perform: () => undefined }, noop];
      expect(await world.app({ jobs }).drain()).toMatchObject({ stopped: "paused", succeeded: 2, remaining: 2 });
      expect(await world.queued("q")).toEqual(sends(2));
      await world.send(["DEL", world.keys.pausedClasses]);
      expect(await world.app({ jobs }).drain()).toMatchObject({ stopped: "empty", succeeded: 2, remaining: 0 });
    });

    test("is honoured within one exchange", async () => {
      await world.push("q", ...sends(50));
      let claimed = 0;
      let claimedThen = 0;
      const perform = async ([n]: readonly unknown[]) => {
        if (n !== 10) return;
        await pause(["Send"]);
        claimedThen = claimed;
      };
      const app = world.app({ jobs: [{ class: "Send", perform }], concurrency: 1 });
      const report = await app.drain({ onEvent: ({ kind: event }) => event === "job-claimed" && claimed++ });
      expect(report.claimed).toBeLessThanOrEqual(claimedThen + 2);
      expect(report).toMatchObject({ stopped: "paused", remaining: 50 - report.claimed });
      await world.send(["DEL", world.keys.pausedClasses]);
      await app.drain();
    });
  });

  test("detached jobs keep their places: the drain ends, and tells when the first lease does", async () => {
    await world.push("q", ...sends(3));
    const dispatch = () => ACCEPTED;
    const jobs = [limited({ running: 2 }, () => detach({ leaseMs: 60_000, dispatch }))];
    const beforeMs = Date.now();
    const report = await world.app({ jobs }).drain();
    expect(report).toMatchObject({ stopped: "limited", claimed: 2, detached: 2, remaining: 1 });
    expect(report.nextDueMs).toBeGreaterThanOrEqual(beforeMs + 59_000);
    expect(await world.app({ jobs }).drain()).toMatchObject({ stopped: "limited", claimed: 0, remaining: 1 });
    await world.app({ jobs }).retries.remove({ all: true });
    expect(await world.app({ jobs }).drain()).toMatchObject({ stopped: "empty", claimed: 1, detached: 1 });
    await world.app({ jobs }).retries.remove({ all: true });
  });

  test("a drain whose detached jobs end as they are handed over goes on, as with places that its own jobs hold", async () => {
    await world.push("q", ...sends(6));
    let most = 0;
    let now = 0;
    const dispatch = async () => {
      most = Math.max(most, ++now);
      await sleep(1);
      now--;
    };
    const jobs = [limited({ running: 2 }, () => detach({ leaseMs: 60_000, dispatch }))];
    expect(await world.app({ jobs }).drain()).toMatchObject({ stopped: "empty", claimed: 6, succeeded: 6 });
    expect(most).toBe(2);
  });

  test("what is over limits and what is paused: the drain ends limited, for that passes by itself", async () => {
    await world.push("q", ...sends(2), '{"class":"Paused","args":[]}');
    await world.send(["SET", world.keys.pausedClasses, '["Paused"]']);
    const report = await world.app({ jobs: [limited({ rate: { jobs: 1, periodMs: 60_000 } })] }).drain();
    expect(report).toMatchObject({ stopped: "limited", succeeded: 1, remaining: 2 });
  });

  test("a drain with long jobs looks for freed places now and then, not again and again", async () => {
    await world.push("q", ...sends(2), payload(0));
    const gate = createGate();
    const started = createGate();
    const job = limited({ running: 1 }, () => {
      started.open();
      return gate.passed;
    });
    const holder = world.app({ jobs: [job, noop] }).drain({ maxJobs: 1 });
    await started.passed;
    const slow = { class: "Noop", perform: () => sleep(1_300) };
    const report = await world.app({ jobs: [job, slow], concurrency: 4 }).drain();
    expect(report).toMatchObject({ stopped: "limited", succeeded: 1, remaining: 1 });
    // Survey, the opening exchange, one after a second, one that settles, the close and the count.
    expect(report.requests).toBeLessThanOrEqual(7);
    gate.open();
    await holder;
    await world.app({ jobs: [limited({ running: 1 })] }).drain();
  });
});

describe("options of a limit", () => {
  const redis = { command: () => 0, pipeline: () => 0, transaction: () => 0, script: () => 0 } as never;
  const create = (limit: unknown) => () =>
    createAirlift({ redis, queues: ["q"], jobs: [{ class: "A", perform: () => undefined, limit } as never] });

  test.each([
    { running: 1 },
    { running: 1_000_000, by: [0] },
    { rate: { jobs: 1, periodMs: 1 } },
    { running: 3, rate: { jobs: 10, periodMs: 86_400_000 }, by: [0, "tenant_id", 3, ""] },
  ])("%j is one", (limit) => {
    expect(create(limit)).not.toThrow();
  });

  test.each<[unknown, RegExp]>([
    [{}, /jobs\.0\.limit: expected an object with running or rate/],
    [{ by: [0] }, /expected an object with running or rate/],
    [7, /expected an object with running or rate/],
    [{ running: 0 }, /running: expected an integer from 1 to 1000000/],
    [{ running: 1.5 }, /running: expected an integer/],
    [{ running: "1" }, /running: expected an integer/],
    [{ rate: { jobs: 1 } }, /rate: expected \{ jobs, periodMs \}/],
    [{ rate: { jobs: 1, periodMs: 0 } }, /rate: expected/],
    [{ rate: { jobs: 1, periodMs: 1, per: 1 } }, /rate: expected/],
    [{ rate: 9 }, /rate: expected/],
    [{ running: 1, rate: null }, /rate: expected/],
    [{ running: 1, by: "tenant" }, /by: expected a path of indexes and names, 1 to 10 of them/],
    [{ running: 1, by: [] }, /by: expected a path/],
    [{ running: 1, by: [-1] }, /by: expected a path/],
    [{ running: 1, by: [0.5] }, /by: expected a path/],
    [{ running: 1, by: [{}] }, /by: expected a path/],
    [{ concurrency: 1 }, /concurrency: unknown option; known: running, rate, by/],
  ])("%j is none, and it says why", (limit, message) => {
    expect(create(limit)).toThrow(message);
  });
});
