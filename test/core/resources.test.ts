import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { defineJobsWith } from "../../src/core/job.ts";
import type { Logger } from "../../src/core/job-context.ts";
import { createResources, type ResourceFactories } from "../../src/core/resources.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";
import { createManualClock } from "./manual-clock.ts";

function createBench(factories: ResourceFactories) {
  const clock = createManualClock();
  const lines: unknown[] = [];
  const line = (message: string, fields?: Record<string, unknown>) => void lines.push([message, fields]);
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const resources = createResources(factories, clock, logger);
  return { clock, lines, resources, opened: resources.opened, close: () => resources[Symbol.asyncDispose]() };
}

describe("a resource", () => {
  test("is opened at its first use, and once, however many ask at the same time", async () => {
    let opens = 0;
    const gate = createGate();
    const { opened } = createBench({
      db: async () => {
        const n = ++opens;
        await gate.passed;
        return { n };
      },
    });
    expect(opens).toBe(0);
    const asked = [opened["db"], opened["db"]];
    gate.open();
    const [first, second] = await Promise.all(asked);
    expect([first, await opened["db"], opens]).toEqual([second, first, 1]);
    expect(await opened["db"]).toBe(first);
  });

  test("may be any value, of a function that is synchronous too", async () => {
    const { opened, lines, close } = createBench({ text: () => "x", nothing: () => undefined, none: () => null });
    expect([await opened["text"], await opened["nothing"], await opened["none"]]).toEqual(["x", undefined, null]);
    await close();
    expect(lines).toEqual([]);
  });

  test("that could not be opened is tried again at the next use", async () => {
    let opens = 0;
    const { opened, close, lines } = createBench({
      db: () => {
        if (++opens < 3) throw new Error(`no connection ${opens}`);
        return opens;
      },
    });
    await expect(opened["db"]).rejects.toThrow("no connection 1");
    await expect(opened["db"]).rejects.toThrow("no connection 2");
    expect(await opened["db"]).toBe(3);
    await close();
    expect(lines).toEqual([]);
  });

  test("that is not there is undefined, as of any object", () => {
    expect(createBench({ db: () => 1 }).opened["cache"]).toBeUndefined();
  });
});

describe("closing", () => {
  const closing = (closed: string[], name: string, symbol: typeof Symbol.dispose | typeof Symbol.asyncDispose) => ({
    [symbol]() {
      closed.push(name);
    },
  });

  test("closes what is open, the last one first, by either symbol, once", async () => {
    const closed: string[] = [];
    const { opened, close } = createBench({
      unused: () => closing(closed, "unused", Symbol.dispose),
      a: () => closing(closed, "a", Symbol.dispose),
      b: () => Object.assign(() => undefined, closing(closed, "b", Symbol.asyncDispose)),
      c: () => ({ ...closing(closed, "c now", Symbol.dispose), ...closing(closed, "c", Symbol.asyncDispose) }),
    });
    await opened["b"];
    await opened["a"];
    await opened["c"];
    await close();
    await close();
    expect(closed).toEqual(["c", "a", "b"]);
  });

  test("closes a resource before the one that it used while it was opened", async () => {
    const closed: string[] = [];
    const bench: ReturnType<typeof createBench> = createBench({
      outer: async () => {
        await bench.opened["inner"];
        return closing(closed, "outer", Symbol.dispose);
      },
      inner: () => closing(closed, "inner", Symbol.dispose),
    });
    await bench.opened["outer"];
    await bench.close();
    expect(closed).toEqual(["outer", "inner"]);
  });

  test("waits for one that is being opened, and closes it", async () => {
    const closed: string[] = [];
    const gate = createGate();
    const { opened, close } = createBench({
      db: async () => {
        await gate.passed;
        return closing(closed, "db", Symbol.dispose);
      },
    });
    void opened["db"];
    const isClosed = close();
    gate.open();
    await isClosed;
    expect(closed).toEqual(["db"]);
  });

  test("goes on when one fails to close, or takes too long, and tells of it", async () => {
    const closed: string[] = [];
    const error = new Error("still in use");
    const { opened, close, clock, lines } = createBench({
      good: () => closing(closed, "good", Symbol.dispose),
      slow: () => ({ [Symbol.asyncDispose]: () => new Promise(() => undefined) }),
      bad: () => ({ [Symbol.asyncDispose]: () => Promise.reject(error) }),
    });
    for (const name of ["good", "slow", "bad"]) await opened[name];
    const isClosed = close();
    await clock.advance(5_000);
    await isClosed;
    expect(closed).toEqual(["good"]);
    expect(lines).toEqual([
      ['the resource "bad" could not be closed', { error }],
      ['the resource "slow" did not close within 5000 ms', undefined],
    ]);
    expect(clock.pendingMs).toEqual([]);
  });

  test("is for good: who asks later is told so", async () => {
    let opens = 0;
    const { opened, close } = createBench({ db: () => ++opens });
    await opened["db"];
    await close();
    await expect(opened["db"]).rejects.toThrow('the resource "db": the app is closed');
    expect(opens).toBe(1);
  });
});

describe.each(setups())("resources over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("are shared by all jobs and all drains of an app, and closed with it, before its Redis", async () => {
    const events: string[] = [];
    const resources = {
      db: async () => {
        events.push("open");
        return { [Symbol.asyncDispose]: async () => void events.push("close") };
      },
      unused: () => void events.push("never"),
    };
    const used = new Set<unknown>();
    const job = defineJobsWith({ resources })({
      class: "Job",
      perform: async (_args, { resources: { db } }) => void used.add(await db),
    });
    const close = async () => void events.push("close Redis");
    const client = Object.assign(
      fatedClient(world.client, () => "ok"),
      { close },
    );
    {
      await using airlift = world.app({ jobs: [job], resources, redis: client });
      for (let drains = 0; drains < 2; drains++) {
        await world.push("q", ...Array.from({ length: 5 }, () => '{"class":"Job","args":[]}'));
        expect(await airlift.drain()).toMatchObject({ succeeded: 5 });
      }
      expect(events).toEqual(["open"]);
    }
    expect(used.size).toBe(1);
    expect(events).toEqual(["open", "close", "close Redis"]);
  });

  test("that cannot be opened fail the job that asked, which may be tried again", async () => {
    let opens = 0;
    const resources = {
      db: async () => {
        if (++opens === 1) throw new Error("no connection");
        return "db";
      },
    };
    const use = {
      perform: async (_args: unknown, job: { readonly resources: object }) => await Object(job.resources).db,
    };
    const jobs = [
      { class: "Asks", ...use },
      { class: "Retries", ...use, retry: { limit: 1, backoff: [3_600_000] } },
    ];
    const airlift = world.app({ jobs, resources, concurrency: 1 });
    await world.push("q", '{"class":"Retries","args":[]}', '{"class":"Asks","args":[]}');
    expect(await airlift.drain()).toMatchObject({ retried: 1, succeeded: 1, failed: 0 });
    expect(opens).toBe(2);
    await world.send(["DEL", world.keys.retries]);
  });
});
