import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { cron } from "../../../src/cron/cron.ts";
import type { OnEvent } from "../../../src/index.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import type { RubyProcess } from "./ruby-process.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

/** Far ahead, so that nobody promotes it. */
const LATER_SECONDS = 4_000_000_000;
const LOCK = "resque:resque:resque_scheduler_master_lock";

/** Arguments that JavaScript and Ruby write alike, each as JavaScript has them and as Ruby code. */
const ARGS: readonly (readonly [args: readonly unknown[], ruby: string])[] = [
  [[], "[]"],
  [[[], {}, [[]], { a: [], b: { c: {} } }], '[[], {}, [[]], {"a" => [], "b" => {"c" => {}}}]'],
  [
    ["é漢🚀", "\u2028<&>/", 'a"b\\c\n', ',"queue":"x"'],
    '["é漢🚀", "\\u2028<&>/", "a\\"b\\\\c\\n", ",\\"queue\\":\\"x\\""]',
  ],
  [[null, true, 0, -1, 1.5, 2n ** 70n], "[nil, true, 0, -1, 1.5, 2**70]"],
  [[{ queue: "b", args: [1] }], '[{"queue" => "b", "args" => [1]}]'],
];

describeBesideRuby("beside resque-scheduler", () => {
  const world = besideRuby();
  const app = (options: Parameters<typeof world.app>[0] | object = {}) =>
    world.app({ queues: ["mail"], jobs: [], ...options });
  const stop = async (scheduler: RubyProcess): Promise<void> => {
    scheduler.signal("SIGTERM");
    await scheduler.ended;
  };
  const start = async (): Promise<RubyProcess> => {
    const scheduler = world.start(["scheduler.rb"]);
    await eventually(() => world.redis.exists(LOCK));
    return scheduler;
  };
  const delayedKeys = async (): Promise<string[]> =>
    (await world.redis.keys("*")).filter((key) => /resque:(delayed|timestamps)/.test(key));

  test("its process promotes ours: Ruby's payloads in their queues, nothing left behind", async () => {
    const { redis } = world;
    const airlift = app();
    for (const [args] of ARGS) await airlift.enqueueIn(1_000, { queue: "mail", class: "Echo", args });
    await airlift.enqueueIn(1_000, { queue: "mail", class: "Unknown::ToRuby", args: [1] });
    await airlift.enqueueIn(1_000, { queue: "low", class: "Echo", args: [2] });
    await start();
    await eventually(async () => (await redis.llen("resque:queue:mail")) === ARGS.length + 1);
    // In order only within a second.
    const queued = await redis.lrange("resque:queue:mail", 0, -1);
    expect(queued.toSorted()).toEqual(
      [
        ...(await world.ruby<string[]>(
          "args.map { |text| Resque.encode(class: 'Echo', args: eval(text)) }",
          ...ARGS.map(([, ruby]) => ruby),
        )),
        '{"class":"Unknown::ToRuby","args":[1]}',
      ].sort(),
    );
    await eventually(async () => (await redis.llen("resque:queue:low")) === 1);
    await eventually(async () => (await delayedKeys()).length === 0);
  });

  test("we promote its: the handlers get Ruby's values, nothing is left behind", async () => {
    const { redis } = world;
    const seen: unknown[] = [];
    const echo = {
      class: "Echo",
      perform: (args: readonly unknown[], job: { raw: string }) => void seen.push([args, job.raw]),
    };
    const due = "Resque.redis.server_time.to_i - 1";
    for (const [, ruby] of [...ARGS, [[], "[1.0, 1e20]"]] as const) {
      await world.ruby(`Resque.delayed_push(${due}, class: "Echo", args: ${ruby}, queue: :mail); nil`);
    }
    const report = await app({ jobs: [echo], concurrency: 1 }).drain();
    expect(report).toMatchObject({ promoted: ARGS.length + 1, succeeded: ARGS.length + 1, failed: 0 });
    const payloads = await world.ruby<string[]>(
      "args.map { |text| Resque.encode(class: 'Echo', args: eval(text)) }",
      ...[...ARGS.map(([, ruby]) => ruby), "[1.0, 1e20]"],
    );
    expect(seen).toEqual([...ARGS.map(([args]) => args), [1, 1e20]].map((args, i) => [args, payloads[i]]));
    expect(await delayedKeys()).toEqual([]);
    expect(await world.ruby("[Resque.count_all_scheduled_jobs, Resque.delayed_queue_schedule_size]")).toEqual([0, 0]);
    expect(await redis.exists("resque:failed")).toBe(0);
  });

  test("the keys that we write for a delayed job are those that it writes", async () => {
    const { redis } = world;
    const contentOf = async (key: string): Promise<unknown> => {
      const type = await redis.type(key);
      if (type === "list") return redis.lrange(key, 0, -1);
      return type === "set" ? (await redis.smembers(key)).sort() : redis.zrange(key, 0, -1, "WITHSCORES");
    };
    const snapshot = async (): Promise<Record<string, unknown>> => {
      const keys = (await redis.keys("*")).sort();
      return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await contentOf(key)])));
    };
    const airlift = app();
    for (const [args] of ARGS) {
      await airlift.enqueueAt(LATER_SECONDS * 1_000 + 999, { queue: "mail", class: "Echo", args });
    }
    const ours = await snapshot();
    await redis.flushall();
    for (const [, ruby] of ARGS) await world.ruby(`Resque.enqueue_at(${LATER_SECONDS}.999r, Echo, *${ruby}); nil`);
    expect(await snapshot()).toEqual(ours);
    expect(Object.keys(ours)).toHaveLength(2 + ARGS.length);
  });

  test.each(ARGS.map(([args, ruby]) => [ruby, args] as const))(
    "it cancels ours, and we its: %s",
    async (ruby, args) => {
      const airlift = app();
      const ours = () => airlift.enqueueAt(LATER_SECONDS * 1_000, { queue: "mail", class: "Echo", args });
      const theirs = () => world.ruby(`Resque.enqueue_at(Time.at(${LATER_SECONDS}), Echo, *${ruby}); nil`);
      await ours();
      expect(await world.ruby(`Resque.delayed?(Echo, *${ruby})`)).toBe(true);
      expect(await world.ruby(`Resque.scheduled_at(Echo, *${ruby})`)).toEqual([LATER_SECONDS]);
      expect(await world.ruby(`Resque.remove_delayed(Echo, *${ruby})`)).toBe(1);
      await ours();
      expect(await world.ruby(`Resque.remove_delayed_job_from_timestamp(${LATER_SECONDS}, Echo, *${ruby})`)).toBe(1);
      await ours();
      expect(await world.ruby(`Resque.remove_delayed_in_queue(Echo, :mail, *${ruby})`)).toBe(1);
      await ours();
      expect(await world.ruby(`Resque.remove_delayed_selection(Echo) { |found| found == ${ruby} }`)).toBe(1);
      expect(await airlift.delayed.count()).toBe(0);
      await theirs();
      expect((await airlift.delayed.list()).jobs).toMatchObject([
        { class: "Echo", args, queue: "mail", atMs: LATER_SECONDS * 1_000 },
      ]);
      expect(await airlift.delayed.cancel({ class: "Echo", args, queue: "mail" })).toMatchObject({ cancelled: 1 });
      await theirs();
      expect(await airlift.delayed.reschedule({ class: "Echo", args }, LATER_SECONDS * 1_000 + 60_000)).toMatchObject({
        rescheduled: 1,
      });
      expect(await world.ruby(`Resque.scheduled_at(Echo, *${ruby})`)).toEqual([LATER_SECONDS + 60]);
      const [job] = (await airlift.delayed.list()).jobs;
      expect(await airlift.delayed.cancel({ ids: [job?.id ?? ""] })).toMatchObject({ cancelled: 1 });
      // What Ruby has emptied stays in its schedule until its scheduler comes by, and we pass over it.
      expect(await world.ruby("Resque.count_all_scheduled_jobs")).toBe(0);
      await world.ruby("Resque.reset_delayed_queue");
      expect(await delayedKeys()).toEqual([]);
    },
  );

  test("ours queued now by Ruby, and all of ours cleared by it", async () => {
    const { redis } = world;
    const airlift = app();
    for (const n of [1, 2]) await airlift.enqueueAt(LATER_SECONDS * 1_000, { queue: "mail", class: "Echo", args: [n] });
    await world.ruby("Resque.enqueue_delayed(Echo, 1)");
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual(['{"class":"Echo","args":[1]}']);
    await world.ruby("Resque.reset_delayed_queue");
    expect(await delayedKeys()).toEqual([]);
  });

  test("ten drains beside it, while it comes and goes: each job once", async () => {
    const ENOUGH = 20;
    const ours: number[] = [];
    let promotedByUs = 0;
    const airlift = app({
      jobs: [{ class: "Echo", perform: ([n]: readonly unknown[]) => void ours.push(n as number) }],
      onEvent: (event: Parameters<OnEvent>[0]) => {
        if (event.kind === "jobs-promoted") promotedByUs += event.promoted;
      },
    });
    let enqueued = 0;
    let isOver = false;
    world.cleanUp(async () => {
      isOver = true;
    });
    const repeat = async (run: () => Promise<unknown>): Promise<void> => {
      for (; !isOver; await delay(20)) await run();
    };
    const producer = repeat(async () => {
      // Well ahead: what comes into a second's list while resque-scheduler empties it, it drops.
      await airlift.enqueueIn(3_000, { queue: "mail", class: "Echo", args: [enqueued++] });
      await world.ruby("Resque.enqueue_in(3, Echo, args[0]); nil", enqueued++);
    });
    const drains = Array.from({ length: 10 }, () => repeat(() => airlift.drain()));
    for (let turn = 0; turn < 2; turn++) {
      const before = promotedByUs;
      await eventually(() => promotedByUs >= before + ENOUGH);
      const scheduler = await start();
      const [all, byUs] = [ours.length, promotedByUs];
      await eventually(() => ours.length - all >= promotedByUs - byUs + ENOUGH);
      await stop(scheduler);
    }
    isOver = true;
    await Promise.all([producer, ...drains]);
    await eventually(async () => {
      await airlift.drain();
      return (await delayedKeys()).length === 0;
    });
    await airlift.drain();
    expect(ours.toSorted((a, b) => a - b)).toEqual(Array.from({ length: enqueued }, (_, n) => n));
  });

  test("it was killed: what is due is left to it for 3 minutes, and then promoted", async () => {
    const scheduler = await start();
    await scheduler.kill();
    expect(await world.redis.exists(LOCK)).toBe(1);
    const push = (age: number): Promise<unknown> =>
      world.ruby(
        `Resque.delayed_push(Resque.redis.server_time.to_i - ${age}, class: "Echo", args: [${age}], queue: "mail"); nil`,
      );
    await push(60);
    await push(200);
    const seen: unknown[] = [];
    const echo = { class: "Echo", perform: ([age]: readonly unknown[]) => void seen.push(age) };
    expect(await app({ jobs: [echo] }).drain()).toMatchObject({ promoted: 1, succeeded: 1 });
    expect(seen).toEqual([200]);
    await world.redis.del(LOCK);
    expect(await app({ jobs: [echo] }).drain()).toMatchObject({ promoted: 1, succeeded: 1 });
    expect(await delayedKeys()).toEqual([]);
  });

  test("it runs the schedules that we write, learns of changes, and of their removal", async () => {
    const { redis } = world;
    const echo = { class: "OnlyHere", queue: "mail", perform: () => undefined };
    const airlift = app({ jobs: [echo], scheduler: cron({ persistent: true }) });
    await start();
    await airlift.schedules.set("tick", {
      every: "1s",
      class: "OnlyHere",
      args: ["tick", { k: [] }],
      description: "é",
    });
    expect(await world.ruby("Resque.reload_schedule!['tick']")).toEqual({
      ...{ every: "1s", class: "OnlyHere", args: ["tick", { k: [] }], description: "é", queue: "mail" },
    });
    await eventually(() => redis.llen("resque:queue:mail"));
    expect(await redis.lindex("resque:queue:mail", 0)).toBe('{"class":"OnlyHere","args":["tick",{"k":[]}]}');
    await eventually(async () => (await airlift.schedules.list())[0]?.lastEnqueuedMs);
    expect(await airlift.schedules.list()).toMatchObject([{ name: "tick", state: "ruby", when: "every 1s" }]);
    // A drain leaves them to it.
    const events: string[] = [];
    await airlift.drain({ onEvent: ({ kind }) => void events.push(kind) });
    expect(events).toContain("drain-ended");
    expect(events).not.toContain("schedule-ticked");
    await airlift.schedules.set("tick", { every: "1s", class: "Echo", queue: "low" });
    await eventually(() => redis.llen("resque:queue:low"));
    await airlift.schedules.remove("tick");
    await eventually(async () => (await redis.scard("resque:schedules_changed")) === 0);
    expect(await world.ruby("Resque.reload_schedule!")).toEqual({});
  });

  test("we run the schedules that Ruby writes, and it sees when", async () => {
    const { redis } = world;
    const seen: unknown[] = [];
    const echo = { class: "Echo", perform: (args: readonly unknown[]) => void seen.push(args) };
    const airlift = app({ jobs: [echo], scheduler: cron({ persistent: true }) });
    await world.ruby(`
      Resque.set_schedule("tick", { every: ["1s", { first_in: "1s" }], class: "Echo", queue: :mail, args: { a: 1.0 }, persist: true })
      Resque.set_schedule("yearly", { cron: "0 0 1 1 * Europe/Berlin", class: "Echo", queue: :mail, persist: true, description: "é" })
      nil`);
    expect(await airlift.schedules.list()).toMatchObject([
      {
        name: "tick",
        source: "persistent",
        state: "on",
        when: expect.stringContaining("every 1s"),
        class: "Echo",
        args: [{ a: 1 }],
      },
      { name: "yearly", state: "on", when: expect.stringContaining("Europe/Berlin"), description: "é" },
    ]);
    await eventually(async () => {
      await airlift.drain();
      return seen.length > 0;
    });
    expect(seen[0]).toEqual([{ a: 1 }]);
    expect(await world.ruby("(Time.parse(Resque.get_last_enqueued_at('tick')) - Time.now).abs < 30")).toBe(true);
    await world.ruby("Resque.remove_schedule('tick'); Resque.remove_schedule('yearly'); nil");
    expect(await airlift.schedules.list()).toEqual([]);
    expect(await redis.hlen("resque:persistent_schedules")).toBe(0);
  });

  test("it leads, stops, and leads again: a schedule's ticks go on, each enqueued by one of the two", async () => {
    const { redis } = world;
    const ticks: number[] = [];
    const echo = { class: "Tick", queue: "mail", perform: () => void ticks.push(Date.now()) };
    const airlift = app({ jobs: [echo], scheduler: cron({ persistent: true }) });
    const scheduler = await start();
    await airlift.schedules.set("tick", { cron: "* * * * * *", class: "Tick" });
    await eventually(async () => (await redis.llen("resque:queue:mail")) >= 2);
    await stop(scheduler);
    const byRuby = await redis.llen("resque:queue:mail");
    const begunMs = Date.now();
    await eventually(async () => {
      await airlift.drain();
      return ticks.length >= byRuby + 2;
    });
    // No second had more than one: what was made up for is one job.
    expect(ticks.length - byRuby).toBeLessThanOrEqual((Date.now() - begunMs) / 1_000 + 2);
  });
});
