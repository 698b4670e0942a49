import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { payload, payloads } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(setups())("ticks that overlap, come twice or late over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  /** An app in a process of its own, as far as Redis can see. */
  const host = (perform: (args: readonly unknown[]) => unknown, options: object = {}) =>
    world.app({ redis: world.setup.newClient(), jobs: [{ class: "Noop", perform }], ...options });

  test("eight ticks at the same time run each job once", async () => {
    await world.push("q", ...payloads(300));
    const ran: unknown[] = [];
    const perform = async ([n]: readonly unknown[]) => {
      ran.push(n);
      await pause((n as number) % 7);
    };
    const reports = await Promise.all(
      Array.from({ length: 8 }, (_, n) => host(perform, { concurrency: 1 + n }).drain()),
    );
    expect(ran.toSorted((a, b) => (a as number) - (b as number))).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(300);
    expect(reports.map(({ stopped, lost, recovered }) => [stopped, lost, recovered])).toEqual(
      Array(8).fill(["empty", 0, 0]),
    );
    expect(await world.get(world.keys.processed)).toBe("300");
  });

  test("a tick that comes while another works takes what is there, and neither waits for the other", async () => {
    await world.push("q", payload("first"));
    const gate = createGate();
    const ran: unknown[] = [];
    const first = host(async ([n]) => {
      ran.push(n);
      await gate.passed;
    }).drain();
    await until(() => ran.length === 1);
    await world.push("q", payload("second"));
    const second = await host(([n]) => ran.push(n)).drain();
    expect(second).toMatchObject({ stopped: "empty", claimed: second.succeeded, recovered: 0 });
    gate.open();
    const { succeeded } = await first;
    expect([succeeded + second.succeeded, ran]).toEqual([2, ["first", "second"]]);
  });

  test("the same tick twice: the second finds nothing, for 1 command", async () => {
    await world.push("q", ...payloads(5));
    const ran: unknown[] = [];
    const app = host(([n]) => ran.push(n));
    const tick = { deadlineMs: Date.now() + 120_000 };
    expect(await app.drain(tick)).toMatchObject({ stopped: "empty", succeeded: 5 });
    expect(await app.drain(tick)).toMatchObject({ stopped: "empty", claimed: 0, commands: 1 });
    expect(ran).toHaveLength(5);
  });

  test("two ticks that find the same dead drain give its jobs back once", async () => {
    await world.push("q", ...payloads(6));
    const frozen = fatedClient(world.client, (call) => (call > 3 ? { carriedOut: false } : "ok"));
    await new Promise<void>((resolve) => {
      world
        .app({ redis: frozen, jobs: [{ class: "Noop", perform: () => undefined }], concurrency: 4 })
        .drain({ onEvent: ({ kind: event }) => event === "job-claimed" && resolve() })
        .catch(() => undefined);
    });
    await world.endLeases();
    const ran: unknown[] = [];
    const ticks = Array.from({ length: 4 }, () => host(([n]) => ran.push(n), { concurrency: 2 }).drain());
    const reports = await Promise.all(ticks);
    expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(6);
    expect(new Set(ran).size).toBe(6);
    const recovered = reports.reduce((sum, report) => sum + report.recovered, 0);
    expect(recovered).toBeGreaterThan(0);
    expect(recovered).toBeLessThanOrEqual(6);
  });

  test("ticks that find the same due jobs queue them once", async () => {
    const app = host(() => undefined);
    await app.enqueueAll(Array.from({ length: 20 }, (_, n) => ({ queue: "q", class: "Noop", args: [n], inMs: 1_000 })));
    const [due] = await world.send(["ZRANGE", world.keys.delayedSchedule, 0, 0]);
    await until(() => Date.now() / 1_000 > Number((due as string[])[0]) + 0.1);
    const ran: unknown[] = [];
    const reports = await Promise.all(Array.from({ length: 4 }, () => host(([n]) => ran.push(n)).drain()));
    expect(reports.reduce((sum, { promoted }) => sum + promoted, 0)).toBe(20);
    expect(ran.toSorted((a, b) => (a as number) - (b as number))).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test("a tick whose deadline has passed ends at once, and takes nothing, whatever its jobs' time limits", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined, timeoutMs: 30_000 }] });
    const report = await app.drain({ deadlineMs: Date.now() - 3_600_000 });
    expect(report).toMatchObject({ stopped: "deadline", claimed: 0, remaining: 3, commands: 1, drainsStarted: 0 });
    expect(await world.queued("q")).toEqual(payloads(3));
    await expect(app.drain({ deadlineMs: Date.now() + 10_000 })).rejects.toThrow(/does not fit into this drain/);
  });

  test("a tick that was held up for long, and meets those that came after it, does what is left", async () => {
    await world.push("q", ...payloads(40));
    const ran: unknown[] = [];
    const perform = async ([n]: readonly unknown[]) => {
      ran.push(n);
      await pause(2);
    };
    const release = createGate();
    // Its first look is answered only when the others have begun.
    let isHeld = true;
    const late = carriedClient(world.setup.newClient(), async (letter) => {
      if (isHeld) await release.passed;
      isHeld = false;
      return letter.deliver();
    });
    const ticks = [host(perform, { redis: late, concurrency: 2 }).drain(), host(perform, { concurrency: 2 }).drain()];
    await until(() => ran.length > 0);
    release.open();
    const reports = await Promise.all(ticks);
    expect(reports.map(({ stopped }) => stopped)).toEqual(["empty", "empty"]);
    expect(ran).toHaveLength(40);
    expect(new Set(ran).size).toBe(40);
  });
});
