import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type AirliftAdmin, createAdmin } from "../../../src/admin.ts";
import { ioredis } from "../../../src/redis/ioredis.ts";
import type { AdminContext } from "../../../src/resque/admin/admin-context.ts";
import { clearFailed, removeFailed, retryFailed } from "../../../src/resque/admin/change-failed.ts";
import { listFailed } from "../../../src/resque/admin/failed.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, bytesOf, idOf, openAdminWorld } from "./admin-world.ts";
import { payloadIn, WRITERS } from "./failed-entries.ts";

// Only a real redis-server has ACLs and a limit of memory.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");
const entries = [...Object.values(WRITERS).map((write) => write(1)), WRITERS.ruby(1), WRITERS.ruby(2)];

describe.skipIf(!setup)("a Redis that refuses", () => {
  let world: AdminWorld;
  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openAdminWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  afterEach(async () => {
    await world.send(["CONFIG", "SET", "maxmemory", "0"]);
    await world.flush();
  });

  test("every write, being full: nothing is retried or marked; what is to go goes", async () => {
    await world.fail(entries);
    await world.send(["CONFIG", "SET", "maxmemory", "1"]);
    await expect(retryFailed(world.context, { all: true })).rejects.toMatchObject({ reason: "full" });
    expect(await world.list(world.keys.failed)).toEqual(entries.map(bytesOf));
    expect(await world.keyNames()).toEqual([world.keys.failed]);
    expect(await removeFailed(world.context, { class: "Boom" })).toMatchObject({ removed: 3 });
    expect(await removeFailed(world.context, { ids: [idOf(WRITERS.node(1))] })).toMatchObject({ removed: 1 });
    expect(await world.list(world.keys.failed)).toEqual([WRITERS.goworker(1), WRITERS.airlift(1)]);
    expect(await clearFailed(world.context)).toEqual({ removed: 2 });
  });

  const asSomeone = async (...rules: string[]): Promise<AdminContext> => {
    await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", ...rules]);
    const client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
    return { ...world.context, client };
  };
  /** Payloads in queues, and those of entries that bear no mark: each job is in one of them. */
  const census = async (): Promise<string[]> => {
    const { jobs } = await listFailed(world.context, { retried: false });
    const queued = [...(await world.queued("mail")), ...(await world.queued("bench"))];
    return [...queued, ...jobs.map(({ raw }) => payloadIn(raw))].toSorted();
  };

  test.each(["sadd", "rpush", "lset", "llen", "lrange"])(
    "%s: a retry loses nothing and doubles nothing",
    async (command) => {
      const context = await asSomeone(`-${command}`);
      await world.fail(entries);
      await expect(retryFailed(context, { all: true })).rejects.toMatchObject({ name: "StoreError" });
      expect(await world.list(world.keys.failed)).toEqual(entries.map(bytesOf));
      expect(await census()).toEqual(entries.map(payloadIn).toSorted());
      expect(await world.queued("mail")).toEqual([]);
      await context.client.close();
    },
  );

  test("one of two queues: its jobs stay where they were, the others are retried", async () => {
    await world.send(["SET", world.keys.queue("bench"), "no list"]);
    await world.fail(entries);
    await expect(retryFailed(world.context, { all: true })).rejects.toThrow(
      /Redis refused to take failed jobs back: .*WRONGTYPE/,
    );
    const { jobs } = await listFailed(world.context, { retried: false });
    expect(jobs.map(({ raw }) => raw)).toEqual([WRITERS.goworker(1)]);
    expect(await world.queued("mail")).toEqual(entries.filter((entry) => entry !== WRITERS.goworker(1)).map(payloadIn));
  });

  test.each(["lset", "lrem", "lrange"])("%s: a removal removes what is chosen, or nothing", async (command) => {
    const context = await asSomeone(`-${command}`);
    await world.fail(entries);
    await removeFailed(context, { class: "Boom" }).catch((error: unknown) => {
      expect(error).toMatchObject({ name: "StoreError" });
    });
    const left = await world.list(world.keys.failed);
    const kept = entries.filter((entry) => !entry.includes('"Boom"')).map(bytesOf);
    expect(command === "lset" ? [kept] : [entries.map(bytesOf)]).toContainEqual(left);
    await context.client.close();
  });

  test("lset: of entries that are alike as many are removed as are meant, the last first", async () => {
    const context = await asSomeone("-lset");
    await world.fail(entries);
    expect(await removeFailed(context, { ids: [idOf(WRITERS.ruby(1))] })).toMatchObject({ removed: 1, missing: [] });
    const last = entries.lastIndexOf(WRITERS.ruby(1));
    expect(await world.list(world.keys.failed)).toEqual(entries.filter((_, n) => n !== last).map(bytesOf));
    await context.client.close();
  });

  test("lset and lrem: a removal says so and removes nothing", async () => {
    const context = await asSomeone("-lset", "-lrem");
    await world.fail(entries);
    await expect(removeFailed(context, { class: "Boom" })).rejects.toMatchObject({ name: "StoreError" });
    expect(await world.list(world.keys.failed)).toEqual(entries.map(bytesOf));
    await context.client.close();
  });

  test.each<readonly [command: string, run: (admin: AirliftAdmin) => Promise<unknown>]>([
    ["ltrim", (admin) => admin.queues.clear("q")],
    ["srem", (admin) => admin.queues.remove("q")],
    ["zrem", (admin) => admin.retries.remove({ all: true })],
    ["zadd", (admin) => admin.retries.run({ all: true })],
    ["zrangebyscore", (admin) => admin.retries.list()],
    ["zcard", (admin) => admin.retries.list()],
    ["set", (admin) => admin.pause({ class: "B" })],
    ["del", (admin) => admin.resume({ class: "A" })],
    ["get", (admin) => admin.resume({ class: "A" })],
    ...["sismember", "rpush", "srem", "hdel", "del"].map(
      (command) => [command, (admin: AirliftAdmin) => admin.workers.prune("vm:1:q")] as const,
    ),
  ])("%s: who asks for what it needs is told, and nothing is called done (%s)", async (command, run) => {
    const context = await asSomeone(`-${command}`);
    const { keys } = world;
    await world.push("q", '{"class":"A"}');
    await world.send(["SET", keys.pausedClasses, '["A"]']);
    await world.send(["SADD", keys.workers, "vm:1:q"], ["SET", keys.worker("vm:1:q"), '{"queue":"q","payload":{}}']);
    await world.send(["ZADD", keys.retries, 9e12, '{"id":"1","queue":"q","attempt":2,"payload":{}}']);
    await expect(run(createAdmin(context, undefined))).rejects.toMatchObject({ name: "StoreError" });
    // Whatever else has been done of it, the job that the worker held is not forgotten.
    const [isKept] = await world.send(["EXISTS", keys.worker("vm:1:q"), keys.failed]);
    expect(Number(isKept)).toBeGreaterThan(0);
    await context.client.close();
  });

  test("hdel: a job that is removed is gone, and its place under a limit ends with its lease", async () => {
    const context = await asSomeone("-hdel");
    const member = '{"id":"1","queue":"q","attempt":1,"detached":true,"limited":true,"payload":{}}';
    await world.send(["ZADD", world.keys.retries, 9e12, member]);
    const removed = await createAdmin(context, undefined).retries.remove({ all: true });
    expect(removed).toMatchObject({ changed: 1 });
    expect(await world.keyNames()).toEqual([]);
    await context.client.close();
  });
});
