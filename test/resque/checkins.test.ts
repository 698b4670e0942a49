import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CheckIn } from "../../src/core/checkins.ts";
import type { Claim, Notes } from "../../src/core/store.ts";
import { readCheckins } from "../../src/resque/checkins.ts";
import { NOW_MS, ok, openWorld, payloads, slots, type TestDrain, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

const notes = (checkin: CheckIn, ...claims: readonly Claim[]): Notes => ({
  started: [],
  checkins: claims.map((claim) => ({ claim, checkin })),
});
const half = { atMs: NOW_MS, message: "half way", done: 1, total: 2 };

describe.each(setups())("check-ins in Redis over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const claim = async (jobs: number): Promise<TestDrain & { readonly claims: readonly Claim[] }> => {
    await world.push("q", ...payloads(jobs));
    const drain = world.drain();
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(jobs) });
    return { ...drain, claims };
  };
  const look = async ({ own }: TestDrain, claims: readonly Claim[]) => {
    const workers = claims.map(({ slot, token }) => ({ id: own.ids[slot] as string, token }));
    const found = await readCheckins(world.client, world.keys, workers);
    return workers.map(({ id }) => found.get(id));
  };
  const fields = async (): Promise<string[]> => {
    const { [world.keys.checkins]: hash } = await world.everything();
    return Object.keys((hash as { readonly value?: object } | undefined)?.value ?? {});
  };

  test("are read by worker, in the form that is documented", async () => {
    const drain = await claim(2);
    const [a, b] = drain.claims as [Claim, Claim];
    await drain.store.note(notes(half, a));
    expect(await look(drain, [a, b])).toEqual([half, undefined]);
    const { [world.keys.checkins]: hash } = await world.everything();
    expect(hash).toEqual({
      ttlMs: expect.any(Number),
      value: {
        [drain.own.ids[a.slot] as string]:
          `{"token":"${a.token}","at":${NOW_MS},"message":"half way","done":1,"total":2}`,
      },
    });
    expect((hash as { ttlMs: number }).ttlMs).toBeGreaterThan(86_000_000);
  });

  test("of another claim than the worker's own are not shown, nor is what is none", async () => {
    const drain = await claim(1);
    const [a] = drain.claims as [Claim];
    await drain.store.note(notes(half, a));
    expect(await look(drain, [{ ...a, token: "d.7" }])).toEqual([undefined]);
    await world.send(["HSET", world.keys.checkins, drain.own.ids[a.slot] as string, "{"]);
    expect(await look(drain, [a])).toEqual([undefined]);
    expect(await readCheckins(world.client, world.keys, [])).toEqual(new Map());
  });

  test("go with the exchange that ends their job, and stay for the others", async () => {
    const drain = await claim(3);
    const [a, b, c] = drain.claims as [Claim, Claim, Claim];
    await drain.store.note(notes(half, a, b));
    const later = notes({ atMs: NOW_MS, message: "riding along" }, c);
    await drain.store.exchange({ seq: 2, attempt: 1, settle: [ok(a)], fill: [], notes: later });
    expect(await look(drain, [a, b, c])).toEqual([undefined, half, { atMs: NOW_MS, message: "riding along" }]);
    expect((await fields()).toSorted()).toEqual([drain.own.ids[b.slot], drain.own.ids[c.slot]].toSorted());
    await drain.store.exchange({ seq: 3, attempt: 1, settle: [ok(b), ok(c)], fill: [] });
    expect(await fields()).toEqual([]);
  });

  test("go with the close and with the recovery of a dead drain", async () => {
    const closing = await claim(1);
    await closing.store.note(notes(half, ...closing.claims));
    const dying = await claim(1);
    await dying.store.note(notes(half, ...dying.claims));
    await closing.store.close();
    expect(await fields()).toEqual([dying.own.ids[0]]);
    await world.endLeases();
    const { store } = world.drain();
    for (const dead of (await store.survey()).dead) await store.recover(dead);
    expect(await fields()).toEqual([]);
  });

  test("cost an HSET, the first a PEXPIRE too, and an HDEL with an exchange that ends one", async () => {
    const drain = await claim(2);
    const [a, b] = drain.claims as [Claim, Claim];
    const spent = async (call: () => Promise<unknown>): Promise<number[]> => {
      const { commands, requests } = drain.store.usage;
      await call();
      return [drain.store.usage.commands - commands, drain.store.usage.requests - requests];
    };
    expect(await spent(() => drain.store.note(notes(half, a, b)))).toEqual([2, 1]);
    expect(await spent(() => drain.store.note(notes(half, a, b)))).toEqual([1, 1]);
    await world.push("q", ...payloads(1));
    let claims: readonly Claim[] = [];
    // EVALSHA, MGET, INCRBY, LPOP, MSET; HDEL.
    const exchange = async () => {
      ({ claims } = await drain.store.exchange({ seq: 2, attempt: 1, settle: [ok(a)], fill: [a.slot] }));
    };
    expect(await spent(exchange)).toEqual([6, 1]);
    // EVALSHA, MGET, INCRBY, DEL: the slot's next job has told nothing.
    const settle = claims.map(ok);
    expect(await spent(() => drain.store.exchange({ seq: 3, attempt: 1, settle, fill: [] }))).toEqual([4, 1]);
    expect(await spent(() => drain.store.exchange({ seq: 4, attempt: 1, settle: [ok(b)], fill: [] }))).toEqual([5, 1]);
  });
});
