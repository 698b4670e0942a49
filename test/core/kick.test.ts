import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { drainInBackground, type StartRequest } from "../../src/core/start-drain.ts";
import { payload } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppOptions, type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const noop = { class: "Noop", perform: () => undefined };
const job = (...args: unknown[]) => ({ queue: "q", class: "Noop", args });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(setups())("kicks over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
    // Loads the scripts, so that no test pays for it.
    await world.push("q", payload(1));
    await world.app({ jobs: [noop], kick: () => undefined }).drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const mark = () => world.get(world.keys.kick);

  /** An app that notes what its host is asked for. */
  const open = (options: Partial<AppOptions> = {}) => {
    const asked: StartRequest[] = [];
    const kick = (request: StartRequest) => void asked.push(request);
    return { app: world.app({ jobs: [noop], kick, ...options }), asked };
  };

  const counting = async <T>(run: () => Promise<T>): Promise<{ result: T; commands: number | undefined }> => {
    const isReal = kind.server === "redis-server";
    if (isReal) await world.countCommands();
    const result = await run();
    return { result, commands: isReal ? await world.countCommands() : undefined };
  };

  test("enqueueing asks for a drain, once until one begins; each time for 1 command", async () => {
    const { app, asked } = open();
    const { commands } = await counting(async () => {
      await app.enqueue(job(1));
      await app.enqueueAll([job(2), job(3)]);
      await app.enqueueAt(Date.now(), job(4));
    });
    // Thrice a transaction, as the server counts it (MULTI, SADD, RPUSH, EXEC), and a SET.
    if (commands !== undefined) expect(commands).toBe(15);
    expect(asked).toEqual([{ reason: "kick", depth: 0 }]);
    const [ttl] = await world.send(["PTTL", world.keys.kick]);
    expect(Number(ttl)).toBeGreaterThan(50_000);
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 4, drainsStarted: 0 });
    await world.expectNoTraces();
    await app.enqueue(job(5));
    expect(asked).toHaveLength(2);
  });

  test("a pending kick is one for all who enqueue, whatever their process", async () => {
    const [a, b] = [open(), open({ redis: world.setup.newClient() })];
    await Promise.all([a.app.enqueue(job(1)), b.app.enqueue(job(2)), a.app.enqueue(job(3)), b.app.enqueue(job(4))]);
    expect([...a.asked, ...b.asked]).toHaveLength(1);
  });

  test("an idle tick: 1 command; a lone job's tick: 1 more than without", async () => {
    const { app } = open();
    expect(await app.drain()).toMatchObject({ commands: 1, requests: 1 });
    await app.enqueue(job(1));
    const { result, commands } = await counting(() => app.drain());
    expect(result).toMatchObject({ succeeded: 1, commands: 26, requests: 5 });
    if (commands !== undefined) expect(commands).toBe(26);
  });

  test("a kicked drain whose jobs another has run: takes the mark away, for 10 commands", async () => {
    const { app, asked } = open();
    await app.enqueue(job(1));
    await world.send(["LPOP", world.keys.queue("q")]);
    const { result, commands } = await counting(() => app.drain());
    expect(result).toMatchObject({ stopped: "empty", claimed: 0, commands: 10 });
    if (commands !== undefined) expect(commands).toBe(10);
    expect(await mark()).toBeNull();
    await app.enqueue(job(1));
    expect(asked).toHaveLength(2);
  });

  test("a drain takes the mark away before it looks at the queues: what comes later kicks again", async () => {
    const { app: producer, asked } = open();
    await producer.enqueue(job(1));
    const ran: unknown[] = [];
    // Between its first look and the mark, and between the mark and its first claim.
    const moments = ["TIME", "exchange"];
    const client = carriedClient(world.setup.newClient(), async (letter) => {
      if (letter.names[0] === moments[0]) await producer.enqueue(job(moments.shift()));
      return letter.deliver();
    });
    const consumer = open({ redis: client, jobs: [{ class: "Noop", perform: ([n]) => ran.push(n) }] });
    expect(await consumer.app.drain()).toMatchObject({ stopped: "empty", succeeded: 3 });
    expect(ran).toEqual([1, "TIME", "exchange"]);
    // For the first job, and for the one behind the mark.
    expect(asked).toHaveLength(2);
    expect(await mark()).not.toBeNull();
  });

  test("a drain that was kicked and never began is taken for lost after ttlMs", async () => {
    const { app, asked } = open({ kick: { start: () => void asked.push({ reason: "kick", depth: 0 }), ttlMs: 5_000 } });
    await app.enqueue(job(1));
    const [ttl] = await world.send(["PTTL", world.keys.kick]);
    expect(Number(ttl)).toBeLessThanOrEqual(5_000);
    await world.send(["PEXPIRE", world.keys.kick, 1]);
    await until(async () => (await mark()) === null);
    await app.enqueue(job(2));
    expect(asked).toHaveLength(2);
  });

  test.each<[string, () => unknown]>([
    ["throws", () => JSON.parse("")],
    ["rejects", () => Promise.reject(new Error("throttled"))],
  ])("a host that %s: the job is enqueued, the mark is free, the next kick asks again", async (_name, fail) => {
    const warned: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => void warned.push(text), error: () => {} };
    let asked = 0;
    const kick = () => (++asked < 3 ? fail() : undefined);
    const { app } = open({ kick, logger });
    expect(await app.enqueue(job(1))).toEqual({ kind: "queued", queue: "q", length: 1 });
    expect(warned).toEqual(["the host could not start a drain"]);
    expect(await mark()).toBeNull();
    expect(await app.kick()).toEqual({ kind: "failed" });
    expect(await app.kick()).toEqual({ kind: "started" });
    expect(await app.kick()).toEqual({ kind: "pending" });
    expect(asked).toBe(3);
  });

  test("delayed jobs, other queues' jobs and refused ones kick nothing", async () => {
    const unique = { class: "Once", unique: { until: "done" as const, ttlMs: 60_000 }, perform: () => undefined };
    const { app, asked } = open({ jobs: [noop, unique], queues: ["q", "x-*", "!x-slow"] });
    await app.enqueueIn(10_000, job(1));
    await app.enqueueAll([
      { ...job(1), at: Date.now() + 60_000 },
      { ...job(1), queue: "other" },
    ]);
    await app.enqueueAll([]);
    await app.enqueue({ ...job(1), queue: "x-slow" });
    expect(asked).toEqual([]);
    await app.enqueue({ queue: "x-y", class: "Once" });
    expect(asked).toHaveLength(1);
    await world.send(["DEL", world.keys.kick]);
    expect(await app.enqueue({ queue: "x-y", class: "Once" })).toMatchObject({ kind: "dropped" });
    await app.enqueueAll([{ queue: "x-y", class: "Once" }]);
    expect(asked).toHaveLength(1);
  });

  test("one may kick by hand alone, for one list, or not for one list", async () => {
    const own: string[] = [];
    const { app } = open({ kick: { start: () => void own.push("app"), onEnqueue: false } });
    await app.enqueue(job(1));
    expect(own).toEqual([]);
    await app.enqueueAll([job(2)], { kick: () => void own.push("list") });
    expect(await app.kick({ start: () => void own.push("hand") })).toEqual({ kind: "pending" });
    await app.drain();
    expect(await app.kick({ start: () => void own.push("hand") })).toEqual({ kind: "started" });
    await app.drain();
    expect(await app.kick()).toEqual({ kind: "started" });
    expect(own).toEqual(["list", "hand", "app"]);
    const { app: other, asked } = open();
    await app.drain();
    await other.enqueueAll([job(3)], { kick: false });
    expect(asked).toEqual([]);
  });

  test("an app without the option refuses to kick", async () => {
    const app = world.app({ jobs: [noop] });
    await expect(app.kick({ start: () => undefined })).rejects.toThrow(/expected the option kick of createAirlift/);
    await expect(app.enqueueAll([job(1)], { kick: () => undefined })).rejects.toThrow(/expected the option kick/);
    expect(await world.queued("q")).toEqual([]);
    await expect(world.app({ jobs: [noop], kick: {} }).kick()).rejects.toThrow(/or {} and one given here/);
  });

  test("jobs that a drain's own jobs enqueue are left to it: no kick, no command", async () => {
    const ran: unknown[] = [];
    const { app, asked } = open({ jobs: [] });
    const perform = async ([n]: readonly unknown[]) => {
      ran.push(n);
      if ((n as number) < 5) await self.enqueue(job((n as number) + 1));
    };
    const self = world.app({ ...app.options, jobs: [{ class: "Noop", perform }] });
    await world.push("q", payload(1));
    expect(await self.drain()).toMatchObject({ succeeded: 5, stopped: "empty", drainsStarted: 0 });
    expect(ran).toEqual([1, 2, 3, 4, 5]);
    expect(asked).toEqual([]);
  });

  test("what a drain leaves of them kicks another at its end, one deeper, until it is deep enough", async () => {
    const asked: StartRequest[] = [];
    const events: DrainEvent[] = [];
    const perform = async () => void (await self.enqueue(job("more")));
    const kick = { start: (request: StartRequest) => void asked.push(request), maxDepth: 3 };
    const self = world.app({ jobs: [{ class: "Noop", perform }], kick, onEvent: (event) => events.push(event) });
    await world.push("q", payload("first"));
    for (const depth of [0, 2]) {
      expect(await self.drain({ maxJobs: 1, depth })).toMatchObject({ stopped: "budget", drainsStarted: 1 });
      expect(asked.splice(0)).toEqual([{ reason: "kick", depth: depth + 1 }]);
      expect(events.filter(({ kind: event }) => event === "drain-requested").at(-1)).toMatchObject({
        depth: depth + 1,
      });
    }
    expect(await self.drain({ maxJobs: 1, depth: 3 })).toMatchObject({ stopped: "budget", drainsStarted: 0 });
    expect(asked).toEqual([]);
  });

  test.each([false, true])(
    "no job is missed, without any tick, whenever it is enqueued (single: %s)",
    async (single) => {
      const ran = new Set<unknown>();
      const drains = new Set<Promise<unknown>>();
      const newHost = () => {
        const start = async () => {
          // A host takes its time; each drain has a process of its own.
          const drain = pause(Math.random() * 12).then(() => newHost().drain());
          drains.add(drain);
          void drain.finally(() => drains.delete(drain));
        };
        const perform = async ([n]: readonly unknown[]) => {
          await pause(Math.random() * 4);
          ran.add(n);
        };
        const redis = world.setup.newClient();
        return world.app({ redis, jobs: [{ class: "Noop", perform }], kick: start, single, concurrency: 2 });
      };
      const producers = [newHost(), newHost()];
      for (let round = 0; round < 12; round++) {
        const jobs = Array.from({ length: 1 + (round % 3) }, (_, n) => job(`${round}.${n}`));
        await Promise.all(jobs.map((each, n) => producers[n % 2]?.enqueue(each)));
        await pause(Math.random() * 25);
      }
      await until(() => drains.size === 0);
      expect(ran.size).toBe(24);
      expect(await world.queued("q")).toEqual([]);
    },
  );

  test("a single drain that others were kicked beside looks once more when it has given up its lease", async () => {
    const { app: producer, asked } = open({ single: true });
    const gate = createGate();
    const client = carriedClient(world.setup.newClient(), async (letter) => {
      const reply = await letter.deliver();
      // Its last exchange has seen an empty queue: this comes too late for it, and the drain that is kicked is busy.
      if (letter.names.includes("exchange") && ran > 0 && asked.length === 0) {
        await producer.enqueue(job("late"));
        expect(await producer.drain()).toMatchObject({ stopped: "busy" });
        gate.open();
      }
      return reply;
    });
    let ran = 0;
    const { app: holder, asked: askedByHolder } = open({
      ...{ redis: client, single: true },
      jobs: [{ class: "Noop", perform: () => void ran++ }],
    });
    await world.push("q", payload("first"));
    const report = await holder.drain();
    await gate.passed;
    expect(report).toMatchObject({ stopped: "empty", succeeded: 1, drainsStarted: 1 });
    expect(askedByHolder).toEqual([{ reason: "kick", depth: 1 }]);
    expect(await producer.drain()).toMatchObject({ succeeded: 1 });
    expect(await mark()).toBeNull();
  });

  test("a single drain looks once more, for 1 command; the mark goes with its lease", async () => {
    const { app } = open({ single: true });
    expect(await app.drain()).toMatchObject({ commands: 1 });
    await world.push("q", payload(1));
    const { result, commands } = await counting(() => app.drain());
    // 29 as every single drain's, and the look: the mark goes with the lease.
    expect(result).toMatchObject({ succeeded: 1, commands: 30, requests: 7 });
    if (commands !== undefined) expect(commands).toBe(30);
    await world.expectNoTraces();
  });

  test("a lost reply of setting the mark kicks all the same, once", async () => {
    let calls = 0;
    const client = carriedClient(world.setup.newClient(), async (letter) => {
      const reply = await letter.deliver();
      if (letter.names[0] === "SET" && ++calls === 1) throw new StoreError("unavailable", "lost");
      return reply;
    });
    const { app, asked } = open({ redis: client });
    await app.enqueue(job(1));
    expect([calls, asked.length]).toEqual([2, 1]);
  });

  test("a mark that was set, of which no answer came in time, does not stand in the way of the next kick", async () => {
    let isSilent = true;
    const client = carriedClient(world.setup.newClient(), async (letter) => {
      const reply = await letter.deliver();
      if (letter.names[0] === "SET" && isSilent) return new Promise(() => undefined);
      return reply;
    });
    const { app, asked } = open({ redis: client });
    expect(await app.enqueue(job(1))).toMatchObject({ kind: "queued" });
    expect(asked).toEqual([]);
    await until(async () => (await mark()) === null);
    isSilent = false;
    await app.enqueue(job(2));
    expect(asked).toEqual([{ reason: "kick", depth: 0 }]);
  });

  // Elsewhere the server, or the gateway, is of this very thread.
  test.runIf(kind.name === "redis-server-tcp")(
    "a program that computes for long while the mark is set kicks all the same: its answer is there",
    async () => {
      const client = carriedClient(world.setup.newClient(), async (letter) => {
        const reply = letter.deliver();
        if (letter.names[0] === "SET") {
          // Timers come next in the loop, and sockets after them.
          await new Promise((resolve) => setImmediate(resolve));
          for (const endMs = Date.now() + 2_000; Date.now() < endMs; );
        }
        return reply;
      });
      const { app, asked } = open({ redis: client });
      await app.enqueue(job(1));
      expect(asked).toEqual([{ reason: "kick", depth: 0 }]);
    },
  );

  test("a Redis that takes jobs and no marks: the job is enqueued, and nobody is told otherwise", async () => {
    const client = carriedClient(world.setup.newClient(), async (letter) => {
      if (letter.names[0] === "SET") throw new StoreError("rejected", "NOPERM");
      return letter.deliver();
    });
    const { app, asked } = open({ redis: client });
    expect(await app.enqueue(job(1))).toMatchObject({ kind: "queued" });
    expect(asked).toEqual([]);
  });
});

describe("drainInBackground", () => {
  let world: AppWorld;
  beforeAll(async () => {
    const [setup] = setups();
    world = await openAppWorld(setup as NonNullable<typeof setup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("drains in this process, after the enqueueing has returned, while the host waits", async () => {
    const work: Promise<unknown>[] = [];
    const gate = createGate();
    const deadlines: number[] = [];
    const perform = async (_args: unknown, { deadlineMs }: { deadlineMs: number }) => {
      deadlines.push(deadlineMs);
      await gate.passed;
    };
    const kick = drainInBackground((each) => work.push(each), 30_000);
    const app = world.app({ jobs: [{ class: "Noop", perform, timeoutMs: 20_000 }], kick });
    await app.enqueue(job(1));
    expect(work).toHaveLength(1);
    await until(() => deadlines.length === 1);
    gate.open();
    expect(await work[0]).toMatchObject({ stopped: "empty", succeeded: 1 });
  });

  describe("asked for by a drain", () => {
    /** Each run enqueues one more. */
    const open = (perform: (run: number, deadlineMs: number) => unknown) => {
      const work: Promise<unknown>[] = [];
      let runs = 0;
      const chain = async (_args: unknown, { deadlineMs }: { deadlineMs: number }) => {
        if (++runs < 3) await app.enqueue(job(runs));
        await perform(runs, deadlineMs);
      };
      const kick = drainInBackground((each) => work.push(each), 300_000);
      const jobs = [{ class: "Noop", perform: chain }];
      // One at a time: the drain that runs a job has no room for what that enqueues.
      const app = world.app({ jobs, kick, marginMs: 0, timeoutMs: 600_000, concurrency: 1 });
      return { app, work };
    };

    test("ends when that one must, as its host ends both", async () => {
      const seen: number[] = [];
      const { app, work } = open((_run, deadlineMs) => seen.push(deadlineMs));
      const endMs = Date.now() + 30_000;
      await world.push("q", payload(1));
      expect(await app.drain({ deadlineMs: endMs, maxJobs: 1 })).toMatchObject({ claimed: 1, drainsStarted: 1 });
      expect(await work[0]).toMatchObject({ stopped: "empty", succeeded: 2 });
      expect(seen).toHaveLength(3);
      expect(Math.max(...seen)).toBeLessThanOrEqual(endMs);
    });

    test("does not begin when the time is over, and is not waited for", async () => {
      const { app, work } = open(() => new Promise(() => undefined));
      await world.flush();
      await world.push("q", payload(1));
      const report = await app.drain({ deadlineMs: Date.now() + 1_500 });
      expect(report).toMatchObject({ stopped: "deadline", remaining: 2, drainsStarted: 0 });
      expect(work).toEqual([]);
      expect(await world.get(world.keys.kick)).toBeNull();
    });
  });

  test("a drain that fails there is logged, and rejects nothing", async () => {
    const errors: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (text: string) => void errors.push(text) };
    const work: Promise<unknown>[] = [];
    const redis = fatedClient(world.client, (call) =>
      call > 2 ? { carriedOut: false, error: new StoreError("rejected", "no") } : "ok",
    );
    const kick = drainInBackground((each) => work.push(each));
    await world.app({ redis, jobs: [noop], kick, logger }).enqueue(job(1));
    expect(await work[0]).toBeUndefined();
    expect(errors).toEqual(["a drain that was started here failed"]);
  });
});

describe("the option kick", () => {
  const redis = fatedClient({} as Parameters<typeof fatedClient>[0], () => ({ carriedOut: false }));
  test.each([{ kick: "now" }, { kick: { start: 1 } }, { kick: { ttlMs: 999 } }, { kick: { when: "now" } }])(
    "refuses %j",
    (options) => {
      const create = () => createAirlift({ redis, queues: ["q"], jobs: [], ...(options as object) });
      expect(create).toThrow(/kick: expected a function that starts a drain, or { start, onEnqueue, ttlMs, maxDepth }/);
    },
  );
});
