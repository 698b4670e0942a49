import { expect } from "vitest";
import { defineJob } from "../../src/core/job.ts";
import { createHttpApp } from "../../src/http/app.ts";
import type { Scene, Stage } from "./acl-world.ts";

const HOUR_MS = 3_600_000;
const perform = () => undefined;
const plain = defineJob({ class: "Noop", queue: "q", perform });
const byArgs = defineJob({ class: "Noop", queue: "q", unique: { until: "done" }, perform });
const byKey = defineJob<[number]>({ class: "Keyed", queue: "q", unique: { until: "start", key: String }, perform });
const newest = defineJob<[number, string]>({
  ...{ class: "Newest", queue: "q", perform },
  unique: { until: "start", key: ([n]) => String(n), onConflict: "replace" },
});
const kept = defineJob({ class: "Kept", queue: "q", status: { ttlMs: 60_000 }, perform });

/** What an app does that enqueues over HTTP, for who has the token of that role. */
async function post(app: ReturnType<Stage["app"]>, body: string, type = "application/json"): Promise<unknown> {
  const http = createHttpApp(app, { tokens: { enqueue: "token" } });
  const headers = { authorization: "Bearer token", "content-type": type };
  const response = await http.request("/queues/q/jobs", { method: "POST", headers, body });
  expect([response.status, (await http.request("/health")).status]).toEqual([201, 200]);
  return response.json();
}

/** What enqueueing does of jobs without options. */
export const ENQUEUE_SCENES: readonly Scene[] = [
  {
    name: "enqueues jobs, one and many, to several queues",
    async play({ app, world }) {
      const airlift = app({ jobs: [plain] });
      expect(await airlift.enqueue(plain, [1])).toEqual({ kind: "queued", queue: "q", length: 1 });
      const many = Array.from({ length: 6_000 }, (_, n) => ({ queue: n % 2 ? "q" : "r", class: "Noop", args: [n] }));
      expect(await airlift.enqueueAll(many)).toMatchObject({ enqueued: 6_000 });
      expect(await world.queued("q")).toHaveLength(3_001);
      expect((await world.everything())[world.keys.queues]).toEqual({ q: true, r: true });
    },
  },
  {
    name: "delays jobs",
    async play({ app, world }) {
      const airlift = app({ jobs: [plain] });
      expect(await airlift.enqueueIn(HOUR_MS, plain, [1])).toMatchObject({ kind: "delayed" });
      expect(await airlift.enqueueAt(Date.now() + HOUR_MS, plain, [2])).toMatchObject({ kind: "delayed" });
      expect((await world.keyNames()).filter((name) => name.startsWith("resque:timestamps:"))).toHaveLength(2);
    },
  },
  {
    name: "takes jobs over HTTP: one, an array, NDJSON",
    async play({ app, world }) {
      const airlift = app({ jobs: [plain] });
      expect(await post(airlift, '{"class":"Noop","args":[1]}')).toMatchObject({ enqueued: 1 });
      expect(await post(airlift, '[{"class":"Noop"},{"class":"Noop","in":"5m"}]')).toMatchObject({ enqueued: 2 });
      expect(await post(airlift, '{"class":"A"}\n{"class":"B"}', "application/x-ndjson")).toMatchObject({
        enqueued: 2,
      });
      expect(await world.queued("q")).toHaveLength(4);
    },
  },
];

/** What it does of jobs with options, by the name that docs/security.md gives their lines. */
export const ENQUEUE_OPTION_SCENES: Readonly<Record<string, readonly Scene[]>> = {
  unique: [
    {
      name: "enqueues unique jobs once",
      async play({ app, world }) {
        const airlift = app({ jobs: [byArgs, byKey] });
        const jobs = [byArgs, byKey].map(({ class: name }) => ({ queue: "q", class: name, args: [1] }));
        expect(await airlift.enqueueAll(jobs)).toMatchObject({ enqueued: 2 });
        expect(await airlift.enqueueAll(jobs)).toMatchObject({ dropped: 2 });
        const later = jobs.map((job) => ({ ...job, args: [2], inMs: HOUR_MS }));
        expect(await airlift.enqueueAll([...later, { queue: "z", class: "Plain" }])).toMatchObject({ enqueued: 3 });
        expect(await post(airlift, '[{"class":"Noop","args":[1]}]')).toMatchObject({ enqueued: 0, dropped: 1 });
        expect(await world.queued("q")).toHaveLength(2);
      },
    },
    {
      name: "takes the locks back of jobs that cannot be enqueued, and of no others",
      // It may take nothing out of a queue.
      refused: ["rpop"],
      async play({ app, world }) {
        await world.send(["SET", world.keys.queue("bad"), "x"]);
        const jobs = ["q", "bad", "r"].map((queue) => ({ queue, class: "Noop", args: [queue] }));
        await expect(app({ jobs: [byArgs] }).enqueueAll(jobs)).rejects.toThrow(/WRONGTYPE/);
        expect([await world.queued("q"), await world.queued("r")]).toEqual([[expect.stringContaining('["q"]')], []]);
        const locks = (await world.keyNames()).filter((key) => key.includes(":lock:"));
        expect(locks).toEqual([world.keys.lock("Noop", "q", '["q"]')]);
        expect(await app({ jobs: [byArgs] }).enqueueAll([jobs[0] as (typeof jobs)[0]])).toMatchObject({ dropped: 1 });
      },
    },
  ],
  replaced: [
    {
      name: "puts the newest arguments in the place of those that wait",
      beside: ["unique"],
      async play({ app, world }) {
        const airlift = app({ jobs: [newest] });
        await airlift.enqueue(newest, [1, "old"]);
        expect(await airlift.enqueue(newest, [1, "new"])).toMatchObject({ kind: "replaced" });
        await airlift.enqueueIn(HOUR_MS, newest, [2, "old"]);
        expect(await airlift.enqueue(newest, [2, "new"])).toMatchObject({ kind: "replaced" });
        await world.send(["DEL", world.keys.queue("q")]);
        expect(await airlift.enqueue(newest, [1, "newest"])).toMatchObject({ kind: "queued" });
      },
    },
  ],
  statuses: [
    {
      name: "keeps the statuses of jobs, and tells them",
      async play({ app }) {
        const airlift = app({ jobs: [kept] });
        const { id } = (await airlift.enqueue(kept, [1])) as { readonly id: string };
        expect(await airlift.job(id)).toMatchObject({ state: "queued", class: "Kept" });
      },
    },
  ],
  kicks: [
    {
      name: "kicks a drain, and says so if none could be started",
      async play({ app, world }) {
        let asked = 0;
        const airlift = app({ jobs: [plain], kick: () => void asked++ });
        await airlift.enqueue(plain, [1]);
        await airlift.enqueue(plain, [2]);
        expect([asked, await world.keyNames()]).toEqual([1, expect.arrayContaining([world.keys.kick])]);
        await world.flush();
        await app({ jobs: [plain], kick: () => Promise.reject(new Error("no host")) }).enqueue(plain, [1]);
        expect(await world.keyNames()).not.toContain(world.keys.kick);
      },
    },
  ],
};
