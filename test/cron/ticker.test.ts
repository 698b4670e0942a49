import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { StoreError } from "../../src/core/errors.ts";
import { defineJob } from "../../src/core/job.ts";
import type { ScheduleOptions } from "../../src/cron/cron.ts";
import { freeLocks, lockOf, type UniqueLock } from "../../src/resque/unique-lock.ts";
import { fatedClient } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { type Host, openScheduleWorld, type ScheduleWorld, START_MS } from "./schedule-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LOCK = "resque:resque:resque_scheduler_master_lock";

const hourly: ScheduleOptions = { name: "hourly", cron: "0 * * * *", class: "Report", queue: "mail", args: ["é", 1] };
const stamped: ScheduleOptions = {
  name: "stamped",
  every: "30s",
  class: "Sweep",
  queue: "low",
  missed: "all",
  args: (tick) => [tick.getTime()],
};

describe.each(setups())("schedules of drains over $name", (kind) => {
  let world: ScheduleWorld;
  beforeAll(async () => {
    world = await openScheduleWorld(kind);
    // The server then knows the script, and costs are those of every day.
    await world.host({ schedules: [hourly] }).tick();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    await world.flush();
    world.nowMs = START_MS;
  });
  const stamps = async (): Promise<number[]> => {
    return (await world.queued("low")).map((raw) => JSON.parse(raw).args[0]);
  };

  test("a tick that comes due is enqueued in Ruby's form, and told", async () => {
    const host = world.host({ schedules: [hourly] });
    expect(await host.tick()).toEqual({
      ticked: [],
      enqueued: 0,
      nextDueMs: START_MS + HOUR,
      againMs: START_MS + HOUR,
    });
    world.nowMs += HOUR + 5_000;
    const tickMs = START_MS + HOUR;
    expect(await host.tick()).toEqual({
      ticked: [{ name: "hourly", class: "Report", queue: "mail", jobs: 1, tickMs }],
      enqueued: 1,
      nextDueMs: START_MS + 2 * HOUR,
      againMs: START_MS + 2 * HOUR,
    });
    expect(await world.everything()).toEqual({
      "resque:airlift:cron": { hourly: expect.stringMatching(`^{"last":${tickMs},"specs":\\["[0-9a-f]{8}"\\]}$`) },
      "resque:delayed:last_enqueued_at": { hourly: "2026-11-20 10:00:05 +0000" },
      "resque:queue:mail": ['{"class":"Report","args":["é",1]}'],
      "resque:queues": { mail: true },
    });
    expect((await host.tick()).enqueued).toBe(0);
    expect(host.log).toEqual([]);
  });

  test("drains whose clocks differ by minutes, looking all at once, enqueue each tick once", async () => {
    const hosts = [-5 * MINUTE, -90_000, 0, 90_000, 5 * MINUTE, 24 * HOUR].map((skewMs) =>
      world.host({ schedules: [hourly, stamped], skewMs }),
    );
    for (let minutes = 0; minutes <= 120; minutes += 7) {
      world.nowMs = START_MS + minutes * MINUTE;
      const results = await Promise.all(hosts.map((host) => host.tick()));
      const ticked = results.flatMap((result) => result.ticked.map(({ name }) => name));
      expect(new Set(ticked).size).toBe(ticked.length);
    }
    expect(await world.queued("mail")).toHaveLength(1);
    expect(await stamps()).toEqual(Array.from({ length: 238 }, (_, n) => START_MS + (n + 1) * 30_000));
    expect(hosts.flatMap(({ log }) => log)).toEqual([]);
  });

  test("what comes due next is told by the host's own clock", async () => {
    const host = world.host({ schedules: [hourly], skewMs: -90_000 });
    expect((await host.tick()).nextDueMs).toBe(START_MS + HOUR - 90_000);
    world.nowMs += HOUR;
    expect((await host.tick()).enqueued).toBe(1);
  });

  test("one job makes up for an outage; all of them if asked for, and a warning if there are more than that", async () => {
    const host = world.host({
      schedules: [
        hourly,
        stamped,
        { ...stamped, name: "few", maxMissed: 3 },
        { ...stamped, name: "none", missed: "skip" },
      ],
    });
    await host.tick();
    world.nowMs += 10 * MINUTE;
    const { ticked } = await host.tick();
    expect(ticked.map(({ name, jobs }) => [name, jobs])).toEqual([
      ["stamped", 20],
      ["few", 3],
      ["none", 1],
    ]);
    expect(host.log).toEqual(["few: a schedule missed more than 3 ticks; the oldest are dropped"]);
    world.nowMs += 3 * HOUR - 9 * MINUTE;
    expect((await host.tick()).ticked.find(({ name }) => name === "hourly")?.jobs).toBe(1);
  });

  test("a tick that comes to light too late is dropped once, with a warning", async () => {
    const host = world.host({ schedules: [{ ...hourly, missed: "skip" }] });
    await host.tick();
    world.nowMs += HOUR + 6 * MINUTE;
    expect((await host.tick()).ticked).toEqual([
      { name: "hourly", class: "Report", queue: "mail", jobs: 0, tickMs: START_MS + HOUR },
    ]);
    expect((await host.tick()).ticked).toEqual([]);
    expect(host.log).toEqual(["hourly: a schedule's tick came to light too late and is dropped"]);
    expect(await world.keyNames()).toEqual(["resque:airlift:cron"]);
  });

  test("a schedule that is changed starts anew, without a burst", async () => {
    await world.host({ schedules: [hourly] }).tick();
    world.nowMs += 30 * HOUR;
    const changed = world.host({ schedules: [{ ...hourly, cron: "* * * * *", missed: "all" }] });
    expect(await changed.tick()).toMatchObject({ ticked: [], nextDueMs: START_MS + 30 * HOUR + MINUTE });
    world.nowMs += MINUTE;
    expect((await changed.tick()).enqueued).toBe(1);
  });

  test("lost requests, lost replies and their repetitions enqueue each tick once", async () => {
    const away = new StoreError("unavailable", "no answer");
    // Reading and handling each meet each fate.
    for (const [call, carriedOut] of [
      [1, false],
      [1, true],
      [2, false],
      [2, true],
    ] as const) {
      await world.flush();
      world.nowMs = START_MS;
      await world.host({ schedules: [stamped] }).tick();
      world.nowMs += 90_000;
      const client = fatedClient(world.timed, (n) => (n === call ? { carriedOut, error: away } : "ok"));
      const host = world.host({ schedules: [stamped], client });
      await expect(host.tick()).rejects.toBe(away);
      const again = await host.tick();
      expect(again.enqueued).toBe(call === 2 && carriedOut ? 0 : 3);
      expect(await stamps()).toEqual([1, 2, 3].map((n) => START_MS + n * 30_000));
    }
  });

  test("a request that arrives a second time, late, does nothing", async () => {
    await world.host({ schedules: [stamped] }).tick();
    const late: (() => Promise<unknown>)[] = [];
    const client = {
      ...world.timed,
      script: (...call: Parameters<typeof world.timed.script>) => {
        late.push(() => world.timed.script(...call));
        return world.timed.script(...call);
      },
    };
    const host = world.host({ schedules: [stamped], client });
    for (let n = 0; n < 3; n++) {
      world.nowMs += 30_000;
      await host.tick();
    }
    expect(late).toHaveLength(3);
    for (const arrive of late) await arrive();
    expect(await stamps()).toHaveLength(3);
  });

  test("an error that would come again is logged, keeps no queue waiting, and may be over a minute later", async () => {
    await world.send(["SET", world.keys.cron, "no hash"]);
    const host = world.host({ schedules: [hourly] });
    const againMs = world.nowMs + 60_000;
    expect(await host.tick()).toEqual({ ticked: [], enqueued: 0, nextDueMs: undefined, againMs });
    expect(host.log).toEqual([expect.stringMatching(/^: the schedules cannot be looked at: .*WRONGTYPE/)]);
  });

  test("a queue that refuses jobs, and arguments that cannot be made, hold up only their own schedules", async () => {
    let isBroken = true;
    const args = (tick: Date): readonly unknown[] => {
      if (isBroken) throw new Error("no database");
      return [tick.getTime()];
    };
    const host = world.host({
      schedules: [{ ...stamped, name: "args", args }, { ...stamped, name: "queue", queue: "broken" }, stamped],
    });
    await host.tick();
    await world.send(["SET", world.keys.queue("broken"), "no list"]);
    world.nowMs += MINUTE;
    expect((await host.tick()).ticked.map(({ name }) => name)).toEqual(["stamped"]);
    expect(host.log).toEqual([
      "args: a schedule's job cannot be made: no database",
      expect.stringMatching(/^queue: Redis refuses the jobs of a schedule: .*WRONGTYPE/),
    ]);
    isBroken = false;
    await world.send(["DEL", world.keys.queue("broken")]);
    const { ticked } = await host.tick();
    expect(ticked.map(({ name, jobs }) => [name, jobs])).toEqual([
      ["args", 2],
      ["queue", 2],
    ]);
  });

  test("a queue that is not said is that of the class", async () => {
    const { queue: _, ...known } = { ...stamped, class: "Known" };
    const host = world.host({ schedules: [known] });
    await host.tick();
    world.nowMs += 30_000;
    expect((await host.tick()).ticked[0]?.queue).toBe("known");
    expect(() => world.host({ schedules: [{ ...known, class: "Other" }] })).toThrow(
      'cron: schedule "stamped": queue: missing, and no definition of class "Other" has one',
    );
  });

  describe("of a class that the app defines", () => {
    const perform = () => undefined;
    const minute = { name: "minute", cron: "* * * * *", class: "Sync", queue: "q", missed: "all" } as const;
    const due = async (host: Host, minutes = 1): Promise<readonly number[]> => {
      world.nowMs += minutes * MINUTE;
      return (await host.tick()).ticked.map(({ jobs }) => jobs);
    };

    test("a unique job that still waits is not enqueued a second time", async () => {
      const definition = defineJob({ class: "Sync", unique: { until: "start" }, perform });
      const host = world.host({ schedules: [{ ...minute, args: ["a"] }], definition });
      await host.tick();
      expect(await due(host, 3)).toEqual([1]);
      expect(await due(host)).toEqual([0]);
      const [raw] = await world.queued("q");
      expect(raw).toMatch(/^\{"class":"Sync","args":\["a"\],"airlift":\{"unique":"s\w+"\}\}$/);
      expect(await world.queued("q")).toHaveLength(1);
      const { key, id } = lockOf(raw as string, "q", world.keys) as UniqueLock;
      expect(key).toBe('resque:lock:Sync:q:["a"]');
      await freeLocks(world.client, [{ key, id }]);
      expect(await due(host)).toEqual([1]);
      expect(host.told).toEqual([["a"], ["a"]]);
      expect(host.log).toEqual([]);
    });

    test("one whose newest arguments win takes the place of the one that waits", async () => {
      const unique = { until: "start", key: () => "all", onConflict: "replace" } as const;
      const definition = defineJob({ class: "Sync", unique, perform });
      const args = (tick: Date): readonly unknown[] => [tick.getTime()];
      const host = world.host({ schedules: [{ ...minute, args }], definition });
      await host.tick();
      expect(await due(host)).toEqual([1]);
      expect(await due(host, 2)).toEqual([2]);
      const waiting = (await world.queued("q")).map((raw) => JSON.parse(raw).args);
      expect(waiting).toEqual([[START_MS + 3 * MINUTE]]);
    });

    test("drains that look at the same time enqueue a unique job once, and its lock is that of the one that waits", async () => {
      const definition = defineJob({ class: "Sync", unique: { until: "done" }, perform });
      const hosts = [0, 1, 2].map(() => world.host({ schedules: [{ ...minute, args: ["a"] }], definition }));
      await hosts[0]?.tick();
      world.nowMs += MINUTE;
      await Promise.all(hosts.map((host) => host.tick()));
      const [raw, ...others] = await world.queued("q");
      expect(others).toEqual([]);
      expect(await freeLocks(world.client, [lockOf(raw as string, "q", world.keys) as UniqueLock])).toBe(1);
    });

    test("a queue that refuses a unique job leaves no lock behind", async () => {
      const definition = defineJob({ class: "Sync", unique: { until: "done" }, perform });
      const host = world.host({ schedules: [{ ...minute, args: ["a"] }], definition });
      await host.tick();
      await world.send(["SET", world.keys.queue("q"), "no list"]);
      expect(await due(host)).toEqual([]);
      expect(await world.keyNames()).not.toContain('resque:lock:Sync:q:["a"]');
      await world.send(["DEL", world.keys.queue("q")]);
      expect(await due(host)).toEqual([1]);
    });

    test("a job that a hook refuses is not enqueued; one that the class's schema refuses is logged", async () => {
      const definition = defineJob({ class: "Sync", args: z.tuple([z.string()]), perform });
      const host = world.host({
        schedules: [minute, { ...minute, name: "wrong", args: [5] }, { ...minute, name: "right", args: ["a"] }],
        definition,
      });
      await host.tick();
      world.nowMs += MINUTE;
      expect((await host.tick()).ticked.map(({ name, jobs }) => [name, jobs])).toEqual([
        ["minute", 0],
        ["right", 1],
      ]);
      expect(host.log).toEqual([expect.stringMatching(/^wrong: a schedule's job cannot be made: .*args/)]);
      expect(host.told).toEqual([["a"]]);
    });
  });

  describe("costs", () => {
    const spend = async (host: ReturnType<ScheduleWorld["host"]>): Promise<number> => {
      const before = host.usage.commands;
      if (kind.server === "redis-server") await world.countCommands();
      await host.tick();
      const spent = host.usage.commands - before;
      if (kind.server === "redis-server") expect(await world.countCommands()).toBe(spent);
      return spent;
    };

    test("a process that has just started reads in 2 commands, and then in none until something can be due", async () => {
      const host = world.host({ schedules: [hourly, stamped] });
      expect(await spend(host)).toBe(2 + 3);
      expect(await spend(host)).toBe(0);
      world.nowMs += 29_000;
      expect(await spend(host)).toBe(0);
      expect(await spend(world.host({ schedules: [hourly, stamped] }))).toBe(2);
      world.nowMs += 1_000;
      expect(await spend(host)).toBe(2 + 6);
      expect(await spend(host)).toBe(0);
    });

    test("what is due costs 5 commands and one for each queue", async () => {
      const host = world.host({ schedules: ["a", "b", "c", "d"].map((name) => ({ ...stamped, name, queue: name })) });
      expect(await spend(host)).toBe(2 + 3);
      world.nowMs += 10 * MINUTE;
      expect(await spend(host)).toBe(2 + 5 + 4);
    });

    test("however long nothing is due, Redis is asked again after ten minutes, and when the clock goes back", async () => {
      const host = world.host({ schedules: [{ ...hourly, cron: "0 0 1 1 *" }] });
      await host.tick();
      world.nowMs += 10 * MINUTE - 1;
      expect(await spend(host)).toBe(0);
      world.nowMs += 1;
      expect(await spend(host)).toBe(2);
      world.nowMs -= MINUTE;
      expect(await spend(host)).toBe(2);
    });

    test("with Redis' own schedules 4 commands at each look, and 2 more when one of those is due", async () => {
      const host = world.host({ schedules: [hourly], persistent: true });
      await world.send(["HSET", world.keys.persistentSchedules, "p", '{"every":"30s","class":"P","queue":"low"}']);
      expect(await spend(host)).toBe(4 + 4);
      expect(await spend(host)).toBe(4);
      world.nowMs += 30_000;
      expect(await spend(host)).toBe(4 + 1 + 7);
      await world.send(["SET", LOCK, "host:1"]);
      world.nowMs += 30_000;
      expect(await spend(host)).toBe(4);
    });

    test("no schedules cost nothing", async () => {
      expect(await spend(world.host({}))).toBe(0);
    });
  });
});
