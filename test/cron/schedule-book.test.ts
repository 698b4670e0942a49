import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { setups } from "../support/setups.ts";
import { openScheduleWorld, type ScheduleWorld, START_MS } from "./schedule-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LOCK = "resque:resque:resque_scheduler_master_lock";

describe.each(setups())("the list of schedules over $name", (kind) => {
  let world: ScheduleWorld;
  beforeAll(async () => {
    world = await openScheduleWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    await world.flush();
    world.nowMs = START_MS;
  });
  const tea = { every: "15m", class: "MakeTea", queue: "kitchen", args: "green", description: "a cup" };
  const persist = (name: string, json: string) => world.send(["HSET", world.keys.persistentSchedules, name, json]);

  test("shows each with its next tick and its last", async () => {
    const host = world.host({
      persistent: true,
      schedules: [
        { name: "code", cron: "30 9 * * 1-5 Europe/Berlin", class: "A", queue: "q", args: (tick) => [tick.getTime()] },
        { name: "fails", everyMs: 5_000, class: "B", queue: "q", args: () => JSON.parse("{") },
      ],
    });
    await host.set("tea", tea);
    const codeMs = START_MS - 30 * MINUTE + 72 * HOUR;
    const code = {
      name: "code",
      source: "code",
      state: "on",
      when: "30 9 * * 1-5 (Europe/Berlin)",
      class: "A",
      queue: "q",
    };
    const fails = { name: "fails", source: "code", state: "on", when: "every 5000 ms", class: "B", queue: "q" };
    const inRedis = {
      ...{ name: "tea", source: "persistent", state: "on", when: "every 15m", class: "MakeTea", queue: "kitchen" },
      ...{ args: ["green"], description: "a cup", nextMs: START_MS + 15 * MINUTE },
    };
    expect(await host.list()).toEqual([{ ...code, nextMs: codeMs, args: [codeMs] }, fails, inRedis]);
    await host.tick();
    world.nowMs += 20 * MINUTE;
    await host.tick();
    expect(await host.list()).toEqual([
      { ...code, nextMs: codeMs, args: [codeMs] },
      { ...fails, nextMs: world.nowMs + 5_000 },
      { ...inRedis, nextMs: START_MS + 30 * MINUTE, lastEnqueuedMs: world.nowMs },
    ]);
  });

  test("shows who runs those in Redis, and what is wrong with them", async () => {
    await persist("broken", "{");
    await persist("elsewhere", '{"cron":"0 * * * *","class":"A","queue":"q","rails_env":"staging"}');
    await persist("soon", '{"every":"soon","class":"A","queue":"q","description":"?"}');
    await persist("tea", JSON.stringify({ ...tea, every: undefined, cron: "@hourly" }));
    const schedules = [{ name: "tea", every: "1h", class: "Tea", queue: "q" }];
    const states = async (options: object) =>
      (await world.host({ schedules, ...options }).list()).map(({ name, source, state, nextMs }) => {
        return [name, source, state, nextMs === undefined ? "-" : nextMs - START_MS];
      });
    const others = [
      ["broken", "persistent", "problem", "-"],
      ["elsewhere", "persistent", "elsewhere", "-"],
      ["soon", "persistent", "problem", "-"],
    ];
    expect(await states({ persistent: true })).toEqual([
      ...others,
      ["tea", "code", "replaced", "-"],
      ["tea", "persistent", "on", HOUR],
    ]);
    expect(await states({})).toEqual([...others, ["tea", "code", "on", "-"], ["tea", "persistent", "unread", "-"]]);
    await world.send(["SET", LOCK, "host:1"]);
    expect((await states({ persistent: true })).at(-1)).toEqual(["tea", "persistent", "ruby", HOUR]);
    const [broken, , soon] = await world.host({}).list();
    expect(broken).toEqual({ name: "broken", source: "persistent", state: "problem", problem: "it is not valid JSON" });
    expect(soon).toMatchObject({ problem: expect.stringContaining("soon"), when: 'every "soon"', description: "?" });
  });

  test("writes and removes schedules in Ruby's form", async () => {
    const host = world.host({ persistent: true });
    await host.set("tea", { persist: true, ...tea, parameters: { sort: { default: "black" } } });
    expect(await world.everything()).toEqual({
      "resque:airlift:cron": { tea: expect.stringContaining(`"last":${START_MS}`) },
      "resque:persistent_schedules": {
        tea: `{"every":"15m","class":"MakeTea","queue":"kitchen","args":"green","description":"a cup","parameters":{"sort":{"default":"black"}}}`,
      },
      "resque:schedules_changed": { tea: true },
    });
    expect(await host.remove("tea")).toBe(true);
    expect(await host.remove("tea")).toBe(false);
    expect(await world.everything()).toEqual({ "resque:schedules_changed": { tea: true } });
  });

  test("the class of one without is its name, and the queue that of the app's class; both are written, as Ruby may know neither", async () => {
    const host = world.host({ persistent: true });
    await host.set("a", { every: "15m", class: "Known" });
    await host.set("Known", { every: "15m", queue: null as never, description: "b" });
    expect((await world.everything())["resque:persistent_schedules"]).toEqual({
      a: '{"every":"15m","class":"Known","queue":"known"}',
      Known: '{"class":"Known","every":"15m","queue":"known","description":"b"}',
    });
  });

  test("one that is written starts then, and goes on if its ticks are the same", async () => {
    const host = world.host({ persistent: true });
    await host.set("tea", tea);
    world.nowMs += 16 * MINUTE;
    expect((await host.tick()).enqueued).toBe(1);
    world.nowMs += 16 * MINUTE;
    await host.set("tea", { ...tea, args: "black" });
    expect((await host.tick()).enqueued).toBe(1);
    await host.set("tea", { ...tea, every: "1m" });
    expect(await host.tick()).toMatchObject({ enqueued: 0, nextDueMs: world.nowMs + MINUTE });
    world.nowMs += 24 * HOUR;
    // Removed by Ruby, and written again before a drain has looked.
    await world.send(["HDEL", world.keys.persistentSchedules, "tea"]);
    await host.set("tea", { ...tea, every: "1m" });
    expect((await host.tick()).enqueued).toBe(0);
    expect(await world.queued("kitchen")).toHaveLength(2);
  });

  test("one for another environment is written, too", async () => {
    const host = world.host({ persistent: true });
    await host.set("tea", { ...tea, rails_env: "staging" });
    expect((await host.list())[0]).toMatchObject({ state: "elsewhere", class: "MakeTea" });
  });

  test.each([
    [{ ...tea, every: "soon" }, 'schedule "s": every: "soon": expected a duration, as "30s" or "1h30m"'],
    [{ cron: "61 * * * *", class: "A", queue: "q" }, 'schedule "s": cron: "61 * * * *": Invalid value for minute: 61'],
    [{ every: "1m" }, 'schedule "s": queue: missing; Ruby takes it from the class s'],
    [{ ...tea, args: [Number.NaN] }, 'schedule "s": args: NaN at "0" has no JSON form'],
  ])("refuses to write %j", async (config, message) => {
    const host = world.host({});
    await expect(host.set("s", config)).rejects.toThrow(UsageError);
    await expect(host.set("s", config)).rejects.toThrow(message);
    await expect(host.set("", tea)).rejects.toThrow("schedule: name: expected a text");
    expect(await world.keyNames()).toEqual([]);
  });
});
