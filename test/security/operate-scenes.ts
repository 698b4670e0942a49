import { expect } from "vitest";
import { retry } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import { cron } from "../../src/cron/cron.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { payloads } from "../conformance/world.ts";
import { createStage, type Scene, type Stage } from "./acl-world.ts";

const HOUR_MS = 3_600_000;
const jobs = [
  defineJob({
    class: "Noop",
    queue: "q",
    unique: { until: "done" },
    status: { ttlMs: 60_000 },
    perform: () => undefined,
  }),
];

/** Something of everything that can be looked at. */
async function furnish({ world }: Stage): Promise<void> {
  const { keys } = world;
  const app = createStage(world, world.client).app({ jobs });
  const perform = ([n]: readonly unknown[]) =>
    n === 0 ? retry({ afterMs: HOUR_MS }) : Promise.reject(new Error("no"));
  await world.push("q", ...payloads(3));
  await createStage(world, world.client)
    .app({ jobs: [defineJob({ class: "Noop", perform })], recordDrains: true })
    .drain();
  await app.enqueueAll(
    [1, 2].flatMap((n) => [
      { queue: "q", class: "Noop", args: [n] },
      { queue: "q", class: "Noop", args: [n + 10], inMs: HOUR_MS },
    ]),
  );
  const drain = world.drain({ slots: 1 });
  await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
  const ruby = "host:1:q";
  await world.send(
    ["SADD", keys.workers, ruby],
    ["SET", keys.worker(ruby), '{"queue":"q","run_at":"2026-11-20T18:50:57Z","payload":{"class":"A","args":[]}}'],
    ["HSET", keys.persistentSchedules, "daily", '{"cron":"0 0 * * *","class":"Noop","queue":"q"}'],
    ["RPUSH", keys.failedOf("q"), (await world.failed()).map((entry) => JSON.stringify(entry))[0] ?? "none"],
    ["SADD", keys.failedQueues, "q_failed"],
  );
}

/** Everything that looks and changes nothing. */
export const LOOK_SCENES: readonly Scene[] = [
  {
    name: "looks at everything",
    async play(stage) {
      await furnish(stage);
      const app = stage.app({ jobs, scheduler: cron({ persistent: true }), recordDrains: true });
      expect(await app.status()).toMatchObject({ workers: 2, drains: 1, delayed: 1, retries: expect.any(Number) });
      expect(await app.queues.list()).toMatchObject({ total: 1 });
      expect(await app.queues.peek("q")).toMatchObject({ jobs: [{ class: "Noop" }] });
      expect(await app.workers.list()).toMatchObject({ total: 2 });
      expect(await app.workers.drains()).toMatchObject({ drains: [{ isAlive: true }] });
      expect(await app.failed.lists()).toHaveLength(2);
      expect((await app.failed.list({ class: "Noop" })).jobs.length).toBeGreaterThan(0);
      expect((await app.retries.list()).jobs.length).toBe(await app.retries.count());
      expect((await app.delayed.list()).jobs).toHaveLength(await app.delayed.count());
      expect(await app.schedules.list()).toMatchObject([{ name: "daily" }]);
      expect(await app.paused()).toMatchObject({ everything: false });
      expect(await app.lastDrain()).toMatchObject({ stopped: expect.any(String) });
      expect((await app.failed.list({ list: "q_failed" })).total).toBe(1);
      expect(await app.jobs(["one"])).toEqual([undefined]);
      const health = await createHttpApp(stage.app({ jobs })).request("/health");
      expect(health.status).toBe(200);
    },
  },
];

/** Everything that changes something. */
export const OPERATE_SCENES: readonly Scene[] = [
  ...LOOK_SCENES,
  {
    name: "changes queues, retries, delayed jobs, failed jobs",
    async play(stage) {
      await furnish(stage);
      const app = stage.app({ jobs });
      const [failed] = (await app.failed.list()).jobs;
      if (!failed) throw new Error("nothing has failed");
      expect(await app.failed.retry({ ids: [failed.id] })).toMatchObject({ retried: 1 });
      expect(await app.failed.remove({ all: true })).toMatchObject({ removed: expect.any(Number) });
      expect(await app.failed.retry({ list: "q_failed", all: true, toQueue: "z" })).toMatchObject({ retried: 1 });
      expect(await app.failed.clear("q_failed")).toMatchObject({ removed: 1 });
      await app.retries.run({ all: true });
      await app.retries.remove({ all: true });
      const [delayed] = (await app.delayed.list()).jobs;
      if (!delayed) throw new Error("nothing is delayed");
      const moved = await app.delayed.reschedule({ ids: [delayed.id] }, Date.now() + 2 * HOUR_MS);
      expect(moved).toMatchObject({ rescheduled: 1 });
      expect(await app.delayed.cancel({ class: "Noop", args: [12], queue: "q" })).toMatchObject({ cancelled: 1 });
      // Of one second, two of them alike.
      const many = Array.from({ length: 300 }, (_, n) => ({ queue: "q", class: "Many", args: [Math.max(n, 1)] }));
      const at = Date.now() + HOUR_MS;
      await createStage(stage.world, stage.world.client)
        .app({ jobs })
        .enqueueAll(many.map((job) => ({ ...job, at })));
      expect(await app.delayed.cancel({ class: "Many" })).toMatchObject({ cancelled: 300 });
      expect(await app.queues.removeJobs("q", { class: "Noop", args: [2] })).toMatchObject({ removed: 2 });
      await app.queues.clear("q");
      await app.queues.remove("z");
    },
  },
  {
    name: "changes workers, schedules and pauses",
    async play(stage) {
      await furnish(stage);
      const app = stage.app({ jobs, scheduler: cron({ persistent: true }) });
      expect(await app.workers.prune("host:1:q")).toMatchObject({ pruned: true, jobFailed: true });
      await app.schedules.set("hourly", { cron: "0 * * * *", class: "Noop", queue: "q" });
      expect(await app.schedules.remove("hourly")).toBe(true);
      for (const target of [undefined, { queue: "q" }, { class: "Noop" }]) {
        await app.pause(target);
        await app.resume(target);
      }
      expect(await app.paused()).toEqual({ everything: false, queues: [], classes: [] });
    },
  },
];
