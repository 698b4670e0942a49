import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { defineJob } from "../../src/core/job.ts";
import { cron } from "../../src/cron/cron.ts";
import type { DrainEvent } from "../../src/index.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("schedules of an app over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const ran: unknown[] = [];
  const report = defineJob({ class: "Report", queue: "q", perform: (args) => void ran.push(args) });
  const scheduler = cron({ schedules: [{ name: "daily", cron: "0 9 * * *", class: "Report", args: ["daily"] }] });
  /** As if the schedule had been looked at for the last time this long ago. */
  const lookedAt = async (agoMs: number): Promise<void> => {
    const state = (await world.everything())["resque:airlift:cron"] as Record<string, string>;
    const value = (state["daily"] as string).replace(/\d{13}/, (ms) => String(Number(ms) - agoMs));
    await world.send(["HSET", "resque:airlift:cron", "daily", value]);
  };

  test("are enqueued and run by the same drain, once, with hooks and events", async () => {
    ran.length = 0;
    const events: DrainEvent[] = [];
    const hooked: unknown[] = [];
    const options = {
      jobs: [report],
      scheduler,
      hooks: { afterEnqueue: (job: { class: string }) => void hooked.push(job.class) },
      onEvent: (event: DrainEvent) => void events.push(event),
    };
    expect(await world.app(options).drain()).toMatchObject({ stopped: "empty", scheduled: 0, claimed: 0 });
    await lookedAt(86_400_000);
    const [first, second] = await Promise.all([world.app(options).drain(), world.app(options).drain()]);
    expect((first?.scheduled ?? 0) + (second?.scheduled ?? 0)).toBe(1);
    expect(ran).toEqual([["daily"]]);
    expect(hooked).toEqual(["Report"]);
    expect(events.filter(({ kind }) => kind === "schedule-ticked")).toMatchObject([
      { name: "daily", class: "Report", queue: "q", jobs: 1 },
    ]);
    expect(await world.get("resque:stat:processed")).toBe("1");
  });

  test("have no status, as nobody knows their ids", async () => {
    ran.length = 0;
    const options = { jobs: [report], scheduler, status: { ttlMs: 60_000 } };
    await world.app(options).drain();
    await lookedAt(86_400_000);
    expect(await world.app(options).drain()).toMatchObject({ scheduled: 1, succeeded: 1 });
    expect((await world.keyNames()).filter((name) => name.startsWith(world.keys.job("")))).toEqual([]);
  });

  test("tell when the next one is due", async () => {
    const startedMs = Date.now();
    const { nextDueMs = 0 } = await world.app({ jobs: [report], scheduler }).drain();
    const tookMs = Date.now() - startedMs;
    // Told by this host's clock, which was compared with Redis' somewhen in between.
    const [nineMs, dayMs] = [9 * 3_600_000, 86_400_000];
    const atNineMs = Math.round((nextDueMs - nineMs) / dayMs) * dayMs + nineMs;
    expect(Math.abs(nextDueMs - atNineMs)).toBeLessThanOrEqual(tookMs + 2);
    expect(nextDueMs).toBeGreaterThanOrEqual(startedMs - tookMs);
    expect(nextDueMs).toBeLessThanOrEqual(startedMs + tookMs + dayMs);
  });

  test("that have no queue are refused when the app is made", () => {
    const options = { jobs: [], scheduler: cron({ schedules: [{ name: "x", every: "1m", class: "Nowhere" }] }) };
    expect(() => world.app(options)).toThrow(/x.*queue/s);
  });

  test("a scheduler that is none is told", () => {
    expect(() => world.app({ jobs: [], scheduler: {} as never })).toThrow(/scheduler: expected a scheduler: cron\(/);
  });
});
