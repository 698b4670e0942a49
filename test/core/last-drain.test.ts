import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { payload, payloads } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, fatedClient, openAppWorld } from "./app-world.ts";

const noop = { class: "Noop", perform: () => undefined };

describe.each(setups())("a record of the last drain over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
    await world.push("q", payload(1));
    await world.app({ jobs: [noop] }).drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const counted = async (options: object) => {
    const isReal = kind.server === "redis-server";
    if (isReal) await world.countCommands();
    const report = await world.app({ jobs: [noop], ...options }).drain();
    if (isReal) expect(report.commands).toBe(await world.countCommands());
    return report;
  };

  test("costs 1 command a drain, an idle one included", async () => {
    expect(await counted({ recordDrains: true })).toMatchObject({ stopped: "empty", commands: 2, requests: 2 });
    expect(await counted({ recordDrains: { maxSilenceMs: 60_000 } })).toMatchObject({ commands: 2, requests: 2 });
    await world.push("q", payload(1));
    expect(await counted({ recordDrains: true })).toMatchObject({ succeeded: 1, commands: 26, requests: 6 });
  });

  test("tells how it ended, when, and on which host; for 30 days", async () => {
    const app = world.app({ jobs: [noop], recordDrains: true, platform: "test" });
    expect(await app.lastDrain()).toBeUndefined();
    expect((await app.status()).lastDrain).toBeUndefined();
    await world.push("q", ...payloads(5), "not json");
    const fromMs = Date.now();
    const { durationMs } = await app.drain({ maxJobs: 4 });
    const last = await app.lastDrain();
    expect(last).toEqual({
      endedMs: expect.any(Number),
      host: expect.stringMatching(/^airlift-test-[0-9a-f]{12}$/),
      stopped: "budget",
      ...{ claimed: 4, succeeded: 4, failed: 0, remaining: 2, durationMs: expect.any(Number) },
    });
    expect(last?.endedMs).toBeGreaterThanOrEqual(fromMs);
    expect(last?.endedMs).toBeLessThanOrEqual(Date.now());
    expect(last?.durationMs).toBeLessThanOrEqual(durationMs);
    expect((await app.status()).lastDrain).toEqual(last);
    const [ttl] = await world.send(["PTTL", world.keys.lastDrain]);
    expect(Number(ttl) / 86_400_000).toBeCloseTo(30, 1);
    await app.drain();
    expect(await app.lastDrain()).toMatchObject({ stopped: "empty", claimed: 2, failed: 1, remaining: 0 });
  });

  test("is written of late, aborted and busy ticks, too: they came", async () => {
    const app = world.app({ jobs: [noop], recordDrains: true });
    await app.drain({ deadlineMs: Date.now() - 1 });
    expect(await app.lastDrain()).toMatchObject({ stopped: "deadline" });
    await app.drain({ signal: AbortSignal.abort() });
    expect(await app.lastDrain()).toMatchObject({ stopped: "aborted" });
    await world.push("q", payload(1));
    await world.send(["SET", world.keys.single("default"), "another"]);
    await app.drain({ single: true });
    expect(await app.lastDrain()).toMatchObject({ stopped: "busy", remaining: 1 });
  });

  test("is not written of a drain that has failed", async () => {
    await world.push("q", payload(1));
    const redis = carriedClient(world.setup.newClient(), async (letter) => {
      if (letter.names.includes("exchange")) throw new StoreError("rejected", "no");
      return letter.deliver();
    });
    const app = world.app({ redis, jobs: [noop], recordDrains: true });
    await expect(app.drain()).rejects.toThrow(/could not go on/);
    expect(await app.lastDrain()).toBeUndefined();
  });

  test("a record that cannot be written is logged, and the drain has ended well", async () => {
    const warned: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => void warned.push(text), error: () => {} };
    const redis = carriedClient(world.setup.newClient(), async (letter) => {
      if (letter.names[0] === "SET") throw new StoreError("full", "no");
      return letter.deliver();
    });
    await world.push("q", payload(1));
    const report = await world.app({ redis, jobs: [noop], recordDrains: true, logger }).drain();
    expect(report).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect(warned).toEqual(["the drain's end was not recorded"]);
  });

  test("the drain after too long a silence tells of it, once", async () => {
    const events: DrainEvent[] = [];
    const app = world.app({
      jobs: [noop],
      recordDrains: { maxSilenceMs: 60_000 },
      onEvent: (event) => event.kind === "ticks-missed" && events.push(event),
    });
    // The very first has nothing to compare with.
    await app.drain();
    await app.drain();
    expect(events).toEqual([]);
    const last = JSON.parse((await world.get(world.keys.lastDrain)) ?? "{}");
    const endedMs = Date.now() - 90_000;
    await world.send(["SET", world.keys.lastDrain, JSON.stringify({ ...last, endedMs })]);
    await app.drain();
    const soundedMs = Date.now();
    await app.drain();
    expect(events).toEqual([{ kind: "ticks-missed", silentMs: expect.any(Number) }]);
    const { silentMs } = events[0] as Extract<DrainEvent, { kind: "ticks-missed" }>;
    expect(silentMs).toBeGreaterThanOrEqual(90_000);
    expect(silentMs).toBeLessThanOrEqual(soundedMs - endedMs);
  });

  test("a drain that itself took longer than that is no silence", async () => {
    const events: DrainEvent[] = [];
    const onEvent = (event: DrainEvent) => event.kind === "ticks-missed" && events.push(event);
    const options = { recordDrains: { maxSilenceMs: 30_000 }, onEvent };
    await world.app({ jobs: [noop], ...options }).drain();
    await world.push("q", payload(1));
    const [startedMs, hostsClock] = [Date.now(), Date.now];
    // It takes 50 seconds by the clock that ends are written down by.
    const slow = {
      class: "Noop",
      perform: () => void vi.spyOn(Date, "now").mockImplementation(() => hostsClock() + 50_000),
    };
    const report = await world
      .app({ jobs: [slow], ...options })
      .drain()
      .finally(() => vi.restoreAllMocks());
    expect(report).toMatchObject({ succeeded: 1 });
    expect((await world.app({ jobs: [] }).lastDrain())?.endedMs).toBeGreaterThan(startedMs + 40_000);
    expect(events).toEqual([]);
  });

  test("what is no record under its key is none", async () => {
    for (const text of ["text", "[]", "{}", "null", '{"endedMs":"1"}']) {
      await world.send(["SET", world.keys.lastDrain, text]);
      const app = world.app({ jobs: [noop] });
      expect([await app.lastDrain(), (await app.status()).lastDrain]).toEqual([undefined, undefined]);
    }
  });
});

describe("the option recordDrains", () => {
  const redis = fatedClient({} as Parameters<typeof fatedClient>[0], () => ({ carriedOut: false }));
  test.each([1, "yes", { maxSilenceMs: 0 }, { maxSilence: 1 }])("refuses %j", (recordDrains) => {
    const create = () => createAirlift({ redis, queues: ["q"], jobs: [], recordDrains: recordDrains as never });
    expect(create).toThrow(/recordDrains: expected true, false or { maxSilenceMs }/);
  });
});
