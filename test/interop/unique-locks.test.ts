import { Redis } from "ioredis";
import { Plugins, Queue, Scheduler, Worker } from "node-resque";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift, defineJob, type JobDefinition } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { hasRedisServer, type ServerKind, startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const KINDS: readonly ServerKind[] = hasRedisServer() ? ["redis-server", "embedded"] : ["embedded"];
type Args = readonly unknown[];

/** Arguments that JavaScript writes in one way only. */
const ARGS: readonly Args[] = [
  [],
  [7, "é☃🚀", null],
  [{ b: 1, a: [1.5, {}] }],
  ['","queue":"z"', "\u2028<&>"],
  [1e21, -0.5],
];

describe.each(KINDS)("unique jobs beside node-resque's QueueLock on %s", (kind) => {
  let server: TestRedis;
  let raw: Redis;
  let client: RedisClient;
  let queue: Queue;
  let cleanups: (() => Promise<unknown>)[];
  const theirs = {
    Ship: {
      plugins: [Plugins.QueueLock],
      pluginOptions: {},
      perform: async (..._args: unknown[]): Promise<void> => undefined,
    },
  };

  beforeAll(async () => {
    server = await startRedis({ kind });
    raw = new Redis(server.url);
    client = ioredis(server.url);
    queue = new Queue({ connection: { redis: raw } }, theirs);
    await queue.connect();
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

  const define = (until: "start" | "done", perform: JobDefinition<Args, Args>["perform"] = () => undefined) =>
    defineJob<Args, Args>({ class: "Ship", queue: "q", unique: { until }, perform });
  const appOf = (job: JobDefinition<Args, Args>) => createAirlift({ redis: client, queues: ["q"], jobs: [job] });
  const locks = (): Promise<string[]> => raw.keys("resque:lock:*");
  const length = (): Promise<number> => raw.llen("resque:queue:q");

  test("what ours has locked, theirs does not enqueue", async () => {
    const job = define("start");
    for (const args of ARGS) {
      expect(await appOf(job).enqueue(job, args)).toMatchObject({ kind: "queued" });
      expect(await queue.enqueue("q", "Ship", [...args])).toBe(false);
    }
    expect(await length()).toBe(ARGS.length);
    expect(await queue.enqueue("q", "Ship", ["another"])).toBe(true);
  });

  test("what theirs has locked, ours does not enqueue", async () => {
    const job = define("done");
    for (const args of ARGS) {
      expect(await queue.enqueue("q", "Ship", [...args])).toBe(true);
      expect(await appOf(job).enqueue(job, args)).toMatchObject({ kind: "dropped", reason: "duplicate" });
    }
    expect(await length()).toBe(ARGS.length);
  });

  test.each(["start", "done"] as const)(
    "what theirs has enqueued, our drain gives back its lock (until %s)",
    async (end) => {
      const during: number[] = [];
      const job = define(end, async () => void during.push((await locks()).length));
      for (const args of ARGS) await queue.enqueue("q", "Ship", [...args]);
      expect(await locks()).toHaveLength(ARGS.length);
      expect(await appOf(job).drain({})).toMatchObject({ succeeded: ARGS.length });
      expect(await locks()).toEqual([]);
      if (end === "start") expect(new Set(during)).toEqual(new Set([0]));
      else expect(Math.max(...during)).toBe(ARGS.length);
    },
  );

  test("what ours has enqueued, their worker gives back its lock", async () => {
    const job = define("start");
    for (const args of ARGS) await appOf(job).enqueue(job, args);
    const worker = new Worker({ connection: { redis: raw }, queues: ["q"], name: "nodehost:77", timeout: 5 }, theirs);
    cleanups.push(() => worker.end());
    await worker.connect();
    await worker.start();
    await until(async () => (await raw.get("resque:stat:processed")) === String(ARGS.length));
    expect(await locks()).toEqual([]);
  });

  test("a delayed job that their scheduler has promoted, without the id of its lock, gives it back all the same", async () => {
    const job = define("start");
    const delayed = await appOf(job).enqueueIn(1_000, job, [7]);
    expect(delayed.kind).toBe("delayed");
    const scheduler = new Scheduler({ connection: { redis: raw }, timeout: 5 });
    cleanups.push(() => scheduler.end());
    await scheduler.connect();
    await scheduler.start();
    await until(async () => (await length()) === 1);
    expect(await raw.lrange("resque:queue:q", 0, -1)).toEqual(['{"class":"Ship","queue":"q","args":[7]}']);
    expect(await locks()).toHaveLength(1);
    expect(await appOf(job).drain()).toMatchObject({ succeeded: 1 });
    expect(await locks()).toEqual([]);
  });
});
