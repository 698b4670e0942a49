import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineJob } from "../../src/core/job.ts";
import type { RedisClient, RedisCommand } from "../../src/resque/client.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("enqueueing over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("writes Ruby's exact JSON, and the queue's name", async () => {
    const app = world.app({ jobs: [] });
    const args = [1, 1.5, "é\u2028<&>", null, [], {}, 12345678901234567890n];
    expect(await app.enqueue({ queue: "mail", class: "A::B", args })).toEqual({
      kind: "queued",
      queue: "mail",
      length: 1,
    });
    expect(await app.enqueue({ queue: "mail", class: "A" })).toEqual({ kind: "queued", queue: "mail", length: 2 });
    expect(await world.everything()).toEqual({
      "resque:queue:mail": [
        '{"class":"A::B","args":[1,1.5,"é\u2028<&>",null,[],{},12345678901234567890]}',
        '{"class":"A","args":[]}',
      ],
      "resque:queues": { mail: true },
    });
  });

  test("takes a definition with its queue", async () => {
    const job = defineJob({ class: "SendEmail", queue: "mail", perform: ([to]: [string]) => to });
    const app = world.app({ jobs: [job] });
    expect(await app.enqueue(job, ["a@b.c"])).toEqual({ kind: "queued", queue: "mail", length: 1 });
    expect(await world.queued("mail")).toEqual(['{"class":"SendEmail","args":["a@b.c"]}']);
  });

  test("in bulk keeps the order within each queue, however many chunks it takes", async () => {
    const app = world.app({ jobs: [] });
    const jobs = Array.from({ length: 12_000 }, (_, n) => ({ queue: n % 3 === 0 ? "a" : "b", class: "A", args: [n] }));
    expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 12_000, replaced: 0, dropped: 0 });
    for (const queue of ["a", "b"]) {
      const expected = jobs.filter((job) => job.queue === queue).map(({ args }) => `{"class":"A","args":[${args}]}`);
      expect(await world.queued(queue)).toEqual(expected);
    }
  });

  test("in bulk costs 2 commands for a queue's chunk of 5,000", async () => {
    const sent: (readonly RedisCommand[])[] = [];
    const transaction = (commands: readonly RedisCommand[]) => {
      sent.push(commands);
      return world.client.transaction(commands);
    };
    const redis = { ...silentClient, transaction };
    const jobs = Array.from({ length: 10_000 }, (_, n) => ({ queue: "q", class: "A", args: [n] }));
    await world.app({ jobs: [], redis }).enqueueAll(jobs);
    expect(sent.map((commands) => commands.map(([name]) => name))).toEqual([
      ["SADD", "RPUSH"],
      ["SADD", "RPUSH"],
    ]);
  });

  test("in bulk stays under 1 MB a request, a larger job goes alone", async () => {
    const sizes: number[] = [];
    const transaction = (commands: readonly RedisCommand[]) => {
      sizes.push(JSON.stringify(commands).length);
      return world.client.transaction(commands);
    };
    const redis = { ...silentClient, transaction };
    const lengths = [400_000, 400_000, 400_000, 2_000_000, 10, 10];
    await world
      .app({ jobs: [], redis })
      .enqueueAll(lengths.map((length) => ({ queue: "q", class: "A", args: ["x".repeat(length)] })));
    expect(sizes.map((size) => Math.round(size / 100_000))).toEqual([8, 4, 20, 0]);
    expect((await world.queued("q")).map((raw) => raw.length - 25)).toEqual(lengths);
  });

  test("of nothing does nothing", async () => {
    expect(await world.app({ jobs: [] }).enqueueAll([])).toEqual({ enqueued: 0, replaced: 0, dropped: 0 });
    expect(await world.keyNames()).toEqual([]);
  });

  describe("for later", () => {
    const HOUR_MS = 3_600_000;

    test("is written where resque-scheduler would, in its exact bytes", async () => {
      const atMs = (Math.floor(Date.now() / 1_000) + 3_600) * 1_000;
      const job = { queue: "mail", class: "A::B", args: [1, "é"] };
      const app = world.app({ jobs: [] });
      expect(await app.enqueueAt(atMs + 999, job)).toEqual({ kind: "delayed", queue: "mail", at: atMs });
      const seconds = String(atMs / 1_000);
      const item = '{"class":"A::B","args":[1,"é"],"queue":"mail"}';
      expect(await world.everything()).toEqual({
        [`resque:delayed:${seconds}`]: [item],
        "resque:delayed_queue_schedule": { [seconds]: seconds },
        [`resque:timestamps:${item}`]: { [`delayed:${seconds}`]: true },
      });
    });

    test("takes a date, ms since the epoch, a delay, of a request or a definition", async () => {
      const job = defineJob({ class: "SendEmail", queue: "mail", perform: ([to]: [string]) => to });
      const app = world.app({ jobs: [job] });
      const at = new Date(Math.floor(Date.now() / 1_000) * 1_000 + HOUR_MS);
      const request = { queue: "mail", class: "A" };
      const delayed = { kind: "delayed", queue: "mail", at: Number(at) };
      expect(await app.enqueueAt(at, request)).toEqual(delayed);
      expect(await app.enqueueAt(at, job, ["a@b.c"])).toEqual(delayed);
      expect(await app.enqueue({ ...request, at: Number(at) })).toEqual(delayed);
      expect(await app.enqueueIn(HOUR_MS, request)).toMatchObject({ kind: "delayed" });
      expect(await app.enqueueIn(HOUR_MS, job, ["a@b.c"])).toMatchObject({ kind: "delayed" });
      expect(await app.enqueue({ ...request, inMs: HOUR_MS })).toMatchObject({ kind: "delayed" });
      expect(await world.queued("mail")).toEqual([]);
    });

    test("a time that is missing is not taken for now", async () => {
      const app = world.app({ jobs: [] });
      const job = { queue: "q", class: "A" };
      await expect(app.enqueueAt(undefined as never, job)).rejects.toThrow(
        "at: expected a time, got undefined (class A)",
      );
      await expect(app.enqueueAt(null as never, job)).rejects.toThrow(
        /^at: expected a date or milliseconds since 1970/,
      );
      await expect(app.enqueueIn(undefined as never, job)).rejects.toThrow("inMs: expected a time, got undefined");
      expect(await world.keyNames()).toEqual([]);
    });

    test.each([
      ["that has passed", { at: new Date(2_000, 1) }],
      ["that is now", { inMs: 0 }],
    ])("a time %s is no time: the job goes into its queue at once", async (_what, when) => {
      const end = await world.app({ jobs: [] }).enqueue({ queue: "q", class: "A", ...when });
      expect(end).toEqual({ kind: "queued", queue: "q", length: 1 });
      expect(await world.queued("q")).toEqual(['{"class":"A","args":[]}']);
    });

    test("in bulk beside jobs for now: one command for each list, one for the schedule", async () => {
      const at = Math.floor(Date.now() / 1_000) * 1_000 + HOUR_MS;
      const names: (string | number)[][] = [];
      const transaction: RedisClient["transaction"] = (commands) => {
        names.push(...commands.map(([name, key]) => [name as string, String(key).replace(/\d{10}|\{.*/, "…")]));
        return world.client.transaction(commands);
      };
      const jobs = Array.from({ length: 6 }, (_, n) => ({
        ...{ queue: "q", class: "A", args: [n] },
        ...(n > 1 && { at: at + (n % 2) * 1_000 }),
      }));
      const app = world.app({ jobs: [], redis: { ...silentClient, transaction } });
      expect(await app.enqueueAll(jobs)).toEqual({ enqueued: 6, replaced: 0, dropped: 0 });
      expect(names).toEqual([
        ["SADD", "resque:queues"],
        ["RPUSH", "resque:queue:q"],
        ["RPUSH", "resque:delayed:…"],
        ["SADD", "resque:timestamps:…"],
        ["ZADD", "resque:delayed_queue_schedule"],
        ["RPUSH", "resque:delayed:…"],
        ["SADD", "resque:timestamps:…"],
        ["SADD", "resque:timestamps:…"],
        ["SADD", "resque:timestamps:…"],
      ]);
      expect(await world.queued("q")).toHaveLength(2);
      expect(Object.keys((await world.everything())[world.keys.delayedSchedule] as object)).toHaveLength(2);
    });

    test.each([
      [{ at: 1_795_206_569 }, /at: expected milliseconds since the epoch, got 1795206569.*seconds/],
      [{ at: new Date(Number.NaN) }, /at: expected a date/],
      [{ at: "tomorrow" }, /at: expected a date.*tomorrow/],
      [{ at: -1 }, /at: expected a date/],
      [{ inMs: -1 }, /inMs: expected a number of milliseconds from 0 on, got -1/],
      [{ inMs: Number.POSITIVE_INFINITY }, /inMs: expected a number/],
      [{ inMs: "5" }, /inMs: expected a number/],
      [{ at: 2e12, inMs: 5 }, /expected at or inMs, got both/],
    ])("a wrong time is refused, and all that was to be sent with it: %o", async (when, message) => {
      const jobs = [
        { queue: "q", class: "A" },
        { queue: "q", class: "B", ...when },
      ];
      const sending = world.app({ jobs: [] }).enqueueAll(jobs as never);
      await expect(sending).rejects.toThrow(message);
      await expect(sending).rejects.toMatchObject({ name: "UsageError", jobIndex: 1 });
      expect(await world.keyNames()).toEqual([]);
    });
  });

  describe("by its class's definition", () => {
    const job = defineJob({
      class: "SendEmail",
      queue: "mail",
      args: z.tuple([z.email(), z.iso.date().optional()]),
      perform: () => undefined,
    });

    test("its schema sees the arguments as the handler will, and refuses the wrong ones before anything is sent", async () => {
      const app = world.app({ jobs: [job] });
      const wrong = app.enqueueAll([
        { queue: "mail", class: "SendEmail", args: ["ada@example.com"] },
        { queue: "mail", class: "SendEmail", args: ["nobody"] },
      ]);
      await expect(wrong).rejects.toMatchObject({ name: "UsageError", jobIndex: 1 });
      await expect(wrong).rejects.toThrow(/SendEmail.*args\[0\]/);
      await expect(wrong).rejects.not.toThrow(/nobody/);
      await expect(app.enqueue(job, ["nobody"])).rejects.toThrow(/args\[0\]/);
      expect(await world.keyNames()).toEqual([]);
      const date = { toJSON: () => "2026-11-20" };
      expect(await app.enqueue({ queue: "mail", class: "SendEmail", args: ["ada@example.com", date] })).toMatchObject({
        kind: "queued",
      });
    });

    test("hooks may refuse a job, and are told of those that are enqueued", async () => {
      const told: unknown[] = [];
      const hooks = {
        beforeEnqueue: async ({ args }: { args?: readonly unknown[] }) => args?.[0] !== "no@example.com",
        afterEnqueue: ({ queue, args }: { queue: string; args?: readonly unknown[] }) =>
          void told.push([queue, args?.[0]]),
      };
      const unique = defineJob({ ...job, unique: { until: "start" } });
      const app = world.app({ jobs: [unique], hooks });
      expect(await app.enqueue(unique, ["no@example.com"])).toEqual({
        kind: "dropped",
        queue: "mail",
        reason: "refused",
      });
      const emails = ["ada@example.com", "no@example.com", "bob@example.com", "ada@example.com"];
      const ends = await app.enqueueAll(emails.map((email) => ({ queue: "mail", class: "SendEmail", args: [email] })));
      expect(ends).toEqual({ enqueued: 2, replaced: 0, dropped: 2 });
      expect(told).toEqual([
        ["mail", "ada@example.com"],
        ["mail", "bob@example.com"],
      ]);
      expect(await world.queued("mail")).toHaveLength(2);
    });
  });

  test("is seen in the status", async () => {
    const app = world.app({ jobs: [{ class: "A", perform: () => Promise.reject(new Error("x")) }], queues: ["b"] });
    expect(await app.status()).toEqual({
      queues: [],
      paused: false,
      workers: 0,
      working: 0,
      processed: 0,
      failures: 0,
      failed: 0,
      drains: 0,
      delayed: 0,
      retries: 0,
      pausedClasses: [],
    });
    await app.enqueueAll(["b", "a", "b"].map((queue) => ({ queue, class: "A" })));
    await world.send(["SET", world.keys.pauseAll, "true"], ["SET", world.keys.queuePause("a"), "1"]);
    expect(await app.status()).toMatchObject({
      queues: [
        { name: "a", size: 1, paused: true },
        { name: "b", size: 2, paused: false },
      ],
      paused: true,
    });
    await world.send(["DEL", world.keys.pauseAll]);
    await app.drain();
    expect(await app.status()).toMatchObject({
      paused: false,
      workers: 0,
      working: 0,
      processed: 2,
      failures: 2,
      failed: 2,
      drains: 0,
    });
  });

  test("a drain at work is seen in the status", async () => {
    let status: unknown;
    const app = world.app({
      jobs: [{ class: "A", perform: async () => (status = await app.status()) }],
      concurrency: 4,
    });
    await app.enqueue({ queue: "q", class: "A" });
    await app.drain();
    expect(status).toMatchObject({ workers: 6, working: 1, drains: 1 });
  });
});

const refused = (): Promise<never> => Promise.reject(new Error("not expected"));
const silentClient = {
  description: "",
  ...{ command: refused, pipeline: refused, transaction: refused, script: refused },
  close: async () => undefined,
};
