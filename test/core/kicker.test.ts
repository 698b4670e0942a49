import { beforeEach, describe, expect, test } from "vitest";
import { createKicker, type GoneDrain, type Kicker, type KickMark } from "../../src/core/kicker.ts";
import { createAskHost, readStartRequest, type StartRequest } from "../../src/core/start-drain.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe("a kicker", () => {
  let clock: ManualClock;
  let asked: StartRequest[];
  let kicker: Kicker;
  const mark: KickMark = { set: async () => true, free: async () => undefined };
  const gone = (id: string, more: Partial<GoneDrain> = {}) =>
    kicker.gone({
      ...{ id, depth: 0, mayHaveMissed: false, isFollowed: false, hereEndMs: Number.POSITIVE_INFINITY },
      ...{ hasQueued: async () => true, newMark: () => mark },
      ...more,
    });

  beforeEach(() => {
    clock = createManualClock();
    asked = [];
    const start = (request: StartRequest) => void asked.push(request);
    const askHost = createAskHost({ clock, logger: silent, drain: async () => undefined });
    const deps = { options: { start }, newMark: () => mark, askHost, clock, logger: silent, leaseMs: 60_000 };
    kicker = createKicker(deps);
  });

  test("waits for the last of the drains in its process", async () => {
    kicker.seen("a");
    kicker.seen("b");
    await kicker.enqueued();
    expect(await gone("a")).toBe(false);
    expect(await gone("b")).toBe(true);
    expect(asked).toEqual([{ reason: "kick", depth: 1 }]);
    kicker.seen("c");
    expect(await gone("c")).toBe(false);
  });

  test("does not wait for one that its host has frozen for good", async () => {
    kicker.seen("frozen");
    await clock.advance(59_000);
    await kicker.enqueued();
    expect(asked).toEqual([]);
    await clock.advance(2_000);
    await kicker.enqueued();
    expect(asked).toEqual([{ reason: "kick", depth: 0 }]);
  });

  test("waits for a drain that goes on", async () => {
    for (let n = 0; n < 10; n++) {
      kicker.seen("a");
      await clock.advance(20_000);
    }
    await kicker.enqueued();
    expect(asked).toEqual([]);
  });

  test("leaves jobs to a successor that was started already, and to nobody if the queues are empty", async () => {
    kicker.seen("a");
    await kicker.enqueued();
    expect(await gone("a", { isFollowed: true })).toBe(false);
    kicker.seen("b");
    await kicker.enqueued();
    expect(await gone("b", { hasQueued: async () => false })).toBe(false);
    expect(asked).toEqual([]);
  });

  test("looks for the jobs of drains that were busy, whoever else drains in its process", async () => {
    kicker.seen("a");
    kicker.seen("busy");
    expect(await gone("a", { mayHaveMissed: true })).toBe(true);
    expect(asked).toHaveLength(1);
  });

  test("a store that fails at the end kicks nothing and throws nothing", async () => {
    kicker.seen("a");
    await kicker.enqueued();
    expect(await gone("a", { hasQueued: () => Promise.reject(new Error("no Redis")) })).toBe(false);
    expect(asked).toEqual([]);
  });

  test("a host that does not answer is not waited for longer than 5 s", async () => {
    const askHost = createAskHost({ clock, logger: silent, drain: async () => undefined });
    const answer = askHost(() => new Promise(() => undefined), { reason: "kick", depth: 0 });
    await clock.advance(5_000);
    expect(await answer).toBe(false);
  });
});

describe("a start request", () => {
  test.each([
    { reason: "kick", depth: 0 },
    { reason: "successor", depth: 3, remaining: 12 },
    { reason: "sibling", depth: 1, remaining: 9 },
  ])("%j is read from what a host passes on", (request) => {
    expect(readStartRequest(JSON.parse(JSON.stringify({ ...request, more: 1 })))).toEqual(request);
  });

  test.each([
    undefined,
    null,
    "kick",
    {},
    { reason: "cron", depth: 1 },
    { reason: "kick" },
    { reason: "kick", depth: -1 },
  ])("%j is none", (value) => {
    expect(readStartRequest(value)).toBeUndefined();
  });
});
