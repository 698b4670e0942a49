import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DrainReport } from "../../src/core/report.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import type { AppOptions } from "./app-world.ts";
import { type AppWorld, fatedClient, openAppWorld } from "./app-world.ts";

const noop = { class: "Noop", perform: () => undefined };
const asyncNoop = { class: "Noop", perform: async () => undefined };

/** Numbers that look random and are the same in every run. */
function* pseudoRandom(): Generator<number, never> {
  for (let state = 1; ; ) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

describe.each(setups())("what a drain costs over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
    // Loads every script, the recovery's included, so that no test pays for it.
    await world.push("q", payload(1), payload(2));
    const frozen = fatedClient(world.client, (call) => (call > 3 ? { carriedOut: false } : "ok"));
    await new Promise<void>((resolve) => {
      world
        .app({ redis: frozen, jobs: [noop] })
        .drain({ onEvent: ({ kind: event }) => event === "job-claimed" && resolve() })
        .catch(() => undefined);
    });
    await world.endLeases();
    await world.app({ jobs: [noop] }).drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** Drains, and holds the report's figures against the server's own. */
  const drain = async (options: AppOptions): Promise<DrainReport> => {
    const app = world.app(options);
    const isReal = kind.server === "redis-server";
    if (isReal) await world.countCommands();
    const report = await app.drain();
    if (isReal) expect(report.commands).toBe(await world.countCommands());
    return report;
  };

  test("an idle tick: 1 command, 1 request", async () => {
    const report = await drain({ jobs: [noop], queues: ["a", "b", "c=2", "d"] });
    expect(report).toMatchObject({ stopped: "empty", commands: 1, requests: 1 });
  });

  test("an idle tick of a pattern: 2 commands, 1 for the queues and 1 for what is in them", async () => {
    await world.push("a", payload(1));
    await world.send(["DEL", world.keys.queue("a")]);
    expect(await drain({ jobs: [noop], queues: ["*"] })).toMatchObject({ stopped: "empty", commands: 2, requests: 2 });
  });

  test("a lone job's whole tick: 25 commands, 5 requests", async () => {
    await world.push("q", payload(1));
    const report = await drain({ jobs: [noop] });
    // EXISTS; TIME and three ZRANGE; an opening exchange (9); one that settles (5); the close (6).
    expect(report).toMatchObject({ succeeded: 1, commands: 25, requests: 5 });
  });

  test.each([50, 100, 500])(
    "no-op jobs at %i in flight: at most 0.15 commands and 0.03 requests each",
    async (concurrency) => {
      await world.push("q", ...payloads(2_500));
      const report = await drain({ jobs: [noop], concurrency });
      expect(report).toMatchObject({ succeeded: 2_500, stopped: "empty" });
      expect(report.commands / 2_500).toBeLessThanOrEqual(0.15);
      expect(report.requests / 2_500).toBeLessThanOrEqual(0.03);
    },
  );

  test("asynchronous no-op jobs at 50 in flight: no more", async () => {
    await world.push("q", ...payloads(2_500));
    const report = await drain({ jobs: [asyncNoop], concurrency: 50 });
    expect(report.succeeded).toBe(2_500);
    expect(report.commands / 2_500).toBeLessThanOrEqual(0.15);
    expect(report.requests / 2_500).toBeLessThanOrEqual(0.03);
  });

  test("failures, unknown classes, text that may not be UTF-8, big and broken payloads, several queues and a recovery: as the server counts", async () => {
    const boom = { class: "Boom", perform: () => Promise.reject(new Error("boom")) };
    const unknown = '{"class":"RubyOnly","args":[]}';
    await world.push(
      "a",
      ...payloads(20),
      '{"class":"Boom","args":[]}',
      "not json",
      payload("\uFFFD"),
      Buffer.of(0x22, 0xff, 0x22),
    );
    const frozen = fatedClient(world.client, (call) => (call > 3 ? { carriedOut: false } : "ok"));
    await new Promise<void>((resolve) => {
      world
        .app({ redis: frozen, jobs: [noop], queues: ["a"], concurrency: 3 })
        .drain({ onEvent: ({ kind: event }) => event === "job-claimed" && resolve() })
        .catch(() => undefined);
    });
    await world.endLeases();
    await world.push("b", ...payloads(20), unknown, '{"class":"Boom","args":[]}');
    await world.push("c", ...Array.from({ length: 8 }, (_, n) => payload(n, "x".repeat(1_000_000))));
    const report = await drain({ jobs: [noop, boom], queues: ["*", "!z"], concurrency: 6, unknownClass: "requeue" });
    expect(report).toMatchObject({ recovered: 3, succeeded: 49, failed: 4, lost: 0 });
  });

  test("known classes only, two weighted queues, one paused: as the server counts", async () => {
    const unknown = (n: number) => `{"class":"RubyOnly","args":[${n}]}`;
    await world.push("a", ...Array.from({ length: 30 }, (_, n) => [unknown(n), payload(n)]).flat());
    await world.push("b", ...payloads(10));
    await world.push("c", ...payloads(10));
    await world.send(["SET", world.keys.queuePause("b"), "1"]);
    const report = await drain({ jobs: [noop], queues: ["a=3", "b", "c"], concurrency: 6, unknownClass: "leave" });
    expect(report).toMatchObject({ stopped: "paused", succeeded: 40, failed: 0 });
  });

  test("releases, with a limit and at an abort: as the server counts", async () => {
    await world.push("q", ...payloads(40));
    const controller = new AbortController();
    const perform = ([n]: readonly unknown[]) =>
      n === 5 ? controller.abort() : n === 7 ? new Promise(() => undefined) : undefined;
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 8, graceMs: 10 });
    if (kind.server === "redis-server") await world.countCommands();
    const report = await app.drain({ signal: controller.signal, maxJobs: 30 });
    expect(report).toMatchObject({ stopped: "aborted" });
    if (kind.server === "redis-server") expect(report.commands).toBe(await world.countCommands());
  });
});

const all = setups();
const oneSetup = all.find(({ name }) => name === "redis-server-http") ?? all.at(-1);

describe("jobs of 5 to 50 ms at 100 in flight", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(oneSetup as NonNullable<typeof oneSetup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("cost at most 0.25 commands each", async () => {
    const numbers = pseudoRandom();
    // A few hundred are dominated by the beginning, when nothing is known of them yet, and by the end.
    const jobs = 4_000;
    await world.push("q", ...Array.from({ length: jobs }, () => payload(5 + Math.floor(45 * numbers.next().value))));
    const perform = ([ms]: readonly unknown[]) => new Promise((resolve) => setTimeout(resolve, ms as number));
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 100 }).drain();
    expect(report).toMatchObject({ succeeded: jobs, stopped: "empty" });
    expect(report.commands / jobs).toBeLessThanOrEqual(0.25);
  });
});
