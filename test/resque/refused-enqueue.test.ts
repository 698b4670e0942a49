import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Airlift } from "../../src/airlift.ts";
import { defineJob } from "../../src/core/job.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { Value } from "../conformance/world.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
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
  ] as const;

  describe.each(COMMANDS)("%s", (command) => {
    test.each(WAYS)("are enqueued with their locks or not at all: jobs %s", async (_way, waiting, jobs) => {
      await appOn(world.client).enqueueAll(waiting);
      const before = await content();
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
      await client?.close();
      client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      const error: unknown = await appOn(client)
        .enqueueAll(jobs)
        .then(
          () => undefined,
          (refusal: unknown) => refusal,
        );
      if (error === undefined) {
        expect(JSON.stringify(await content())).not.toContain('"old"');
        return;
      }
      expect(error).toMatchObject({ name: "StoreError", reason: "rejected" });
      const after = Object.entries(await content());
      // Nor can it take back that an item stands in a list of times; nobody asks for that item.
      const kept = after.filter(([key]) => command !== "srem" || key in before);
      expect(Object.fromEntries(kept)).toEqual(before);
    });
  });

  test.each(WAYS)("all writes, being full, find everything as it was: jobs %s", async (_way, waiting, jobs) => {
    await appOn(world.client).enqueueAll(waiting);
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
