import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Airlift } from "../../src/airlift.ts";
import { defineJob } from "../../src/core/job.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { Value } from "../conformance/world.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";

// Only a real redis-server has ACLs and a memory limit, and it refuses a command the same way over TCP and HTTP.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");
const HOUR_MS = 3_600_000;

/** Each command that the scripts call to enqueue a unique job. */
const COMMANDS = ["set", "get", "rpush", "sadd", "zadd", "lpos", "lset", "srem"] as const;

describe.skipIf(!setup)("unique jobs of a user whom the server refuses", () => {
  let world: AppWorld;
  let client: RedisClient | undefined;
  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openAppWorld(setup);
  });
  afterAll(async () => {
    await client?.close();
    await world[Symbol.asyncDispose]();
  });
  beforeEach(() => world.flush());

  const job = defineJob<readonly [number, string], readonly [number, string]>({
    class: "A",
    queue: "q",
    unique: { until: "start", key: ([n]) => String(n), onConflict: "replace" },
    perform: () => undefined,
  });
  const appOn = (redis: RedisClient): Airlift => world.app({ jobs: [job], redis });
  /** Everything in Redis, but how long locks are still held. */
  const content = async (): Promise<Record<string, Value>> =>
    Object.fromEntries(
      Object.entries(await world.everything()).map(([key, value]) => [
        key,
        typeof value === "object" && "ttlMs" in value ? (value as { readonly value: Value }).value : value,
      ]),
    );
  const now = { queue: "q", class: "A" };
  const later = { ...now, inMs: HOUR_MS };
  const WAYS = [
    [
      "that are new",
      [],
      [
        { ...now, args: [1, "new"] },
        { ...now, queue: "z", args: [2, "new"] },
      ],
    ],
    [
      "that are new and delayed",
      [],
      [
        { ...later, args: [1, "new"] },
        { ...now, args: [2, "new"] },
      ],
    ],
    ["that replace one in its queue", [{ ...now, args: [1, "old"] }], [{ ...now, args: [1, "new"] }]],
    ["that replace a delayed one", [{ ...later, args: [1, "old"] }], [{ ...now, args: [1, "new"] }]],
    ["that follow one that is gone", [{ ...now, args: [1, "old"] }], [{ ...now, args: [1, "new"] }]],
  ] as const;
  const wait = async (way: string, waiting: (typeof WAYS)[number][1]): Promise<void> => {
    await appOn(world.client).enqueueAll(waiting);
    if (way.endsWith("gone")) await world.send(["DEL", world.keys.queue("q")]);
  };
  const allowAllBut = (...commands: readonly string[]): Promise<unknown> => {
    const refused = commands.map((command) => `-${command}`);
    return world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", ...refused]);
  };
  const someone = async (...refused: readonly string[]): Promise<RedisClient> => {
    await allowAllBut(...refused);
    await client?.close();
    client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
    return client;
  };

  describe.each(COMMANDS)("%s", (command) => {
    test.each(WAYS)("are enqueued with their locks or not at all: jobs %s", async (way, waiting, jobs) => {
      await wait(way, waiting);
      const before = await content();
      const error: unknown = await appOn(await someone(command))
        .enqueueAll(jobs)
        .then(
          () => undefined,
          (refusal: unknown) => refusal,
        );
      if (error === undefined) {
        expect(JSON.stringify(await content())).not.toContain("old");
        return;
      }
      expect(error).toMatchObject({ name: "StoreError", reason: "rejected" });
      const after = Object.entries(await content());
      // Nor can it take back that an item stands in a list of times; nobody asks for that item.
      const kept = after.filter(([key]) => command !== "srem" || key in before);
      expect(Object.fromEntries(kept)).toEqual(before);
    });
  });

  test.each(WAYS.slice(2, 4))(
    "the lock alone, at the last step: jobs %s stay as they are",
    async (way, waiting, jobs) => {
      await wait(way, waiting);
      const before = await content();
      const refused = carriedClient(await someone(), async ({ names, deliver }) => {
        if (names.includes("replace-waiting")) await allowAllBut("set");
        return deliver();
      });
      await expect(appOn(refused).enqueueAll(jobs)).rejects.toMatchObject({
        reason: "rejected",
        message: expect.stringContaining("can't run this command"),
      });
      expect(await content()).toEqual(before);
    },
  );

  test("what was there before the jobs that are refused stays: others' locks and jobs, the names of queues", async () => {
    await appOn(world.client).enqueueAll([{ ...now, args: [1, "new"] }]);
    await world.send(["SET", world.keys.queue("bad"), "x"]);
    const before = await content();
    const kept = { class: "Kept", unique: { until: "done" }, perform: () => undefined } as const;
    const app = world.app({ jobs: [defineJob(kept)] });
    const jobs = ["q", "q", "bad"].map((queue, n) => ({ queue, class: "Kept", args: [n] }));
    await expect(app.enqueueAll([...jobs, { queue: "z", class: "Kept", args: [0] }])).rejects.toThrow(/WRONGTYPE/);
    // Of names that came together with one that was there, all stay.
    const added = { bad: true, z: true };
    expect(await content()).toEqual({ ...before, [world.keys.queues]: { q: true, ...added } });
    await app.enqueueAll(jobs.slice(0, 1));
    const locked = await content();
    await expect(app.enqueueAll(jobs)).rejects.toThrow(/WRONGTYPE/);
    expect(await content()).toEqual(locked);
  });

  test("rpop, a job that stays in its list keeps its lock and its books; the others keep nothing", async () => {
    await world.send(["SET", world.keys.queue("bad"), "x"]);
    const jobs = [
      { ...later, args: [1, "new"] },
      { ...now, queue: "bad", args: [2, "new"] },
      { ...now, queue: "z", args: [3, "new"] },
    ];
    await expect(appOn(await someone("rpop")).enqueueAll(jobs)).rejects.toThrow(/WRONGTYPE/);
    const names = (await world.keyNames()).map((key) => key.replace(/(?<=:timestamps:|:unique:A:|:delayed:).*/, "…"));
    expect(names.toSorted()).toEqual(
      [
        "resque:airlift:unique:A:…",
        "resque:delayed:…",
        "resque:delayed_queue_schedule",
        "resque:queue:bad",
        "resque:queues",
        "resque:timestamps:…",
      ].toSorted(),
    );
    expect(await appOn(world.client).enqueueAll(jobs.slice(2))).toMatchObject({ enqueued: 1 });
  });

  test.each(["srem", "zrem"])("%s, locks and jobs are taken back all the same", async (command) => {
    await world.send(["SET", world.keys.queue("bad"), "x"]);
    const jobs = [
      { ...later, args: [1, "new"] },
      { ...now, queue: "bad", args: [2, "new"] },
    ];
    await expect(appOn(await someone(command)).enqueueAll(jobs)).rejects.toThrow(/WRONGTYPE/);
    expect((await world.keyNames()).filter((key) => /:unique:|:delayed:/.test(key))).toEqual([]);
  });

  test.each(WAYS)("all writes, being full, find everything as it was: jobs %s", async (way, waiting, jobs) => {
    await wait(way, waiting);
    const before = await content();
    await world.send(["CONFIG", "SET", "maxmemory", "1"]);
    try {
      await expect(appOn(world.client).enqueueAll(jobs)).rejects.toMatchObject({ reason: "full" });
    } finally {
      await world.send(["CONFIG", "SET", "maxmemory", "0"]);
    }
    expect(await content()).toEqual(before);
  });
});
