import { Redis } from "ioredis";
import { Queue, Worker } from "node-resque";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Airlift, createAirlift } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { hasRedisServer, type ServerKind, startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { holdDrain } from "./held-drain.ts";

const KINDS: readonly ServerKind[] = hasRedisServer() ? ["redis-server", "embedded"] : ["embedded"];

describe.each(KINDS)("the admin API beside node-resque on %s", (kind) => {
  let server: TestRedis;
  let raw: Redis;
  let client: RedisClient;
  let queue: Queue;
  let airlift: Airlift;
  let cleanups: (() => Promise<unknown>)[];

  beforeAll(async () => {
    server = await startRedis({ kind });
    raw = new Redis(server.url);
    client = ioredis(server.url);
    queue = new Queue({ connection: { redis: raw } });
    await queue.connect();
    airlift = createAirlift({ redis: client, queues: ["*"], jobs: [] });
  });
  beforeEach(async () => {
    cleanups = [];
    await raw.flushall();
  });
  afterEach(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  afterAll(async () => {
    raw.disconnect();
    await client.close();
    await server.close();
  });

  const startWorker = async (perform: (...args: unknown[]) => Promise<void>): Promise<Worker> => {
    const options = { connection: { redis: raw }, queues: ["mail"], name: "nodehost:77", timeout: 5 };
    const worker = new Worker(options, { Job: { perform } });
    cleanups.push(() => worker.end());
    await worker.connect();
    await worker.start();
    return worker;
  };

  test("a failure of its worker is retried, runs there again, and is shown as retried", async () => {
    const seen: unknown[][] = [];
    await queue.enqueue("mail", "Job", ["é", { a: [] }]);
    await startWorker(async (...args) => {
      seen.push(args);
      if (seen.length === 1) throw new RangeError("too far");
    });
    await until(async () => (await raw.llen("resque:failed")) === 1);
    const { jobs } = await airlift.failed.list({ error: "too far" });
    expect(jobs).toMatchObject([{ class: "Job", queue: "mail", exception: "RangeError", worker: "nodehost:77" }]);
    expect(await airlift.failed.retry({ ids: jobs.map(({ id }) => id) })).toMatchObject({ retried: 1 });
    await until(() => seen.length === 2);
    expect(seen[1]).toEqual(seen[0]);
    const [entry] = await queue.failed(0, -1);
    expect(entry).toMatchObject({ exception: "RangeError", retried_at: expect.stringMatching(/ UTC$/) });
  });

  test("what it retries and removes by content is not found any more; what it does not, is", async () => {
    const failed = (n: number): string =>
      JSON.stringify({
        worker: "nodehost:77",
        queue: "mail",
        payload: { class: "Job", queue: "mail", args: [n] },
        exception: "E",
        error: "e",
        backtrace: null,
        failed_at: new Date().toString(),
      });
    await raw.rpush("resque:failed", failed(1), failed(2), failed(3));
    const { jobs } = await airlift.failed.list({ order: "oldest" });
    const theirs = await queue.failed(0, -1);
    await queue.retryAndRemoveFailed(theirs[0] as NonNullable<(typeof theirs)[0]>);
    await queue.removeFailed(theirs[1] as NonNullable<(typeof theirs)[0]>);
    const ids = jobs.map(({ id }) => id);
    expect(await airlift.failed.retry({ ids })).toMatchObject({ retried: 1, missing: ids.slice(0, 2) });
    expect(await queue.queued("mail", 0, -1)).toMatchObject([{ args: [1] }, { args: [3] }]);
  });

  test("its worker at work is listed beside our own, and pruned once it is gone", async () => {
    const gate = Promise.withResolvers<void>();
    cleanups.push(async () => gate.resolve());
    await queue.enqueue("mail", "Job", [1]);
    const worker = await startWorker(() => gate.promise);
    await until(async () => (await raw.keys("resque:worker:nodehost:77:mail")).length === 1);
    await raw.rpush("resque:queue:ours", '{"class":"Hold","args":["x"]}');
    await using held = await holdDrain({ redis: client, queues: ["ours"] });
    const { workers } = await airlift.workers.list();
    expect(workers.filter(({ job }) => job)).toMatchObject([
      { isAirlift: true, job: { class: "Hold", args: ["x"], queue: "ours" } },
      { id: "nodehost:77:mail", isAirlift: false, job: { class: "Job", args: [1], queue: "mail" } },
    ]);
    expect((await airlift.workers.drains()).drains).toMatchObject([
      { isAlive: true, working: [{ job: { class: "Hold" } }] },
    ]);
    held.release();
    await held.report;

    // It pings.
    const prune = () => airlift.workers.prune("nodehost:77:mail");
    await expect(prune()).rejects.toThrow(/gave a sign of life \d+ s ago/);
    clearInterval(worker.pingTimer ?? undefined);
    await raw.set("resque:worker:ping:nodehost:77", JSON.stringify({ time: Math.floor(Date.now() / 1_000) - 301 }));
    expect(await prune()).toEqual({ pruned: true, jobFailed: true });
    expect(await queue.workers()).toEqual({});
    expect(await queue.failed(0, -1)).toMatchObject([{ payload: { class: "Job", args: [1] }, queue: "mail" }]);
  });

  test("its delayed jobs and queues are listed and cleared", async () => {
    await queue.enqueue("mail", "Job", [1]);
    await queue.enqueue("mail", "Other", [2]);
    await queue.enqueueAt(4_000_000_000_000, "mail", "Job", [3]);
    expect(await airlift.queues.removeJobs("mail", { class: "Job", args: [1] })).toMatchObject({ removed: 1 });
    expect(await queue.queued("mail", 0, -1)).toMatchObject([{ class: "Other" }]);
    expect((await airlift.delayed.list()).jobs).toMatchObject([{ class: "Job", args: [3], atMs: 4_000_000_000_000 }]);
    expect(await airlift.delayed.cancel({ class: "Job", args: [3], at: 4_000_000_000_000 })).toMatchObject({
      cancelled: 1,
    });
    expect(await queue.allDelayed()).toEqual({});
    expect(await airlift.queues.remove("mail")).toEqual({ removed: 1 });
    expect(await queue.queues()).toEqual([]);
  });
});
