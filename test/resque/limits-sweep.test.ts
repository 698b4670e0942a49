import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LimitOptions } from "../../src/core/limit.ts";
import type { Claim } from "../../src/core/store.ts";
import { openWorld, payload, payloads, raws, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type LimitedDrain, openLimited, pushMany, send, sends } from "./limited-drain.ts";

describe.each(setups())("beyond a head of jobs that may not start, over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  const open = (limit: LimitOptions): LimitedDrain => openLimited(world, limit);

  /** Exchanges until the store says that there is no more to look at; the claims of each. */
  const sweep = async (drain: LimitedDrain, count: number): Promise<Claim[][]> => {
    const all: Claim[][] = [];
    for (let isDrained = false; !isDrained; ) {
      const result = await drain.fill(count);
      all.push([...result.claims]);
      await drain.settle(result.claims);
      if (all.length > 100) throw new Error("the sweep does not end");
      ({ isDrained } = result);
    }
    return all;
  };

  test("others are found, in order, and nothing is moved", async () => {
    await pushMany(world, "q", sends(5_000));
    await world.push("q", payload(0), send(5_000), payload(1), payload(2));
    await world.push("r", payload(3));
    await world.send(["SET", world.keys.pausedClasses, '["Send"]']);
    const drain = openLimited(world, undefined, { queues: ["q", "r"] });
    const claims = (await sweep(drain, 2)).flat();
    expect(raws(claims)).toEqual([payload(3), payload(0), payload(1), payload(2)]);
    expect(await world.queued("q")).toEqual(sends(5_001));
  });

  test.each([
    [7, 8],
    [20, 64],
    [3, 64],
  ])("one in %i, filling %i slots each time: in order, and none is passed over", async (every, count) => {
    const all = Array.from({ length: 3_500 }, (_, n) => (n % every === every - 1 ? payload(n) : send(n)));
    await pushMany(world, "q", all);
    await world.send(["SET", world.keys.pausedClasses, '["Send"]']);
    const claims = (await sweep(openLimited(world, undefined, { slots: count }), count)).flat();
    expect(raws(claims)).toEqual(all.filter((raw) => raw.includes("Noop")));
    expect(await world.queued("q")).toEqual(all.filter((raw) => raw.includes("Send")));
  });

  test("a key's jobs wait for those before them, though they may start, until the head is looked at again", async () => {
    const tenant = (name: string, n: number): string => send(name, n);
    const full = Array.from({ length: 3_000 }, (_, n) => tenant("full", n));
    const names = ["late", "later", "latest"];
    const late = (n: number): string[] => names.map((name) => tenant(name, n));
    const other = open({ running: 1, by: [0] });
    await world.push("q", tenant("full", -1), ...late(-1));
    const held = await other.fill(4);
    await pushMany(world, "q", full.slice(0, 900));
    await world.push("q", ...late(0));
    await pushMany(world, "q", full.slice(900));
    await world.push("q", ...late(1), tenant("free", 0));
    const drain = open({ running: 1, by: [0] });
    expect(await drain.fill(2)).toMatchObject({ claims: [], isDrained: false });
    await other.settle(held.claims.slice(1));
    const found: Claim[] = [];
    while (found.length === 0) found.push(...(await drain.fill(2)).claims);
    expect(raws(found)).toEqual([tenant("free", 0)]);
    await drain.settle(found);
    const swept = raws((await sweep(drain, 2)).flat());
    for (const name of names) {
      expect(swept.filter((raw) => raw.includes(`"${name}"`))).toEqual([tenant(name, 0), tenant(name, 1)]);
    }
    expect(swept).toHaveLength(6);
    expect(await world.queued("q")).toEqual(full);
  });

  test("the head has its turn while there is always something behind it", async () => {
    const other = open({ running: 1 });
    await world.push("q", send(-1));
    const held = await other.fill(1);
    await pushMany(world, "q", sends(2_500));
    await pushMany(world, "q", payloads(200));
    const drain = open({ running: 1 });
    const claimed: Claim[] = [];
    while (claimed.length < 10) {
      const { claims } = await drain.fill(2);
      await drain.settle(claims);
      claimed.push(...claims);
    }
    await other.settle(held.claims);
    expect(raws((await drain.fill(2)).claims)[0]).toBe(send(0));
  });

  test("it looks at a bounded number of jobs, and says when it has looked at all of them", async () => {
    await pushMany(world, "q", sends(30_000));
    await world.push("q", payload(0));
    await world.send(["SET", world.keys.pausedClasses, '["Send"]']);
    const exchanges = await sweep(openLimited(world), 2);
    expect(exchanges.flat()).toEqual([]);
    expect(exchanges.length).toBeLessThanOrEqual(22);
    expect(await world.send(["LLEN", world.keys.queue("q")])).toEqual(["30001"]);
  });
});
