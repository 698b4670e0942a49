import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorld, payloads, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("planning siblings over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
    await world.drain({ queues: ["q"] }).store.planSiblings(plan);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const plan = { threshold: 10, maxDrains: 8, ttlMs: 30_000 };

  /** Drains of these ages, in ms after now at which their leases end. */
  const live = async (...leasesMs: number[]): Promise<void> => {
    const members = leasesMs.flatMap((ms, n) => [Date.now() + ms, `{"id":"live${n}"}`]);
    await world.send(["ZADD", world.keys.drains, ...members]);
  };

  /** What a drain plans, held against what the server has counted. */
  const planBy = async (id: string, queues: readonly string[] = ["q"], changes: object = {}) => {
    const { store } = world.drain({ id, queues });
    if (kind.server === "redis-server") await world.countCommands();
    const planned = await store.planSiblings({ ...plan, ...changes });
    if (kind.server === "redis-server") expect(store.usage.commands).toBe(await world.countCommands());
    return { ...planned, commands: store.usage.commands, requests: store.usage.requests };
  };

  test("as many drains are missing as give none more than its share, and that is planned once", async () => {
    await world.push("q", ...payloads(45));
    await live(60_000);
    expect(await planBy("a")).toEqual({ missing: 4, queued: 45, commands: 7, requests: 1 });
    expect((await world.everything())[world.keys.scaling]).toEqual({ ttlMs: expect.any(Number), value: "a" });
    const [ttl] = await world.send(["PTTL", world.keys.scaling]);
    expect(Number(ttl)).toBeGreaterThan(20_000);
    expect(Number(ttl)).toBeLessThanOrEqual(30_000);
    expect(await planBy("b")).toEqual({ missing: 0, queued: 0, commands: 2, requests: 1 });
  });

  test("the planner that has not heard the reply is told again", async () => {
    await world.push("q", ...payloads(45));
    await live(60_000);
    expect(await planBy("a")).toMatchObject({ missing: 4 });
    expect(await planBy("a")).toMatchObject({ missing: 4 });
  });

  test("none is missing as long as there is no more than one share for each that lives", async () => {
    await world.push("q", ...payloads(20));
    await live(60_000, 60_000);
    expect(await planBy("a")).toEqual({ missing: 0, queued: 20, commands: 6, requests: 1 });
    expect(await world.get(world.keys.scaling)).toBeNull();
    await world.push("q", ...payloads(1));
    expect(await planBy("a")).toMatchObject({ missing: 1, queued: 21 });
  });

  test("there are never more than maxDrains, however many jobs wait", async () => {
    await world.push("q", ...payloads(1_000));
    await live(60_000, 60_000);
    expect(await planBy("a", ["q"], { maxDrains: 8 })).toMatchObject({ missing: 6 });
    await world.send(["DEL", world.keys.scaling]);
    expect(await planBy("a", ["q"], { maxDrains: 2 })).toMatchObject({ missing: 0 });
  });

  test("drains whose leases have ended are no help", async () => {
    await world.push("q", ...payloads(30));
    await live(60_000, -1, -60_000);
    expect(await planBy("a")).toMatchObject({ missing: 2 });
  });

  test("the jobs of all its queues count, those of paused ones do not", async () => {
    await world.push("a", ...payloads(15));
    await world.push("b", ...payloads(100));
    await world.push("c", ...payloads(15));
    await world.push("not its own", ...payloads(100));
    await world.send(["SET", world.keys.queuePause("b"), "1"]);
    await live(60_000);
    // EVALSHA, GET, TIME, ZCOUNT, MGET, LLEN twice, SET.
    expect(await planBy("a", ["a", "b", "c"])).toEqual({ missing: 2, queued: 30, commands: 8, requests: 1 });
  });

  test("a key that holds no list is told, and nothing is planned", async () => {
    await world.send(["SET", world.keys.queue("q"), "text"]);
    await expect(planBy("a")).rejects.toMatchObject({ name: "StoreError", reason: "rejected" });
    expect(await world.get(world.keys.scaling)).toBeNull();
  });
});
