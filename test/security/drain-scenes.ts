import { expect } from "vitest";
import { ACCEPTED, detach, discard, release, retry } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import { payload, payloads } from "../conformance/world.ts";
import { until } from "../support/until.ts";
import { type AclWorld, renewal, type Scene } from "./acl-world.ts";

const noop = defineJob({ class: "Noop", perform: () => undefined });
const never = (): Promise<never> => new Promise(() => undefined);

/** A drain of the administrator's that dies holding jobs. */
async function die(world: AclWorld, count: number): Promise<void> {
  const drain = world.drain({ slots: count });
  await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: Array.from({ length: count }, (_, i) => i) });
  await world.endLeases();
}

/** What a drain does of an app without options. */
export const DRAIN_SCENES: readonly Scene[] = [
  {
    name: "finds nothing to do",
    async play({ app }) {
      expect(await app({ jobs: [noop] }).drain()).toMatchObject({ stopped: "empty", commands: 1 });
    },
  },
  {
    name: "runs jobs of several queues, by name and by pattern",
    async play({ app, world }) {
      await world.push("q", ...payloads(3));
      await world.push("r", ...payloads(3));
      expect(await app({ jobs: [noop], queues: ["q", "r"] }).drain()).toMatchObject({ succeeded: 6, remaining: 0 });
      await world.push("s", ...payloads(2));
      expect(await app({ jobs: [noop], queues: ["*"] }).drain()).toMatchObject({ succeeded: 2 });
      await world.push("q", ...payloads(3));
      expect(await app({ jobs: [noop] }).drain({ maxJobs: 1 })).toMatchObject({ succeeded: 1, remaining: 2 });
    },
  },
  {
    name: "fails jobs, and payloads that are none",
    async play({ app, world }) {
      const perform = () => Promise.reject(new Error("no"));
      await world.push("q", ...payloads(2), "no job", '{"class":"Unknown","args":[]}');
      expect(await app({ jobs: [{ class: "Noop", perform }] }).drain()).toMatchObject({ failed: 4 });
      expect(await world.failed()).toHaveLength(4);
    },
  },
  {
    name: "tries jobs again, releases them, discards them",
    async play({ app, world }) {
      const ends = [retry({ afterMs: 1 }), release({ afterMs: 1 }), discard(), undefined];
      let runs = 0;
      const perform = ([n]: readonly unknown[]) => (++runs <= 4 ? ends[n as number] : undefined);
      await world.push("q", ...payloads(4));
      const jobs = [defineJob({ class: "Noop", retry: { limit: 2 }, perform })];
      await until(async () => {
        await app({ jobs }).drain({ deadlineMs: Date.now() + 5_000 });
        return runs === 6;
      });
      expect(await world.get(world.keys.processed)).toBe("5");
    },
  },
  {
    name: "gives back what still runs when it is stopped",
    async play({ app, world }) {
      await world.push("q", payload(1));
      const controller = new AbortController();
      const perform = () => {
        controller.abort();
        return never();
      };
      const stopped = app({ jobs: [{ class: "Noop", perform }], graceMs: 1 }).drain({ signal: controller.signal });
      expect(await stopped).toMatchObject({ released: 1 });
      expect(await world.queued("q")).toEqual([payload(1)]);
    },
  },
  {
    name: "leaves classes to other programs, or puts them behind",
    async play({ app, world }) {
      await world.push("q", '{"class":"Ruby","args":[]}', payload(1), '{"class":"Ruby","args":[2]}', payload(2));
      expect(await app({ jobs: [noop], unknownClass: "leave" }).drain()).toMatchObject({ succeeded: 2 });
      const requeuing = app({ jobs: [noop], unknownClass: "requeue" });
      await requeuing.drain({ maxJobs: 2, deadlineMs: Date.now() + 30_000 });
      expect(await world.queued("q")).toHaveLength(2);
      // One that stands far behind others is taken by itself.
      await world.push("q", ...Array(1_100).fill('{"class":"Ruby","args":[]}'), payload(3), ...payloads(1));
      expect(await app({ jobs: [noop], unknownClass: "leave" }).drain()).toMatchObject({ succeeded: 2 });
    },
  },
  {
    name: "heeds pauses of everything, a queue, a class",
    async play({ app, world }) {
      await world.push("q", payload(1));
      const { pauseAll, pausedClasses, queuePause } = world.keys;
      for (const [key, value] of [
        [pauseAll, "true"],
        [queuePause("q"), "true"],
        [pausedClasses, '["Noop"]'],
      ] as const) {
        await world.send(["SET", key, value]);
        expect(await app({ jobs: [noop] }).drain()).toMatchObject({ stopped: "paused", claimed: 0 });
        await world.send(["DEL", key]);
      }
      expect(await app({ jobs: [noop] }).drain()).toMatchObject({ succeeded: 1 });
    },
  },
  {
    name: "renews its lease, and shows its figures",
    async play({ app, world }) {
      await world.push("q", payload(0), payload(1));
      const isSeen = async (): Promise<boolean> =>
        (await world.keyNames()).some((name) => name.includes("stat:processed:"));
      const perform = ([n]: readonly unknown[]) => (n === 0 ? undefined : renewal(world).then(() => until(isSeen)));
      expect(await app({ jobs: [{ class: "Noop", perform }], leaseMs: 2_000 }).drain()).toMatchObject({ succeeded: 2 });
    },
  },
  {
    name: "hands jobs over to receivers, and takes back what they refuse",
    async play({ app, world }) {
      const ends = [
        () => ACCEPTED,
        () => undefined,
        () => release({ afterMs: 60_000 }),
        () => Promise.reject(new Error("no")),
      ];
      const perform = ([n]: readonly unknown[]) =>
        detach({ leaseMs: 60_000, dispatch: async () => ends[n as number]?.() });
      await world.push("q", ...payloads(4));
      const jobs = [defineJob({ class: "Noop", perform })];
      expect(await app({ jobs }).drain()).toMatchObject({ detached: 1, succeeded: 1, released: 1, failed: 1 });
      expect(Object.keys((await world.everything())[world.keys.retries] as object)).toHaveLength(2);
    },
  },
  {
    name: "takes the jobs of dead drains back",
    async play({ app, world }) {
      // U+FFFD may stand for bytes that are no UTF-8: only Redis can tell.
      const worn = '{"class":"Noop","args":[7],"airlift":{"crashes":2}}';
      await world.push("q", payload(1), worn, '{"class":"\ufffd","args":[1]}');
      await die(world, 3);
      expect(await app({ jobs: [noop] }).drain()).toMatchObject({ recovered: 2, succeeded: 1, failed: 1 });
      expect(await world.failed()).toHaveLength(2);
    },
  },
  {
    name: "brings delayed jobs to their queues",
    async play({ app, world }) {
      const item = (n: number) => `{"class":"Noop","args":[${n}],"queue":"q"}`;
      const delay = (second: number, ...items: string[]) =>
        world.send(
          ["RPUSH", world.keys.delayed(second), ...items],
          ...items.map((text) => ["SADD", world.keys.timestamps(text), `delayed:${second}`]),
          ["ZADD", world.keys.delayedSchedule, second, second],
        );
      // More than are taken at once.
      await delay(1_000_000_000, ...Array.from({ length: 1_001 }, (_, n) => item(n)));
      expect(await app({ jobs: [noop] }).drain()).toMatchObject({ promoted: 1_001, succeeded: 1_001 });
      // One that is delayed to a later time, too, and one that is none.
      await delay(1_000_000_001, item(1), "none");
      await delay(4_000_000_000, item(1));
      expect(await app({ jobs: [noop] }).drain()).toMatchObject({ promoted: 1, succeeded: 1 });
      expect(await world.failed()).toHaveLength(1);
    },
  },
  {
    name: "takes back what it has written if Redis refuses the rest",
    async play({ app, world, client }) {
      // Nothing of a promotion stays if its last step is refused: a list that is none.
      await world.push("q", payload(1));
      await world.send(["SET", world.keys.failed, "x"]);
      const failing = [defineJob({ class: "Noop", perform: () => Promise.reject(new Error("no")) })];
      await expect(app({ jobs: failing }).drain({ deadlineMs: Date.now() + 10_000 })).rejects.toThrow(/WRONGTYPE/);
      expect(await world.get(world.keys.processed)).toBe("0");
      // A queue that is none.
      await world.flush();
      await world.send(["SET", world.keys.queue("q"), "x"]);
      await expect(app({ jobs: [noop] }).drain()).rejects.toThrow(/is a string/);
      // A settlement of several kinds, the last of which is refused.
      await world.flush();
      const drain = world.drain({ client, queues: ["q", "r"], slots: 6, failedQueues: false });
      await world.push("q", ...payloads(4));
      await world.push("r", payload(4), payload(5));
      const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0, 1, 2, 3, 4, 5] });
      await world.send(["DEL", world.keys.queue("r")], ["SET", world.keys.queue("r"), "x"]);
      const outcomes = [
        { kind: "retrying", afterMs: 60_000, failure: { exception: "E", message: "m", backtrace: [] } },
        { kind: "failed", failure: { exception: "E", message: "m", backtrace: [] } },
        { kind: "released" },
        { kind: "requeued" },
        { kind: "requeued" },
        { kind: "requeued" },
      ] as const;
      const settle = claims.map((claim, index) => ({ claim, outcome: outcomes[index] ?? { kind: "ok" as const } }));
      const before = await world.queued("q");
      await expect(drain.store.exchange({ seq: 2, attempt: 1, settle: settle as never, fill: [] })).rejects.toThrow(
        /WRONGTYPE/,
      );
      expect(await world.queued("q")).toEqual(before);
      expect(await world.keyNames()).not.toContain(world.keys.retries);
    },
  },
];
