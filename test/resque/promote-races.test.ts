import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import {
  type DelayedWorld,
  NOW_MS,
  NOW_SECONDS,
  nodeItem,
  openDelayedWorld,
  rubyItem,
} from "../conformance/delayed-world.ts";
import { payload } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";

const LIST = `resque:delayed:${NOW_SECONDS}`;

describe.each(setups())("promotion beside others over $name", (kind) => {
  let world: DelayedWorld;
  beforeAll(async () => {
    world = await openDelayedWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** A client on which others come first, once, when the batch that was read is to be moved. */
  const interrupted = (meanwhile: () => Promise<unknown>): RedisClient => {
    let isDone = false;
    return carriedClient(world.client, async ({ names, deliver }) => {
      if (names.includes("promote-delayed") && !isDone) {
        isDone = true;
        await meanwhile();
      }
      return deliver();
    });
  };
  const delayedNames = async (): Promise<string[]> =>
    (await world.keyNames()).filter((name) => /delayed|timestamps|retries/.test(name));
  const numbered = (queue: string): Promise<unknown[]> =>
    world.queued(queue).then((raws) => raws.map((raw) => JSON.parse(raw).args[0]));

  describe("takes only what is still there, when between reading and moving", () => {
    const items = [0, 1, 2, 3].map((n) => rubyItem("q", n));
    beforeEach(() => world.delay(NOW_SECONDS, ...items));

    test("node-resque's scheduler takes the first", async () => {
      const client = interrupted(() =>
        world.send(["LPOP", LIST], ["SREM", `resque:timestamps:${items[0]}`, `delayed:${NOW_SECONDS}`]),
      );
      expect(await world.promote({ client })).toMatchObject({ promoted: 3, nextDueMs: undefined });
      expect(await numbered("q")).toEqual([1, 2, 3]);
      expect(await delayedNames()).toEqual([]);
    });

    test("another drain takes all of it", async () => {
      const client = interrupted(() => world.promote());
      expect(await world.promote({ client })).toMatchObject({ promoted: 0, nextDueMs: undefined });
      expect(await numbered("q")).toEqual([0, 1, 2, 3]);
      expect(await delayedNames()).toEqual([]);
    });

    test("one from the middle is cancelled", async () => {
      const client = interrupted(() =>
        world.send(["LREM", LIST, 0, items[2] as string], ["DEL", `resque:timestamps:${items[2]}`]),
      );
      expect(await world.promote({ client })).toMatchObject({ promoted: 3, nextDueMs: undefined });
      expect(await numbered("q")).toEqual([0, 1, 3]);
      expect(await delayedNames()).toEqual([]);
    });

    test("further ones arrive", async () => {
      const client = interrupted(() => world.delay(NOW_SECONDS, rubyItem("b", 4)));
      expect(await world.promote({ client })).toMatchObject({ promoted: 5, nextDueMs: undefined });
      expect(await numbered("q")).toEqual([0, 1, 2, 3]);
      expect(await numbered("b")).toEqual([4]);
      expect(await delayedNames()).toEqual([]);
    });

    test("all is gone and others have come, alike but for bytes that no client sees", async () => {
      const alike = Buffer.from('{"class":"A","args":["\xff"],"queue":"q"}', "latin1");
      const other = Buffer.from('{"class":"A","args":["\xfe"],"queue":"q"}', "latin1");
      await world.send(["DEL", LIST], ["RPUSH", LIST, alike]);
      const client = interrupted(() => world.send(["DEL", LIST], ["RPUSH", LIST, other, rubyItem("q", "\uFFFD")]));
      expect(await world.promote({ client })).toMatchObject({ promoted: 2, nextDueMs: undefined });
      expect((await world.bytes("resque:queue:q"))[0]).toBe('{"class":"A","args":["\xfe"]}');
    });

    test("all is gone and one for another queue has come, it too with bytes that no client sees", async () => {
      const one = Buffer.from('{"class":"A","args":["\xff"],"queue":"q"}', "latin1");
      const other = Buffer.from('{"class":"A","args":["\xff"],"queue":"b"}', "latin1");
      await world.send(["DEL", LIST], ["RPUSH", LIST, one]);
      const client = interrupted(() => world.send(["DEL", LIST], ["RPUSH", LIST, other]));
      expect(await world.promote({ client })).toMatchObject({ promoted: 1, failed: 0, nextDueMs: undefined });
      expect(await world.bytes("resque:queue:b")).toEqual(['{"class":"A","args":["\xff"]}']);
    });

    test("a resque-scheduler becomes the leader", async () => {
      const client = interrupted(() => world.send(["SET", world.keys.rubySchedulerLock, "host:1"]));
      const ended = await world.promote({ client });
      expect(ended).toMatchObject({ promoted: 0, failed: 0, nextDueMs: NOW_MS + 5_000, requests: 3 });
      expect(await world.queued("q")).toEqual([]);
      expect((await world.everything())[LIST]).toEqual(items);
    });
  });

  test("gives up for now what others change again and again", async () => {
    let n = 0;
    await world.delay(NOW_SECONDS, rubyItem("q", n));
    const client = carriedClient(world.client, async ({ names, deliver }) => {
      if (names.includes("promote-delayed")) await world.send(["LPOP", LIST], ["RPUSH", LIST, rubyItem("q", ++n)]);
      return deliver();
    });
    expect(await world.promote({ client })).toMatchObject({ promoted: 0, nextDueMs: NOW_MS + 5_000 });
    expect(await world.promote()).toMatchObject({ promoted: 1, nextDueMs: undefined });
  });

  test.each(["promote-delayed", "promote-retries", "read-delayed"])(
    "repeats what it does not know of: the reply of %s",
    async (script) => {
      await world.delay(NOW_SECONDS, ...[0, 1, 2].map((n) => rubyItem("q", n)), "no job");
      for (let n = 3; n < 6; n++) await world.wait(NOW_MS, "b", payload(n));
      let isLost = false;
      const client = carriedClient(world.client, async ({ names, deliver }) => {
        const reply = await deliver();
        if (isLost || !names.includes(script)) return reply;
        isLost = true;
        throw new StoreError("unavailable", "lost");
      });
      const options = { client, queues: ["b"] };
      await expect(world.promote(options)).rejects.toThrow("lost");
      await world.promote(options);
      expect(await numbered("q")).toEqual([0, 1, 2]);
      expect(await numbered("b")).toEqual([3, 4, 5]);
      expect(await world.failed()).toHaveLength(1);
      expect(await delayedNames()).toEqual([]);
    },
  );

  test("a late duplicate of a call finds nothing to do", async () => {
    const calls: (() => Promise<unknown>)[] = [];
    const client = carriedClient(world.client, ({ deliver }) => {
      calls.push(deliver);
      return deliver();
    });
    await world.delay(NOW_SECONDS, rubyItem("q", 0), rubyItem("q", 1));
    await world.wait(NOW_MS, "q", payload(2));
    await world.promote({ client });
    await world.delay(NOW_SECONDS, nodeItem("q", 0));
    const before = await world.everything();
    for (const call of calls) await call();
    expect(await world.everything()).toEqual(before);
    expect(await numbered("q")).toEqual([2, 0, 1]);
  });

  test("ten at once promote each job once", async () => {
    for (let n = 0; n < 300; n++) await world.delay(NOW_SECONDS - (n % 40), (n % 2 ? rubyItem : nodeItem)("q", n));
    for (let n = 300; n < 600; n++) await world.wait(NOW_MS - n, "b", payload(n));
    const clients = Array.from({ length: 10 }, () => world.setup.newClient());
    const ended = await Promise.all(clients.map((client) => world.promote({ client, queues: [] })));
    // Those that came too late each time have left it to the others.
    expect(ended.reduce((sum, { promoted }) => sum + promoted, 0)).toBe(600);
    const all = [...(await numbered("q")), ...(await numbered("b"))].map(Number).sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect(await delayedNames()).toEqual([]);
  });
});

// Only a real redis-server has ACLs and limits, and it refuses a command the same way over TCP and HTTP.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");

describe.skipIf(!setup)("promotion, refused a command", () => {
  let world: DelayedWorld;
  let client: RedisClient | undefined;
  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openDelayedWorld(setup);
  });
  afterAll(async () => {
    await client?.close();
    await world[Symbol.asyncDispose]();
  });
  beforeEach(() => world.flush());

  const refuse = async (command: string): Promise<RedisClient> => {
    await client?.close();
    await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
    client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
    return client;
  };
  const census = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const [key, value] of Object.entries(await world.everything())) {
      if (!/queue:|failed$|delayed:|retries/.test(key)) continue;
      const texts = Array.isArray(value) ? value : Object.keys(value);
      found.push(...texts.flatMap((text) => [...text.matchAll(/#(\d+)#/g)].map(([, number]) => String(number))));
    }
    return found.toSorted();
  };
  const fill = async (): Promise<void> => {
    const items = ["#0#", "#1#", "#2#", "#3#"].map((id) => rubyItem("a", id));
    await world.delay(NOW_SECONDS - 1, "no job #12#", ...items, rubyItem("b", "#4#"));
    await world.delay(NOW_SECONDS, rubyItem("b", "#5#"), "no job #6#", rubyItem("a", "#7#"));
    await world.delay(NOW_SECONDS + 1, items[0] as string);
    await world.wait(NOW_MS, "a", payload("#8#"));
    await world.wait(NOW_MS, "b", payload("#9#"));
    await world.send(["ZADD", world.keys.retries, 1, "no job #13#"]);
    // What was there before is not what is taken back.
    await world.send(["RPUSH", world.keys.failed, '"#10#"'], ["RPUSH", world.keys.queue("b"), payload("#11#")]);
  };
  /** Jobs that have failed, as the statistics tell it. */
  const counted = (): Promise<(string | null)[]> =>
    Promise.all([world.get(world.keys.processed), world.get(world.keys.failures)]);

  const COMMANDS = [
    "sadd",
    "rpush",
    "incrby",
    "lrange",
    "ltrim",
    "del",
    "sunion",
    "srem",
    "zrem",
    "rpop",
    "zrangebyscore",
    "exists",
  ];
  test.each(COMMANDS)("%s, neither loses a job nor queues it twice", async (command) => {
    await fill();
    const before = await census();
    const refused = await refuse(command);
    for (const maxJobs of [3, 3, 100, 100]) {
      await world.promote({ client: refused, maxJobs }).catch((error: unknown) => {
        expect(error).toMatchObject({ name: "StoreError", message: expect.stringMatching(/user/i) });
      });
      expect(await census()).toEqual(before);
      const failures = (await world.failed()).length - 1;
      expect((await counted()).map(Number)).toEqual([failures, failures]);
    }
    await world.promote();
    expect(await census()).toEqual(before);
    expect([...(await world.queued("a")), ...(await world.queued("b"))]).toHaveLength(10);
    expect(await counted()).toEqual(["3", "3"]);
  });

  test.each(["sadd", "rpush", "zrem"])("%s, tells it of jobs that wait for their next attempt", async (command) => {
    await world.wait(NOW_MS, "q", payload(1));
    await expect(world.promote({ client: await refuse(command) })).rejects.toThrow(/user/i);
    expect(await world.promote()).toMatchObject({ promoted: 1 });
  });

  test("hdel, moves a job whose place under a limit ends with its lease", async () => {
    await world.wait(NOW_MS, "q", payload(1), { detached: true, limited: true });
    expect(await world.promote({ client: await refuse("hdel") })).toMatchObject({ promoted: 1, failed: 0 });
    expect(await world.queued("q")).toEqual([payload(1)]);
  });

  test("because the database is full, changes nothing", async () => {
    await fill();
    await world.promote({ redisNowMs: 0 });
    await world.send(["CONFIG", "SET", "maxmemory", 1]);
    const before = await world.everything();
    await expect(world.promote()).rejects.toMatchObject({ reason: "full" });
    expect(await world.everything()).toEqual(before);
    await world.send(["CONFIG", "SET", "maxmemory", 0]);
    expect(await world.promote()).toMatchObject({ promoted: 9, failed: 3 });
    expect(await world.queued("a")).toHaveLength(6);
  });
});
