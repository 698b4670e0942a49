import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OK } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, Settlement } from "../../src/core/store.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { createAckStore } from "../../src/resque/ack.ts";
import type { LuaScript, RedisClient } from "../../src/resque/client.ts";
import { beatDrain } from "../../src/resque/generated/beat-drain.generated.ts";
import { readSlots } from "../../src/resque/generated/read-slots.generated.ts";
import { releaseLease } from "../../src/resque/generated/release-lease.generated.ts";
import { writeStatuses } from "../../src/resque/generated/write-statuses.generated.ts";
import { parsePayload } from "../../src/resque/payload.ts";
import { freeLocks, moveLocks } from "../../src/resque/unique-lock.ts";
import {
  failed,
  ok,
  openWorld,
  payload,
  payloads,
  raws,
  released,
  requeued,
  slots,
  type TestDrain,
  type World,
} from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

// Only a real redis-server has ACLs, and it refuses a command the same way over TCP and HTTP.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");

/** Each command that a script calls. */
const COMMANDS = [
  ...["mget", "incrby", "rpush", "lpush", "lpop", "lmpop", "lrange", "lrem", "time", "zadd", "sadd", "hset"],
  ...["mset", "del", "srem", "hdel", "zrem", "zscore", "exists"],
  ...["zrange", "hgetall", "hmget", "pexpireat", "hrandfield"],
] as const;

/** A counter that was raised and lowered again is there, and 0. */
const NO_COUNTERS = { "resque:stat:processed": "0", "resque:stat:failed": "0", "resque:failed_queues": {} };

describe.skipIf(!setup)("a user whom the server refuses one command", () => {
  let world: World;
  let client: RedisClient;
  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openWorld(setup);
  });
  afterAll(async () => {
    await client.close();
    await world[Symbol.asyncDispose]();
  });
  beforeEach(() => world.flush());

  const refuse = async (command: string): Promise<void> => {
    await client?.close();
    await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
    client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
  };
  /** Every payload that is anywhere: in a queue, a slot or the failed list, and those that are done. */
  const census = async (drain: TestDrain, done: readonly string[]): Promise<string[]> => {
    const entries = await Promise.all(drain.own.slots.map(world.get));
    const inSlots = entries.flatMap((entry) => (entry === null ? [] : [/"payload":(.*)\}$/s.exec(entry)?.[1] ?? ""]));
    const inFailed = (await world.failed()).map((entry) => JSON.stringify(entry.payload));
    return [...done, ...inSlots, ...inFailed, ...(await world.queued("a")), ...(await world.queued("b"))];
  };
  const attempt = async (run: () => Promise<unknown>): Promise<void> => {
    await run().catch((error: unknown) => expect(error).toMatchObject({ name: "StoreError" }));
  };

  describe.each(COMMANDS)("%s", (command) => {
    test.each([
      ["one queue", ["a"], undefined, 4_000_000],
      ["two queues", ["a", "b"], undefined, 4_000_000],
      ["known classes", ["a", "b"], ["Noop"], 4_000_000],
      ["more bytes than fit", ["a", "b"], undefined, 60],
    ] as const)("while filling from %s loses nothing", async (_title, queues, onlyClasses, maxClaimBytes) => {
      await refuse(command);
      const drain = world.drain({ client, queues, slots: 6, onlyClasses, maxClaimBytes });
      await world.push("a", '{"class":"Other","args":[]}', ...payloads(3));
      await world.push("b", ...payloads(3, 3));
      const before = (await census(drain, [])).toSorted();
      await attempt(() => drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(6) }));
      const after = (await census(drain, [])).toSorted();
      expect(after).toEqual(before);
      await attempt(() => drain.store.close());
      const closed = (await census(drain, [])).toSorted();
      // Without DEL a slot that was given back cannot be emptied: its job is in two places then, but in one at least.
      if (command === "del") expect(closed).toEqual(expect.arrayContaining(before));
      else expect(closed).toEqual(before);
    });

    test("while filling under limits loses nothing, nor a place for good", async () => {
      const limit = { running: 1, rate: { jobs: 9, periodMs: 60_000 }, by: [0] };
      const registry = createRegistry([{ class: "Noop", limit, perform: () => undefined }]);
      const options = { queues: ["a", "b"], slots: 6, registry, id: `l-${command}` };
      await refuse(command);
      await world.push("a", ...payloads(2), payload(0), '{"class":"Paused","args":[]}', payload(1), ...payloads(2, 2));
      await world.push("b", ...payloads(4, 2));
      await world.send(["SET", world.keys.pausedClasses, '["Paused"]']);
      const drain = world.drain({ ...options, client });
      const before = (await census(drain, [])).toSorted();
      await attempt(() => drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(4) }));
      expect((await census(drain, [])).toSorted()).toEqual(before);
      await attempt(() => drain.store.exchange({ seq: 2, attempt: 1, settle: [], fill: slots(6) }));
      expect((await census(drain, [])).toSorted()).toEqual(before);
      await attempt(() => drain.store.close());
      await world.endLeases();
      const next = world.drain({ queues: ["a", "b"], registry });
      for (const dead of (await next.store.survey()).dead) await next.store.recover(dead);
      const { claims } = await next.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(4) });
      await next.store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
      expect(await world.keyNames()).not.toContain(world.keys.running);
    });

    test("while settling loses nothing", async () => {
      await refuse(command);
      const drain = world.drain({ queues: ["a"], slots: 6, id: `s-${command}` });
      await world.push("a", ...payloads(7));
      const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(6) });
      const kinds = [ok, failed, released, requeued, released, requeued];
      const settle = claims.map((claim, i) => (kinds[i] ?? ok)(claim));
      const refused = world.drain({ client, queues: ["a"], slots: 6, id: `s-${command}` });
      await attempt(() => refused.store.exchange({ seq: 2, attempt: 1, settle, fill: slots(2) }));
      const isDone = (await world.get(world.keys.processed)) !== "0";
      const all = await census(drain, isDone ? raws(claims.slice(0, 1)) : []);
      for (const raw of payloads(7)) expect(all).toContain(raw);
    });
  });

  describe.each(COMMANDS)("%s", (command) => {
    /** A drain that holds a job of `a`, one that is over with its next crash, and one of `b`; and then dies. */
    const dieWith = async (id: string): Promise<TestDrain> => {
      const drain = world.drain({ queues: ["a", "b"], slots: 6, id });
      await world.push("a", payload(1), '{"class":"Noop","args":[2],"airlift":{"crashes":2}}');
      await world.push("b", payload(3));
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(6) });
      return drain;
    };
    const whereabouts = async (drain: TestDrain): Promise<unknown[]> =>
      (await census(drain, [])).map((raw) => JSON.parse(raw).args[0]).toSorted();

    test("while recovering neither loses nor doubles a job, however often it is tried", async () => {
      await refuse(command);
      const drain = await dieWith(`r-${command}`);
      await world.endLeases();
      for (let tick = 1; tick <= 3; tick++) {
        const refused = world.drain({ client, queues: ["a", "b"] });
        await attempt(async () => {
          for (const dead of (await refused.store.survey()).dead) await refused.store.recover(dead);
        });
        expect(await whereabouts(drain)).toEqual([1, 2, 3]);
      }
      const next = world.drain({ queues: ["a", "b"] });
      for (const dead of (await next.store.survey()).dead) await next.store.recover(dead);
      expect(await whereabouts(drain)).toEqual([1, 2, 3]);
      expect(await world.failed()).toHaveLength(1);
      expect(await world.get(world.keys.failures)).toBe("1");
    });
  });

  test("what a settlement could not write is written nowhere, however often it is tried", async () => {
    const failing = { failedQueues: true, maxFailed: 1 };
    const drain = world.drain({ queues: ["a", "b"], slots: 6, id: "settling", ...failing });
    await world.push("a", ...payloads(3));
    await world.push("b", ...payloads(3, 3));
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(6) });
    const kinds = [failed, failed, released, failed, requeued, ok];
    const settle = claims.map((claim, i) => (kinds[i] ?? ok)(claim));
    const before = await world.everything();
    for (const command of ["sadd", "lpush", "rpush", "ltrim", "incrby"]) {
      await refuse(command);
      const refused = world.drain({ client, queues: ["a", "b"], slots: 6, id: "settling", ...failing });
      await expect(refused.store.exchange({ seq: 2, attempt: 1, settle, fill: [] })).rejects.toThrow(/user/i);
      expect({ ...(await world.everything()), ...NO_COUNTERS }).toEqual({ ...before, ...NO_COUNTERS });
    }
    expect(await drain.store.exchange({ seq: 2, attempt: 2, settle, fill: [] })).toMatchObject({ lost: [] });
    const counters = [await world.get(world.keys.processed), await world.get(world.keys.failures)];
    expect(counters).toEqual(["4", "3"]);
  });

  test("what stood where a settlement was to be written stands there as before, each of them", async () => {
    const failing = { failedQueues: true, maxFailed: 2 };
    const drain = world.drain({ queues: ["a", "b"], slots: 12, id: "beside", ...failing });
    await world.push("a", ...payloads(8));
    await world.push("b", ...payloads(4, 8));
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(12) });
    await world.push("a", ...payloads(3, 20));
    await world.push("b", ...payloads(3, 30));
    await world.send(["RPUSH", world.keys.failedOf("a"), "f1", "f2"], ["RPUSH", world.keys.failedOf("b"), "f3", "f4"]);
    const waits = (claim: Claim): Settlement => ({
      claim,
      outcome: { kind: "retrying", failure: { exception: "E", message: "m", backtrace: [] }, afterMs: 60_000 },
    });
    const kinds = [
      failed,
      failed,
      released,
      released,
      requeued,
      requeued,
      waits,
      waits,
      failed,
      released,
      requeued,
      ok,
    ];
    const settle = claims.map((claim, i) => (kinds[i] ?? ok)(claim));
    const before = await world.everything();
    for (const command of ["ltrim", "lpush", "sadd"]) {
      await refuse(command);
      const refused = world.drain({ client, queues: ["a", "b"], slots: 12, id: "beside", ...failing });
      await expect(refused.store.exchange({ seq: 2, attempt: 1, settle, fill: [] })).rejects.toThrow(/user/i);
      expect({ ...(await world.everything()), ...NO_COUNTERS }).toEqual({ ...before, ...NO_COUNTERS });
    }
    expect(await drain.store.exchange({ seq: 2, attempt: 2, settle, fill: [] })).toMatchObject({ lost: [] });
    expect(await world.queued("a")).toEqual([...payloads(2, 2), ...payloads(3, 20), ...payloads(2, 4)]);
    expect(await world.queued("b")).toEqual([payload(9), ...payloads(3, 30), payload(10)]);
  });

  test("what stood where a recovery was to write stands there as before, each of them", async () => {
    const failing = { failedQueues: true, maxFailed: 2 };
    const last = (n: number): string => `{"class":"Noop","args":[${n}],"airlift":{"crashes":2}}`;
    const drain = world.drain({ queues: ["a", "b"], slots: 8, id: "late" });
    await world.push("a", last(1), last(2), ...payloads(2));
    await world.push("b", last(3), last(4), ...payloads(2, 2));
    await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(8) });
    await world.push("a", payload(20), payload(21), payload(22));
    await world.push("b", payload(30), payload(31), payload(32));
    await world.send(["RPUSH", world.keys.failedOf("a"), "f1", "f2"], ["RPUSH", world.keys.failedOf("b"), "f3"]);
    await world.endLeases();
    const next = world.drain({ queues: ["a", "b"], ...failing });
    const [dead] = (await next.store.survey()).dead;
    if (!dead) throw new Error("the drain is not there");
    const before = await world.everything();
    for (const command of ["del", "lpush", "sadd"]) {
      await refuse(command);
      const refused = world.drain({ client, queues: ["a", "b"], ...failing });
      await expect(refused.store.recover(dead)).rejects.toThrow(/user/i);
      expect({ ...(await world.everything()), ...NO_COUNTERS }).toEqual({ ...before, ...NO_COUNTERS });
    }
    expect(await next.store.recover(dead)).toEqual({ requeued: 4, failed: 4 });
    const numbers = async (queue: string) => (await world.queued(queue)).map((raw) => JSON.parse(raw).args[0]);
    expect(await numbers("a")).toEqual([0, 1, 20, 21, 22]);
    expect(await numbers("b")).toEqual([2, 3, 30, 31, 32]);
    expect(await world.send(["LLEN", world.keys.failedOf("a")], ["LLEN", world.keys.failedOf("b")])).toEqual([
      "2",
      "2",
    ]);
  });

  test.each(["get", "set", "ltrim"])("%s: a recovery tidies up less, and gives all jobs back", async (command) => {
    const drain = world.drain({ queues: ["a"], id: "tidy" });
    const own = '"airlift":{"crashes":2,"id":"i","unique":"du"}';
    await world.push("a", payload(1), `{"class":"Noop","args":[2],${own}}`);
    await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(2) });
    // Not what Airlift keeps there.
    await world.send(["SET", world.keys.checkins, "x"], ["RPUSH", world.keys.job("i"), "x"]);
    await world.send(["RPUSH", world.keys.failed, "f1", "f2"]);
    await world.endLeases();
    await refuse(command);
    const { store } = world.drain({ client, queues: ["a"], maxFailed: 2 });
    const [dead] = (await store.survey()).dead;
    if (!dead) throw new Error("the drain is not there");
    expect(await store.recover(dead)).toEqual({ requeued: 1, failed: 1 });
    expect(await world.queued("a")).toHaveLength(1);
    expect(await world.keyNames()).not.toContain(world.keys.drains);
  });

  test("a job under a limit is not detached while its place cannot be kept, and is settled though its place cannot be given back", async () => {
    const registry = createRegistry([{ class: "Noop", limit: { running: 1 }, perform: () => undefined }]);
    const options = { queues: ["a", "b"], id: "detaching", registry };
    const drain = world.drain(options);
    await world.push("a", payload(1));
    await world.push("b", payload(2));
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(2) });
    const outcome = { kind: "detached", afterMs: 60_000, dispatch: async () => undefined } as const;
    const params = { seq: 2, settle: claims.map((claim) => ({ claim, outcome })), fill: [] };
    const before = await world.everything();
    await refuse("hset");
    const refused = world.drain({ ...options, client });
    await expect(refused.store.exchange({ ...params, attempt: 1 })).rejects.toThrow(/user/i);
    expect({ ...(await world.everything()), ...NO_COUNTERS }).toEqual({ ...before, ...NO_COUNTERS });
    const [detached] = (await drain.store.exchange({ ...params, attempt: 2 })).detached ?? [];
    if (!detached) throw new Error("nothing was detached");
    await refuse("hdel");
    const { ack, settlement } = detached;
    const acknowledged = world.drain({ ...options, client }).store.settleDetached(ack, { ...settlement, outcome: OK });
    expect(await acknowledged).toBe(true);
    expect(await world.keyNames()).not.toContain(world.keys.retries);
    expect(await world.get(world.keys.processed)).toBe("1");
  });

  test("a queue that holds something else keeps its own jobs alone waiting when a drain is closed or recovered", async () => {
    const drain = world.drain({ queues: ["a", "b"], id: "wrong" });
    await world.push("a", payload(1));
    await world.push("b", payload(2));
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(2) });
    expect(claims).toHaveLength(2);
    await world.send(["SET", world.keys.queue("b"), "x"]);
    expect(await drain.store.close()).toEqual({ released: 1 });
    expect(await world.queued("a")).toEqual([payload(1)]);
    await world.endLeases();
    const next = world.drain({ queues: ["a", "b"] });
    const [dead] = (await next.store.survey()).dead;
    if (!dead) throw new Error("the drain is not there");
    await expect(next.store.recover(dead)).rejects.toThrow(/WRONGTYPE/);
    await world.send(["DEL", world.keys.queue("b")]);
    expect(await next.store.recover(dead)).toEqual({ requeued: 1, failed: 0 });
    expect(await world.queued("a")).toEqual([payload(1)]);
  });

  test("has jobs of many queues claimed, in strict order, though lmpop is refused or older than the server", async () => {
    await refuse("lmpop");
    await world.push("a", ...payloads(2));
    await world.push("c", ...payloads(2, 2));
    await world.push("d", ...payloads(3, 4));
    const { store } = world.drain({ client, queues: ["a", "b", "c", "d", "e"], slots: 6 });
    const { claims, isDrained } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(6) });
    expect(raws(claims)).toEqual(payloads(6));
    expect(isDrained).toBe(false);
    expect(await world.queued("d")).toEqual([payload(6)]);
  });

  test("takes no place for jobs that it could not be handed", async () => {
    const registry = createRegistry([{ class: "Noop", limit: { running: 3 }, perform: () => undefined }]);
    const options = { queues: ["a"], id: "placed", registry };
    const [first, other] = [world.drain(options), world.drain({ ...options, id: "other" })];
    await world.push("a", ...payloads(4));
    await first.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    await refuse("mset");
    const { store } = world.drain({ ...options, client });
    await expect(store.exchange({ seq: 2, attempt: 1, settle: [], fill: [1, 2] })).rejects.toThrow(/refused/);
    expect((await world.everything())[world.keys.running]).toEqual({ "placed.0": "Noop\n" });
    const { claims } = await other.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(4) });
    expect(raws(claims)).toEqual(payloads(2, 1));
  });

  test("has its jobs started under a rate, though what tidies up behind it is refused", async () => {
    const limit = { rate: { jobs: 9, periodMs: 60_000 } };
    const registry = createRegistry([{ class: "Noop", limit, perform: () => undefined }]);
    await refuse("hrandfield");
    await world.push("a", payload(1));
    const { store } = world.drain({ client, queues: ["a"], registry });
    const { claims } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    expect(raws(claims)).toEqual([payload(1)]);
    expect(await world.keyNames()).toContain(world.keys.starts);
  });

  describe("is told so", () => {
    const script = (lua: LuaScript, keys: readonly string[], args: readonly (string | number)[]) => () =>
      client.script({ script: lua, keys, args });
    /** A drain that holds a job under a limit. */
    const openDrain = async (): Promise<TestDrain> => {
      const registry = createRegistry([{ class: "Noop", limit: { running: 9 }, perform: () => undefined }]);
      const drain = world.drain({ client, queues: ["a"], registry, nowMs: Date.now });
      await world.push("a", payload(1));
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      return drain;
    };
    const lock = { key: "lock", id: "s1" };
    const setLock = () => world.send(["SET", lock.key, "9.7.s1"]);

    test.each<readonly [string, readonly string[], () => Promise<() => Promise<unknown>>]>([
      [
        "that it beats",
        ["exists", "time", "zadd", "hset", "mset"],
        async () => {
          const { member, own } = await openDrain();
          const keys = [world.keys.drains, world.keys.heartbeats, own.started[0] as string, own.stats[0] as string];
          return script(beatDrain, keys, [member, 60_000, "now", own.ids.length, ...own.ids, 3]);
        },
      ],
      ["that it closes", ["mget", "del", "srem", "hdel", "zrem"], async () => (await openDrain()).store.close],
      [
        "that it closes but for a slot that is not its own",
        ["del"],
        async () => {
          const { own, store } = await openDrain();
          await world.send(["SET", own.slots[1] as string, "somebody's"]);
          return store.close;
        },
      ],
      [
        "that it recovers another",
        ["zscore", "exists", "hmget", "mget", "srem", "hdel", "zrem"],
        async () => {
          await openDrain();
          await world.send(["SET", world.keys.pruning, "1"]);
          await world.endLeases();
          const { store } = world.drain({ client, nowMs: Date.now });
          const [dead] = (await store.survey()).dead;
          if (!dead) throw new Error("the drain is not there");
          return () => store.recover(dead);
        },
      ],
      ["that it looks into slots", ["mget"], async () => script(readSlots, (await openDrain()).own.slots, [9])],
      [
        "that it plans others",
        ["get", "time", "zcount", "mget", "llen", "set"],
        async () => {
          await world.push("a", ...payloads(9));
          const { store } = world.drain({ client, queues: ["a"] });
          return () => store.planSiblings({ threshold: 1, maxDrains: 9, ttlMs: 9_000 });
        },
      ],
      [
        "that it releases a lease",
        ["get", "del"],
        async () => {
          await world.send(["SET", "lease", "holder"]);
          return script(releaseLease, ["lease"], ["holder"]);
        },
      ],
      ["that it frees locks", ["mget", "del"], async () => setLock().then(() => () => freeLocks(client, [lock]))],
      [
        "that it frees locks of jobs without an id",
        ["time"],
        async () => setLock().then(() => () => freeLocks(client, [{ ...lock, id: "" }])),
      ],
      [
        "that it moves locks",
        ["mget", "pttl", "set"],
        async () => setLock().then(() => () => moveLocks(client, [lock], 8)),
      ],
      [
        "that it writes a status",
        ["mget", "set"],
        async () => {
          await world.send(["SET", "slot", '{"claim":"d.1"}']);
          return script(writeStatuses, ["slot", "status"], ["d.1", 9_000, 0, '"state":"running"}']);
        },
      ],
      [
        "that it acknowledges a job",
        ["zscore"],
        async () => {
          const acks = createAckStore({ client, keys: world.keys, registry: createRegistry([]), nowMs: Date.now });
          const ack = { head: '{"id":"d.1","queue":"a","payload":', cut: 0, append: "" };
          return () => acks.settle({ ack, queue: "a", job: parsePayload(payload(1)), outcome: OK, worker: "w" });
        },
      ],
    ])("%s", async (_what, commands, prepare) => {
      for (const command of commands) {
        await world.flush();
        await refuse("debug");
        const run = await prepare();
        await world.send(["ACL", "SETUSER", "someone", `-${command}`]);
        await expect(run(), command).rejects.toThrow(/can't run this command/);
      }
    });
  });

  test("is told that handing out was refused, and why", async () => {
    await refuse("mset");
    await world.push("a", payload(1));
    const { store } = world.drain({ client, queues: ["a"] });
    const exchange = store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    await expect(exchange).rejects.toThrow(/refused to hand out jobs: .*user/i);
  });
});
