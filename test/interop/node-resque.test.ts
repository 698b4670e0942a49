import { Redis } from "ioredis";
import { Queue, Scheduler, Worker } from "node-resque";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift, type JobContext } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { hasRedisServer, type ServerKind, startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { holdDrain } from "./held-drain.ts";

const KINDS: readonly ServerKind[] = hasRedisServer() ? ["redis-server", "embedded"] : ["embedded"];
const HOUR_MS = 3_600_000;

/** Args that survive JSON in JavaScript, and whatever node-resque's Lua does with them only in its own worker entry. */
const ARGS: readonly (readonly unknown[])[] = [
  [],
  [[], {}, [[]], { a: [], b: { c: {} } }],
  ["é漢🚀", "\u2028\u2029", "<&>", 'a"b\\c/d\n', ""],
  [null, true, false, 0, -1, 1.5, 9_007_199_254_740_991],
  [{ "10": "a", "9": "b", __proto__x: 1 }],
];

describe.each(KINDS)("beside node-resque on %s", (kind) => {
  let server: TestRedis;
  let raw: Redis;
  let client: RedisClient;
  let queue: Queue;
  let cleanups: (() => Promise<unknown>)[];

  beforeAll(async () => {
    server = await startRedis({ kind });
    raw = new Redis(server.url);
    client = ioredis(server.url);
    queue = new Queue({ connection: { redis: raw } });
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

  /** Starts a worker of theirs, until the test's end. */
  const startWorker = async (queues: string[], jobs: Record<string, (...args: unknown[]) => void>): Promise<void> => {
    const performers = Object.entries(jobs).map(([name, run]) => [
      name,
      { perform: async (...args: unknown[]) => run(...args) },
    ]);
    const options = { connection: { redis: raw }, queues, name: "nodehost:77", timeout: 5 };
    const worker = new Worker(options, Object.fromEntries(performers));
    cleanups.push(() => worker.end());
    await worker.connect();
    await worker.start();
  };

  describe("its producer and our drain", () => {
    test("a job arrives with the args that it was given, whatever they hold", async () => {
      for (const args of ARGS) await queue.enqueue("mail", "Job", [...args]);
      const payloads = await raw.lrange("resque:queue:mail", 0, -1);
      const seen: JobContext[] = [];
      const job = {
        class: "Job",
        perform: (_args: readonly unknown[], context: JobContext) => void seen.push(context),
      };
      const report = await createAirlift({ redis: client, queues: ["mail"], jobs: [job], concurrency: 1 }).drain();
      expect(report).toMatchObject({ stopped: "empty", succeeded: ARGS.length, failed: 0 });
      expect(seen.map(({ args }) => args)).toEqual(ARGS);
      expect(seen.map((context) => context.raw)).toEqual(payloads);
      expect(payloads[0]).toBe('{"class":"Job","queue":"mail","args":[]}');
    });

    test("a failure of ours keeps its payload byte for byte, and it can be retried from there", async () => {
      await queue.enqueue("mail", "Job", [[], {}, "é"]);
      const [payload] = await raw.lrange("resque:queue:mail", 0, -1);
      let runs = 0;
      const job = {
        class: "Job",
        perform: () => {
          if (++runs === 1) throw new RangeError('too "far"\nout – <&>\u2028');
        },
      };
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [job] });
      await airlift.drain();
      expect(await raw.lindex("resque:failed", 0)).toContain(`"payload":${payload},"exception":"RangeError"`);
      const [failure] = await queue.failed(0, -1);
      expect(failure).toMatchObject({ queue: "mail", error: 'too "far"\nout – <&>\u2028' });
      await queue.retryAndRemoveFailed(failure as NonNullable<typeof failure>);
      expect(await queue.failedCount()).toBe(0);
      expect(await raw.lrange("resque:queue:mail", 0, -1)).toEqual([payload]);
      expect(await airlift.drain()).toMatchObject({ succeeded: 1, failed: 0 });
    });

    test("a job that it has promoted from its delayed queue is run", async () => {
      await queue.enqueueAt(1_000, "mail", "Job", [1]);
      const scheduler = new Scheduler({ connection: { redis: raw }, timeout: 5 });
      cleanups.push(() => scheduler.end());
      await scheduler.connect();
      await scheduler.start();
      await until(async () => (await queue.length("mail")) === 1);
      const report = await createAirlift({
        redis: client,
        queues: ["*"],
        jobs: [{ class: "Job", perform: async () => undefined }],
      }).drain();
      expect(report).toMatchObject({ succeeded: 1 });
    });
  });

  describe("our producer and its worker", () => {
    test("it reads and works what we enqueue, which is Ruby's JSON", async () => {
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [] });
      for (const args of ARGS) await airlift.enqueue({ queue: "mail", class: "Job", args });
      expect(await raw.lrange("resque:queue:mail", 0, 2)).toEqual([
        '{"class":"Job","args":[]}',
        '{"class":"Job","args":[[],{},[[]],{"a":[],"b":{"c":{}}}]}',
        `{"class":"Job","args":["é漢🚀","\u2028\u2029","<&>",${String.raw`"a\"b\\c/d\n"`},""]}`,
      ]);
      expect(await queue.queues()).toEqual(["mail"]);
      expect(await queue.length("mail")).toBe(ARGS.length);
      expect(await queue.queued("mail", 0, -1)).toEqual(ARGS.map((args) => ({ class: "Job", args })));

      const seen: unknown[][] = [];
      await startWorker(["mail"], { Job: (...args) => void seen.push(args) });
      await until(async () => (await raw.get("resque:stat:processed")) === String(ARGS.length));
      expect(seen).toEqual(ARGS);
      expect(await queue.failedCount()).toBe(0);
    });

    test("a list of jobs arrives in order, and its names of classes may be anything", async () => {
      const classes = ["A::B", "Ünïcode", 'q"uote', "a b"];
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [] });
      await airlift.enqueueAll(classes.map((name, index) => ({ queue: "mail", class: name, args: [index] })));
      const seen: unknown[] = [];
      await startWorker(
        ["mail"],
        Object.fromEntries(classes.map((name) => [name, (index: unknown) => void seen.push([name, index])])),
      );
      await until(() => seen.length === classes.length);
      expect(seen).toEqual(classes.map((name, index) => [name, index]));
    });

    test("it deletes our jobs by their class, its own by their args", async () => {
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [] });
      await airlift.enqueueAll(["Keep", "Drop", "Keep"].map((name) => ({ queue: "mail", class: name, args: [1] })));
      await queue.enqueue("mail", "Keep", [2]);
      expect(await queue.del("mail", "Keep", [2])).toBe(1);
      expect(await queue.delByFunction("mail", "Drop")).toBe(1);
      expect(await raw.lrange("resque:queue:mail", 0, -1)).toEqual(Array(2).fill('{"class":"Keep","args":[1]}'));
    });
  });

  describe("looks at a drain of ours", () => {
    test("and sees its workers, jobs, counters and failures", async () => {
      const airlift = createAirlift({ redis: client, queues: ["mail", "low"], jobs: [] });
      await airlift.enqueue({ queue: "mail", class: "Nobody's", args: [[], {}] });
      await airlift.enqueue({ queue: "low", class: "Hold", args: ["é", [], {}] });
      await using held = await holdDrain({ redis: client, queues: ["mail", "low"], platform: "test" });
      await until(async () => (await queue.failedCount()) === 1);

      const workers = await queue.workers();
      // One for each slot: the running job's, and that of a job in hand.
      expect(Object.values(workers)).toEqual(["mail,low", "mail,low"]);
      for (const name of Object.keys(workers)) expect(name).toMatch(/^airlift-test-[0-9a-f]+:\d+-[01]$/);
      const working = await Promise.all(Object.keys(workers).map((name) => queue.workingOn(name, "mail,low")));
      const entries = working.filter((entry) => entry !== null).map((entry) => JSON.parse(String(entry)));
      expect(entries).toMatchObject([{ queue: "low", payload: { class: "Hold", args: ["é", [], {}] } }]);
      expect(Object.values(await queue.allWorkingOn())).toContainEqual(entries[0]);
      expect(await queue.stats()).toMatchObject({ processed: "1", failed: "1" });
      expect(await queue.failed(0, -1)).toMatchObject([
        { queue: "mail", exception: "UnknownJobClass", payload: { class: "Nobody's", args: [[], {}] } },
      ]);
      expect(await queue.locks()).toEqual({});
      expect(await queue.timestamps()).toEqual([]);
      // Looks at the second line of every failure's backtrace.
      await queue.retryStuckJobs();

      held.release();
      expect(await held.report).toMatchObject({ stopped: "empty", succeeded: 1, failed: 1 });
      expect(await queue.workers()).toEqual({});
      expect(await queue.allWorkingOn()).toEqual({});
      expect(await queue.stats()).toEqual({ processed: "2", failed: "1" });
    });

    test("and its scheduler's search for stuck workers leaves live ones alone", async () => {
      await createAirlift({ redis: client, queues: ["mail"], jobs: [] }).enqueue({ queue: "mail", class: "Hold" });
      await using held = await holdDrain({ redis: client, queues: ["mail"] });
      const before = await queue.workers();
      expect(await queue.cleanOldWorkers(HOUR_MS)).toEqual({});
      const scheduler = new Scheduler({ connection: { redis: raw }, stuckWorkerTimeout: 1, timeout: 5 });
      cleanups.push(() => scheduler.end());
      await scheduler.connect();
      let polls = 0;
      scheduler.on("poll", () => void polls++);
      await scheduler.start();
      // The second begins when the first has looked for them.
      await until(() => polls >= 2);
      expect(await queue.workers()).toEqual(before);
      expect(await queue.failedCount()).toBe(0);
      held.release();
      expect(await held.report).toMatchObject({ stopped: "empty", succeeded: 1, lost: 0 });
    });

    test("and cleaning a worker by force loses no job, though it shows it as failed", async () => {
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [] });
      await airlift.enqueueAll([1, 2, 3].map((number) => ({ queue: "mail", class: "Hold", args: [number] })));
      await using held = await holdDrain({ redis: client, queues: ["mail"] });
      const names = Object.keys(await queue.workers());
      for (const name of names) await queue.forceCleanWorker(name);
      expect(await queue.failed(0, -1)).toMatchObject([{ queue: "mail", payload: { class: "Hold", args: [1] } }]);
      held.release();
      // It learns at its next exchange that its registration is gone, and takes no more.
      expect(await held.report).toMatchObject({ stopped: "lost" });
      await using second = await holdDrain({ redis: client, queues: ["mail"] });
      second.release();
      await second.report;
      const runs = [...held.started, ...second.started].flat();
      expect(new Set(runs)).toEqual(new Set([1, 2, 3]));
      expect(runs.filter((number) => number !== 1)).toHaveLength(2);
      expect(await raw.llen("resque:queue:mail")).toBe(0);
      expect(await raw.keys("resque:worker*")).toEqual([]);
      expect(await raw.exists("resque:airlift:drains")).toBe(0);
    });

    test("and it removes a failure of ours, by its exact bytes", async () => {
      const airlift = createAirlift({ redis: client, queues: ["mail"], jobs: [] });
      await airlift.enqueueAll(
        [1, 2].map((number) => ({ queue: "mail", class: "Nobody's", args: [number, "é</script>"] })),
      );
      await airlift.drain();
      const [first, second] = await queue.failed(0, -1);
      expect(await queue.removeFailed(first as NonNullable<typeof first>)).toBe(1);
      expect(await queue.failed(0, -1)).toEqual([second]);
    });
  });

  describe("on the same queue at the same time", () => {
    test("each job is run exactly once, by one of the two", async () => {
      const numbers = Array.from({ length: 300 }, (_, index) => index);
      const airlift = createAirlift({
        redis: client,
        queues: ["mail"],
        concurrency: 5,
        jobs: [
          {
            class: "Job",
            perform: async ([number]: readonly unknown[]) => {
              ours.push(number as number);
              // Until their worker has had its share, so that both are there at once.
              if (ours.length > 100) await until(() => theirs.length > 20);
            },
          },
        ],
      });
      const ours: number[] = [];
      const theirs: number[] = [];
      await airlift.enqueueAll(numbers.slice(150).map((number) => ({ queue: "mail", class: "Job", args: [number] })));
      for (const number of numbers.slice(0, 150)) await queue.enqueue("mail", "Job", [number]);
      await startWorker(["mail"], { Job: (number) => void theirs.push(number as number) });
      const report = await airlift.drain();
      await until(() => ours.length + theirs.length >= numbers.length);
      expect([...ours, ...theirs].sort((a, b) => a - b)).toEqual(numbers);
      expect(theirs.length).toBeGreaterThan(20);
      expect(report).toMatchObject({ stopped: "empty", succeeded: ours.length, failed: 0, lost: 0 });
      await until(async () => (await raw.get("resque:stat:processed")) === "300");
      expect(await queue.failedCount()).toBe(0);
    });
  });
});
