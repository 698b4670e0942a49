import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAdmin } from "../../src/admin.ts";
import { createAirlift } from "../../src/airlift.ts";
import { cron } from "../../src/cron/cron.ts";
import type { AirliftOptions } from "../../src/index.ts";
import { delayCommands } from "../../src/resque/delay.ts";
import { cutOut, readDelayedItem } from "../../src/resque/delayed-item.ts";
import { failedEntry, toFailedQueue } from "../../src/resque/failed-entry.ts";
import { promoteDue } from "../../src/resque/promote.ts";
import { parseRubyTime } from "../../src/resque/ruby-time.ts";
import { toFailedAt, toHeartbeat, toRunAt, toStarted } from "../../src/resque/time-format.ts";
import { openWorld, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { RECORDED, readRecorded, recordedValues, restore } from "./recorded.ts";

const LATER_SECONDS = 4_000_000_000;

/** What a handler gets of each payload of resque-3/payloads, by its queue. */
const HANDED: Readonly<Record<string, readonly unknown[]>> = {
  none: [],
  plain: [1, "hi", null, true, false],
  empty: [[], {}, "", [[]], { a: [], b: {} }],
  floats: [1, -0, 0.1, 1e15, 1e16, 1e20, 1e-7, 123456789.123, 1.5e300],
  integers: [0, -1, 2 ** 53, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n, 10n ** 40n].map((n) =>
    n === 2 ** 53 ? 2n ** 53n : n,
  ),
  unicode: ["é漢🚀", "\u2028\u2029", "<&>", "a/b", "\x7f"],
  escapes: ["\0\b\f\n\r\t\x1f", '"\\'],
  keys: [{ "10": 1, "9": 2, b: 3, ["__proto__"]: 4, "": 5, a: { "2": 1, "1": 2 } }],
  symbols: ["a", { b: "c", "1": 2, "": 3 }],
  times: ["2026-11-20 18:50:57 UTC", "2026-11-20 18:50:57 +0530"],
  members: [{ class: "X", args: [], queue: "q", payload: { airlift: { crashes: 1 } } }],
  module: [1],
};

/** JavaScript has no 1.0, and puts keys that look like integers first. */
const ONLY_RUBY = ["floats", "keys", "symbols"];

const recordedPayloads = () =>
  Object.keys(HANDED).map((queue) => {
    const [payload = ""] = recordedValues("resque-3/payloads", `resque:queue:${queue}`);
    return { queue, payload, class: queue === "module" ? "Shop::Invoice" : "Echo" };
  });

describe.each(setups())("what Ruby recorded, over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const app = (options: Partial<AirliftOptions>) =>
    createAirlift({ redis: world.client, queues: ["*"], jobs: [], logger, ...options });
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const texts = async (...command: string[]): Promise<string[]> =>
    ((await world.send(command))[0] as Uint8Array[]).map((text) => Buffer.from(text).toString());

  describe("payloads", () => {
    test("are handed over with their values, and are the same bytes in the worker's entry, in failed, and in the queue again", async () => {
      await restore(world, "resque-3/payloads");
      const seen: Record<string, unknown> = {};
      const entries: string[] = [];
      const job = (name: string) => ({
        class: name,
        async perform(args: readonly unknown[], context: { queue: string; raw: string }) {
          seen[context.queue] = args;
          expect(context.raw).toBe(recordedValues("resque-3/payloads", `resque:queue:${context.queue}`)[0]);
          for (const key of await texts("KEYS", "resque:worker:*")) entries.push((await world.get(key)) ?? "");
          throw new Error("to be seen in failed");
        },
      });
      const airlift = app({ jobs: [job("Echo"), job("Shop::Invoice")], concurrency: 1 });
      await airlift.drain();
      expect(seen).toEqual(HANDED);
      const failures = await texts("LRANGE", world.keys.failed, "0", "-1");
      for (const { payload } of recordedPayloads()) {
        expect(
          entries.some((entry) => entry.endsWith(`,"payload":${payload}}`)),
          payload,
        ).toBe(true);
        expect(
          failures.some((entry) => entry.includes(`,"payload":${payload},"exception":`)),
          payload,
        ).toBe(true);
      }
      expect(await airlift.failed.retry({ all: true })).toMatchObject({ retried: Object.keys(HANDED).length });
      for (const { queue, payload } of recordedPayloads()) expect(await world.queued(queue)).toEqual([payload]);
    });

    test("are what we write for the same values, the queue's name beside them", async () => {
      const airlift = app({});
      const own = recordedPayloads().filter(({ queue }) => !ONLY_RUBY.includes(queue));
      for (const { queue, class: name } of own)
        await airlift.enqueue({ queue, class: name, args: HANDED[queue] ?? [] });
      expect(own.length).toBeGreaterThan(8);
      for (const { queue, payload } of own) expect(await world.queued(queue)).toEqual([payload]);
      expect(new Set(await texts("SMEMBERS", world.keys.queues))).toEqual(new Set(own.map(({ queue }) => queue)));
    });
  });

  describe("a worker at work", () => {
    const id = recordedValues("resque-3/working", "resque:workers")[0] ?? "";
    const [entry = ""] = recordedValues("resque-3/working", `resque:worker:${id}`);
    const [started = ""] = recordedValues("resque-3/working", `resque:worker:${id}:started`);
    const [, heartbeat = ""] = recordedValues("resque-3/working", "resque:workers:heartbeat");
    const { run_at: runAt, payload } = JSON.parse(entry) as { run_at: string; payload: unknown };

    test("is shown with all that Ruby wrote of it", async () => {
      await restore(world, "resque-3/working");
      const { workers } = await app({}).workers.list();
      const [host, pid] = id.split(":");
      expect(workers).toMatchObject([
        {
          ...{ id, host, pid: Number(pid), queues: ["mail", "low"], processed: 2, failed: 1 },
          ...{ started, startedMs: parseRubyTime(started), heartbeatMs: Date.parse(heartbeat) },
          job: {
            ...{ queue: "mail", class: "Hold", runAt, runAtMs: Date.parse(runAt) },
            args: [1, 2n ** 64n, [], {}, "é\u2028<&>/", { "10": 1, "9": [[]] }],
          },
        },
      ]);
      expect(await app({}).status()).toMatchObject({ processed: 2, failed: 1 });
    });

    test("writes what a slot of ours holds behind its claim, at the same second", async () => {
      const raw = entry.slice(entry.indexOf('"payload":') + '"payload":'.length, -1);
      expect(JSON.parse(raw)).toEqual(payload);
      await world.push("mail", raw);
      const drain = world.drain({ queues: ["mail", "low"], slots: 1, nowMs: () => Date.parse(runAt) + 999 });
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      const ours = await world.get(drain.own.slots[0] ?? "");
      expect(ours?.replace(/^\{"claim":"[^"]*",/, "{")).toBe(entry);
      expect(drain.own.ids[0]?.split(":").slice(2)).toEqual(id.split(":").slice(2));
    });

    test("writes its times as we do", () => {
      expect(toRunAt(Date.parse(runAt))).toBe(runAt);
      expect(toHeartbeat(Date.parse(heartbeat))).toBe(heartbeat);
      expect(toStarted(parseRubyTime(started) ?? 0)).toBe(started);
    });

    test("is left alone by a drain, and pruned by us as Ruby pruned its like", async () => {
      await restore(world, "resque-3/working");
      await world.send(["PERSIST", "resque:pruning_dead_workers_in_progress"]);
      const before = await world.everything();
      expect(await app({ queues: ["mail"] }).drain()).toMatchObject({ recovered: 0, claimed: 0 });
      expect(await world.everything()).toEqual(before);
      await app({}).workers.prune(id, { force: true });
      const [, ours = ""] = await texts("LRANGE", world.keys.failed, "0", "-1");
      const theirs =
        recordedValues("resque-3/failed", "resque:failed").find((text) => text.includes("PruneDead")) ?? "";
      const { failed_at: failedAt, worker } = JSON.parse(theirs) as { failed_at: string; worker: string };
      expect(ours.replace(/"failed_at":"[^"]*"/, `"failed_at":"${failedAt}"`)).toBe(
        theirs
          .replaceAll(worker, id)
          .replace('{"class":"Hold","args":[3]}', entry.slice(entry.indexOf('"payload":') + '"payload":'.length, -1)),
      );
      const left = (await world.keyNames()).filter((name) => name.includes(id));
      expect(left).toEqual([]);
    });
  });

  describe("failures", () => {
    const entries = recordedValues("resque-3/failed", "resque:failed");
    type Entry = Record<"failed_at" | "exception" | "error" | "worker" | "queue" | "retried_at", string> & {
      backtrace: string[];
    };
    const payloadOf = (entry: string) => /"payload":(.*),"exception":/s.exec(entry)?.[1] ?? "";

    test("are shown with all their members", async () => {
      await restore(world, "resque-3/failed");
      const { jobs, total } = await app({}).failed.list();
      expect(total).toBe(entries.length);
      for (const entry of entries) {
        const { failed_at, retried_at, payload, ...rest } = JSON.parse(entry) as Entry & { payload: object };
        const job = jobs.find(({ raw }) => raw === entry);
        expect(job).toMatchObject({ ...rest, failedAt: failed_at, failedAtMs: Date.parse(failed_at) });
        expect(job?.retriedAtMs).toBe(retried_at === undefined ? undefined : Date.parse(retried_at));
      }
      expect(jobs.map((job) => job.exception).sort()).toEqual([
        ...["Charge::Declined", "Charge::Declined", "NameError", "NoMethodError", "NoMethodError"],
        ...["Resque::DirtyExit", "Resque::DirtyExit", "Resque::PruneDeadWorkerDirtyExit"],
      ]);
    });

    test.each(entries.map((entry, index) => [index, entry] as const))(
      "are what we write of the same failure: %i",
      (_, entry) => {
        const {
          failed_at,
          exception,
          error: message,
          backtrace,
          worker,
          queue,
          retried_at,
        } = JSON.parse(entry) as Entry;
        const at = { failedAtMs: Date.parse(failed_at), workerId: worker, queue };
        const { before, after } = failedEntry({ exception, message, backtrace }, at);
        const mark = retried_at === undefined ? "" : `,"retried_at":"${toFailedAt(Date.parse(retried_at))}"`;
        expect(`${before}${payloadOf(entry)}${after.slice(0, -1)}${mark}}`).toBe(entry);
      },
    );

    test("are marked and queued again as Ruby did it", async () => {
      const retried = entries.filter((entry) => entry.includes('"retried_at"'));
      expect(retried).toHaveLength(2);
      const [retriedAt] = retried.map((entry) => (JSON.parse(entry) as Entry).retried_at);
      await world.send([
        "RPUSH",
        world.keys.failed,
        ...retried.map((entry) => entry.replace(/,"retried_at":"[^"]*"/, "")),
      ]);
      const admin = createAdmin(
        { client: world.client, keys: world.keys, nowMs: () => Date.parse(retriedAt ?? ""), failedQueues: false },
        undefined,
      );
      expect(await admin.failed.retry({ all: true })).toMatchObject({ retried: 2 });
      expect(await texts("LRANGE", world.keys.failed, "0", "-1")).toEqual(retried);
      // Ruby drops the members that other producers have put beside class and args; we keep every byte.
      const [plain, foreign] = recordedValues("resque-3/failed", "resque:queue:mail");
      expect(await world.queued("mail")).toEqual([plain, payloadOf(retried[1] ?? "")]);
      expect(foreign).toBe('{"class":"Charge","args":[1.0,100.0,"é"]}');
    });

    test("are retried if they hold a job, and refused if not", async () => {
      await restore(world, "resque-3/failed");
      await world.send(["DEL", world.keys.queue("mail")]);
      const airlift = app({});
      const retried = await airlift.failed.retry({ ids: (await airlift.failed.list()).jobs.map((job) => job.id) });
      expect(retried).toMatchObject({ retried: entries.length - 2, refused: 2, missing: [] });
      expect((await world.queued("mail")).sort()).toEqual(
        entries
          .map(payloadOf)
          .filter((payload) => payload.startsWith('{"class"'))
          .sort(),
      );
    });

    test("in lists of their queues are found there, shown and retried", async () => {
      await restore(world, "resque-3/failed-queues");
      await world.send(["DEL", world.keys.queue("mail")]);
      const airlift = app({});
      const lists = (await airlift.failed.lists()).filter(({ size }) => size > 0);
      expect(lists.map(({ name, size }) => [name, size])).toEqual([
        ["low_failed", 1],
        ["mail_failed", 1],
      ]);
      expect(["low", "mail"].map(toFailedQueue)).toEqual(lists.map(({ name }) => name));
      const [marked] = (await airlift.failed.list({ list: "mail_failed" })).jobs;
      // This backend's mark has no zone.
      expect(marked?.retriedAtMs).toBe(Date.parse(`${marked?.retriedAt} UTC`));
      for (const { name } of lists)
        await airlift.failed.retry({
          list: name,
          ids: [(await airlift.failed.list({ list: name })).jobs[0]?.id ?? ""],
        });
      expect(await world.queued("mail")).toEqual(['{"class":"Charge","args":[1]}']);
      expect(await world.queued("low")).toEqual(['{"class":"Charge","args":[2]}']);
    });
  });

  describe("delayed jobs", () => {
    const items = recordedValues("resque-scheduler-5/delayed", `resque:delayed:${LATER_SECONDS}`);
    const promote = () =>
      promoteDue(world.client, world.keys, {
        ...{ redisNowMs: (LATER_SECONDS + 60) * 1_000, nowMs: 0, queues: [], usage: { commands: 0, requests: 0 } },
      });

    test("are what we write, key by key, of the same payloads", async () => {
      await restore(world, "resque-scheduler-5/delayed");
      const theirs = await world.everything();
      await world.flush();
      for (const atSeconds of [LATER_SECONDS, LATER_SECONDS + 60]) {
        for (const raw of recordedValues("resque-scheduler-5/delayed", `resque:delayed:${atSeconds}`)) {
          const item = readDelayedItem(raw);
          if (item.kind !== "job") throw new Error(item.reason);
          const payload = cutOut(raw, item.cut);
          await world.send(
            ...delayCommands(world.keys, { queue: item.queue, payload, atSeconds }).map((command) => [...command]),
          );
        }
      }
      expect(await world.everything()).toEqual(theirs);
    });

    test("are what enqueueAt writes of the same values", async () => {
      const airlift = app({});
      const own = Object.keys(HANDED).filter((name) => !ONLY_RUBY.includes(name) && name !== "module");
      for (const name of own) {
        await airlift.enqueueAt(LATER_SECONDS * 1_000 + 999, {
          queue: "mail",
          class: "Echo",
          args: HANDED[name] ?? [],
        });
      }
      const ours = await texts("LRANGE", world.keys.delayed(LATER_SECONDS), "0", "-1");
      expect(ours).toHaveLength(own.length);
      for (const item of ours) {
        expect(items).toContain(item);
        expect(await texts("SMEMBERS", `resque:timestamps:${item}`)).toEqual([`delayed:${LATER_SECONDS}`]);
      }
    });

    test("are promoted to the payloads that Ruby enqueues, and leave nothing behind", async () => {
      await restore(world, "resque-scheduler-5/delayed");
      expect(await promote()).toMatchObject({ promoted: items.length + 2, failed: 0, nextDueMs: undefined });
      const payloads = recordedPayloads().filter(({ queue }) => queue !== "module");
      const queued = await world.queued("mail");
      expect(queued.slice(0, payloads.length).sort()).toEqual(payloads.map(({ payload }) => payload).sort());
      expect(queued.slice(payloads.length)).toEqual(Array(3).fill('{"class":"Echo","args":["alike"]}'));
      expect(await world.queued("low")).toEqual(recordedValues("resque-3/payloads", "resque:queue:module"));
      expect(await world.keyNames()).toEqual(["resque:queue:low", "resque:queue:mail", "resque:queues"]);
    });

    test("are cancelled by their values, the same ones at other times, too", async () => {
      await restore(world, "resque-scheduler-5/delayed");
      const { delayed } = app({});
      expect(await delayed.count()).toBe(items.length + 2);
      for (const [name, args] of Object.entries(HANDED)) {
        const job = name === "module" ? { class: "Shop::Invoice", queue: "low" } : { class: "Echo", queue: "mail" };
        expect(await delayed.cancel({ ...job, args }), name).toMatchObject({ cancelled: 1 });
      }
      expect(await delayed.cancel({ class: "Echo", args: ["alike"], queue: "mail" })).toMatchObject({ cancelled: 3 });
      expect(await world.keyNames()).toEqual([]);
    });
  });

  describe("schedules", () => {
    const flat = recordedValues("resque-scheduler-5/schedules", "resque:persistent_schedules");
    const recorded = new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""] as const] : [])));
    const scheduled = (env?: string) =>
      app({
        jobs: [{ class: "Shop::Invoice", queue: "bills", perform: () => undefined }],
        scheduler: cron({ persistent: true, ...(env !== undefined && { env }) }),
      });

    test("are shown, as Ruby's scheduler runs them", async () => {
      await restore(world, "resque-scheduler-5/schedules");
      const [, last = ""] = recordedValues("resque-scheduler-5/schedules", "resque:delayed:last_enqueued_at");
      expect(await scheduled("production").schedules.list()).toMatchObject([
        {
          name: "night",
          state: "ruby",
          when: expect.stringContaining("Europe/Berlin"),
          queue: "low",
          description: "é <&>\u2028",
        },
        { name: "soon", state: "ruby", class: "Shop::Invoice", queue: "bills", args: [1, []] },
        {
          name: "tea",
          state: "ruby",
          when: "every 1s",
          args: [{ sort: "green", cups: 2 }],
          lastEnqueuedMs: parseRubyTime(last),
        },
      ]);
      expect((await scheduled().schedules.list()).find(({ name }) => name === "soon")).toMatchObject({
        state: "elsewhere",
      });
      expect(toStarted(parseRubyTime(last) ?? 0)).toBe(last);
    });

    test("are what we write of the same ones, and the key by which Ruby learns of them", async () => {
      const { schedules } = scheduled();
      for (const name of ["tea", "night"]) await schedules.set(name, JSON.parse(recorded.get(name) ?? ""));
      expect(await world.everything()).toMatchObject({
        "resque:persistent_schedules": { tea: recorded.get("tea"), night: recorded.get("night") },
        "resque:schedules_changed": { tea: true, night: true },
      });
      expect(recordedValues("resque-scheduler-5/schedules", "resque:schedules_changed")).toEqual(["soon"]);
    });

    test("are run by us when Ruby's scheduler has gone, in its bytes", async () => {
      await restore(world, "resque-scheduler-5/schedules");
      await world.send(
        ["DEL", world.keys.rubySchedulerLock],
        ["DEL", world.keys.queue("mail")],
        ["HDEL", world.keys.persistentSchedules, "night", "soon"],
      );
      const seen: unknown[] = [];
      const echo = {
        class: "Echo",
        perform: (_args: readonly unknown[], { raw }: { raw: string }) => void seen.push(raw),
      };
      const airlift = app({ jobs: [echo], scheduler: cron({ persistent: true }) });
      for (const startMs = Date.now(); seen.length === 0 && Date.now() < startMs + 20_000; ) await airlift.drain();
      expect(seen[0]).toBe(recordedValues("resque-scheduler-5/schedules", "resque:queue:mail")[0]);
      expect(await world.everything()).toMatchObject({
        [world.keys.lastEnqueuedAt]: { tea: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000$/) },
      });
    });
  });

  test("jobs that resque-retry runs again are shown and promoted, its own keys left as they are", async () => {
    await restore(world, "resque-retry-1/retrying");
    const its = (all: Record<string, unknown>) => Object.entries(all).filter(([key]) => key.includes("resque-retry:"));
    const valuesOf = (entries: readonly (readonly [string, unknown])[]) =>
      entries.map(([key, value]) => [key, typeof value === "object" ? (value as { value: unknown }).value : value]);
    const before = its(await world.everything());
    expect(before.map(([key]) => key)).toEqual([
      "resque:failure-resque-retry:Flaky",
      expect.stringMatching(/^resque:failure-resque-retry:Flaky:[0-9a-f]{40}$/),
      "resque:resque-retry:Flaky",
      expect.stringMatching(/^resque:resque-retry:Flaky:[0-9a-f]{40}$/),
    ]);
    expect((await app({}).delayed.list()).jobs.map((job) => job.args)).toEqual([[1, "é", { k: [] }], []]);
    await promoteDue(world.client, world.keys, {
      ...{ redisNowMs: LATER_SECONDS * 2_000, nowMs: 0, queues: [], usage: { commands: 0, requests: 0 } },
    });
    expect(await world.queued("mail")).toEqual([
      '{"class":"Flaky","args":[1.0,"é",{"k":[]}]}',
      '{"class":"Flaky","args":[]}',
    ]);
    expect(valuesOf(its(await world.everything()))).toEqual(valuesOf(before));
  });
});

test("no recording tells of the machine on which it was made", () => {
  for (const name of RECORDED) {
    const commands = readRecorded(name);
    expect(commands.length, name).toBeGreaterThan(3);
    for (const part of commands.flat()) {
      expect(part.toString(), name).not.toMatch(/(?:^|["\s(])\/[a-z]/);
      expect(Buffer.from(part.toString()).equals(part), `${name} is UTF-8`).toBe(true);
    }
  }
});
