import { expect } from "vitest";
import { ACCEPTED, detach, release, retry } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import { cron } from "../../src/cron/cron.ts";
import { createIdempotency } from "../../src/idempotency.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { payload, payloads, type Value } from "../conformance/world.ts";
import { createGate } from "../core/app-world.ts";
import { until } from "../support/until.ts";
import { createStage, pause, renewal, type Scene, type Stage, silent } from "./acl-world.ts";

const noop = defineJob({ class: "Noop", perform: () => undefined });
const isExpiring = (value: Value): value is Extract<Value, { ttlMs: number }> =>
  typeof value === "object" && typeof (value as { ttlMs?: unknown }).ttlMs === "number";
const drained = async (stage: Stage, options: Parameters<Stage["app"]>[0]) => stage.app(options).drain();

/** What a drain does of an app with options, by the name that docs/security.md gives their lines. */
export const DRAIN_OPTION_SCENES: Readonly<Record<string, readonly Scene[]>> = {
  schedules: [
    {
      name: "enqueues the jobs of schedules, in code and in Redis, unique ones too",
      beside: ["unique"],
      async play(stage) {
        const { world } = stage;
        const unique = defineJob({ class: "Once", queue: "q", unique: { until: "done" }, perform: () => undefined });
        const scheduler = cron({
          persistent: true,
          schedules: [
            { name: "often", every: "1h", class: "Noop", queue: "q" },
            { name: "once", every: "1h", class: "Once" },
          ],
        });
        const hourly = '{"every":"1h","class":"Noop","queue":"q"}';
        await world.send(["HSET", world.keys.persistentSchedules, "ruby", hourly]);
        const options = { jobs: [noop, unique], scheduler };
        await drained(stage, options);
        const letTimePass = async (): Promise<void> => {
          const states = (await world.everything())[world.keys.cron] as Record<string, string>;
          for (const [name, state] of Object.entries(states)) {
            const earlier = state.replace(/"last":(\d+)/, (_, ms) => `"last":${Number(ms) - 3_600_000}`);
            await world.send(["HSET", world.keys.cron, name, earlier]);
          }
        };
        await letTimePass();
        expect(await drained(stage, options)).toMatchObject({ succeeded: 3 });
        // One that is not there any more, and one whose job its queue does not take.
        await world.send(["HDEL", world.keys.persistentSchedules, "ruby"], ["SET", world.keys.queue("q"), "x"]);
        await letTimePass();
        await drained(stage, { ...options, queues: ["r"] });
        expect(Object.keys((await world.everything())[world.keys.cron] as object)).not.toContain("ruby");
      },
    },
  ],
  limits: [
    {
      name: "keeps the limits of classes",
      async play(stage) {
        const { world } = stage;
        const limit = { running: 1, rate: { jobs: 2, periodMs: 50 } };
        await world.push("q", ...payloads(3));
        const limited = () => ({ jobs: [defineJob({ class: "Noop", limit, perform: () => pause(5) })] });
        expect(await drained(stage, limited())).toMatchObject({ succeeded: 3 });
        // Names of long ago are forgotten when new ones come.
        const by = defineJob({ class: "Noop", limit: { ...limit, by: [0] }, perform: () => undefined });
        const old = Array.from({ length: 200 }, (_, n) => [`Noop\nold-${n}`, "[1,1,1]"]).flat();
        // What is there expires soon.
        await world.send(["DEL", world.keys.starts], ["HSET", world.keys.starts, "until", Date.now() + 60_000, ...old]);
        await world.push("q", ...payloads(2));
        expect(await drained(stage, { jobs: [by] })).toMatchObject({ succeeded: 2 });
        // The places of a drain that died.
        await world.push("q", payload(1));
        const dead = world.drain();
        await dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
        await world.send(["HSET", world.keys.running, `${dead.description.id}.0`, "Noop\n"]);
        await world.endLeases();
        expect(await drained(stage, limited())).toMatchObject({ recovered: 1, succeeded: 1 });
      },
    },
  ],
  unique: [
    {
      name: "frees the locks of unique jobs, and of those of dead drains",
      async play(stage) {
        const { world } = stage;
        const own = { queue: "q", unique: { until: "done" } } as const;
        const perform = () => undefined;
        const jobs = [
          defineJob({ class: "Noop", ...own, perform }),
          defineJob<[number]>({ class: "Keyed", ...own, unique: { until: "start", key: String }, perform }),
        ];
        const enqueuing = createStage(world, world.client).app({ jobs });
        await enqueuing.enqueueAll(jobs.map(({ class: name }) => ({ queue: "q", class: name, args: [1] })));
        expect(await drained(stage, { jobs })).toMatchObject({ succeeded: 2 });
        expect(await world.keyNames()).not.toContainEqual(expect.stringMatching(/:lock:|:unique:/));
        await enqueuing.enqueue({ queue: "q", class: "Noop", args: [1] });
        const dead = world.drain({ crashLimit: 1 });
        await dead.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
        await world.endLeases();
        await drained(stage, { jobs, crashLimit: 1 });
        expect(await world.failed()).toHaveLength(1);
        expect(await world.keyNames()).not.toContainEqual(expect.stringMatching(/:lock:|:unique:/));
      },
    },
  ],
  statuses: [
    {
      name: "writes the statuses of jobs, and what they tell of themselves",
      async play(stage) {
        const { world } = stage;
        const status = { ttlMs: 60_000 };
        const telling = defineJob({
          class: "Noop",
          queue: "q",
          status,
          perform: async ([n], job) => {
            await job.checkin("half");
            if (n === 1) await until(async () => (await world.keyNames()).includes(world.keys.checkins));
          },
        });
        const enqueuing = createStage(world, world.client).app({ jobs: [telling] });
        await enqueuing.enqueue({ queue: "q", class: "Noop", args: [1], id: "one" });
        expect(await drained(stage, { jobs: [telling] })).toMatchObject({ succeeded: 1 });
        expect(await enqueuing.job("one")).toMatchObject({ state: "done" });
        await enqueuing.enqueue({ queue: "q", class: "Noop", args: [2], id: "two" });
        await world.drain().store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
        await world.endLeases();
        expect(await drained(stage, { jobs: [telling], unknownClass: "leave" })).toMatchObject({ recovered: 1 });
      },
    },
  ],
  fleet: [
    {
      name: "is the only one, is kicked, starts others, leaves word of its end",
      async play(stage) {
        const { world } = stage;
        const asked: string[] = [];
        const scaled = createGate();
        const start = ({ reason }: { readonly reason: string }): void => {
          asked.push(reason);
          if (reason === "sibling") scaled.open();
        };
        const fleet = { single: true, recordDrains: { maxSilenceMs: 1 }, kick: { start, onEnqueue: false } };
        const scaleOut = { threshold: 2, maxDrains: 4, start };
        await world.push("q", ...payloads(3), payload("last"));
        const other = createGate();
        const perform = async ([n]: readonly unknown[]) => {
          if (n !== "last") return;
          await other.passed;
          await renewal(world);
        };
        const jobs = [{ class: "Noop", perform }];
        await world.send(["SET", world.keys.kick, "earlier"]);
        const options = { jobs, ...fleet, concurrency: 1, leaseMs: 2_000 };
        const first = drained(stage, options);
        await until(() => world.get(world.keys.single("default")));
        expect(await drained(stage, options)).toMatchObject({ stopped: "busy" });
        other.open();
        expect(await first).toMatchObject({ succeeded: 4 });
        await world.push("q", ...payloads(20));
        // While the first of them runs, the drain looks how many wait.
        const waiting = [{ class: "Noop", perform: () => scaled.passed }];
        await drained(stage, { ...options, jobs: waiting, single: false, scaleOut });
        expect(asked).toContain("sibling");
        const app = stage.app({ jobs, kick: () => Promise.reject(new Error("no host")) });
        await app.kick();
        expect(await world.get(world.keys.kick)).toBeNull();
        expect(await app.lastDrain()).toMatchObject({ stopped: "empty" });
      },
    },
  ],
  "failed lists": [
    {
      name: "keeps failed lists short, and one for each queue",
      async play(stage) {
        const { world } = stage;
        const jobs = [defineJob({ class: "Noop", perform: () => Promise.reject(new Error("no")) })];
        await world.push("q", ...payloads(3));
        expect(await drained(stage, { jobs, maxFailed: 2 })).toMatchObject({ failed: 3 });
        expect(await world.failed()).toHaveLength(2);
        await world.push("q", ...payloads(3));
        expect(await drained(stage, { jobs, maxFailed: 2, failedQueues: true })).toMatchObject({ failed: 3 });
        expect((await world.everything())[world.keys.failedOf("q")]).toHaveLength(2);
        // Taken back, where its queue is none.
        const drain = world.drain({ client: stage.client, failedQueues: true, slots: 2 });
        await world.push("q", ...payloads(2));
        const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0, 1] });
        await world.send(["DEL", world.keys.queue("q")], ["SET", world.keys.queue("q"), "x"]);
        const failure = { exception: "E", message: "m", backtrace: [] };
        const outcomes = [{ kind: "failed", failure }, { kind: "requeued" }] as const;
        const settle = claims.map((claim, index) => ({ claim, outcome: outcomes[index] as (typeof outcomes)[number] }));
        await expect(drain.store.exchange({ seq: 2, attempt: 1, settle, fill: [] })).rejects.toThrow(/WRONGTYPE/);
        expect((await world.everything())[world.keys.failedOf("q")]).toHaveLength(2);
      },
    },
  ],
  idempotency: [
    {
      name: "runs handlers that are idempotent",
      async play(stage) {
        const { world, client } = stage;
        const once = createIdempotency({ redis: client, ttlMs: 60_000, runningTtlMs: 2_000, key: ([n]) => String(n) });
        let runs = 0;
        const perform = async () => {
          if (++runs === 1) throw new Error("no");
          let leastMs = Number.POSITIVE_INFINITY;
          // Until what says that it runs is renewed.
          await until(async () => {
            const values = Object.values(await world.everything());
            const [ttlMs = 0] = values.flatMap((value) => (isExpiring(value) ? [value.ttlMs] : []));
            const isRenewed = ttlMs > leastMs;
            leastMs = Math.min(leastMs, ttlMs);
            return isRenewed;
          });
        };
        const jobs = [defineJob({ class: "Noop", middleware: [once], perform })];
        await world.push("q", payload(1));
        expect(await drained(stage, { jobs })).toMatchObject({ failed: 1 });
        await world.push("q", payload(1));
        expect(await drained(stage, { jobs })).toMatchObject({ succeeded: 1 });
        await world.push("q", payload(1));
        expect(await drained(stage, { jobs })).toMatchObject({ succeeded: 1 });
        expect(runs).toBe(2);
      },
    },
  ],
};

/** Jobs that were handed over by a drain of the administrator's, each with what settles it. */
async function handOver({ world }: Stage, args: readonly unknown[], options: object): Promise<readonly object[]> {
  const messages: object[] = [];
  const perform = (_args: readonly unknown[], job: { queue: string; class: string; raw: string; deadlineMs: number }) =>
    detach({
      leaseMs: 60_000,
      dispatch: async (ack) => {
        const sent = { queue: job.queue, class: job.class, args: [], payload: job.raw, attempt: 1, retries: 0 };
        messages.push({ airlift: 1, job: sent, deadlineMs: Date.now() + 60_000, ack });
        return ACCEPTED;
      },
    });
  const detaching = defineJob({ class: "Noop", queue: "q", ...options, perform });
  const app = createStage(world, world.client).app({ jobs: [detaching], failedQueues: "lists" in options });
  for (const arg of args) await app.enqueue({ queue: "q", class: "Noop", args: [arg] });
  expect(await app.drain()).toMatchObject({ detached: args.length });
  return messages;
}

/** What a job function does that acknowledges its jobs. */
export const RECEIVER_SCENES: readonly Scene[] = [
  {
    name: "acknowledges jobs, however they end",
    async play(stage) {
      const { world, client } = stage;
      const ends: Readonly<Record<string, () => unknown>> = {
        ok: () => undefined,
        retry: () => retry({ afterMs: 60_000 }),
        release: () => release({ afterMs: 60_000 }),
        fail: () => Promise.reject(new Error("no")),
      };
      const perform = ([end]: readonly unknown[]) => ends[String(end)]?.();
      const shared = { limit: { running: 9 }, status: { ttlMs: 60_000 } } as const;
      const options = { ...shared, unique: { until: "done" } } as const;
      const job = defineJob({ class: "Noop", ...options, perform });
      const receiver = createJobFunction({ jobs: [job], redis: client, logger: silent });
      const kinds: string[] = [];
      for (const message of await handOver(stage, Object.keys(ends), options)) {
        const reply = (await receiver.run(message)) as { outcome: { kind: string } };
        kinds.push(reply.outcome.kind);
      }
      expect(kinds.sort()).toEqual(["failed", "ok", "release", "retry"]);
      const { [world.keys.retries]: waiting, [world.keys.running]: running } = await world.everything();
      expect([Object.keys(waiting as object).length, running]).toEqual([2, undefined]);
      expect(await world.failed()).toHaveLength(1);
      const keyed = { ...shared, unique: { until: "done", key: ([end]: readonly unknown[]) => String(end) } } as const;
      const [message] = await handOver(stage, ["ok"], keyed);
      await receiver.run(message);
      expect(await world.keyNames()).not.toContainEqual(expect.stringContaining(":unique:"));
      const [back] = await handOver(stage, ["back"], options);
      await receiver.run(back, { signal: AbortSignal.abort() });
      expect(await world.queued("q")).toHaveLength(1);
    },
  },
];
