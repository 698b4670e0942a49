import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Airlift } from "../../src/airlift.ts";
import { defineJob } from "../../src/core/job.ts";
import type { UniqueOptions } from "../../src/core/unique.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { encodeUnique } from "../../src/resque/encode-unique.ts";
import { enqueueJobs } from "../../src/resque/enqueue.ts";
import { type AppWorld, fatedClient, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";

type Args = readonly [user: number, text: string];
const HOUR_MS = 3_600_000;

describe.each(setups())("the newest arguments win, over $name", (kind) => {
  let world: AppWorld;
  let ran: Args[];
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    ran = [];
    await world.flush();
  });

  const unique: UniqueOptions = { until: "start", key: ([user]) => String(user), onConflict: "replace", ttlMs: 60_000 };
  const notify = defineJob<Args, Args>({
    class: "Notify",
    queue: "q",
    unique,
    perform: (args) => void ran.push(args),
  });
  const appOn = (redis?: RedisClient): Airlift => world.app({ jobs: [notify], ...(redis && { redis }) });
  const argsOf = (raws: readonly string[]): unknown[] => raws.map((raw) => JSON.parse(raw).args);
  const lockNames = async (): Promise<string[]> => (await world.keyNames()).filter((name) => name.includes(":unique:"));
  const delayed = async (): Promise<Record<string, unknown[]>> => {
    const lists = Object.entries(await world.everything()).filter(([name]) => /:delayed:\d/.test(name));
    return Object.fromEntries(
      lists.map(([name, items]) => [name.replace("resque:delayed:", ""), argsOf(items as string[])]),
    );
  };

  test("in the queue: at the place of the one that waits, whose lock it takes over", async () => {
    const app = appOn();
    await app.enqueue(notify, [1, "old"]);
    await app.enqueue(notify, [2, "x"]);
    const [before] = await world.queued("q");
    expect(await app.enqueue(notify, [1, "new"])).toEqual({ kind: "replaced", queue: "q" });
    const after = await world.queued("q");
    expect(argsOf(after)).toEqual([
      [1, "new"],
      [2, "x"],
    ]);
    expect(after[0]).not.toContain(/"unique":"([^"]*)"/.exec(before as string)?.[1]);
    const values = await Promise.all((await lockNames()).map((name) => world.get(name)));
    // The lock holds the job's bytes, so that the next can find it, and its id at the end.
    expect(values.some((value) => value?.includes(`.${after[0]}.`))).toBe(true);
    await app.drain();
    expect(ran).toEqual([
      [1, "new"],
      [2, "x"],
    ]);
    expect(await lockNames()).toEqual([]);
  });

  test("their status tells where they wait, whatever time they were given", async () => {
    const kept = { ...notify, status: { ttlMs: 60_000 } };
    const app = world.app({ jobs: [kept] });
    const stateOf = async (enqueued: object) => app.job((enqueued as { readonly id: string }).id);
    const old = await app.enqueueIn(HOUR_MS, kept, [1, "old"]);
    const now = await app.enqueue(kept, [1, "new"]);
    const { at } = now as { readonly at: number };
    expect(await stateOf(now)).toMatchObject({ state: "delayed", dueMs: at });
    expect(await stateOf(old)).toMatchObject({ state: "discarded" });
    const key = world.keys.job((now as { readonly id: string }).id);
    expect(Number((await world.send(["PTTL", key]))[0])).toBeGreaterThan(HOUR_MS);
    await app.enqueue(kept, [2, "old"]);
    const later = await app.enqueueIn(HOUR_MS, kept, [2, "new"]);
    expect(await stateOf(later)).toMatchObject({ state: "queued" });
    expect(await stateOf(later)).not.toHaveProperty("dueMs");
  });

  test("among the delayed: at the time of the one that waits, whatever its own", async () => {
    const app = appOn();
    const { at } = (await app.enqueueIn(HOUR_MS, notify, [1, "old"])) as { readonly at: number };
    await app.enqueueAt(at, notify, [2, "x"]);
    expect(await app.enqueue(notify, [1, "new"])).toEqual({ kind: "replaced", queue: "q", at });
    expect(await app.enqueueIn(2 * HOUR_MS, notify, [1, "newest"])).toEqual({ kind: "replaced", queue: "q", at });
    expect(await delayed()).toEqual({
      [at / 1_000]: [
        [1, "newest"],
        [2, "x"],
      ],
    });
    // No list of times is left of the items that are gone.
    expect((await world.keyNames()).filter((name) => name.includes(":timestamps:"))).toHaveLength(2);
    expect(await world.queued("q")).toEqual([]);
    const ttls = await Promise.all((await lockNames()).map((name) => world.send(["PTTL", name])));
    for (const [ttl] of ttls) expect(Number(ttl)).toBeGreaterThan(HOUR_MS);
  });

  test("in a list of jobs: the last of those that are the same", async () => {
    const app = appOn();
    const job = (user: number, text: string) => ({ queue: "q", class: "Notify", args: [user, text] });
    await app.enqueue(notify, [3, "a"]);
    const jobs = [job(1, "a"), job(2, "a"), job(1, "b"), job(3, "b"), job(1, "c")];
    expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 2, replaced: 3, dropped: 0 });
    expect(argsOf(await world.queued("q"))).toEqual([
      [3, "b"],
      [1, "c"],
      [2, "a"],
    ]);
  });

  test("once the other runs, it is enqueued beside it, and the other's end does not free its lock", async () => {
    const ends: string[] = [];
    const job = defineJob<Args, Args>({
      ...notify,
      perform: async ([user, text]) => {
        ran.push([user, text]);
        if (text === "old") ends.push((await app.enqueue({ queue: "q", class: "Notify", args: [1, "new"] })).kind);
      },
    });
    const app: Airlift = world.app({ jobs: [job], concurrency: 1 });
    await app.enqueue(job, [1, "old"]);
    await app.drain({ maxJobs: 1 });
    expect(ends).toEqual(["queued"]);
    expect(await lockNames()).toHaveLength(1);
    expect(await app.enqueue(job, [1, "newest"])).toMatchObject({ kind: "replaced" });
    await app.drain();
    expect(ran.map(([, text]) => text)).toEqual(["old", "newest"]);
  });

  test("a retry of the other keeps its own arguments and leaves the lock alone", async () => {
    const job = defineJob<Args, Args>({
      ...notify,
      retry: { limit: 1, backoff: [0] },
      perform: async ([user, text], { attempt }) => {
        ran.push([user, text]);
        if (text !== "old" || attempt > 1) return;
        await app.enqueue({ queue: "q", class: "Notify", args: [1, "new"] });
        throw new Error("boom");
      },
    });
    const app: Airlift = world.app({ jobs: [job], concurrency: 1 });
    await app.enqueue(job, [1, "old"]);
    // A retry never comes too early: where Redis was slow to tell its time, it comes a bit late.
    await until(async () => {
      await app.drain();
      return ran.length >= 3;
    });
    expect(ran.map(([, text]) => text).toSorted()).toEqual(["new", "old", "old"]);
    expect(await lockNames()).toEqual([]);
  });

  test("a drain that died between claim and start leaves the job where it is found, bearing its crash", async () => {
    const app = appOn();
    await app.enqueue(notify, [1, "old"]);
    for (const crashes of [1, 2]) {
      const failing = fatedClient(world.client, (call) =>
        call === 1 ? "ok" : { carriedOut: false, error: new Error("x") },
      );
      await expect(
        world.drain({ client: failing }).store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] }),
      ).rejects.toThrow("x");
      await world.endLeases();
      const { store } = world.drain();
      for (const dead of (await store.survey()).dead) await store.recover(dead);
      expect((await world.queued("q"))[0]).toContain(`"crashes":${crashes}`);
    }
    expect(await app.enqueue(notify, [1, "new"])).toEqual({ kind: "replaced", queue: "q" });
    expect(argsOf(await world.queued("q"))).toEqual([[1, "new"]]);
  });

  test("a job that has vanished with its queue is enqueued anew", async () => {
    const app = appOn();
    await app.enqueue(notify, [1, "old"]);
    await world.send(["DEL", world.keys.queue("q")]);
    expect(await app.enqueue(notify, [1, "new"])).toEqual({ kind: "queued", queue: "q", length: 1 });
    expect(await app.enqueue(notify, [1, "newest"])).toEqual({ kind: "replaced", queue: "q" });
  });

  test("a lock of a time when such jobs were dropped keeps them so", async () => {
    const earlier = defineJob<Args, Args>({ ...notify, unique: { until: "start", key: ([user]) => String(user) } });
    await world.app({ jobs: [earlier] }).enqueue(earlier, [1, "old"]);
    expect(await appOn().enqueue(notify, [1, "new"])).toEqual({ kind: "dropped", queue: "q", reason: "duplicate" });
  });

  test("many at once: one waits at the end, and its lock names it", async () => {
    const apps = Array.from({ length: 4 }, () => appOn(world.setup.newClient()));
    const ends = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (apps[n % 4] as Airlift).enqueue(notify, [1, String(n)])),
    );
    // One that has been overtaken again and again gives up: what waits is as new.
    const kinds = ends.map((end) => end.kind);
    expect(kinds.filter((end) => end === "queued")).toHaveLength(1);
    expect(kinds).toContain("replaced");
    const [raw, ...rest] = await world.queued("q");
    expect(rest).toEqual([]);
    expect(kinds[Number((argsOf([raw as string]) as [Args])[0][1])]).not.toBe("dropped");
    expect(await world.get((await lockNames())[0] as string)).toContain(`.${raw}.`);
  });

  test.runIf(kind.server === "redis-server")("costs are counted", async () => {
    const app = appOn();
    const counted = async (run: () => Promise<unknown>): Promise<number> => {
      await world.countCommands();
      await run();
      return world.countCommands();
    };
    await app.enqueue(notify, [2, "warm"]);
    await app.enqueue(notify, [2, "warmer"]);
    // EVALSHA, SET, SADD, RPUSH.
    expect(await counted(() => app.enqueue(notify, [1, "a"]))).toBe(4);
    // EVALSHA, SET; GET; EVALSHA, GET, LPOS, LSET, SET.
    expect(await counted(() => app.enqueue(notify, [1, "b"]))).toBe(8);
    // EVALSHA, SET, RPUSH, SADD, ZADD.
    expect(await counted(() => app.enqueueIn(HOUR_MS, notify, [3, "a"]))).toBe(5);
    // EVALSHA, SET; GET; EVALSHA, GET, LPOS, LSET, SADD, SREM, SET.
    expect(await counted(() => app.enqueueIn(HOUR_MS, notify, [3, "b"]))).toBe(10);
  });

  test.runIf(kind.server === "redis-server")(
    "the costs that the scripts tell of are those that the server counts",
    async () => {
      const usage = { commands: 0, requests: 0 };
      const spend = async (args: Args, atSeconds?: number): Promise<number> => {
        const job = { queue: "q", class: "Notify", args };
        const encoded = await encodeUnique(job, { unique, class: "Notify", args, keys: world.keys });
        usage.commands = 0;
        await world.countCommands();
        await enqueueJobs(world.client, world.keys, [{ ...encoded, atSeconds }], { nowMs: Date.now(), usage });
        expect(await world.countCommands()).toBe(usage.commands);
        return usage.commands;
      };
      await appOn().enqueueAll(["old", "new"].map((text) => ({ queue: "q", class: "Notify", args: [2, text] })));
      const later = Math.floor(Date.now() / 1_000) + 3_600;
      expect(await spend([1, "old"])).toBe(4);
      expect(await spend([1, "new"])).toBe(8);
      expect(await spend([3, "old"], later)).toBe(5);
      expect(await spend([3, "new"])).toBe(10);
    },
  );
});
