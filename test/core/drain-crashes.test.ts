import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { JobContext } from "../../src/core/job.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const noop = { class: "Noop", perform: () => undefined };

describe.each(setups())("drains that die over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  /** Starts a drain that falls silent for ever as soon as it has claimed its first jobs; resolves when it has. */
  const abandon = async (jobs: number, leaseMs = 60_000): Promise<void> => {
    let isDead = false;
    const claimed = createGate();
    let seen = 0;
    const redis = fatedClient(world.client, () => (isDead ? { carriedOut: false } : "ok"));
    const app = world.app({ redis, jobs: [noop], concurrency: jobs, leaseMs });
    // Its process would be gone; this one lives on and gives up in the end.
    app
      .drain({
        onEvent: ({ kind: event }) => {
          if (event === "job-claimed" && ++seen === jobs) {
            isDead = true;
            claimed.open();
          }
        },
      })
      .catch(() => undefined);
    await claimed.passed;
  };

  test("are recovered once their lease has ended: each of their jobs runs again, once, marked", async () => {
    await world.push("q", ...payloads(6));
    await abandon(4);
    const ran: { n: unknown; attempt: number; raw: string }[] = [];
    const perform = ([n]: readonly unknown[], { attempt, raw }: JobContext) => void ran.push({ n, attempt, raw });
    const app = world.app({ jobs: [{ class: "Noop", perform }] });
    expect(await app.drain()).toMatchObject({ succeeded: 2, recovered: 0, stopped: "empty" });
    await world.endLeases();
    expect(await app.drain()).toMatchObject({ succeeded: 4, recovered: 4, stopped: "empty" });
    const marked = [0, 1, 2, 3].map((n) => ({
      n,
      attempt: 2,
      raw: `{"class":"Noop","args":[${n}],"airlift":{"crashes":1}}`,
    }));
    const untouched = [4, 5].map((n) => ({ n, attempt: 1, raw: payload(n) }));
    expect(ran).toEqual([...untouched, ...marked]);
    expect(await world.get(world.keys.processed)).toBe("6");
  });

  test("are recovered by a drain that is at work, when they die during it", async () => {
    await world.push("q", ...payloads(3));
    await abandon(2);
    // A lease that ends while the next drain is at work: seen at its beat.
    const gate = createGate();
    const perform = async ([n]: readonly unknown[]) => {
      if (n !== 2) return;
      await world.endLeases();
      await gate.passed;
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], leaseMs: 1_000 });
    const report = await app.drain({ onEvent: ({ kind: event }) => event === "drain-recovered" && gate.open() });
    expect(report).toMatchObject({ recovered: 2, succeeded: 3, stopped: "empty", lost: 0 });
  });

  test("go to failed as Resque::DirtyExit with the job that took them down crashLimit times", async () => {
    await world.push("q", payload(1));
    for (let crash = 0; crash < 3; crash++) {
      await world.endLeases();
      // A drain that only recovers.
      if (crash > 0) {
        await world.send(["SET", world.keys.pauseAll, "true"]);
        expect(await world.app({ jobs: [noop] }).drain()).toMatchObject({ recovered: 1, claimed: 0 });
        await world.send(["DEL", world.keys.pauseAll]);
      }
      await abandon(1);
    }
    await world.endLeases();
    expect(await world.app({ jobs: [noop], crashLimit: 3 }).drain()).toMatchObject({ recovered: 0, claimed: 0 });
    expect(await world.failed()).toMatchObject([{ payload: JSON.parse(payload(1)), exception: "Resque::DirtyExit" }]);
    expect(await world.queued("q")).toEqual([]);
  });

  test("two at once run each job once", async () => {
    await world.push("q", ...payloads(300));
    const ran: unknown[] = [];
    const perform = async ([n]: readonly unknown[]) => {
      ran.push(n);
      await macrotask();
    };
    const apps = [
      world.app({ jobs: [{ class: "Noop", perform }] }),
      world.app({ redis: world.setup.newClient(), jobs: [{ class: "Noop", perform }] }),
    ];
    const reports = await Promise.all(apps.map((app) => app.drain()));
    expect(ran.toSorted((a, b) => (a as number) - (b as number))).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(300);
    expect(reports.map(({ recovered, lost }) => [recovered, lost])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await world.get(world.keys.processed)).toBe("300");
  });

  test("one that was recovered while it ran says so, and settles nothing a second time", async () => {
    await world.push("q", ...payloads(10));
    const other = world.app({ jobs: [noop], redis: world.setup.newClient() });
    const reasons: unknown[] = [];
    const perform = async ([n]: readonly unknown[], { signal }: JobContext) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as Error).name));
      if (n !== 1) return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await world.endLeases();
      return expect(await other.drain()).toMatchObject({ stopped: "empty", succeeded: 10 });
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 3 }).drain();
    expect(report).toMatchObject({ stopped: "lost", claimed: 3, lost: 3, succeeded: 0, failed: 0, remaining: 0 });
    expect(reasons).toEqual(["AbortError", "AbortError"]);
    expect(await world.get(world.keys.processed)).toBe("10");
    expect(await world.failed()).toEqual([]);
  });

  test("one whose fence was taken away claims no more, and gives back what it holds", async () => {
    await world.push("q", ...payloads(10));
    const perform = async ([n]: readonly unknown[]) => {
      if (n !== 1) return new Promise(() => undefined);
      const fences = (await world.keyNames()).filter((name) => name.endsWith(":started"));
      return world.send(["DEL", ...fences]);
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 3 }).drain();
    expect(report).toMatchObject({ stopped: "lost", succeeded: 1, released: 2, remaining: 9 });
    expect((await world.queued("q")).toSorted()).toEqual(
      payloads(10)
        .filter((raw) => raw !== payload(1))
        .toSorted(),
    );
  });
});

const [anySetup] = setups();

describe("a lease", () => {
  test("that ends by itself is enough", async () => {
    await using world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
    await world.push("q", payload(1));
    let isDead = false;
    const redis = fatedClient(world.client, () => (isDead ? { carriedOut: false } : "ok"));
    const die = (): void => {
      isDead = true;
    };
    world
      .app({ redis, jobs: [noop], leaseMs: 1_000 })
      .drain({ onEvent: ({ kind }) => kind === "job-claimed" && die() })
      .catch(() => undefined);
    await until(() => isDead);
    const app = world.app({ jobs: [noop] });
    const report = await until(async () => {
      const next = await app.drain();
      return next.recovered > 0 && next;
    });
    expect(report).toMatchObject({ recovered: 1, succeeded: 1, stopped: "empty" });
    await world.expectNoTraces();
  });

  test("of a drain whose jobs take longer is renewed, and its workers' figures shown", async () => {
    await using world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
    await world.push("q", '{"class":"Long","args":[]}', payload(1));
    const beats = new Set<string>();
    const stats = new Set<string>();
    const long = async () => {
      const first = await world.send(["ZRANGE", world.keys.drains, 0, -1, "WITHSCORES"]);
      beats.add(String(first));
      await until(async () => {
        const now = await world.send(["ZRANGE", world.keys.drains, 0, -1, "WITHSCORES"]);
        beats.add(String(now));
        // A beat that comes before the other job is settled has nothing of it to show.
        for (const name of await world.keyNames())
          if (/stat:processed:./.test(name)) stats.add(String(await world.get(name)));
        return String(now) !== String(first) && stats.size > 0;
      });
    };
    const app = world.app({ jobs: [noop, { class: "Long", perform: long }], leaseMs: 1_000 });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 2, lost: 0 });
    expect(beats.size).toBeGreaterThanOrEqual(2);
    expect([...stats]).toEqual(["1"]);
    await world.expectNoTraces();
  });
});

/** What a Redis that fails does: the call takes effect or not, and the client learns of an error. */
describe.each(setups().filter(({ name }) => name === "embedded-tcp" || name === "redis-server-http"))(
  "a Redis that fails, over $name",
  (kind) => {
    let world: AppWorld;
    beforeAll(async () => {
      world = await openAppWorld(kind);
    });
    afterAll(() => world[Symbol.asyncDispose]());
    beforeEach(() => world.flush());

    const boom = { class: "Boom", perform: () => Promise.reject(new Error("boom")) };
    const mixed = [...payloads(7), '{"class":"Boom","args":[]}', "not json", ...payloads(7, 7)];

    test.each([
      ["before it took effect", false],
      ["after it took effect", true],
    ])("at any one call, %s: nothing is lost, nothing counted twice", async (_when, carriedOut) => {
      let hit = true;
      for (let failing = 1; hit; failing++) {
        await world.push("q", ...mixed);
        const ran: unknown[] = [];
        const error = new StoreError("unavailable", "no answer");
        const redis = fatedClient(world.client, (call) => (call === failing ? { carriedOut, error } : "ok"));
        const jobs = [{ class: "Noop", perform: ([n]: readonly unknown[]) => ran.push(n) }, boom];
        const retries: unknown[] = [];
        const app = world.app({ redis, jobs, concurrency: 4 });
        const report = await app.drain({
          onEvent: (event) => event.kind === "store-retry" && retries.push(event.error),
        });
        expect({ failing, ...report }).toMatchObject({
          failing,
          stopped: "empty",
          succeeded: 14,
          failed: 2,
          lost: 0,
          claimed: 16,
        });
        // How many calls a drain makes depends on how its jobs happen to end: the last one here met no error.
        hit = redis.calls >= failing;
        expect(failing).toBeGreaterThan(hit ? 0 : 5);
        expect(retries).toEqual(hit ? [error] : []);
        expect(ran.toSorted((a, b) => (a as number) - (b as number))).toEqual(Array.from({ length: 14 }, (_, n) => n));
        expect(await world.get(world.keys.processed)).toBe("16");
        expect(await world.get(world.keys.failures)).toBe("2");
        expect(await world.failed()).toHaveLength(2);
        await world.expectNoTraces();
        await world.flush();
      }
    });

    test.each([
      ["before it took effect", false],
      ["after it took effect", true],
    ])(
      "for good at any one call, %s: the drain says so, the next ones end every job once",
      async (_when, carriedOut) => {
        for (let failing = 1; ; failing++) {
          await world.push("q", ...mixed);
          const error = new StoreError("rejected", "no permission");
          const redis = fatedClient(world.client, (call) => (call === failing ? { carriedOut, error } : "ok"));
          const ran: unknown[] = [];
          const jobs = [{ class: "Noop", perform: ([n]: readonly unknown[]) => ran.push(n) }, boom];
          const ended: unknown = await world
            .app({ redis, jobs, concurrency: 4 })
            .drain()
            .catch((thrown: unknown) => thrown);
          if (redis.calls < failing) {
            // How many calls a drain makes depends on how its jobs happen to end: this one met no error.
            expect(failing).toBeGreaterThan(5);
            expect(ended).toMatchObject({ stopped: "empty", succeeded: 14, failed: 2 });
            break;
          }
          expect(ended).toMatchObject({
            name: "DrainError",
            code: "ERR_DRAIN",
            message: expect.stringContaining("no permission"),
            report: { claimed: expect.any(Number), commands: expect.any(Number) },
          });
          await world.endLeases();
          expect(await world.app({ jobs, concurrency: 4 }).drain()).toMatchObject({ stopped: "empty", lost: 0 });
          expect(new Set(ran)).toEqual(new Set(Array.from({ length: 14 }, (_, n) => n)));
          expect(await world.queued("q")).toEqual([]);
          // What had ended was either written or ran again, so nothing was written twice.
          expect({ failing, processed: await world.get(world.keys.processed) }).toEqual({ failing, processed: "16" });
          expect(await world.failed()).toHaveLength(2);
          await world.expectNoTraces();
          await world.flush();
        }
      },
    );

    test("from the beginning: the drain gives up within seconds and has cost nothing", async () => {
      const error = new StoreError("unauthorized", "WRONGPASS");
      const redis = fatedClient(world.client, () => ({ carriedOut: false, error }));
      const drain = world.app({ redis, jobs: [noop] }).drain();
      await expect(drain).rejects.toMatchObject({ name: "DrainError", cause: error, report: { claimed: 0 } });
      expect(redis.calls).toBe(1);
    });

    test("by refusing its credentials for a while, at any one call once jobs were handed out: each runs once", async () => {
      let hit = true;
      for (let refused = 1; hit; refused++) {
        await world.push("q", ...payloads(12));
        const error = new StoreError("unauthorized", "WRONGPASS");
        let exchanges = 0;
        let calls = 0;
        const redis = fatedClient(world.client, () => {
          if (exchanges === 0) return "ok";
          calls++;
          return calls >= refused && calls < refused + 3 ? { carriedOut: false, error } : "ok";
        });
        const ran: unknown[] = [];
        const perform = async ([n]: readonly unknown[]): Promise<void> => {
          ran.push(n);
          await macrotask();
        };
        const report = await world.app({ redis, jobs: [{ class: "Noop", perform }], concurrency: 4 }).drain({
          onEvent: ({ kind: event }) => event === "job-claimed" && exchanges++,
        });
        expect({ refused, ...report }).toMatchObject({ refused, stopped: "empty", succeeded: 12, lost: 0 });
        expect(ran.toSorted((a, b) => (a as number) - (b as number))).toEqual(Array.from({ length: 12 }, (_, n) => n));
        await world.expectNoTraces();
        await world.flush();
        hit = calls >= refused;
        expect(refused).toBeGreaterThan(hit ? 0 : 2);
      }
    });

    test("by refusing its credentials for good while it holds jobs: the drain says so when its lease is over", async () => {
      await world.push("q", ...payloads(6));
      const error = new StoreError("unauthorized", "WRONGPASS");
      let isRevoked = false;
      const redis = fatedClient(world.client, () => (isRevoked ? { carriedOut: false, error } : "ok"));
      const app = world.app({ redis, jobs: [noop], concurrency: 4, leaseMs: 1_000 });
      const onEvent = ({ kind: event }: { kind: string }): void => {
        isRevoked ||= event === "job-claimed";
      };
      await expect(app.drain({ onEvent })).rejects.toMatchObject({ name: "DrainError", cause: error });
      await world.endLeases();
      expect(await world.app({ jobs: [noop] }).drain()).toMatchObject({ recovered: 4, succeeded: 6 });
      await world.expectNoTraces();
    });

    test("until its deadline: the drain says so, and the jobs are where they were", async () => {
      await world.push("q", payload(1));
      const error = new StoreError("unavailable", "no answer");
      const redis = fatedClient(world.client, () => ({ carriedOut: false, error }));
      const deadlineMs = Date.now() + 300;
      await expect(world.app({ redis, jobs: [noop], marginMs: 0 }).drain({ deadlineMs })).rejects.toThrow(/no answer/);
      expect(await world.queued("q")).toEqual([payload(1)]);
    });

    test("while it holds jobs, for longer than its lease: what it held is recovered by the next", async () => {
      await world.push("q", ...payloads(6));
      const error = new StoreError("unavailable", "no answer");
      let isGone = false;
      const redis = fatedClient(world.client, () => (isGone ? { carriedOut: false, error } : "ok"));
      const app = world.app({ redis, jobs: [noop], concurrency: 4, leaseMs: 1_000 });
      const onEvent = ({ kind: event }: { kind: string }): void => {
        isGone ||= event === "job-claimed";
      };
      const drain = app.drain({ onEvent });
      await expect(drain).rejects.toMatchObject({ name: "DrainError", report: { claimed: 4 } });
      await world.endLeases();
      expect(await world.app({ jobs: [noop] }).drain()).toMatchObject({ recovered: 4, succeeded: 6 });
      await world.expectNoTraces();
    });
  },
);
