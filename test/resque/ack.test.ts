import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import { createStatusPolicy } from "../../src/core/job-status.ts";
import type { DetachedOutcome, Outcome } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { createAckStore, type EndedJob } from "../../src/resque/ack.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { openWorld, type TestDrainOptions, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

const RAW = '{"class":"Noop","args":[1.0,12345678901234567890,"ü"]}';
const failure = { exception: "RangeError", message: "too far", backtrace: ["a.ts:1"] };
const AFTER_MS = 90_000;
const OUTCOMES: Record<string, Outcome> = {
  ok: { kind: "ok" },
  discarded: { kind: "discarded", reason: "r" },
  failed: { kind: "failed", failure },
  dropped: { kind: "dropped", failure },
  retrying: { kind: "retrying", failure, afterMs: AFTER_MS },
  postponed: { kind: "postponed", afterMs: AFTER_MS },
  released: { kind: "released" },
  requeued: { kind: "requeued" },
};
const registry = createRegistry([]);

/** A job that has been detached, and how its receiver ends it. */
async function detach(
  world: World,
  raw = RAW,
  options: TestDrainOptions = {},
): Promise<(outcome: Outcome, rest?: Partial<EndedJob>) => Promise<boolean>> {
  const { claim, ack } = await handOver(world, raw, options);
  const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now });
  return (outcome, rest) => acks.settle({ ack, queue: "q", job: claim.job, outcome, worker: "host:1:q", ...rest });
}

async function handOver(world: World, raw = RAW, options: TestDrainOptions = {}) {
  await world.push("q", raw);
  const { store } = world.drain({ id: "d", nowMs: Date.now, ...options });
  const { claims } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
  const outcome: DetachedOutcome = { kind: "detached", afterMs: 60_000, dispatch: async () => undefined };
  const settle = claims.map((claim) => ({ claim, outcome }));
  const { detached } = await store.exchange({ seq: 2, attempt: 1, settle, fill: [] });
  await store.close();
  const [first] = detached ?? [];
  if (!first) throw new Error("nothing was detached");
  return { claim: first.settlement.claim, ack: JSON.parse(JSON.stringify(first.ack)) as JobAck };
}

describe.each(setups())("acknowledgements over $name", (setup) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** All that is in Redis but the queues' names and the counters, which are told apart. */
  const look = async () => {
    const { keys } = world;
    const {
      [keys.queues]: _,
      [keys.processed]: processed = "0",
      [keys.failures]: failures = "0",
      ...rest
    } = await world.everything();
    return { processed: Number(processed), failures: Number(failures), rest };
  };

  test.each<[string, number, number]>([
    ["ok", 1, 0],
    ["discarded", 1, 0],
    ["dropped", 1, 1],
  ])("of %s: it is gone, and counted as a drain counts it", async (kind, processed, failures) => {
    const end = await detach(world);
    expect(await end(OUTCOMES[kind] as Outcome)).toBe(true);
    expect(await look()).toEqual({ processed, failures, rest: {} });
  });

  test.each([
    [RAW, RAW],
    ['{"class":"Noop","args":[],"airlift":{"crashes":1,"retries":2}}', '{"class":"Noop","args":[]}'],
    ['{"class":"Noop","args":[],"airlift":{"id":"a"}} ', '{"class":"Noop","args":[],"airlift":{"id":"a"}} '],
  ])(
    "of a failure of %s: in the failed list as a drain writes it, its producer's bytes unchanged",
    async (raw, kept) => {
      const end = await detach(world, raw);
      expect(await end(OUTCOMES["failed"] as Outcome)).toBe(true);
      const { processed, failures, rest } = await look();
      expect([processed, failures, Object.keys(rest)]).toEqual([1, 1, [world.keys.failed]]);
      const [entry] = rest[world.keys.failed] as string[];
      expect(entry).toMatch(/^\{"failed_at":"\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC","payload":/);
      expect(entry?.slice(entry.indexOf(',"payload":') + 11)).toBe(
        `${kept},"exception":"RangeError","error":"too far","backtrace":["a.ts:1"],"worker":"host:1:q","queue":"q"}`,
      );
    },
  );

  test.each([
    [RAW, `${RAW.slice(0, -1)},"airlift":{"retries":1}}`, 2],
    [
      '{"class":"Noop","args":[],"airlift":{"crashes":1,"retries":2,"id":"a"}}',
      '{"class":"Noop","args":[],"airlift":{"crashes":1,"retries":3,"id":"a"}}',
      5,
    ],
  ])("of a retry of %s: it waits with one retry more, and no crash", async (raw, kept, attempt) => {
    const end = await detach(world, raw);
    const beforeMs = Date.now();
    expect(await end(OUTCOMES["retrying"] as Outcome)).toBe(true);
    const { processed, failures, rest } = await look();
    expect([processed, failures, Object.keys(rest)]).toEqual([1, 1, [world.keys.retries]]);
    const [[member, due] = []] = Object.entries(rest[world.keys.retries] as Record<string, string>);
    expect(member).toMatch(new RegExp(`^\\{"id":"d\\.[^"]+","queue":"q","attempt":${attempt},"failed_at":`));
    expect(member?.slice(member.indexOf(',"exception"'))).toBe(
      `,"exception":"RangeError","error":"too far","payload":${kept}}`,
    );
    expect(Number(due) - beforeMs - AFTER_MS).toBeGreaterThanOrEqual(-1);
    expect(Number(due) - beforeMs - AFTER_MS).toBeLessThan(5_000);
  });

  test.each([RAW, '{"class":"Noop","args":[],"airlift":{"crashes":1,"retries":2}}'])(
    "of a release with a wait: %s waits unchanged, nothing counted",
    async (raw) => {
      const end = await detach(world, raw);
      expect(await end(OUTCOMES["postponed"] as Outcome)).toBe(true);
      const { processed, failures, rest } = await look();
      expect([processed, failures]).toEqual([0, 0]);
      const [member] = Object.keys(rest[world.keys.retries] as object);
      expect(member?.slice(member.indexOf(',"payload":'))).toBe(`,"payload":${raw}}`);
      expect(member).not.toContain("detached");
    },
  );

  test.each(["released", "requeued"])(
    "of a job that is %s: at the head of its queue, unchanged, nothing counted",
    async (kind) => {
      const end = await detach(world);
      await world.send(["RPUSH", world.keys.queue("q"), "other"], ["SREM", world.keys.queues, "q"]);
      expect(await end(OUTCOMES[kind] as Outcome)).toBe(true);
      expect(await look()).toEqual({ processed: 0, failures: 0, rest: { [world.keys.queue("q")]: [RAW, "other"] } });
      expect((await world.everything())[world.keys.queues]).toEqual({ q: true });
    },
  );

  test.each(Object.keys(OUTCOMES))("of %s, once more: nothing happens, and it says so", async (kind) => {
    const end = await detach(world);
    await end(OUTCOMES[kind] as Outcome);
    const before = await look();
    for (const outcome of Object.values(OUTCOMES)) expect(await end(outcome)).toBe(false);
    expect(await look()).toEqual(before);
  });

  test("tell whether a job still waits for one, and how long its lease lasts by Redis' clock", async () => {
    const { claim, ack } = await handOver(world);
    const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now });
    const job = { ack, queue: "q", job: claim.job };
    const leftMs = await acks.leaseLeftMs(job);
    expect(leftMs).toBeLessThanOrEqual(60_000);
    expect(leftMs).toBeGreaterThan(30_000);
    await acks.settle({ ...job, outcome: { kind: "ok" }, worker: "w" });
    expect(await acks.leaseLeftMs(job)).toBeUndefined();
  });

  test("settle no job but their own: two of the same payload are two", async () => {
    const one = await handOver(world);
    const two = await handOver(world, RAW, { id: "e" });
    const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now });
    expect(
      await acks.settle({ ack: one.ack, queue: "q", job: one.claim.job, outcome: { kind: "ok" }, worker: "w" }),
    ).toBe(true);
    expect(await acks.leaseLeftMs({ ack: two.ack, queue: "q", job: two.claim.job })).toBeDefined();
  });

  test("keep to the drain's failed lists and their length", async () => {
    const options = { failedQueues: true, maxFailed: 2 };
    for (const id of ["d", "e", "f"]) {
      const end = await detach(world, RAW, { ...options, id });
      await end({ kind: "failed", failure: { ...failure, message: id } });
    }
    const { rest } = await look();
    expect(Object.keys(rest).sort()).toEqual([world.keys.failedQueues, world.keys.failedOf("q")].sort());
    const errors = (rest[world.keys.failedOf("q")] as string[]).map((entry) => JSON.parse(entry).error);
    expect(errors).toEqual(["e", "f"]);
    expect(rest[world.keys.failedQueues]).toEqual({ q_failed: true });
  });

  test("write the status of a job that keeps one, and carry over when it was enqueued", async () => {
    const raw = '{"class":"Noop","args":[],"airlift":{"id":"a"}}';
    const status = createStatusPolicy({ ttlMs: 60_000, results: true }, []);
    await world.send(["SET", world.keys.job("a"), '{"enqueuedMs":7,"queue":"q","class":"Noop","state":"queued"}']);
    const end = await detach(world, raw, { status });
    await end({ kind: "ok", result: { pages: 3 } }, { endedMs: 5_000, durationMs: 1_000 });
    const { ttlMs, value } = (await look()).rest[world.keys.job("a")] as unknown as { ttlMs: number; value: string };
    expect(ttlMs).toBeGreaterThan(55_000);
    expect(JSON.parse(value)).toMatchObject({
      ...{ enqueuedMs: 7, queue: "q", class: "Noop", state: "done", worker: "host:1:q", attempt: 1 },
      ...{ startedMs: 4_000, endedMs: 5_000, durationMs: 1_000, result: { pages: 3 } },
    });
  });

  describe("of a unique job with a status", () => {
    const raw = '{"class":"A","args":[1],"airlift":{"id":"a","unique":"du1"}}';
    const lock = "resque:lock:A:q:[1]";
    const options: TestDrainOptions = { failedQueues: true, maxFailed: 1 };

    test.each<[string, string | null, string, number]>([
      ["ok", null, "done", 8],
      ["discarded", null, "discarded", 8],
      ["dropped", null, "dropped", 9],
      ["failed", null, "failed", 12],
      ["retrying", "9.du1", "retrying", 10],
      ["postponed", "9.du1", "delayed", 9],
      ["released", "9.du1", "queued", 8],
      ["requeued", "9.du1", "queued", 8],
    ])("by %s: its lock is then %s, its status %s, and %i commands are told", async (kind, left, state, commands) => {
      const status = createStatusPolicy({ ttlMs: 60_000 }, []);
      const { claim, ack } = await handOver(world, raw, { ...options, status });
      await world.send(["SET", lock, "9.du1"], ["RPUSH", world.keys.failedOf("q"), "older"]);
      const usage = { commands: 0, requests: 0 };
      const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now, usage });
      const outcome = OUTCOMES[kind] as Outcome;
      if (setup.server === "redis-server") await world.countCommands();
      expect(await acks.settle({ ack, queue: "q", job: claim.job, outcome, worker: "w" })).toBe(true);
      expect(usage.commands).toBe(commands);
      if (setup.server === "redis-server") expect(await world.countCommands()).toBe(commands);
      expect(await world.get(lock)).toBe(left);
      expect(JSON.parse((await world.get(world.keys.job("a"))) as string)).toMatchObject({ queue: "q", state });
      if (kind === "failed") expect(await world.send(["LLEN", world.keys.failedOf("q")])).toEqual(["1"]);
    });

    test.each(["failed", "ok"])("by %s: a lock that another job has taken stays", async (kind) => {
      const end = await detach(world, raw, options);
      await world.send(["SET", lock, "9.du2"]);
      expect(await end(OUTCOMES[kind] as Outcome)).toBe(true);
      expect(await world.get(lock)).toBe("9.du2");
    });

    test("whose lock is something else is settled, and that stays", async () => {
      const end = await detach(world, raw, options);
      await world.send(["RPUSH", lock, "x"]);
      expect(await end({ kind: "ok" })).toBe(true);
      expect(await world.keyNames()).toContain(lock);
    });
  });

  test("a status that cannot be written keeps no job from being settled", async () => {
    const raw = '{"class":"Noop","args":[],"airlift":{"id":"a"}}';
    const end = await detach(world, raw, { status: createStatusPolicy({ ttlMs: 60_000 }, []) });
    await world.send(["DEL", world.keys.job("a")], ["RPUSH", world.keys.job("a"), "a list"]);
    expect(await end({ kind: "ok" })).toBe(true);
    expect((await look()).processed).toBe(1);
  });

  test("what is refused in the middle is taken back, and the job waits on", async () => {
    const end = await detach(world);
    const before = await look();
    await world.send(["SET", world.keys.failed, "no list"]);
    await expect(end(OUTCOMES["failed"] as Outcome)).rejects.toMatchObject({ name: "StoreError", reason: "rejected" });
    await world.send(["DEL", world.keys.failed]);
    expect(await look()).toEqual(before);
    expect(await end(OUTCOMES["failed"] as Outcome)).toBe(true);
  });

  test.each([
    {},
    { head: "x", cut: 1, append: "" },
    { head: '{"id":"d.1"', cut: "1", append: "" },
    { head: '{"id":"d.1"' },
  ])("%j is none: refused before Redis is asked", async (ack) => {
    const { claim } = await handOver(world);
    const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now });
    const job = { ack, queue: "q", job: claim.job };
    await expect(acks.leaseLeftMs(job)).rejects.toThrow(UsageError);
    await expect(acks.settle({ ...job, outcome: { kind: "ok" }, worker: "w" })).rejects.toThrow(UsageError);
  });

  test.runIf(setup.server === "redis-server").each<[string, number]>([
    ["ok", 4],
    ["discarded", 4],
    ["dropped", 5],
    ["failed", 6],
    ["retrying", 8],
    ["postponed", 7],
    ["released", 6],
  ])("%s costs %i commands, and that is what is told", async (kind, commands) => {
    const { claim, ack } = await handOver(world);
    const usage = { commands: 0, requests: 0 };
    const acks = createAckStore({ client: world.client, keys: world.keys, registry, nowMs: Date.now, usage });
    await acks.settle({ ack, queue: "other", job: claim.job, outcome: { kind: "ok" }, worker: "w" });
    await handOver(world, RAW, { id: "e" }).then(async (again) => {
      await world.countCommands();
      const before = usage.commands;
      const outcome = OUTCOMES[kind] as Outcome;
      await acks.settle({ ack: again.ack, queue: "q", job: again.claim.job, outcome, worker: "w" });
      expect(usage.commands - before).toBe(commands);
      expect(await world.countCommands()).toBe(commands);
    });
  });
});

// Only a real redis-server has ACLs and memory limits.
const [server] = setups().filter(({ name }) => name === "redis-server-tcp");

describe.skipIf(!server)("a receiver whom the server refuses something", () => {
  let world: World;
  let client: RedisClient;
  beforeAll(async () => {
    if (server) world = await openWorld(server);
  });
  afterAll(async () => {
    await client.close();
    await world[Symbol.asyncDispose]();
  });
  beforeEach(() => world.flush());

  const COMMANDS = ["zscore", "incrby", "rpush", "lpush", "sadd", "ltrim", "time", "zadd", "zrem", "get", "del", "set"];

  test.each(COMMANDS.flatMap((command) => Object.keys(OUTCOMES).map((kind) => [command, kind] as const)))(
    "%s, while it ends a job by %s: all or nothing",
    async (command, kind) => {
      await client?.close();
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
      client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      const { claim, ack } = await handOver(world, RAW, { failedQueues: true, maxFailed: 1 });
      await world.send(["RPUSH", world.keys.failedOf("q"), "older"], ["RPUSH", world.keys.queue("q"), "older"]);
      const zero = { [world.keys.processed]: "0", [world.keys.failures]: "0" };
      const before = { ...zero, ...(await world.everything()) };
      const acks = createAckStore({ client, keys: world.keys, registry, nowMs: Date.now });
      const outcome = OUTCOMES[kind] as Outcome;
      const ended = { ack, queue: "q", job: claim.job, outcome, worker: "w" };
      const isSettled = await acks.settle(ended).catch((error: unknown) => {
        expect(error).toMatchObject({ name: "StoreError" });
        return "refused";
      });
      const after = { ...zero, ...(await world.everything()) };
      if (isSettled === true) return expect(after[world.keys.retries]).not.toEqual(before[world.keys.retries]);
      expect(isSettled).toBe("refused");
      // A set may name a list that is not there: nobody minds.
      delete after[world.keys.failedQueues];
      delete before[world.keys.failedQueues];
      expect(after).toEqual(before);
    },
  );

  test.each(["get", "del", "set", "hdel", "ltrim"])(
    "%s, of what is tidied behind a job: it is settled all the same",
    async (command) => {
      const raw = '{"class":"Noop","args":[1],"airlift":{"id":"a","unique":"du1"}}';
      const limited = createRegistry([{ class: "Noop", limit: { running: 1 }, perform: () => undefined }]);
      const status = createStatusPolicy({ ttlMs: 60_000 }, []);
      const { claim, ack } = await handOver(world, raw, { maxFailed: 1, status, registry: limited });
      await world.send(["SET", "resque:lock:Noop:q:[1]", "9.du1"], ["RPUSH", world.keys.failed, "older"]);
      await client?.close();
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
      client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      const acks = createAckStore({ client, keys: world.keys, registry, nowMs: Date.now });
      const outcome = OUTCOMES["failed"] as Outcome;
      expect(await acks.settle({ ack, queue: "q", job: claim.job, outcome, worker: "w" })).toBe(true);
      expect(await world.get(world.keys.processed)).toBe("1");
      expect(await world.keyNames()).not.toContain(world.keys.retries);
    },
  );

  test("a full database: refused whole, and taken later", async () => {
    const end = await detach(world);
    await world.send(["CONFIG", "SET", "maxmemory", "1"]);
    await expect(end(OUTCOMES["ok"] as Outcome)).rejects.toMatchObject({ reason: "full" });
    await world.send(["CONFIG", "SET", "maxmemory", "0"]);
    expect(await end(OUTCOMES["ok"] as Outcome)).toBe(true);
  });
});
