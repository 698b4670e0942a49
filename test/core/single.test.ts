import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { StoreError } from "../../src/core/errors.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppWorld, createGate, type Fate, fatedClient, openAppWorld } from "./app-world.ts";

const noop = { class: "Noop", perform: () => undefined };
const lost = (carriedOut: boolean): Fate => ({ carriedOut, error: new StoreError("unavailable", "lost") });

describe.each(setups())("single drains over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
    // Loads the scripts, so that no test pays for it.
    await world.push("q", payload(1));
    await world.app({ jobs: [noop], single: true }).drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const lease = (name = "default") => world.get(world.keys.single(name));

  /** A drain that holds its lease until its job is let go. */
  const hold = async (options: object = {}) => {
    await world.push("q", payload("held"));
    const gate = createGate();
    const perform = () => gate.passed;
    const holding = world.app({ jobs: [{ class: "Noop", perform }], single: true, ...options }).drain();
    await until(async () => (await world.queued("q")).length === 0);
    return { gate, holding };
  };

  const counted = async (options: object) => {
    const isReal = kind.server === "redis-server";
    if (isReal) await world.countCommands();
    const report = await world.app({ jobs: [noop], single: true, ...options }).drain();
    if (isReal) expect(report.commands).toBe(await world.countCommands());
    return report;
  };

  test("an idle tick: 1 command, and no lease", async () => {
    expect(await counted({})).toMatchObject({ stopped: "empty", commands: 1, requests: 1 });
    expect(await world.keyNames()).toEqual([]);
  });

  test("a lone job's whole tick: 4 commands more than without, 1 request", async () => {
    await world.push("q", payload(1));
    expect(await counted({})).toMatchObject({ succeeded: 1, commands: 29, requests: 6 });
    await world.expectNoTraces();
  });

  test("many exchanges cost what they cost without", async () => {
    await world.push("q", ...payloads(500));
    const single = await counted({ concurrency: 10 });
    expect(single).toMatchObject({ succeeded: 500, stopped: "empty" });
    expect(single.commands / 500).toBeLessThan(1);
  });

  test("one that finds another at work ends at once, busy, and claims nothing: 3 commands", async () => {
    const { gate, holding } = await hold();
    await world.push("q", ...payloads(2));
    // Not counted by the server: the other may look for more meanwhile.
    const report = await world.app({ jobs: [noop], single: true }).drain();
    expect(report).toMatchObject({ stopped: "busy", claimed: 0, commands: 3, requests: 3 });
    expect(report.remaining).toBeLessThanOrEqual(2);
    gate.open();
    expect(await holding).toMatchObject({ stopped: "empty", succeeded: 3 });
    await world.expectNoTraces();
  });

  test("drains of other names, and those that are not single, go on beside it", async () => {
    const { gate, holding } = await hold({ queues: ["q"] });
    await world.push("other", ...payloads(2));
    const app = world.app({ jobs: [noop], queues: ["other"] });
    expect(await app.drain({ single: { name: "other" }, maxJobs: 1 })).toMatchObject({ succeeded: 1 });
    expect(await app.drain({ single: true })).toMatchObject({ stopped: "busy" });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 1 });
    gate.open();
    expect(await holding).toMatchObject({ succeeded: 1 });
    await world.expectNoTraces();
  });

  test("a drain may say that it is not single, whatever its app says", async () => {
    const { gate, holding } = await hold();
    await world.push("q", payload(1));
    const report = await world.app({ jobs: [noop], single: true }).drain({ single: false });
    expect(report.stopped).toBe("empty");
    gate.open();
    await holding;
  });

  test("the lease bears the drain's id and a TTL, and is renewed while jobs run", async () => {
    const { gate, holding } = await hold({ leaseMs: 3_000 });
    const id = await lease();
    const [member] = Object.keys((await world.everything())[world.keys.drains] as object);
    expect(JSON.parse(member ?? "{}")).toMatchObject({ id });
    const ttl = async () => Number((await world.send(["PTTL", world.keys.single("default")]))[0]);
    expect(await ttl()).toBeLessThanOrEqual(3_000);
    await world.send(["PEXPIRE", world.keys.single("default"), 2_100]);
    await until(async () => (await ttl()) > 2_100);
    gate.open();
    expect(await holding).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect(await lease()).toBeNull();
  });

  test("a longer TTL than the drain's lease", async () => {
    const { gate, holding } = await hold({ single: { ttlMs: 120_000 } });
    const [ttl] = await world.send(["PTTL", world.keys.single("default")]);
    expect(Number(ttl)).toBeGreaterThan(60_000);
    gate.open();
    await holding;
  });

  test("one that has lost its lease claims no more and ends lost; its jobs go back", async () => {
    const { gate, holding } = await hold({ concurrency: 1, leaseMs: 1_000, graceMs: 0 });
    await world.push("q", ...payloads(5));
    await world.send(["SET", world.keys.single("default"), "another"]);
    // A beat finds out while the job runs.
    expect(await holding).toMatchObject({ stopped: "lost", succeeded: 0 });
    gate.open();
    expect(await lease()).toBe("another");
    expect((await world.queued("q")).length).toBe(6);
    expect(await world.get(world.keys.processed)).toBe("0");
  });

  test("it settles what has ended, though its lease is over", async () => {
    const { gate, holding } = await hold({ concurrency: 1 });
    await world.push("q", ...payloads(5));
    await world.send(["DEL", world.keys.single("default")]);
    gate.open();
    const report = await holding;
    expect(report).toMatchObject({ stopped: "lost", lost: 0, failed: 0 });
    expect(report.succeeded).toBeGreaterThanOrEqual(1);
    expect((await world.queued("q")).length + report.succeeded).toBe(6);
    await world.expectNoTraces();
  });

  test("after a crash the next is busy until the lease has ended, and then takes over", async () => {
    await world.push("q", ...payloads(3));
    const frozen = fatedClient(world.client, (call) => (call > 4 ? { carriedOut: false } : "ok"));
    await new Promise<void>((resolve) => {
      world
        .app({ redis: frozen, jobs: [noop], single: true, concurrency: 2 })
        .drain({ onEvent: ({ kind: event }) => event === "job-claimed" && resolve() })
        .catch(() => undefined);
    });
    const app = world.app({ jobs: [noop], single: true });
    expect(await app.drain()).toMatchObject({ stopped: "busy", recovered: 0 });
    await world.endLeases();
    expect(await app.drain()).toMatchObject({ stopped: "busy", recovered: 0 });
    await world.send(["DEL", world.keys.single("default")]);
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 3 });
    await world.expectNoTraces();
  });

  test("a lost request, or a lost reply, of taking the lease changes nothing", async () => {
    for (const carriedOut of [true, false]) {
      await world.push("q", payload(1));
      const redis = fatedClient(world.client, (call) => (call === 2 ? lost(carriedOut) : "ok"));
      const report = await world.app({ redis, jobs: [noop], single: true }).drain();
      expect(report).toMatchObject({ stopped: "empty", succeeded: 1 });
      await world.expectNoTraces();
    }
  });

  test("the lease stands beside the unique locks that an exchange frees", async () => {
    const unique = { class: "Once", queue: "q", unique: { until: "done" as const, ttlMs: 60_000 } };
    const gate = createGate();
    const perform = async ([n]: readonly unknown[]) => {
      if (n === 2) await gate.passed;
    };
    const app = world.app({ jobs: [{ ...unique, perform }], single: true, concurrency: 2, leaseMs: 3_000 });
    await app.enqueueAll([1, 2, 3].map((n) => ({ queue: "q", class: "Once", args: [n] })));
    const drain = app.drain();
    await until(async () => (await world.get(world.keys.processed)) === "2");
    const [locks] = [(await world.keyNames()).filter((key) => key.includes("lock:Once"))];
    expect([locks.length, (await lease()) === null]).toEqual([1, false]);
    gate.open();
    expect(await drain).toMatchObject({ stopped: "empty", succeeded: 3 });
    await world.expectNoTraces();
  });

  test("a drain that only finds jobs for later gives its lease back", async () => {
    const app = world.app({ jobs: [noop], single: true });
    await app.enqueueIn(60_000, { queue: "q", class: "Noop" });
    expect(await app.drain()).toMatchObject({ stopped: "empty", claimed: 0 });
    expect(await lease()).toBeNull();
    expect(await app.drain()).toMatchObject({ stopped: "empty", claimed: 0 });
  });

  test("a drain that fails before it has claimed anything gives its lease back", async () => {
    await world.push("q", payload(1));
    const redis = fatedClient(world.client, (call) =>
      call === 3 ? { carriedOut: false, error: new StoreError("rejected", "no") } : "ok",
    );
    await expect(world.app({ redis, jobs: [noop], single: true }).drain()).rejects.toThrow(/could not go on/);
    expect(await lease()).toBeNull();
  });

  test("eight at once: one works, the others are busy or find nothing", async () => {
    await world.push("q", ...payloads(60));
    let running = 0;
    let most = 0;
    const perform = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    };
    const apps = Array.from({ length: 8 }, () =>
      world.app({ redis: world.setup.newClient(), jobs: [{ class: "Noop", perform }], single: true, concurrency: 3 }),
    );
    const reports = await Promise.all(apps.map((app) => app.drain()));
    expect(reports.filter(({ claimed }) => claimed > 0)).toHaveLength(1);
    expect(reports.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(60);
    expect(reports.filter(({ stopped }) => stopped === "busy").length).toBeGreaterThanOrEqual(1);
    expect(most).toBeLessThanOrEqual(3);
    await world.expectNoTraces();
  });
});

describe("the option single", () => {
  // Never used.
  const redis = fatedClient({} as Parameters<typeof fatedClient>[0], () => ({ carriedOut: false }));
  const create = (options: object) => () => createAirlift({ redis, queues: ["q"], jobs: [], ...options });

  test.each([
    [{ single: 1 }, /single: expected true, false or { name, ttlMs }, got 1/],
    [{ single: { name: "" } }, /single: expected true, false or { name, ttlMs }/],
    [{ single: { ttl: 60_000 } }, /single: expected true, false or { name, ttlMs }/],
    [{ single: { ttlMs: 59_999 } }, /single\.ttlMs: expected at least leaseMs, which is 60000, got 59999/],
    [{ single: true, scaleOut: { threshold: 1, maxDrains: 2, start: () => undefined } }, /only one of them/],
  ])("refuses %j", (options, message) => {
    expect(create(options)).toThrow(message);
  });

  test("refuses a TTL that is too short for the app of the drain", async () => {
    const app = create({ leaseMs: 30_000 })();
    await expect(app.drain({ single: { ttlMs: 20_000 } })).rejects.toThrow(/drain: single\.ttlMs: .*30000, got 20000/);
  });
});
