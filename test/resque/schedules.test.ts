import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { EncodedJob } from "../../src/resque/encoded-job.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { parseRubyTime } from "../../src/resque/ruby-time.ts";
import { createScheduleStore, type ScheduleHandling, type ScheduleStore } from "../../src/resque/schedules.ts";
import { openWorld, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

const NOW_MS = Date.UTC(2026, 10, 20, 18, 50, 57, 123);
const NOW_TEXT = "2026-11-20 18:50:57 +0000";
const LOCK = "resque:resque:resque_scheduler_master_lock";

const jobs = (...payloads: string[]): EncodedJob[] => payloads.map((payload) => ({ queue: "q", payload }));
const handling = (name: string, members: Partial<ScheduleHandling> = {}): ScheduleHandling => {
  const defaults = { before: undefined, after: "new", isPersistent: false, queue: "q", jobs: jobs(`"${name}"`) };
  return { name, ...defaults, ...members };
};

test("the lock of Ruby's scheduler has the namespace twice, and a prefix if one is given", () => {
  expect(createKeys().rubySchedulerLock).toBe(LOCK);
  expect(createKeys("app:").rubySchedulerLock).toBe("app:app:resque_scheduler_master_lock");
  expect(createKeys("a:b").prefixedSchedulerLock("MyApp")).toBe("a:b:a:b:MyApp:resque_scheduler_master_lock");
});

test.each([
  ["2026-11-20 18:50:57 +0000", NOW_MS - 123],
  ["2026-11-20 19:50:57 +0100", NOW_MS - 123],
  ["2026-11-20 18:50:57 UTC", NOW_MS - 123],
  ["2026-11-20T18:50:57.123Z", NOW_MS],
  ["2026-11-20T13:50:57-05:00", NOW_MS - 123],
])("reads the time %j as Ruby wrote it", (text, ms) => {
  expect(parseRubyTime(text)).toBe(ms);
});

test.each(["", "yesterday", "2026-11-20", "2026-11-20 18:50:57", "2026-13-20 18:50:57 UTC", "20/11/2026 10:00:00 UTC"])(
  "%j is no time of Ruby's",
  (text) => {
    expect(parseRubyTime(text)).toBeUndefined();
  },
);

describe.each(setups())("schedules over $name", (kind) => {
  let world: World;
  let store: ScheduleStore;
  beforeAll(async () => {
    world = await openWorld(kind);
    store = createScheduleStore(world.client, world.keys);
    // The first call of a script costs one more, for the server does not know it yet.
    await handle(handling("a"));
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const handle = async (...handlings: ScheduleHandling[]) => {
    const usage = { commands: 0, requests: 0 };
    const results = await store.handle(handlings, NOW_MS, usage);
    const ends = results.map((result) => (result.kind === "refused" ? result.reason : result.kind));
    return { results: ends, commands: usage.commands };
  };
  const usage = { commands: 0, requests: 0 };

  test("one step writes the state, the queue, its jobs, and when that was", async () => {
    const result = await handle(handling("a", { jobs: jobs('{"class":"A"}', '{"class":"B"}') }));
    expect(result).toEqual({ results: ["done"], commands: 6 });
    expect(await world.everything()).toEqual({
      "resque:airlift:cron": { a: "new" },
      "resque:delayed:last_enqueued_at": { a: NOW_TEXT },
      "resque:queue:q": ['{"class":"A"}', '{"class":"B"}'],
      "resque:queues": { q: true },
    });
  });

  test("repeated, it does nothing", async () => {
    await handle(handling("a"));
    const before = await world.everything();
    expect(await handle(handling("a"))).toEqual({ results: ["lost"], commands: 2 });
    expect(await handle(handling("a", { before: "older" }))).toEqual({ results: ["lost"], commands: 2 });
    expect(await world.everything()).toEqual(before);
  });

  test("each schedule stands for itself, and the cost is that of the queues", async () => {
    await world.send(["HSET", world.keys.cron, "b", "by another"]);
    const results = await handle(
      handling("a"),
      handling("b"),
      handling("c", { queue: "r", jobs: jobs('"c1"', '"c2"') }),
      handling("d"),
      handling("e", { jobs: [] }),
      handling("f", { before: "by another" }),
    );
    expect(results).toEqual({ results: ["done", "lost", "done", "done", "done", "lost"], commands: 7 });
    expect(await world.queued("q")).toEqual(['"a"', '"d"']);
    expect(await world.queued("r")).toEqual(['"c1"', '"c2"']);
    expect(await world.everything()).toMatchObject({
      "resque:airlift:cron": { a: "new", b: "by another", c: "new", d: "new", e: "new" },
      "resque:delayed:last_enqueued_at": { a: NOW_TEXT, c: NOW_TEXT, d: NOW_TEXT },
    });
  });

  test("without jobs only the state changes", async () => {
    expect(await handle(handling("a", { jobs: [] }))).toEqual({ results: ["done"], commands: 3 });
    expect(await world.everything()).toEqual({ "resque:airlift:cron": { a: "new" } });
    expect(await handle(handling("a", { before: "new", after: undefined, jobs: [] }))).toEqual({
      results: ["done"],
      commands: 3,
    });
    expect(await world.keyNames()).toEqual([]);
  });

  test("what Ruby's scheduler leads is left alone, and nothing else", async () => {
    await world.send(["SET", LOCK, "host:1"]);
    const both = [
      handling("code"),
      handling("ruby", { isPersistent: true }),
      handling("ruby2", { isPersistent: true }),
    ];
    expect(await handle(...both)).toEqual({ results: ["done", "lost", "lost"], commands: 7 });
    expect(await world.queued("q")).toEqual(['"code"']);
    await world.send(["DEL", LOCK]);
    expect(await handle(...both)).toEqual({ results: ["lost", "done", "done"], commands: 7 });
    expect(await world.queued("q")).toEqual(['"code"', '"ruby"', '"ruby2"']);
  });

  test("jobs that a queue does not take are not lost: their schedules' states are put back, the others go on", async () => {
    await world.send(["SET", world.keys.queue("broken"), "no list"], ["HSET", world.keys.cron, "old", "before"]);
    const { results } = await handle(
      handling("new", { queue: "broken" }),
      handling("fine"),
      handling("old", { queue: "broken", before: "before" }),
    );
    expect(results).toEqual([expect.stringContaining("WRONGTYPE"), "done", expect.stringContaining("WRONGTYPE")]);
    expect(await world.everything()).toMatchObject({
      "resque:airlift:cron": { fine: "new", old: "before" },
      "resque:delayed:last_enqueued_at": { fine: NOW_TEXT },
      "resque:queue:q": ['"fine"'],
    });
    await world.send(["DEL", world.keys.queue("broken")]);
    expect((await handle(handling("new", { queue: "broken" }))).results).toEqual(["done"]);
  });

  test("a unique job is enqueued if it gets its lock, and else dropped; what that costs is counted", async () => {
    const unique = (id: string, key = "resque:lock:k"): EncodedJob => {
      return { queue: "q", payload: `"${id}"`, lock: { key, id, ttlMs: 60_000, replaces: false } };
    };
    const [a, b, c] = [unique("a"), unique("b"), unique("c", "resque:lock:other")];
    if (kind.server === "redis-server") await world.countCommands();
    const meter = { commands: 0, requests: 0 };
    const results = await store.handle(
      [handling("x", { jobs: [a, ...jobs('"plain"'), b] }), handling("y", { jobs: [b, c] })],
      NOW_MS,
      meter,
    );
    if (kind.server === "redis-server") expect(await world.countCommands()).toBe(meter.commands);
    expect(meter.commands).toBe(6 + 4);
    expect(results).toEqual([
      { kind: "done", dropped: new Set([2]) },
      { kind: "done", dropped: new Set([0]) },
    ]);
    expect(await world.queued("q")).toEqual(['"a"', '"plain"', '"c"']);
    const { "resque:lock:k": lock } = await world.everything();
    expect(lock).toMatchObject({ value: expect.stringMatching(/^\d+\.a$/) });
    expect((lock as { ttlMs: number }).ttlMs).toBeGreaterThan(50_000);
  });

  test("a schedule all of whose jobs are dropped is done, and leaves no empty queue", async () => {
    await world.send(["SET", "resque:lock:k", "9.someone"]);
    const job = { queue: "q", payload: '"a"', lock: { key: "resque:lock:k", id: "a", ttlMs: 60_000, replaces: false } };
    expect((await handle(handling("x", { jobs: [job] }))).results).toEqual(["done"]);
    expect(await world.keyNames()).not.toContain("resque:queue:q");
    expect(await world.get("resque:lock:k")).toBe("9.someone");
  });

  test("a last_enqueued_at that cannot be written keeps no job", async () => {
    await world.send(["SET", world.keys.lastEnqueuedAt, "no hash"]);
    expect((await handle(handling("a"))).results).toEqual(["done"]);
    expect(await world.queued("q")).toEqual(['"a"']);
  });

  test("what costs what is counted as it is", async () => {
    if (kind.server !== "redis-server") return expect(kind.server).toBe("embedded");
    const some = [handling("a"), handling("b", { queue: "r" }), handling("c", { isPersistent: true })];
    await world.send(["SET", world.keys.queue("broken"), "no list"]);
    await handle(...some);
    await world.countCommands();
    for (const handlings of [
      some,
      [handling("d", { queue: "broken" }), handling("e"), handling("f", { jobs: [] })],
      [handling("e", { before: "new", after: undefined, jobs: [] })],
    ]) {
      const { commands } = await handle(...handlings);
      expect(await world.countCommands()).toBe(commands);
    }
  });

  test("as many schedules and jobs as there may be go in calls that each Redis takes", async () => {
    const many = Array.from({ length: 1_500 }, (_, n) =>
      handling(`s${n}`, { queue: `q${n % 7}`, jobs: jobs(...Array.from({ length: 8 }, (_, job) => `"${n}-${job}"`)) }),
    );
    const { results } = await handle(...many);
    expect(new Set(results)).toEqual(new Set(["done"]));
    const queued = await Promise.all(Array.from({ length: 7 }, (_, n) => world.queued(`q${n}`)));
    expect(queued.flat()).toHaveLength(12_000);
    expect(queued[3]).toEqual(
      many.filter(({ queue }) => queue === "q3").flatMap((each) => each.jobs.map(({ payload }) => payload)),
    );
  });

  test("reading takes two commands, with Redis' own schedules four", async () => {
    await world.send(
      ["HSET", world.keys.cron, "a", "state of a", "b", "state of b"],
      ["HSET", world.keys.persistentSchedules, "é", '{"every":"1h"}'],
    );
    const meter = { commands: 0, requests: 0 };
    const some = await store.read({ names: ["a", "x"], persistent: false }, meter);
    expect(some).toMatchObject({ states: new Map([["a", "state of a"]]), persistent: new Map(), isLedByRuby: false });
    expect(Math.abs(some.timeMs - Date.now())).toBeLessThan(60_000);
    expect(meter).toEqual({ commands: 2, requests: 1 });
    await world.send(["SET", LOCK, "host:1"]);
    expect(await store.read({ names: ["a"], persistent: true }, meter)).toMatchObject({
      states: new Map([
        ["a", "state of a"],
        ["b", "state of b"],
      ]),
      persistent: new Map([["é", '{"every":"1h"}']]),
      isLedByRuby: true,
    });
    expect(meter).toEqual({ commands: 6, requests: 2 });
    expect((await store.read({ names: [], persistent: false }, meter)).states.size).toBe(0);
    expect(meter).toEqual({ commands: 7, requests: 3 });
  });

  test("a scheduler with a lock prefix is another one", async () => {
    const prefixed = createScheduleStore(world.client, world.keys, "MyApp");
    await world.send(["SET", LOCK, "host:1"]);
    expect(await prefixed.read({ names: [], persistent: true }, usage)).toMatchObject({ isLedByRuby: false });
    await world.send(["SET", "resque:resque:MyApp:resque_scheduler_master_lock", "host:1"]);
    expect(await prefixed.read({ names: [], persistent: true }, usage)).toMatchObject({ isLedByRuby: true });
  });

  test("when schedules were last enqueued is read in Ruby's form and in no other", async () => {
    await world.send(["HSET", world.keys.lastEnqueuedAt, "a", "2026-11-20 19:50:57 +0100", "b", "never"]);
    expect(await store.readLastEnqueued(["a", "b", "c"], usage)).toEqual(new Map([["a", NOW_MS - 123]]));
    expect(await store.readLastEnqueued([], usage)).toEqual(new Map());
  });

  test("a definition is written and removed as Ruby does", async () => {
    await store.define("a", '{"every":"1h"}', "state", usage);
    await store.define("b", '{"every":"2h"}', undefined, usage);
    expect(await world.everything()).toEqual({
      "resque:airlift:cron": { a: "state" },
      "resque:persistent_schedules": { a: '{"every":"1h"}', b: '{"every":"2h"}' },
      "resque:schedules_changed": { a: true, b: true },
    });
    expect(await store.remove("a", usage)).toBe(true);
    expect(await store.remove("a", usage)).toBe(false);
    expect(await world.everything()).toEqual({
      "resque:persistent_schedules": { b: '{"every":"2h"}' },
      "resque:schedules_changed": { a: true, b: true },
    });
  });
});

// Only a real redis-server has ACLs and a limit to its memory.
const [real] = setups().filter(({ name }) => name === "redis-server-tcp");
describe.skipIf(!real)("a Redis that refuses commands", () => {
  test.each(["hset", "rpush", "sadd", "set", "hmget", "exists", "evalsha"])(
    "%s: no tick is lost, and none is enqueued twice",
    async (command) => {
      await using world = await openWorld(real as NonNullable<typeof real>);
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
      const client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      const lock = { key: "resque:lock:k", id: "a", ttlMs: 60_000, replaces: false };
      const handlings = [
        handling("a", { jobs: [{ queue: "q", payload: '"a"', lock }] }),
        handling("b", { isPersistent: true, queue: "r" }),
      ];
      const meter = { commands: 0, requests: 0 };
      const attempt = () => createScheduleStore(client, world.keys).handle(handlings, NOW_MS, meter);
      for (let times = 0; times < 2; times++) {
        await attempt().catch((error: unknown) => {
          expect(error).toMatchObject({ name: "StoreError", reason: "rejected" });
        });
        expect(await world.queued("q")).toEqual([]);
        expect(await world.get(lock.key)).toBe(null);
        // Of `b` there may be a state: its queue may take its job where that of `a` gets no lock.
        expect((await world.everything())[world.keys.cron] ?? {}).not.toHaveProperty("a");
      }
      await world.send(["ACL", "SETUSER", "someone", "+@all"]);
      expect((await attempt())[0]?.kind).toBe("done");
      expect([await world.queued("q"), await world.queued("r")]).toEqual([['"a"'], ['"b"']]);
      await client.close();
    },
  );

  test("a full one refuses the whole step", async () => {
    await using world = await openWorld(real as NonNullable<typeof real>);
    const store = createScheduleStore(world.client, world.keys);
    await world.send(["CONFIG", "SET", "maxmemory", "1"]);
    const meter = { commands: 0, requests: 0 };
    await expect(store.handle([handling("a")], NOW_MS, meter)).rejects.toMatchObject({ reason: "full" });
    await world.send(["CONFIG", "SET", "maxmemory", "0"]);
    expect(await world.keyNames()).toEqual([]);
    expect(await store.handle([handling("a")], NOW_MS, meter)).toEqual([{ kind: "done", dropped: new Set() }]);
  });
});
