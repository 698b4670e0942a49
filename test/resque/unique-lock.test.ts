import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { activeJob } from "../../src/active-job/active-job.ts";
import type { Airlift } from "../../src/airlift.ts";
import { discard, release, retry } from "../../src/core/directive.ts";
import { StoreError } from "../../src/core/errors.ts";
import { defineJob, type JobDefinition } from "../../src/core/job.ts";
import type { UniqueOptions } from "../../src/core/unique.ts";
import { rescheduleDelayed } from "../../src/resque/cancel-delayed.ts";
import { freeLocks, lockOf, moveLocks } from "../../src/resque/unique-lock.ts";
import { type AppWorld, type Fate, fatedClient, openAppWorld } from "../core/app-world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";

type Args = readonly [order: number, note?: string];
const HOUR_MS = 3_600_000;

describe.each(setups())("unique jobs over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const define = (unique: UniqueOptions<Args>, perform: JobDefinition<Args, Args>["perform"] = () => undefined) =>
    defineJob<Args, Args>({ class: "Ship", queue: "q", unique, perform });
  const appOf = (job: JobDefinition<Args, Args>, options: Partial<Parameters<AppWorld["app"]>[0]> = {}): Airlift =>
    world.app({ jobs: [job], ...options });
  const byKey = ([order]: Args): string => `order ${order}`;
  const lockNames = async (): Promise<string[]> =>
    (await world.keyNames()).filter((name) => /:(lock|airlift:unique):/.test(name));
  const ttlOf = async (key: string): Promise<number> => Number((await world.send(["PTTL", key]))[0]);

  describe("what is written", () => {
    test("by arguments: node-resque's lock, its value a number to node-resque, the job's id behind it", async () => {
      const job = define({ until: "start" });
      const app = appOf(job);
      const beforeSeconds = Date.now() / 1_000;
      expect(await app.enqueue(job, [7, "é"])).toEqual({ kind: "queued", queue: "q", length: 1 });
      const [raw] = (await world.queued("q")) as [string];
      const [, id] = /^\{"class":"Ship","args":\[7,"é"\],"airlift":\{"unique":"(s[0-9a-f]{12})"\}\}$/.exec(raw) ?? [];
      expect(id).toBeDefined();
      const key = 'resque:lock:Ship:q:[7,"é"]';
      expect(await lockNames()).toEqual([key]);
      const value = (await world.get(key)) as string;
      expect(value).toBe(`${Number.parseInt(value, 10)}.${id}`);
      expect(Number.parseInt(value, 10)).toBeGreaterThan(beforeSeconds + 3_600);
      expect(Number.parseInt(value, 10)).toBeLessThan(beforeSeconds + 3_610);
      expect(await ttlOf(key)).toBeGreaterThan(HOUR_MS - 5_000);
      expect(await ttlOf(key)).toBeLessThanOrEqual(HOUR_MS);
      expect(lockOf(raw, "q", world.keys)).toEqual({ key, id, until: "start" });
    });

    test("by a key: a lock of Airlift's own, which the payload names", async () => {
      const job = define({ until: "done", key: byKey, ttlMs: 60_000 });
      await appOf(job).enqueue(job, [7, "a"]);
      const [raw] = (await world.queued("q")) as [string];
      const [, hash, id] = /,"airlift":\{"unique":"([\w-]{22})\.(d[0-9a-f]{12})"\}\}$/.exec(raw) ?? [];
      const key = `resque:airlift:unique:Ship:${hash}`;
      expect(await lockNames()).toEqual([key]);
      expect(await world.get(key)).toMatch(new RegExp(`^\\d{10}\\.${id}$`));
      expect(await ttlOf(key)).toBeLessThanOrEqual(60_000);
      expect(lockOf(raw, "q", world.keys)).toEqual({ key, id, until: "done" });
    });

    test("delayed: the lock outlives the delay and tells when the job is due; the item bears the id", async () => {
      const job = define({ until: "start", ttlMs: 10_000 });
      const result = await appOf(job).enqueueIn(HOUR_MS, job, [7]);
      const at = Math.floor((result as { at: number }).at / 1_000);
      const [item] = (await world.everything())[`resque:delayed:${at}`] as [string];
      const lock = lockOf(item, "q", world.keys);
      expect(lock?.key).toBe("resque:lock:Ship:q:[7]");
      expect(item).toBe(`{"class":"Ship","args":[7],"queue":"q","airlift":{"unique":"${lock?.id}"}}`);
      expect(await world.get("resque:lock:Ship:q:[7]")).toMatch(new RegExp(`^\\d{10}\\.${at}\\.${lock?.id}$`));
      expect(await ttlOf("resque:lock:Ship:q:[7]")).toBeGreaterThan(HOUR_MS + 5_000);
    });

    test.each([
      ["a class with quotes", 'A"b\\', [1]],
      ["arguments that hold what ends a payload", "A", ['","airlift":{"unique":"x"}}', { queue: "z" }]],
      ["no arguments", "A::B", []],
    ])("the lock is found again: %s", async (_what, className, args) => {
      const job = defineJob<readonly unknown[]>({
        class: className,
        unique: { until: "done" },
        perform: () => undefined,
      });
      const app = world.app({ jobs: [job] });
      await app.enqueue({ queue: 'a:"b', class: className, args });
      await app.enqueue({ queue: 'a:"b', class: className, args, inMs: HOUR_MS });
      await app.enqueueIn(HOUR_MS, { queue: "other", class: className, args });
      const everything = await world.everything();
      const items = Object.entries(everything).flatMap(([name, value]) => (name.includes(":delayed:") ? value : []));
      const raws = [...(await world.queued('a:"b')), ...(items as string[])];
      expect(raws).toHaveLength(2);
      const keys = raws.map((raw, index) => lockOf(raw, ['a:"b', "other"][index] as string, world.keys)?.key);
      expect(keys.toSorted()).toEqual((await lockNames()).toSorted());
    });
  });

  describe("while the lock is held", () => {
    test("the same job is dropped, another one is not", async () => {
      const job = define({ until: "start" });
      const app = appOf(job);
      await app.enqueue(job, [7]);
      expect(await app.enqueue(job, [7])).toEqual({ kind: "dropped", queue: "q", reason: "duplicate" });
      expect(await app.enqueueIn(HOUR_MS, job, [7])).toEqual({ kind: "dropped", queue: "q", reason: "duplicate" });
      expect(await app.enqueue({ queue: "q", class: "Ship", args: [7] })).toMatchObject({ kind: "dropped" });
      expect(await app.enqueue(job, [8])).toMatchObject({ kind: "queued", length: 2 });
      expect(await app.enqueue({ queue: "other", class: "Ship", args: [7] })).toMatchObject({ kind: "queued" });
      expect(await world.queued("q")).toHaveLength(2);
    });

    test("by a key the arguments do not matter", async () => {
      const job = define({ until: "start", key: byKey });
      const app = appOf(job);
      await app.enqueue(job, [7, "a"]);
      expect(await app.enqueue(job, [7, "b"])).toMatchObject({ kind: "dropped" });
      expect(await app.enqueue(job, [8, "a"])).toMatchObject({ kind: "queued" });
      expect(await app.enqueue({ queue: "other", class: "Ship", args: [7] })).toMatchObject({ kind: "queued" });
    });

    test("in a list each job gets what it would get by itself, in order, beside jobs that are not unique", async () => {
      const job = define({ until: "start" });
      const app = appOf(job);
      await app.enqueue(job, [2]);
      const ship = (n: number) => ({ queue: "q", class: "Ship", args: [n] });
      const other = { queue: "q", class: "Other", args: [0] };
      const jobs = [
        ship(1),
        other,
        ship(2),
        ship(3),
        ship(1),
        { ...other, inMs: HOUR_MS },
        { ...ship(4), inMs: HOUR_MS },
      ];
      expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 5, replaced: 0, dropped: 2 });
      const args = (await world.queued("q")).map((raw) => JSON.parse(raw).args[0]);
      expect(args).toEqual([2, 1, 0, 3]);
      expect(await lockNames()).toHaveLength(4);
    });

    test("in lists longer than a chunk", async () => {
      const job = define({ until: "done" });
      const app = appOf(job);
      const jobs = Array.from({ length: 6_000 }, (_, n) => ({ queue: "q", class: "Ship", args: [n % 5_500] }));
      expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 5_500, replaced: 0, dropped: 500 });
      expect((await world.queued("q")).map((raw) => JSON.parse(raw).args[0])).toEqual([...Array(5_500).keys()]);
    });

    test("many that are delayed to many seconds", async () => {
      const job = define({ until: "done" });
      const app = appOf(job);
      const at = Math.floor(Date.now() / 1_000) * 1_000 + HOUR_MS;
      const jobs = Array.from({ length: 4_000 }, (_, n) => ({
        queue: "q",
        class: "Ship",
        args: [n],
        at: at + (n % 10) * 1_000,
      }));
      expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 4_000, replaced: 0, dropped: 0 });
      const [count] = await world.send(["ZCARD", world.keys.delayedSchedule]);
      expect(Number(count)).toBe(10);
      expect(await lockNames()).toHaveLength(4_000);
    });

    test("once its TTL has ended, the job may be enqueued again, and the first does not free the second's lock", async () => {
      const job = define({ until: "done", ttlMs: HOUR_MS });
      const app = appOf(job);
      await app.enqueue(job, [7]);
      const [first] = (await world.queued("q")) as [string];
      await world.send(["DEL", "resque:lock:Ship:q:[7]"]);
      await app.enqueue(job, [7]);
      const lock = lockOf(first, "q", world.keys);
      expect(await freeLocks(world.client, lock ? [lock] : [])).toBe(0);
      await app.drain({ maxJobs: 1 });
      expect(await lockNames()).toEqual(["resque:lock:Ship:q:[7]"]);
      await app.drain();
      expect(await lockNames()).toEqual([]);
    });
  });

  describe("the lock is given back", () => {
    interface Held {
      readonly during: number | undefined;
      readonly after: number;
    }
    /** What the lock is worth while the job runs, and afterwards. */
    const runWith = async (until: UniqueOptions["until"], end: () => unknown, retries = 0): Promise<Held> => {
      const seen: string[][] = [];
      const job = defineJob<Args, Args>({
        class: "Ship",
        queue: "q",
        unique: { until },
        retry: { limit: retries, backoff: [HOUR_MS] },
        perform: async () => {
          seen.push(await lockNames());
          return end();
        },
      });
      const app = appOf(job);
      await app.enqueue(job, [7]);
      await app.drain();
      return { during: seen[0]?.length, after: (await lockNames()).length };
    };
    const boom = (): unknown => Promise.reject(new Error("boom"));

    test.each<readonly [string, () => unknown, number]>([
      ["is done", () => undefined, 0],
      ["has failed", boom, 0],
      ["is discarded", () => discard("gone"), 0],
      ["waits for its next attempt", boom, 1],
      ["is postponed", () => release({ afterMs: HOUR_MS }), 0],
    ])("at the start, whatever comes of it: a job that %s", async (_what, end, retries) => {
      expect(await runWith("start", end, retries)).toEqual({ during: 0, after: 0 });
    });

    test.each<readonly [string, () => unknown, number, number]>([
      ["is done", () => undefined, 0, 0],
      ["has failed for good", boom, 0, 0],
      ["is discarded", () => discard("gone"), 0, 0],
      ["waits for its next attempt", boom, 1, 1],
      ["asks for its next attempt", () => retry(), 1, 1],
      ["is postponed", () => release({ afterMs: HOUR_MS }), 0, 1],
    ])("at the end, not before: a job that %s", async (_what, end, retries, after) => {
      expect(await runWith("done", end, retries)).toEqual({ during: 1, after });
    });

    test.each<readonly [string, () => unknown]>([
      ["is done", () => undefined],
      ["has failed", boom],
    ])("after the period, not before: a job that %s", async (_what, end) => {
      expect(await runWith({ periodMs: HOUR_MS }, end)).toEqual({ during: 1, after: 1 });
      expect(await ttlOf("resque:lock:Ship:q:[7]")).toBeGreaterThan(HOUR_MS - 20_000);
    });

    test.each(["start", "done"] as const)("by a drain whose app does not know the class (until %s)", async (until) => {
      const job = define({ until, key: byKey });
      await appOf(job).enqueue(job, [7]);
      await world.app({ jobs: [] }).drain();
      expect(await world.failed()).toHaveLength(1);
      expect(await lockNames()).toEqual([]);
    });

    test("while it runs, the next may be enqueued or not", async () => {
      for (const [until, kind] of [
        ["start", "queued"],
        ["done", "dropped"],
      ] as const) {
        const ends: string[] = [];
        const job = define({ until, key: byKey }, async ([, note]) => {
          const second = { queue: "q", class: "Ship", args: [7, "second"] };
          if (note === "first") ends.push((await app.enqueue(second)).kind);
        });
        const app: Airlift = appOf(job);
        await app.enqueue(job, [7, "first"]);
        await app.drain();
        expect(ends).toEqual([kind]);
        expect(await lockNames()).toEqual([]);
      }
    });

    test("by recovery, once the job has taken down its last drain; before that the lock stays", async () => {
      const job = define({ until: "done" });
      await appOf(job).enqueue(job, [7]);
      for (const [left, failures] of [
        [1, 0],
        [0, 1],
      ] as const) {
        const dead = world.drain({ crashLimit: 2 });
        await dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
        await world.endLeases();
        const { store } = world.drain({ crashLimit: 2 });
        for (const drain of (await store.survey()).dead) await store.recover(drain);
        expect(await lockNames()).toHaveLength(left);
        expect(await world.failed()).toHaveLength(failures);
      }
    });

    test("by recovery in the step that ends the job: the reply of that step may be lost", async () => {
      const job = define({ until: "done" });
      await appOf(job).enqueue(job, [7]);
      const dead = world.drain({ crashLimit: 1 });
      await dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      await world.endLeases();
      // The survey, the slots, their payloads, and the recovery itself.
      const fate = (call: number): Fate => (call < 4 ? "ok" : { carriedOut: call === 4, error: lost() });
      const { store } = world.drain({ crashLimit: 1, client: fatedClient(world.client, fate) });
      const [drain] = (await store.survey()).dead;
      if (!drain) throw new Error("the drain is not there");
      await expect(store.recover(drain)).rejects.toThrow("lost");
      expect(await world.failed()).toHaveLength(1);
      expect(await lockNames()).toEqual([]);
    });

    test("not by a drain that has died between the claim and the start: the job still waits, and is freed by the next", async () => {
      const job = define({ until: "start", key: byKey });
      const app = appOf(job);
      await app.enqueue(job, [7]);
      const dead = world.drain({
        client: fatedClient(world.client, (call) => (call === 1 ? "ok" : { carriedOut: false, error: lost() })),
      });
      await expect(dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] })).rejects.toThrow("lost");
      expect(await lockNames()).toHaveLength(1);
      await world.endLeases();
      await app.drain();
      expect(await lockNames()).toEqual([]);
    });

    test("by whoever removes the job, by its payload alone", async () => {
      for (const unique of [
        { until: "start" },
        { until: "done", key: byKey },
        { until: { periodMs: HOUR_MS } },
      ] as const) {
        const job = define(unique);
        await appOf(job).enqueueIn(HOUR_MS, job, [7]);
        const lists = Object.entries(await world.everything()).filter(([name]) => /:delayed:\d/.test(name));
        const [item] = lists.flatMap(([, value]) => value as string[]);
        const lock = lockOf(item as string, "q", world.keys);
        expect(await freeLocks(world.client, lock ? [lock] : [])).toBe(1);
        expect(await lockNames()).toEqual([]);
        await world.flush();
      }
    });

    test("of many at once", async () => {
      const locks = Array.from({ length: 7_000 }, (_, n) => ({ key: `resque:lock:A:q:[${n}]`, id: `s${n}` }));
      await world.send(...locks.map(({ key, id }) => ["SET", key, `1795206569.${id}`]));
      expect(await freeLocks(world.client, locks)).toBe(7_000);
      expect(await lockNames()).toEqual([]);
    });
  });

  describe("of Active Job", () => {
    const invoice = (unique: UniqueOptions<readonly [id: number, format: string]>) =>
      activeJob<readonly [id: number, format: string]>({
        class: "InvoiceJob",
        queue: "q",
        unique,
        perform: () => undefined,
      });

    test("are the same by their arguments, though each payload has an id and a time", async () => {
      const job = invoice({ until: "done" });
      const app = world.app({ jobs: [job] });
      expect(await app.enqueue(job, [1, "pdf"])).toMatchObject({ kind: "queued" });
      expect(await app.enqueue(job, [1, "pdf"])).toMatchObject({ kind: "dropped" });
      expect(await app.enqueue(job, [1, "csv"])).toMatchObject({ kind: "queued" });
      expect(await app.drain()).toMatchObject({ succeeded: 2 });
      expect(await lockNames()).toEqual([]);
    });

    test("are the same by a key, which sees the arguments; those of another class are others", async () => {
      const unique: UniqueOptions<readonly [id: number, format: string]> = { until: "start", key: ([id]) => `${id}` };
      const job = invoice(unique);
      const other = activeJob({ ...job, class: "OtherJob", unique });
      const app = world.app({ jobs: [job, other] });
      expect(await app.enqueue(job, [1, "pdf"])).toMatchObject({ kind: "queued" });
      expect(await app.enqueue(job, [1, "csv"])).toMatchObject({ kind: "dropped" });
      expect(await app.enqueue(other, [1, "csv"])).toMatchObject({ kind: "queued" });
      expect(await app.enqueue({ queue: "q", class: "InvoiceJob", args: [1, "xml"] })).toMatchObject({
        kind: "dropped",
      });
      await app.drain();
      expect(await lockNames()).toEqual([]);
    });
  });

  test("a delayed job that is moved to another time takes its lock along", async () => {
    for (const [delayMs, newDelayMs] of [
      [HOUR_MS, 3 * HOUR_MS],
      [3 * HOUR_MS, HOUR_MS],
    ] as const) {
      const job = define({ until: "start", key: byKey, onConflict: "replace", ttlMs: 60_000 });
      const app = appOf(job);
      await app.enqueueIn(delayMs, job, [7, "a"]);
      const toMs = Date.now() + newDelayMs;
      const match = { queue: "q", class: "Ship", args: [7, "a"], isThorough: true };
      expect(await rescheduleDelayed(world.client, world.keys, match, toMs)).toHaveLength(1);
      const [name] = (await lockNames()) as [string];
      const ttlMs = await ttlOf(name);
      expect(ttlMs).toBeGreaterThan(newDelayMs + 50_000);
      expect(ttlMs).toBeLessThanOrEqual(newDelayMs + 61_000);
      const [end, due] = ((await world.get(name)) as string).split(".").map(Number);
      expect(due).toBe(Math.floor(toMs / 1_000));
      expect((end as number) - (due as number)).toBeGreaterThanOrEqual(60);
      expect(await app.enqueue(job, [7, "b"])).toEqual({ kind: "replaced", queue: "q", at: (due as number) * 1_000 });
      await world.flush();
    }
  });

  test("a lock that is another's is not moved", async () => {
    const job = define({ until: "start" });
    await appOf(job).enqueueIn(HOUR_MS, job, [7]);
    const [name] = (await lockNames()) as [string];
    const value = await world.get(name);
    expect(await moveLocks(world.client, [{ key: name, id: "s000000000000" }], 9_999_999_999)).toBe(0);
    expect(await world.get(name)).toBe(value);
  });

  test("of several locks those of their jobs are moved, each by as much as it outlives its job, and that is told", async () => {
    const locks = ["s1", "s2", "s3"].map((id, index) => ({ key: `lock${index}`, id }));
    const values = ["1000000600.1000000000.s1", "1000000600.1000000000.s9", "1000000700.1000000000.{}.s3"];
    await world.send(...locks.map(({ key }, index) => ["SET", key, values[index] as string, "PX", 50_000]));
    const usage = { commands: 0, requests: 0 };
    await moveLocks(world.client, locks, 1_000_000_000);
    if (kind.server === "redis-server") await world.countCommands();
    expect(await moveLocks(world.client, locks, 1_000_000_100, { usage })).toBe(2);
    expect(usage).toEqual({ commands: 6, requests: 1 });
    if (kind.server === "redis-server") expect(await world.countCommands()).toBe(6);
    expect(await Promise.all(locks.map(({ key }) => world.get(key)))).toEqual([
      "1000000700.1000000100.s1",
      "1000000600.1000000000.s9",
      "1000000800.1000000100.{}.s3",
    ]);
    expect(await ttlOf("lock0")).toBeGreaterThan(140_000);
    await moveLocks(world.client, locks, 1);
    // The job is due: somebody else is about to take it.
    expect(await ttlOf("lock0")).toBeLessThanOrEqual(1_000);
  });

  test("of several due locks of jobs without an id all are freed, and one look at the clock is told", async () => {
    const locks = ["7", "8", "9795206569"].map((due) => ({ key: `lock${due}`, id: "" }));
    await world.send(...locks.map(({ key }) => ["SET", key, `9795206600.${key.slice(4)}.s1`]));
    await freeLocks(world.client, [{ key: "warm", id: "" }]);
    const usage = { commands: 0, requests: 0 };
    if (kind.server === "redis-server") await world.countCommands();
    expect(await freeLocks(world.client, locks, { usage })).toBe(2);
    expect(usage).toEqual({ commands: 4, requests: 1 });
    if (kind.server === "redis-server") expect(await world.countCommands()).toBe(4);
    expect(await world.keyNames()).toEqual(["lock9795206569"]);
  });

  describe("a job that bears no id", () => {
    const push = (args: string): Promise<void> => world.push("q", `{"class":"Ship","queue":"q","args":${args}}`);

    test.each([
      ["start", "until the start", [], []],
      ["done", "until the end", ["resque:lock:Ship:q:[7]"], []],
    ] as const)("and that node-resque has locked gives the lock back (%s)", async (until, _what, during, after) => {
      const seen: string[][] = [];
      const job = define({ until }, async () => void seen.push(await lockNames()));
      await world.send(["SET", "resque:lock:Ship:q:[7]", "9795206569", "EX", "3600"]);
      await push("[7]");
      await appOf(job).drain();
      expect(seen).toEqual([during]);
      expect(await lockNames()).toEqual(after);
    });

    test("gives it back also if the reply to its end is lost, or what frees the lock is", async () => {
      for (const step of ["exchange", "free-locks"]) {
        await world.send(["SET", "resque:lock:Ship:q:[7]", "9795206569", "EX", "3600"]);
        await push("[7]");
        let hasRun = false;
        let isLost = false;
        const client = carriedClient(world.client, async ({ names, deliver }) => {
          if (step !== names[0] || !hasRun || isLost) return deliver();
          isLost = true;
          if (step === "exchange") await deliver();
          throw lost();
        });
        const job = define({ until: "done" }, () => {
          hasRun = true;
        });
        expect(await appOf(job, { redis: client }).drain()).toMatchObject({ succeeded: 1, lost: 0 });
        expect(isLost).toBe(true);
        expect(await lockNames()).toEqual([]);
      }
    });

    test("leaves the lock of another alone", async () => {
      const job = define({ until: "start" });
      const app = appOf(job);
      await push("[7]");
      await app.enqueue(job, [7]);
      await app.drain({ maxJobs: 1 });
      expect(await lockNames()).toEqual(["resque:lock:Ship:q:[7]"]);
    });

    test.each([
      ["by arguments", undefined],
      ["by a key", byKey],
    ])("as another scheduler has promoted it: it gives its lock back (%s)", async (_what, key) => {
      const job = define({ until: "start", ...(key && { key }) });
      const app = appOf(job);
      await app.enqueueIn(HOUR_MS, job, [7]);
      const [name] = (await lockNames()) as [string];
      await push("[7]");
      await app.drain();
      expect(await lockNames()).toEqual([name]);
      // An hour later: the same lock, its job due.
      const value = (await world.get(name)) as string;
      await world.send(["SET", name, value.replace(/\.\d+\./, ".1700000000.")]);
      await push("[7]");
      await app.drain();
      expect(await lockNames()).toEqual([]);
    });

    test("whose arguments the class's key cannot read ends as it would", async () => {
      const job = define({ until: "start", key: ([order]) => order.toFixed(2) });
      await push("[null]");
      expect(await appOf(job).drain()).toMatchObject({ succeeded: 1 });
    });
  });

  describe("what a refused command leaves", () => {
    test("a queue that is no list: no lock, and nothing in the other queues", async () => {
      const job = define({ until: "start" });
      await world.send(["SET", world.keys.queue("broken"), "x"]);
      const before = await world.everything();
      const ship = (queue: string, n: number) => ({ queue, class: "Ship", args: [n] });
      const jobs = [ship("q", 1), ship("q", 5), { ...ship("q", 2), inMs: HOUR_MS }, ship("broken", 3), ship("z", 4)];
      const failing = appOf(job).enqueueAll(jobs);
      await expect(failing).rejects.toMatchObject({ name: "StoreError", reason: "rejected" });
      await expect(failing).rejects.toThrow(/WRONGTYPE/);
      expect(await world.everything()).toEqual(before);
    });

    test.runIf(kind.server === "redis-server")("a full database: nothing at all", async () => {
      const job = define({ until: "start" });
      await world.send(["CONFIG", "SET", "maxmemory", "1"]);
      try {
        await expect(appOf(job).enqueue(job, [7])).rejects.toMatchObject({ reason: "full" });
      } finally {
        await world.send(["CONFIG", "SET", "maxmemory", "0"]);
      }
      expect(await world.keyNames()).toEqual([]);
    });

    test("a lost reply: the job with its lock, so that a repetition is dropped", async () => {
      const job = define({ until: "start" });
      const redis = {
        ...fatedClient(world.client, (call) => (call === 1 ? { carriedOut: true, error: lost() } : "ok")),
      };
      const app = appOf(job, { redis });
      await expect(app.enqueue(job, [7])).rejects.toThrow("lost");
      expect(await app.enqueue(job, [7])).toMatchObject({ kind: "dropped" });
      expect(await world.queued("q")).toHaveLength(1);
    });
  });

  test.runIf(kind.server === "redis-server")("costs are counted", async () => {
    const job = define({ until: "done" });
    const app = appOf(job);
    const ship = (n: number) => ({ queue: "q", class: "Ship", args: [n] });
    await app.enqueue({ ...ship(0), queue: "warm" });
    await world.countCommands();
    await app.enqueueAll([{ ...ship(1), class: "Plain" }]);
    // MULTI and EXEC are not billed: SADD, RPUSH.
    expect((await world.countCommands()) - 2).toBe(2);
    await app.enqueueAll(Array.from({ length: 100 }, (_, n) => ship(n)));
    // EVALSHA, a SET for each, SADD, RPUSH.
    expect(await world.countCommands()).toBe(1 + 100 + 2);
    await app.enqueueAll(Array.from({ length: 100 }, (_, n) => ship(n)));
    expect(await world.countCommands()).toBe(1 + 100);
    const usage = { commands: 0, requests: 0 };
    const locks = (await world.queued("q"))
      .map((raw) => lockOf(raw, "q", world.keys))
      .filter((lock) => lock !== undefined);
    await world.client.script({
      script: (await import("../../src/resque/generated/free-locks.generated.ts")).freeLocks,
      keys: ["x"],
      args: [""],
    });
    await world.countCommands();
    await freeLocks(world.client, locks, { usage });
    expect(usage).toEqual({ commands: 3, requests: 1 });
    expect(await world.countCommands()).toBe(3);
  });

  const lost = (): StoreError => new StoreError("unavailable", "lost");
});
