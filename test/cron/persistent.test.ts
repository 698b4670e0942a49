import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { setups } from "../support/setups.ts";
import { openScheduleWorld, type ScheduleWorld, START_MS } from "./schedule-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LOCK = "resque:resque:resque_scheduler_master_lock";
const at = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

describe.each(setups())("schedules in Redis over $name", (kind) => {
  let world: ScheduleWorld;
  beforeAll(async () => {
    world = await openScheduleWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    await world.flush();
    world.nowMs = START_MS;
  });
  const define = async (name: string, config: object | string): Promise<void> => {
    const json = typeof config === "string" ? config : JSON.stringify(config);
    await world.send(["HSET", world.keys.persistentSchedules, name, json], ["SADD", world.keys.schedulesChanged, name]);
  };
  const report = { cron: "0 * * * *", class: "Report", queue: "mail", args: { a: [] }, description: "hourly report" };

  test("are enqueued as Ruby's scheduler would", async () => {
    await define("report", report);
    await define("tea", { every: ["15m", { first_in: "1m" }], class: "MakeTea", queue: "kitchen", args: "green" });
    const host = world.host({ persistent: true });
    expect(await host.tick()).toMatchObject({ ticked: [], nextDueMs: START_MS + MINUTE, againMs: START_MS + MINUTE });
    world.nowMs += MINUTE;
    expect((await host.tick()).ticked.map(({ name }) => name)).toEqual(["tea"]);
    world.nowMs = START_MS + HOUR;
    expect((await host.tick()).ticked.map(({ name }) => name).sort()).toEqual(["report", "tea"]);
    expect(await world.queued("kitchen")).toEqual(Array(2).fill('{"class":"MakeTea","args":["green"]}'));
    expect(await world.queued("mail")).toEqual(['{"class":"Report","args":[{"a":[]}]}']);
    // What Ruby's scheduler still has to read is not ours to take.
    expect((await world.everything())["resque:schedules_changed"]).toEqual({ report: true, tea: true });
    expect(host.log).toEqual([]);
  });

  test("a drain that goes on looks for new ones each minute", async () => {
    await define("yearly", { ...report, cron: "@yearly" });
    const host = world.host({ persistent: true });
    expect((await host.tick()).againMs).toBe(START_MS + MINUTE);
    await define("soon", { ...report, cron: "* * * * *" });
    world.nowMs += MINUTE;
    await host.tick();
    world.nowMs += MINUTE;
    expect((await host.tick()).ticked.map(({ name }) => name)).toEqual(["soon"]);
  });

  test("are left to Ruby's scheduler while it holds its lock; schedules in code are not", async () => {
    await define("report", report);
    const host = world.host({
      persistent: true,
      schedules: [{ name: "code", cron: "0 * * * *", class: "Code", queue: "code" }],
    });
    await host.tick();
    await world.send(["SET", LOCK, "host:1", "EX", 180]);
    world.nowMs += HOUR;
    const { ticked, nextDueMs } = await host.tick();
    expect(ticked.map(({ name }) => name)).toEqual(["code"]);
    expect(nextDueMs).toBe(START_MS + 2 * HOUR);
    expect(await world.queued("mail")).toEqual([]);
  });

  test("when Ruby's scheduler is gone, what it has not enqueued is made up for, and nothing else", async () => {
    await define("report", report);
    await define("other", { ...report, queue: "other" });
    const host = world.host({ persistent: true, missed: "all" });
    await host.tick();
    // Ruby led for five hours, and died before it came to the last tick of one of the two.
    const enqueuedAt = START_MS + 5 * HOUR;
    await world.send([
      ...["HSET", world.keys.lastEnqueuedAt, "report", `${at(enqueuedAt + HOUR)} +0100`],
      ...["other", `${at(enqueuedAt - HOUR)} +0000`],
    ]);
    world.nowMs = enqueuedAt + 3 * MINUTE;
    const { ticked } = await host.tick();
    expect(ticked).toEqual([{ name: "other", class: "Report", queue: "other", jobs: 1, tickMs: enqueuedAt }]);
    expect((await host.tick()).ticked).toEqual([]);
    world.nowMs += HOUR;
    expect((await host.tick()).ticked.map(({ name }) => name).sort()).toEqual(["other", "report"]);
  });

  test("Ruby's scheduler may come back between the look and the step", async () => {
    await define("report", report);
    await world.host({ persistent: true }).tick();
    world.nowMs += HOUR;
    const client = {
      ...world.timed,
      script: async (...call: Parameters<typeof world.timed.script>) => {
        await world.send(["SET", LOCK, "host:1"]);
        return world.timed.script(...call);
      },
    };
    expect((await world.host({ persistent: true, client }).tick()).ticked).toEqual([]);
    expect(await world.queued("mail")).toEqual([]);
  });

  test("one that is not understood is warned of once, and holds up no other", async () => {
    await define("broken", "{");
    await define("status", { ...report, custom_job_class: "JobWithStatus" });
    await define("report", report);
    const host = world.host({ persistent: true });
    await host.tick();
    world.nowMs += HOUR;
    expect((await host.tick()).ticked.map(({ name }) => name)).toEqual(["report"]);
    const warnings = [
      "broken: a schedule in Redis is left alone: it is not valid JSON",
      'status: a schedule in Redis is left alone: custom_job_class: only Ruby knows what "JobWithStatus" enqueues',
    ];
    expect(host.log.toSorted()).toEqual(warnings);
    await define("broken", "[");
    await host.tick();
    expect(host.log.toSorted()).toEqual([warnings[0], ...warnings]);
  });

  test("take the place of one in code with their name, wherever they are meant to run", async () => {
    const schedules = [{ name: "report", cron: "* * * * *", class: "Code", queue: "code" }];
    const host = world.host({ persistent: true, schedules, env: "staging" });
    const minutes = async (count: number): Promise<string[]> => {
      const names: string[] = [];
      for (let minute = 0; minute < count; minute++) {
        world.nowMs += MINUTE;
        names.push(...(await host.tick()).ticked.map((each) => each.class));
      }
      return names;
    };
    await host.tick();
    expect(await minutes(2)).toEqual(["Code", "Code"]);
    await define("report", { ...report, cron: "*/2 * * * *" });
    expect(await minutes(4)).toEqual(["Report", "Report"]);
    await define("report", { ...report, rails_env: "production" });
    expect(await minutes(4)).toEqual([]);
    await define("report", "not understood");
    expect(await minutes(2)).toEqual(["Code", "Code"]);
    await world.send(["HDEL", world.keys.persistentSchedules, "report"]);
    expect(await minutes(2)).toEqual(["Code", "Code"]);
    // Without the option there are only those in code.
    await define("report", report);
    expect(await world.host({ schedules }).tick()).toMatchObject({ nextDueMs: world.nowMs + MINUTE });
  });

  test("what is remembered of one that is removed is forgotten, and of no other", async () => {
    await define("report", report);
    const hosts = [
      world.host({ persistent: true }),
      world.host({ schedules: [{ name: "code", every: "1h", class: "A", queue: "q" }] }),
    ];
    for (const host of hosts) await host.tick();
    await world.send(["HDEL", world.keys.persistentSchedules, "report"]);
    for (const host of hosts) await host.tick();
    expect((await world.everything())["resque:airlift:cron"]).toEqual({ code: expect.any(String) });
    // Should it come back after a year, it starts anew.
    world.nowMs += 365 * 24 * HOUR;
    await define("report", report);
    expect((await world.host({ persistent: true }).tick()).ticked).toEqual([]);
  });

  test("a hundred are read, of which each is enqueued", async () => {
    const names = Array.from({ length: 100 }, (_, n) => `s${n}`);
    for (const name of names) await define(name, { ...report, queue: `q${name.length}`, args: [name] });
    const host = world.host({ persistent: true });
    await host.tick();
    world.nowMs += HOUR;
    expect((await host.tick()).enqueued).toBe(100);
    const args = [...(await world.queued("q2")), ...(await world.queued("q3"))].map((raw) => JSON.parse(raw).args[0]);
    expect(args.sort()).toEqual(names.sort());
  });
});
