import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listDrains } from "../../../src/resque/admin/drains.ts";
import { pruneWorker } from "../../../src/resque/admin/prune-worker.ts";
import { parseWorkerId } from "../../../src/resque/admin/worker-id.ts";
import { listWorkers } from "../../../src/resque/admin/workers.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import { payload, slots } from "../../conformance/world.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

const RUBY = "vm:4429:bench,mail";
const GOWORKER = "vm:24838-0:bench";
const NODE = "vm:23163+1:bench";
const started = "2026-11-20 19:47:40 +0000";

test.each([
  [RUBY, { host: "vm", pid: 4429, queues: ["bench", "mail"], isAirlift: false }],
  [GOWORKER, { host: "vm", pid: 24838, slot: 0, queues: ["bench"], isAirlift: false }],
  [NODE, { host: "vm", pid: 23163, slot: 1, queues: ["bench"], isAirlift: false }],
  ["airlift-node-1f:7-2:a:b,c", { host: "airlift-node-1f", pid: 7, slot: 2, queues: ["a:b", "c"], isAirlift: true }],
  ["vm:12", { host: "vm", pid: 12, queues: [], isAirlift: false }],
  ["vm", { host: "vm", queues: [], isAirlift: false }],
  ["", { host: "", queues: [], isAirlift: false }],
  ["vm:x:*", { host: "vm", queues: ["*"], isAirlift: false }],
])("the id %j is taken apart", (id, name) => {
  expect(parseWorkerId(id)).toEqual(name);
});

describe.each(setups())("workers over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  const register = async (id: string, entry?: string): Promise<void> => {
    const { keys } = world;
    await world.send(["SADD", keys.workers, id], ["SET", keys.started(id), started]);
    if (entry !== undefined) await world.send(["SET", keys.worker(id), entry]);
  };
  const redisNowMs = async (): Promise<number> => {
    const [reply] = await world.send(["TIME"]);
    return Number(String((reply as Uint8Array[])[0])) * 1_000;
  };
  const heartbeatAt = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "+00:00");

  test("of every program are listed with what they do", async () => {
    const { keys } = world;
    const now = await redisNowMs();
    const runAt = new Date(now - 90_000).toISOString().replace(/\.\d+Z$/, "Z");
    await register(RUBY, `{"queue":"bench","run_at":"${runAt}","payload":{"class":"Sleep","args":[5,"hi"]}}`);
    await register(
      GOWORKER,
      `{"queue":"bench","run_at":"2026-11-20T20:04:33.625369019+01:00","payload":{"class":"Sleep","args":[1]}}`,
    );
    await register(
      NODE,
      '{"run_at":"Fri Nov 20 2026 19:49:18 GMT+0000 (Coordinated Universal Time)","worker":"vm:23163","payload":{"args":[5,"hi"],"class":"Sleep"},"queue":"bench"}',
    );
    await world.send(
      ["HSET", keys.heartbeats, RUBY, heartbeatAt(now)],
      [
        "MSET",
        keys.processedBy(RUBY),
        "12",
        keys.failedBy(RUBY),
        "3",
        keys.processedBy("vm:23163+1"),
        "7",
        keys.processedBy(GOWORKER),
        "x",
      ],
      ["SET", keys.started(NODE), "1795204159"],
      ["SET", keys.nodePing("vm:23163+1"), '{"time":1795204161,"name":"vm:23163+1","queues":"bench"}'],
    );
    const { total, workers, next } = await listWorkers(world.context);
    expect({ total, next }).toEqual({ total: 3, next: undefined });
    const [node, goworker, ruby] = workers;
    expect(ruby).toMatchObject({
      ...{ id: RUBY, host: "vm", pid: 4429, queues: ["bench", "mail"], processed: 12, failed: 3, isAirlift: false },
      ...{ started, startedMs: Date.UTC(2026, 10, 20, 19, 47, 40), heartbeatMs: now },
      job: { queue: "bench", class: "Sleep", args: [5, "hi"], runAt, runAtMs: now - 90_000 },
    });
    expect(ruby?.job?.runningMs).toBeGreaterThanOrEqual(90_000);
    expect(ruby?.job?.runningMs).toBeLessThan(100_000);
    expect(goworker).toMatchObject({
      processed: 0,
      job: { class: "Sleep", runAtMs: Date.UTC(2026, 10, 20, 19, 4, 33) },
    });
    expect(goworker).not.toHaveProperty("heartbeatMs");
    expect(node).toMatchObject({
      slot: 1,
      processed: 7,
      startedMs: 1_795_204_159_000,
      heartbeatMs: 1_795_204_161_000,
      job: { queue: "bench", args: [5, "hi"] },
    });
  });

  test("ids, entries and times that are none fail no page", async () => {
    const { keys } = world;
    const entries = ["not json", "null", "[]", "{}", '{"payload":7,"queue":8,"run_at":"x"}'];
    await world.send(["SADD", keys.workers, "", "vm", "a:b", ...entries.map((_, i) => `vm:${i}:q`)]);
    for (const [i, entry] of entries.entries()) await world.send(["SET", keys.worker(`vm:${i}:q`), entry]);
    await world.send(["HSET", keys.heartbeats, "vm", "never"], ["SET", keys.started("vm"), "once"]);
    const { workers } = await listWorkers(world.context);
    expect(workers.map(({ id }) => id)).toEqual(["", "a:b", "vm", "vm:0:q", "vm:1:q", "vm:2:q", "vm:3:q", "vm:4:q"]);
    expect(workers.slice(3).every(({ job }) => job?.problem)).toBe(true);
    expect(workers[2]).toEqual({
      id: "vm",
      host: "vm",
      queues: [],
      isAirlift: false,
      started: "once",
      processed: 0,
      failed: 0,
    });
  });

  test("are listed a page at a time, in two requests", async () => {
    await world.send(["SADD", world.keys.workers, ...slots(120).map((n) => `vm:${1_000 + n}:q`)]);
    let requests = 0;
    const { client } = world.context;
    const counted: RedisClient = {
      ...client,
      command(...call) {
        requests++;
        return client.command(...call);
      },
      pipeline(...call) {
        requests++;
        return client.pipeline(...call);
      },
    };
    const page = await listWorkers({ ...world.context, client: counted }, { offset: 50 });
    expect(page).toMatchObject({ total: 120, next: 100 });
    expect(page.workers.map(({ pid }) => pid)).toEqual(slots(50, 1_050));
    expect(requests).toBe(2);
    expect((await listWorkers(world.context, { offset: 100 })).next).toBeUndefined();
  });

  test("of a drain show as one drain, with the jobs that it holds and what they tell", async () => {
    const { keys } = world;
    const drain = world.drain({ id: "d1", queues: ["q"], slots: 5 });
    await world.push("q", payload(1), payload(2));
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(5) });
    const [first] = claims;
    const checkin = { token: first?.token, at: 1_000, message: "half", done: 1, total: 2 };
    await world.send(["HSET", keys.checkins, drain.own.ids[0] as string, JSON.stringify(checkin)]);
    await world.send(["ZADD", keys.drains, 1, "no description"]);
    const { total, drains } = await listDrains(world.context);
    expect(total).toBe(2);
    expect(drains).toMatchObject([{ ...drain.description, isAlive: true, leaseEndMs: expect.any(Number) }]);
    expect(drains[0]?.working.map(({ slot, job }) => [slot, job?.class, job?.args])).toEqual([
      [0, "Noop", [1]],
      [1, "Noop", [2]],
    ]);
    expect(drains[0]?.working[0]?.job?.checkin).toEqual({ atMs: 1_000, message: "half", done: 1, total: 2 });
    expect(drains[0]?.working[1]?.job).not.toHaveProperty("checkin");
    expect((await listWorkers(world.context)).workers).toHaveLength(5);
    await world.endLeases();
    expect((await listDrains(world.context)).drains).toMatchObject([{ isAlive: false }]);
    await drain.store.close();
  });

  describe("prune", () => {
    const job = '{"class":"Sleep","args":[5,1.0,"\\u00e9"]}';

    test("removes a dead worker, and its job goes to failed as by Ruby", async () => {
      const { keys } = world;
      await register(RUBY, `{"queue":"bench","run_at":"2026-11-20T19:47:40Z","payload":${job}}`);
      await register(GOWORKER);
      const old = heartbeatAt((await redisNowMs()) - 301_000);
      await world.send(
        ["HSET", keys.heartbeats, RUBY, old],
        ["MSET", keys.processedBy(RUBY), "1", keys.failedBy(RUBY), "1"],
      );
      expect(await pruneWorker(world.context, RUBY)).toEqual({ pruned: true, jobFailed: true });
      const [entry = ""] = await world.list(keys.failed);
      expect(entry.replace(/^\{"failed_at":"\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC"/, "{")).toBe(
        `{,"payload":${job},"exception":"Resque::PruneDeadWorkerDirtyExit","error":"Worker ${RUBY} did not gracefully exit while processing Sleep","backtrace":[],"worker":"${RUBY}","queue":"bench"}`,
      );
      expect(await world.everything()).toEqual({
        [keys.failed]: expect.any(Array),
        [keys.workers]: { [GOWORKER]: true },
        [keys.started(GOWORKER)]: started,
      });
      expect(await pruneWorker(world.context, RUBY)).toEqual({ pruned: false, jobFailed: false });
      expect(await pruneWorker(world.context, GOWORKER)).toEqual({ pruned: true, jobFailed: false });
    });

    test("node-resque's job, and an entry that holds none", async () => {
      const { keys } = world;
      await register(NODE, `{"run_at":"x","worker":"vm:23163","payload":${job},"queue":"bench"}`);
      await register("vm", "n\u00f6 json");
      expect(await pruneWorker(world.context, NODE)).toEqual({ pruned: true, jobFailed: true });
      expect(await pruneWorker(world.context, "vm")).toEqual({ pruned: true, jobFailed: true });
      const entries = (await world.failed()).map(({ payload, queue, error }) => ({ payload, queue, error }));
      expect(entries).toMatchObject([
        { payload: JSON.parse(job), queue: "bench" },
        {
          payload: { class: "MalformedPayload", args: ["n\u00c3\u00b6 json"] },
          queue: "",
          error: "Worker vm did not gracefully exit while processing",
        },
      ]);
      expect(await world.keyNames()).toEqual([keys.failed]);
    });

    test("with a failed list for each queue, and frees the lock of the job", async () => {
      const { keys } = world;
      const unique = '{"class":"Add","args":[1],"airlift":{"unique":"d0123456789ab"}}';
      await register(RUBY, `{"queue":"bench","run_at":"x","payload":${unique}}`);
      await world.send(["SET", keys.lock("Add", "bench", "[1]"), "9999999999.d0123456789ab", "EX", 100]);
      await pruneWorker({ ...world.context, failedQueues: true }, RUBY);
      expect(await world.everything()).toEqual({
        "resque:failed_queues": { bench_failed: true },
        "resque:bench_failed": [expect.stringContaining(`"payload":${unique},`)],
      });
    });

    test("refuses one that has shown a sign of life lately, unless forced, and those of drains", async () => {
      const { keys } = world;
      await register(RUBY, `{"queue":"bench","run_at":"x","payload":${job}}`);
      await world.send(["HSET", keys.heartbeats, RUBY, heartbeatAt((await redisNowMs()) - 60_000)]);
      await expect(pruneWorker(world.context, RUBY)).rejects.toThrow(
        /gave a sign of life 6\d s ago; expected none for 300 s, or force/,
      );
      expect(await world.list(keys.failed)).toEqual([]);
      expect(await pruneWorker(world.context, RUBY, { force: true })).toEqual({ pruned: true, jobFailed: true });

      await register(NODE, `{"run_at":"x","worker":"vm:23163","payload":${job},"queue":"bench"}`);
      const pingAt = async (agoMs: number): Promise<unknown> => {
        const ping = { time: ((await redisNowMs()) - agoMs) / 1_000, name: "vm:23163+1", queues: "bench" };
        return world.send(["SET", keys.nodePing("vm:23163+1"), JSON.stringify(ping)]);
      };
      await pingAt(60_000);
      await expect(pruneWorker(world.context, NODE)).rejects.toThrow(/gave a sign of life 6\d s ago/);
      await pingAt(301_000);
      expect(await pruneWorker(world.context, NODE)).toEqual({ pruned: true, jobFailed: true });
      expect(await world.get(keys.nodePing("vm:23163+1"))).toBeNull();

      const drain = world.drain({ queues: ["q"] });
      await world.push("q", payload(1));
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(2) });
      const [id = ""] = drain.own.ids;
      await expect(pruneWorker(world.context, id, { force: true })).rejects.toThrow(/belongs to a drain/);
      await drain.store.close();
      await expect(pruneWorker(world.context, "")).rejects.toThrow(/id: expected a text/);
    });

    test("a worker that shows a sign of life at that moment is left alone", async () => {
      const { keys, context } = world;
      await register(RUBY, `{"queue":"bench","run_at":"x","payload":${job}}`);
      const client = {
        ...context.client,
        script: async (...call: Parameters<typeof context.client.script>) => {
          await world.send(["HSET", keys.heartbeats, RUBY, heartbeatAt(await redisNowMs())]);
          return context.client.script(...call);
        },
        pipeline: context.client.pipeline.bind(context.client),
      };
      expect(await pruneWorker({ ...context, client }, RUBY)).toEqual({ pruned: false, jobFailed: false });
      expect(await world.list(keys.failed)).toEqual([]);
      expect(await world.get(keys.worker(RUBY))).toContain("Sleep");
    });
  });
});
