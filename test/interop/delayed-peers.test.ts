import { Redis } from "ioredis";
import { Queue, Scheduler } from "node-resque";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { cancelDelayed, rescheduleDelayed } from "../../src/resque/cancel-delayed.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { delayCommands, toDelayedSeconds } from "../../src/resque/delay.ts";
import { listDelayed } from "../../src/resque/delayed-list.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { encodePayload } from "../../src/resque/payload.ts";
import { promoteDue } from "../../src/resque/promote.ts";
import { hasRedisServer, type ServerKind, startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const KINDS: readonly ServerKind[] = hasRedisServer() ? ["redis-server", "embedded"] : ["embedded"];
const HOUR_MS = 3_600_000;
const keys = createKeys();

/** Args that survive JSON in JavaScript. */
const ARGS: readonly (readonly unknown[])[] = [
  [],
  [[], {}, [[]], { a: [], b: { c: {} } }],
  ["é漢🚀", "\u2028\u2029", "<&>", 'a"b\\c/d\n', ',"queue":"x"'],
  [null, true, 0, -1, 1.5, 9_007_199_254_740_991],
  [{ "10": "a", queue: "b" }],
];

describe.each(KINDS)("delayed jobs beside their other schedulers on %s", (kind) => {
  let server: TestRedis;
  let raw: Redis;
  let client: RedisClient;
  let queue: Queue;
  let scheduler: Scheduler | undefined;

  beforeAll(async () => {
    server = await startRedis({ kind });
    raw = new Redis(server.url);
    client = ioredis(server.url);
    queue = new Queue({ connection: { redis: raw } });
    await queue.connect();
  });
  beforeEach(async () => {
    await raw.flushall();
  });
  afterEach(async () => {
    await scheduler?.end();
    scheduler = undefined;
  });
  afterAll(async () => {
    raw.disconnect();
    await client.close();
    await server.close();
  });

  const delay = async (atMs: number, ...args: readonly (readonly unknown[])[]): Promise<void> => {
    const atSeconds = toDelayedSeconds(atMs);
    const jobs = args.map((each) => ({ queue: "mail", payload: encodePayload("Job", each), atSeconds }));
    await client.transaction(jobs.flatMap((job) => delayCommands(keys, job)));
  };
  const promote = (redisNowMs = Date.now()) =>
    promoteDue(client, keys, { redisNowMs, queues: [], usage: { commands: 0, requests: 0 } });
  const startScheduler = async (): Promise<void> => {
    scheduler = new Scheduler({ connection: { redis: raw }, timeout: 5 });
    await scheduler.connect();
    await scheduler.start();
  };
  /** What of the delayed jobs is left, apart from the payloads in their queues. */
  const left = async (): Promise<string[]> => (await raw.keys("*")).filter((key) => /delayed|timestamps/.test(key));

  describe("node-resque's", () => {
    test("are promoted as Ruby's scheduler would, with the args that they were given, and run", async () => {
      const atMs = Date.now() - HOUR_MS;
      for (const args of ARGS) await queue.enqueueAt(atMs, "mail", "Job", [...args]);
      const seen: unknown[] = [];
      const perform = (args: readonly unknown[]) => void seen.push(args);
      const airlift = createAirlift({
        redis: client,
        queues: ["mail"],
        jobs: [{ class: "Job", perform }],
        concurrency: 1,
      });
      expect(await airlift.drain()).toMatchObject({ stopped: "empty", promoted: ARGS.length, succeeded: ARGS.length });
      expect(seen).toEqual(ARGS);
      expect(await left()).toEqual([]);
      // Its books are right: it would refuse the same job at the same second.
      await queue.enqueueAt(atMs, "mail", "Job", []);
      expect(await promote()).toMatchObject({ promoted: 1 });
      expect(await raw.lrange("resque:queue:mail", 0, -1)).toEqual(['{"class":"Job","args":[]}']);
    });

    test("are not promoted before the second that it gave them", async () => {
      const atMs = 1_795_206_569_600;
      await queue.enqueueAt(atMs, "mail", "Job", [1]);
      expect(await promote(atMs)).toMatchObject({ promoted: 0, nextDueMs: 1_795_206_570_000 });
      expect(await promote(1_795_206_570_000)).toMatchObject({ promoted: 1 });
    });

    test("are cancelled by the time that was asked for, although it rounds it", async () => {
      const atMs = 1_795_206_569_600;
      for (const args of ARGS) {
        await queue.enqueueAt(atMs, "mail", "Job", [...args]);
        await queue.enqueueAt(atMs + HOUR_MS, "mail", "Job", [...args]);
        expect(await cancelDelayed(client, keys, { queue: "mail", class: "Job", args, atMs })).toHaveLength(1);
        expect(await queue.scheduledAt("mail", "Job", [...args])).toEqual([1_795_210_170]);
        expect(await cancelDelayed(client, keys, { queue: "mail", class: "Job", args })).toHaveLength(1);
        expect(await queue.scheduledAt("mail", "Job", [...args])).toEqual([]);
        expect(await left()).toEqual([]);
      }
    });

    test("can be moved, and it finds them there", async () => {
      const atMs = Date.now() + HOUR_MS;
      await queue.enqueueAt(atMs, "mail", "Job", [[], {}]);
      const match = { queue: "mail", class: "Job", args: [[], {}] };
      expect(await rescheduleDelayed(client, keys, match, 2 * atMs)).toHaveLength(1);
      expect(await queue.scheduledAt("mail", "Job", [[], {}])).toEqual([Math.floor((2 * atMs) / 1_000)]);
      expect(await queue.delDelayed("mail", "Job", [[], {}])).toEqual([Math.floor((2 * atMs) / 1_000)]);
    });

    test("are listed", async () => {
      await queue.enqueueAt(5_000, "mail", "Job", [...(ARGS[1] as unknown[])]);
      const [entry] = (await listDelayed(client, keys)).entries;
      expect(entry).toMatchObject({ kind: "job", queue: "mail", class: "Job", args: ARGS[1], atMs: 5_000 });
    });
  });

  describe("ours", () => {
    test("are listed by node-resque", async () => {
      await delay(1_795_206_569_400, ...ARGS);
      await delay(1_795_206_570_000, [1]);
      expect(await queue.timestamps()).toEqual([1_795_206_569_000, 1_795_206_570_000]);
      expect(await queue.delayedAt(1_795_206_569_000)).toEqual({
        rTimestamp: 1_795_206_569,
        tasks: ARGS.map((args) => ({ class: "Job", args, queue: "mail" })),
      });
      expect(Object.keys(await queue.allDelayed())).toHaveLength(2);
    });

    test("are promoted by node-resque, which leaves nothing behind", async () => {
      await delay(Date.now() - HOUR_MS, ...ARGS);
      await startScheduler();
      await until(async () => (await left()).length === 0);
      expect(await queue.queued("mail", 0, -1)).toEqual(ARGS.map((args) => ({ class: "Job", queue: "mail", args })));
    });

    test("are found and removed by resque-scheduler, by their text", async () => {
      await delay(1_795_206_569_000, [1, "hi"], [2]);
      await delay(1_795_206_570_000, [1, "hi"]);
      // Resque.remove_delayed_in_queue, request by request.
      const item = '{"class":"Job","args":[1,"hi"],"queue":"mail"}';
      const lists = await raw.smembers(`resque:timestamps:${item}`);
      expect(lists.toSorted()).toEqual(["delayed:1795206569", "delayed:1795206570"]);
      for (const list of lists) {
        expect(await raw.lrem(`resque:${list}`, 0, item)).toBe(1);
        await raw.srem(`resque:timestamps:${item}`, list);
      }
      // It leaves the empty second in the schedule, as it always does.
      expect(await promote(1_795_206_571_000)).toMatchObject({ promoted: 1, nextDueMs: undefined });
      expect(await left()).toEqual([]);
    });

    test("are promoted by resque-scheduler, which leaves nothing behind", async () => {
      await delay(1_795_206_569_000, ...ARGS);
      const list = "resque:delayed:1795206569";
      // enqueue_items_in_batch_for_timestamp, request by request.
      const items = await raw.lrange(list, 0, 99);
      await raw.watch(list);
      const batch = raw.multi();
      for (const item of items) {
        batch.srem(`resque:timestamps:${item}`, "delayed:1795206569");
        const { queue: name, ...job } = JSON.parse(item);
        batch.sadd("resque:queues", name).rpush(`resque:queue:${name}`, JSON.stringify(job));
      }
      expect(await batch.ltrim(list, 100, -1).exec()).not.toBeNull();
      await raw.multi().del(list).zrem("resque:delayed_queue_schedule", 1_795_206_569).exec();
      expect(await raw.lrange("resque:queue:mail", 0, -1)).toEqual(ARGS.map((args) => encodePayload("Job", args)));
      expect(await left()).toEqual([]);
    });
  });

  test("node-resque's scheduler and five drains at once promote each job exactly once", async () => {
    const numbers = Array.from({ length: 400 }, (_, n) => n);
    for (const n of numbers) {
      const atMs = Date.now() - HOUR_MS - (n % 25) * 1_000;
      if (n % 2 === 0) await delay(atMs, [n]);
      else await queue.enqueueAt(atMs, "mail", "Job", [n]);
    }
    const clients = Array.from({ length: 5 }, () => ioredis(server.url));
    for (const each of clients) await each.command(["PING"]);
    let theirs = 0;
    await startScheduler();
    // From the moment on that their scheduler is at work, so that all are there at once.
    await new Promise<void>((resolve) => {
      scheduler?.on("transferredJob", () => {
        theirs++;
        resolve();
      });
    });
    const options = { redisNowMs: Date.now(), queues: [], maxJobs: 10 };
    const drains = clients.map(async (each) => {
      while ((await left()).length > 0) {
        await promoteDue(each, keys, { ...options, usage: { commands: 0, requests: 0 } });
      }
    });
    await Promise.all(drains);
    await until(async () => (await raw.llen("resque:queue:mail")) >= numbers.length);
    const jobs = await queue.queued("mail", 0, -1);
    expect(jobs.map(({ args }) => args[0]).sort((a: number, b: number) => a - b)).toEqual(numbers);
    expect(theirs).toBeLessThan(numbers.length);
    for (const each of clients) await each.close();
  });
});
