import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { defineJob } from "../../src/core/job.ts";
import type { RedisCommand } from "../../src/resque/client.ts";
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
    expect(await app.enqueue({ queue: "mail", class: "A::B", args })).toEqual({ kind: "queued", queue: "mail", length: 1 });
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
    const redis = {
      ...world.client,
      description: "",
      command: refused,
      pipeline: refused,
      script: refused,
      transaction,
      close: async () => undefined,
    };
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
    const redis = {
      ...world.client,
      description: "",
      command: refused,
      pipeline: refused,
      script: refused,
      transaction,
      close: async () => undefined,
    };
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
