import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import type { DrainReport } from "../../src/core/report.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

/** Another series of what jobs do with AIRLIFT_PROPERTY_SEED. */
const SEED = Number(process.env["AIRLIFT_PROPERTY_SEED"] ?? 20_261_121);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A job that counts how often it is begun, and how many run at once; those that are begun first wait until so many do. */
function counted(
  definition: Partial<AnyJobDefinition> & { readonly durationMs?: number; readonly untilRunning?: number },
) {
  const seen = { begun: 0, running: 0, most: 0 };
  const { durationMs = 0, untilRunning = 0, ...rest } = definition;
  const all = createGate();
  const perform = async ([ms]: readonly unknown[]) => {
    seen.begun++;
    seen.most = Math.max(seen.most, ++seen.running);
    if (seen.running >= untilRunning) all.open();
    await all.passed;
    await sleep(typeof ms === "number" && durationMs === 0 ? ms : durationMs);
    seen.running--;
  };
  return { seen, job: { class: "Noop", perform, ...rest } };
}

describe.each(setups())("a host's limits over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("maxRequests: a drain ends while it can still settle and close, and leaves the rest in order", async () => {
    await world.push("q", ...payloads(300));
    const { seen, job } = counted({});
    const report = await world.app({ jobs: [job] }).drain({ maxRequests: 50 });
    expect(report).toMatchObject({ stopped: "budget", succeeded: seen.begun, failed: 0, lost: 0 });
    expect(report.requests + seen.begun).toBeLessThanOrEqual(50);
    // What it keeps for itself is no more than it must.
    expect(report.requests + seen.begun).toBeGreaterThan(36);
    expect(await world.queued("q")).toEqual(payloads(300).slice(seen.begun));
  });

  test("maxRequests: jobs that make none cost none", async () => {
    await world.push("q", ...payloads(1_000));
    const { seen, job } = counted({ uses: { requests: 0 } });
    const report = await world.app({ jobs: [job] }).drain({ maxRequests: 30 });
    expect(report.requests).toBeLessThanOrEqual(30);
    // Finished jobs gather: each exchange moves some dozen.
    expect(seen.begun).toBeGreaterThan(150);
    expect(report.succeeded).toBe(seen.begun);
  });

  test("maxRequests: jobs whose text bears U+FFFD cost no more", async () => {
    await world.push("q", ...Array.from({ length: 300 }, (_, n) => payload(n, "\uFFFD")));
    const { seen, job } = counted({});
    const report = await world.app({ jobs: [job] }).drain({ maxRequests: 50 });
    expect(report).toMatchObject({ stopped: "budget", succeeded: seen.begun, failed: 0, lost: 0 });
    expect(report.requests + seen.begun).toBeLessThanOrEqual(50);
    expect(seen.begun).toBeGreaterThan(15);
  });

  test("maxRequests: of jobs that make several, as many as fit", async () => {
    await world.push("q", ...payloads(300));
    const { seen, job } = counted({ uses: { requests: 10 } });
    const report = await world.app({ jobs: [job] }).drain({ maxRequests: 100 });
    expect(report.requests + seen.begun * 10).toBeLessThanOrEqual(100);
    expect(seen.begun).toBeGreaterThanOrEqual(6);
  });

  test("maxRequests: a target says what a run needs, unless the definition does", async () => {
    await world.push("q", ...payloads(100));
    const target = counted({});
    const perform = Object.assign(target.job.perform, { uses: { requests: 20 } });
    await world.app({ jobs: [{ class: "Noop", perform }] }).drain({ maxRequests: 60 });
    expect(target.seen.begun).toBeLessThanOrEqual(2);
    await world.app({ jobs: [{ class: "Noop", perform, uses: { requests: 0 } }] }).drain({ maxRequests: 60 });
    expect(target.seen.begun).toBeGreaterThanOrEqual(99);
  });

  test("maxRequests: long jobs keep their lease to the end, whatever they tell meanwhile", async () => {
    await world.push("q", ...payloads(40));
    const perform = async (_args: unknown, job: { checkin(message: string): Promise<void> }) => {
      for (let step = 0; step < 20; step++) {
        await job.checkin(`step ${step}`);
        await sleep(70);
      }
    };
    const app = world.app({ jobs: [{ class: "Noop", timeoutMs: 5_000, perform }], leaseMs: 3_000, concurrency: 4 });
    const report = await app.drain({ maxRequests: 24 });
    expect(report).toMatchObject({ stopped: "budget", failed: 0, lost: 0 });
    expect(report.succeeded).toBeGreaterThan(0);
    expect(report.requests + report.claimed).toBeLessThanOrEqual(24);
    expect(await world.queued("q")).toHaveLength(40 - report.succeeded);
  });

  test("maxRequests: an empty queue is not asked again and again while the last jobs run", async () => {
    await world.push("q", ...payloads(2));
    const { job } = counted({ durationMs: 2_500, timeoutMs: 5_000 });
    const report = await world.app({ jobs: [job], leaseMs: 5_000 }).drain({ maxRequests: 16 });
    expect(report).toMatchObject({ stopped: "empty", succeeded: 2, remaining: 0 });
    expect(report.requests + 2).toBeLessThanOrEqual(16);
  });

  test("maxRequests: dead drains are taken over as far as it goes, the rest by those who come next", async () => {
    for (let n = 0; n < 6; n++) {
      await world.push("q", payload(n));
      const dead = world.drain({ nowMs: Date.now });
      await dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    }
    await world.endLeases();
    const { seen, job } = counted({ uses: { requests: 0 }, timeoutMs: 1_000 });
    const app = world.app({ jobs: [job] });
    const reports: DrainReport[] = [];
    do reports.push(await app.drain({ maxRequests: 24 }));
    while (seen.begun < 6 && reports.length < 6);
    expect(reports.length).toBeGreaterThan(1);
    expect(reports.map(({ requests }) => requests <= 24)).not.toContain(false);
    expect(reports.reduce((sum, { recovered }) => sum + recovered, 0)).toBe(6);
    expect(seen.begun).toBe(6);
  });

  test("maxRequests: so are delayed jobs queued", async () => {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const commands = Array.from({ length: 900 }, (_, n) => {
      const at = nowSeconds - 1_000 + n;
      return [
        ["ZADD", world.keys.delayedSchedule, at, at],
        ["RPUSH", world.keys.delayed(at), `{"class":"Noop","args":[],"queue":"q"}`],
      ] as const;
    });
    await world.send(...commands.flat());
    const { seen, job } = counted({ uses: { requests: 0 }, timeoutMs: 1_000 });
    const app = world.app({ jobs: [job] });
    const reports: DrainReport[] = [];
    do reports.push(await app.drain({ maxRequests: 16 }));
    while (seen.begun < 900 && reports.length < 100);
    expect(reports.length).toBeGreaterThan(1);
    expect(reports.map(({ requests }) => requests <= 16)).not.toContain(false);
    expect(seen.begun).toBe(900);
  });

  test("maxConnections: so many jobs run at once as have one, beside Redis", async () => {
    await world.push("q", ...payloads(30));
    const { seen, job } = counted({ durationMs: 5, untilRunning: 5 });
    const app = world.app({ jobs: [job], concurrency: 25 });
    expect(await app.drain({ maxConnections: 6, maxJobs: 15 })).toMatchObject({ succeeded: 15 });
    expect(seen.most).toBe(5);
    const other = counted({ durationMs: 5, untilRunning: 2, uses: { connections: 2 } });
    await world.app({ jobs: [other.job] }).drain({ maxConnections: 6 });
    expect(other.seen.most).toBe(2);
  });

  test("maxConnections: jobs that need none are not held up", async () => {
    await world.push("q", ...payloads(30));
    const { seen, job } = counted({ durationMs: 5, untilRunning: 12, uses: { connections: 0 } });
    await world.app({ jobs: [job], concurrency: 12 }).drain({ maxConnections: 6 });
    expect(seen.most).toBe(12);
  });

  test("maxInvocations: no more jobs are begun than may be", async () => {
    await world.push("q", ...payloads(40));
    const { seen, job } = counted({ durationMs: 3, uses: { connections: 0, invocations: 1 } });
    const report = await world.app({ jobs: [job] }).drain({ maxInvocations: 31 });
    expect(report).toMatchObject({ stopped: "budget", succeeded: 31, remaining: 9 });
    expect(seen.begun).toBe(31);
  });

  test("jobs that travel together use what they tell that they use", async () => {
    await world.push("q", ...payloads(400));
    let calls = 0;
    const together: (() => void)[] = [];
    const perform = async (_args: unknown, job: JobContext) => {
      if (together.length === 0)
        setTimeout(() => {
          for (const end of together.splice(0)) end();
        }, 5);
      else job.used({});
      if (together.length === 0) calls++;
      await new Promise<void>((resolve) => together.push(resolve));
    };
    const uses = { connections: 0, invocations: 1 };
    const app = world.app({ jobs: [{ class: "Noop", perform, uses }], concurrency: 10 });
    const report = await app.drain({ maxInvocations: 31, maxRequests: 200 });
    expect(report.stopped).toBe("budget");
    expect(calls).toBe(31);
    expect(report.succeeded).toBeGreaterThan(150);
    expect(report.requests + calls).toBeLessThanOrEqual(200);
  });
});

const [anySetup] = setups();

describe("limits that are too narrow for any job", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  const job = { class: "Noop", perform: () => undefined };

  test.each([
    [{ maxRequests: 5 }, {}, /maxRequests: 5 are too few for a job that may take 60000 ms and make 1: .* leaseMs/],
    [{ maxRequests: 50 }, { timeoutMs: 900_000 }, /maxRequests: 50 are too few .* 900000 ms/],
    [{ maxInvocations: 0 }, { uses: { invocations: 1 } }, /maxInvocations: 0 are too few for a job that needs 1/],
    [{ maxConnections: 3 }, { uses: { connections: 3 } }, /maxConnections: 3 are too few for a job that needs 3/],
    [{ maxRequests: 0 }, {}, /maxRequests: expected an integer from 1/],
  ])("%o with %o are told", async (limits, definition, message) => {
    const drained = world.app({ jobs: [{ ...job, ...definition }] }).drain(limits);
    await expect(drained).rejects.toThrow(UsageError);
    await expect(drained).rejects.toThrow(message);
  });

  test("a longer lease needs fewer requests", async () => {
    const app = world.app({ jobs: [{ ...job, timeoutMs: 600_000 }], leaseMs: 240_000 });
    expect(await app.drain({ maxRequests: 50 })).toMatchObject({ stopped: "empty" });
  });

  test.each([[{ requests: -1 }], [{ request: 1 }], [{ invocations: 0.5 }], [1]])("uses: %o are wrong", (uses) => {
    const create = () => world.app({ jobs: [{ ...job, uses } as never] });
    expect(create).toThrow(/jobs\.0\.uses: expected \{ requests, connections, invocations \}/);
  });
});

describe("whatever jobs do", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("a drain never makes more requests than it may, and no claimed job is lost", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 13, max: 60 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1, max: 30 }),
      async (durations, maxRequests, requests, concurrency) => {
        await world.flush();
        await world.push("q", ...durations.map((ms) => payload(ms)));
        const { seen, job } = counted({ uses: { requests }, timeoutMs: 3_000 });
        const app = world.app({ jobs: [job], concurrency, leaseMs: 4_500 });
        const report = await app.drain({ maxRequests });
        expect(report.requests + seen.begun * requests).toBeLessThanOrEqual(maxRequests);
        expect(report).toMatchObject({ failed: 0, lost: 0, succeeded: seen.begun });
        expect((await world.queued("q")).length + report.succeeded).toBe(durations.length);
        await world.expectNoTraces();
      },
    );
    await fc.assert(property, { numRuns: 40, seed: SEED });
  });
});
