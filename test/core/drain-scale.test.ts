import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(setups())("the largest and the smallest drain over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("one job at a time, in order", async () => {
    await world.push("q", ...payloads(30));
    const ran: unknown[] = [];
    let running = 0;
    const perform = async ([n]: readonly unknown[]) => {
      expect(++running).toBe(1);
      await macrotask();
      running--;
      ran.push(n);
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1 }).drain();
    expect(report).toMatchObject({ stopped: "empty", succeeded: 30, failed: 0 });
    expect(ran).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  test("1,000 jobs at a time: all run, all can fail, all can be recovered", async () => {
    await world.push("q", ...payloads(2_500));
    let isDead = false;
    const claimed = createGate();
    let seen = 0;
    const redis = fatedClient(world.client, () => (isDead ? { carriedOut: false } : "ok"));
    const quiet = { class: "Noop", perform: () => undefined };
    const dying = world.app({ redis, jobs: [quiet], concurrency: 1_000 }).drain({
      onEvent: ({ kind: event }) => {
        if (event === "job-claimed" && ++seen === 1_000) {
          isDead = true;
          claimed.open();
        }
      },
    });
    // Its process would be gone; this one lives on and gives up in the end.
    dying.catch(() => undefined);
    await claimed.passed;
    await world.endLeases();
    let most = 0;
    let running = 0;
    const all = createGate();
    const perform = async ([n]: readonly unknown[]) => {
      most = Math.max(most, ++running);
      if (running === 1_000) all.open();
      await all.passed;
      running--;
      if ((n as number) % 2 === 0) throw new Error(`boom ${n}`);
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1_000 }).drain();
    expect(report).toMatchObject({ stopped: "empty", recovered: 1_000, succeeded: 1_250, failed: 1_250, lost: 0 });
    expect(most).toBe(1_000);
    expect(await world.failed()).toHaveLength(1_250);
  });

  test("1,000 jobs at a time are given back in one close", async () => {
    await world.push("q", ...payloads(1_600));
    const controller = new AbortController();
    let started = 0;
    const perform = () => {
      if (++started === 1_000) controller.abort();
      return new Promise(() => undefined);
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1_000, graceMs: 0 });
    const report = await app.drain({ signal: controller.signal });
    expect(report).toMatchObject({ stopped: "aborted", released: 1_000, remaining: 1_600 });
    expect(await world.queued("q")).toEqual(payloads(1_600));
  });

  test("drains of one app at the same time do not touch each other", async () => {
    await world.push("q", ...payloads(100));
    const ran: unknown[] = [];
    const perform = async ([n]: readonly unknown[]) => {
      ran.push(n);
      await macrotask();
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 5 });
    const reports = await Promise.all([app.drain(), app.drain({ maxJobs: 3 }), app.drain()]);
    expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(100);
    expect(reports[1].claimed).toBeLessThanOrEqual(3);
    expect(new Set(ran).size).toBe(100);
  });

  test("a namespace of its own holds everything", async () => {
    const app = world.app({
      jobs: [{ class: "Noop", perform: () => Promise.reject(new Error("x")) }],
      namespace: "my:app:",
    });
    await app.enqueueAll([1, 2].map((n) => ({ queue: "q", class: "Noop", args: [n] })));
    await world.push("q", payload("not ours"));
    expect(await app.drain()).toMatchObject({ failed: 2, claimed: 2 });
    const names = await world.keyNames();
    expect(names.filter((name) => name.startsWith("my:app:"))).toEqual(
      ["failed", "queues", "stat:failed", "stat:processed"].map((name) => `my:app:${name}`),
    );
    expect(await world.queued("q")).toEqual([payload("not ours")]);
    await world.flush();
  });
});
