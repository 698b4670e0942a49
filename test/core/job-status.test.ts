import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release, retry } from "../../src/core/directive.ts";
import type { JobContext } from "../../src/core/job.ts";
import { completedJob, createStatusPolicy, type JobStatus } from "../../src/core/job-status.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { exchange } from "../../src/resque/generated/exchange.generated.ts";
import { payload } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppOptions, type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const HOUR_MS = 3_600_000;
const status = { ttlMs: HOUR_MS };
const perform = (): undefined => undefined;
const never = (): Promise<never> => new Promise(() => undefined);
const fails = (): never => {
  throw new TypeError("declined");
};

describe.each(setups())("statuses over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(async () => {
    for (const name of await statusKeys()) {
      const [ttlMs] = await world.send(["PTTL", name]);
      expect(Number(ttlMs)).toBeGreaterThan(0);
    }
  });

  const statusKeys = async (): Promise<string[]> =>
    (await world.keyNames()).filter((name) => name.startsWith(world.keys.job("")));
  const ttlOf = async (id: string): Promise<number> => Number((await world.send(["PTTL", world.keys.job(id)]))[0]);

  /** One job of class `Job`, enqueued and drained. */
  const run = async (options: AppOptions, args: unknown[] = []): Promise<JobStatus | undefined> => {
    const app = world.app({ status, ...options });
    await app.enqueue({ queue: "q", class: "Job", args, id: "job-1" });
    await app.drain();
    return app.job("job-1");
  };

  test("a job that waits is queued, and bears its id in its payload", async () => {
    const app = world.app({ jobs: [], status });
    const before = Date.now();
    const enqueued = await app.enqueue({ queue: "q", class: "Job", args: [1] });
    expect(enqueued).toEqual({ kind: "queued", queue: "q", length: 1, id: expect.stringMatching(/^[\da-f-]{36}$/) });
    const { id = "" } = enqueued as { id?: string };
    expect(await world.queued("q")).toEqual([`{"class":"Job","args":[1],"airlift":{"id":"${id}"}}`]);
    const seen = await app.job(id);
    expect(seen).toEqual({ id, state: "queued", queue: "q", class: "Job", enqueuedMs: expect.any(Number) });
    expect(seen?.enqueuedMs).toBeGreaterThanOrEqual(before);
    const ttlMs = await ttlOf(id);
    expect(ttlMs).toBeLessThanOrEqual(HOUR_MS);
    expect(ttlMs).toBeGreaterThan(HOUR_MS - 10_000);
  });

  test("ids are in the order of their times", async () => {
    const app = world.app({ jobs: [], status });
    const { ids = [] } = await app.enqueueAll(Array.from({ length: 3 }, () => ({ queue: "q", class: "Job" })));
    await until(() => Date.now() > Number.parseInt((ids[0] as string).slice(0, 13).replace("-", ""), 16));
    const later = (await app.enqueue({ queue: "q", class: "Job" })) as { id: string };
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect((id as string) < later.id).toBe(true);
  });

  test("a job that is done tells when it ran, where, and for how long", async () => {
    const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 20));
    const seen = await run({ jobs: [{ class: "Job", perform: pause }] });
    expect(seen).toEqual({
      ...{ id: "job-1", state: "done", queue: "q", class: "Job", attempt: 1 },
      worker: expect.stringMatching(/^airlift-node-[\da-f]+:\d+-\d+:q$/),
      ...{ enqueuedMs: expect.any(Number), startedMs: expect.any(Number), endedMs: expect.any(Number) },
      durationMs: expect.any(Number),
    });
    const { enqueuedMs = 0, startedMs = 0, endedMs = 0, durationMs = 0 } = seen ?? {};
    expect(durationMs).toBeGreaterThanOrEqual(15);
    expect(Math.abs(endedMs - startedMs - durationMs)).toBeLessThanOrEqual(1);
    // The worker's times are by Redis' clock, which it knows as well as Redis answers at once; and there is only one clock here.
    expect(startedMs).toBeGreaterThanOrEqual(enqueuedMs - 2_000);
  });

  const failure = { exception: "TypeError", message: "declined" };
  test.each<[string, Partial<AppOptions>, () => unknown, Partial<JobStatus>]>([
    ["failed", {}, fails, { state: "failed", attempt: 1, failure }],
    ["discarded", {}, () => discard("gone"), { state: "discarded", attempt: 1, reason: "gone" }],
    ["discarded", {}, () => discard(), { state: "discarded", attempt: 1 }],
    ["delayed", {}, () => release({ afterMs: HOUR_MS }), { state: "delayed", attempt: 1 }],
    ["retrying", {}, () => retry({ afterMs: HOUR_MS, reason: "later" }), { state: "retrying", attempt: 1 }],
  ])("a job that is %s says so", async (_state, options, how, expected) => {
    const seen = await run({ jobs: [{ class: "Job", perform: how }], ...options });
    expect(seen).toMatchObject(expected);
    if (seen?.state !== "delayed" && seen?.state !== "retrying") return;
    expect(Math.abs((seen.dueMs ?? 0) - Date.now() - HOUR_MS)).toBeLessThan(60_000);
    // It outlives the wait.
    expect(await ttlOf("job-1")).toBeGreaterThan(2 * HOUR_MS - 10_000);
  });

  test("a job that has failed for good and is kept nowhere is dropped", async () => {
    const retries = { limit: 0, exhausted: "drop" } as const;
    const seen = await run({ jobs: [{ class: "Job", perform: fails, retry: retries }] });
    expect(seen).toMatchObject({ state: "dropped", failure });
  });

  test("an id travels through retries and releases", async () => {
    const seen: (string | undefined)[] = [];
    const how = (_args: unknown, job: JobContext) => {
      seen.push(job.id);
      if (job.attempt === 1 && seen.length === 1) return release({ afterMs: 0 });
      if (job.attempt < 3) throw new Error("again");
      return undefined;
    };
    const job = { class: "Job", perform: how, retry: { limit: 5, backoff: [0] } };
    const app = world.app({ jobs: [job], status });
    await app.enqueue({ queue: "q", class: "Job", id: "job-1" });
    await until(async () => {
      await app.drain();
      return seen.length === 4;
    });
    expect(seen).toEqual(["job-1", "job-1", "job-1", "job-1"]);
    const ended = await app.job("job-1");
    expect(ended).toMatchObject({ state: "done", attempt: 3 });
    expect(ended).not.toHaveProperty("failure");
  });

  test("what cannot be run has failed", async () => {
    expect(await run({ jobs: [] })).toMatchObject({ state: "failed", failure: { exception: "UnknownJobClass" } });
    await world.push("q", '{"class":5,"args":[],"airlift":{"id":"odd"}}');
    const app = world.app({ jobs: [], status });
    await app.drain();
    expect(await app.job("odd")).toMatchObject({ state: "failed", failure: { exception: "MalformedPayload" } });
    expect((await app.job("odd"))?.class).toBeUndefined();
  });

  test("a job that waits for its time is delayed, and its status outlives the wait", async () => {
    const app = world.app({ jobs: [], status });
    const at = Math.floor(Date.now() / 1_000) * 1_000 + 2 * HOUR_MS;
    const enqueued = await app.enqueueAt(at, { queue: "q", class: "Job", id: "job-1" });
    expect(enqueued).toEqual({ kind: "delayed", queue: "q", at, id: "job-1" });
    expect(await app.job("job-1")).toMatchObject({ state: "delayed", dueMs: at });
    expect(await ttlOf("job-1")).toBeGreaterThan(3 * HOUR_MS - 10_000);
  });

  test("a delayed job keeps its id on its way into the queue", async () => {
    const app = world.app({ jobs: [{ class: "Job", perform }], status });
    await app.enqueueIn(1_000, { queue: "q", class: "Job", id: "job-1" });
    await until(async () => (await app.drain()).succeeded === 1);
    expect(await app.job("job-1")).toMatchObject({ state: "done", enqueuedMs: expect.any(Number) });
  });

  test("a job that runs for more than a second is running", async () => {
    const gate = createGate();
    const app = world.app({ jobs: [{ class: "Job", perform: () => gate.passed }], status });
    await app.enqueue({ queue: "q", class: "Job", id: "job-1" });
    const beforeMs = Date.now();
    const draining = app.drain();
    const running = await until(async () => {
      const seen = await app.job("job-1");
      return seen?.state === "running" && seen;
    });
    expect(running).toEqual({
      ...{ id: "job-1", state: "running", queue: "q", class: "Job", attempt: 1, enqueuedMs: expect.any(Number) },
      ...{ worker: expect.stringMatching(/^airlift-/), startedMs: expect.any(Number) },
    });
    expect(running.startedMs).toBeGreaterThan(beforeMs - 2_000);
    expect(running.startedMs).toBeLessThan(Date.now());
    gate.open();
    await draining;
    expect(await app.job("job-1")).toMatchObject({ state: "done", startedMs: running.startedMs });
  });

  test("a job that is given back is queued again", async () => {
    const started = createGate();
    const how = () => {
      started.open();
      return never();
    };
    const app = world.app({ jobs: [{ class: "Job", perform: how }], status, graceMs: 0 });
    await app.enqueue({ queue: "q", class: "Job", id: "job-1" });
    const controller = new AbortController();
    const draining = app.drain({ signal: controller.signal });
    await started.passed;
    controller.abort();
    expect(await draining).toMatchObject({ released: 1 });
    expect(await app.job("job-1")).toEqual({
      ...{ id: "job-1", state: "queued", queue: "q", class: "Job", enqueuedMs: expect.any(Number) },
    });
  });

  test("results are kept by option", async () => {
    const big = 2n ** 60n;
    const job = { class: "Job", perform: async () => ({ rows: 3, big }) };
    expect(await run({ jobs: [job] })).not.toHaveProperty("result");
    const seen = await run({ jobs: [job], status: { ...status, results: true } });
    expect(seen?.result).toEqual({ rows: 3, big });
  });

  test.each<[string, unknown, object]>([
    ["nothing", undefined, {}],
    ["null", null, { result: null }],
    ["a text at the limit", "x".repeat(15_998), { result: "x".repeat(15_998) }],
    ["more than the limit", "x".repeat(15_999), { resultProblem: "its JSON has 16001 characters, more than 16000" }],
    ["what has no JSON form", { f: () => 1 }, { resultProblem: "it has no JSON form" }],
    ["a discarded job", discard("no"), { state: "discarded" }],
  ])("of a result that is %s is kept what can be", async (_what, result, expected) => {
    const seen = await run({ jobs: [{ class: "Job", perform: () => result }], status: { ...status, results: true } });
    const { result: kept, resultProblem } = seen ?? {};
    const found = {
      ...(kept !== undefined && { result: kept }),
      ...(resultProblem !== undefined && { resultProblem }),
    };
    const { state: _, ...wanted } = expected as { state?: string };
    expect(found).toEqual(wanted);
    expect(seen?.state).toBe(_ ?? "done");
  });

  test("more results than one request may carry are all kept", async () => {
    const job = { class: "Job", perform: () => "x".repeat(15_000) };
    const app = world.app({ jobs: [job], status: { ...status, results: true }, concurrency: 200 });
    const { ids = [] } = await app.enqueueAll(Array.from({ length: 150 }, () => ({ queue: "q", class: "Job" })));
    await app.drain();
    const seen = await app.jobs(ids as string[]);
    const lengths = seen.map((each) => [each?.state, String(each?.result).length]);
    expect(lengths).toEqual(ids.map(() => ["done", 15_000]));
  });

  test("a class may have its own", async () => {
    const app = world.app({
      jobs: [
        { class: "Kept", perform: () => 1, status: { ttlMs: 60_000, results: true } },
        { class: "Job", perform },
      ],
    });
    expect(await app.enqueue({ queue: "q", class: "Job" })).not.toHaveProperty("id");
    await app.enqueue({ queue: "q", class: "Kept", id: "kept" });
    await app.drain();
    expect(await app.job("kept")).toMatchObject({ state: "done", result: 1 });
    expect(await ttlOf("kept")).toBeLessThanOrEqual(60_000);
    const other = world.app({ jobs: [{ class: "Job", perform, status: false }], status });
    expect(await other.enqueue({ queue: "q", class: "Job" })).not.toHaveProperty("id");
    await other.drain();
    expect(await statusKeys()).toEqual([world.keys.job("kept")]);
  });

  test("ids that can be none are refused, and nothing is enqueued", async () => {
    const app = world.app({ jobs: [], status });
    for (const id of ["", "a b", "ä", "x".repeat(101), '"', 5 as never]) {
      await expect(app.enqueue({ queue: "q", class: "Job", id })).rejects.toThrow(/^id: expected 1 to 100 letters/);
      await expect(app.job(id)).rejects.toMatchObject({ name: "UsageError" });
    }
    const twice = [0, 1].map(() => ({ queue: "q", class: "Job", id: "job-1" }));
    await expect(app.enqueueAll(twice)).rejects.toThrow('id: "job-1" is given to two jobs');
    const without = world.app({ jobs: [] });
    await expect(without.enqueue({ queue: "q", class: "Job", id: "a" })).rejects.toThrow(
      /no status of the class "Job"/,
    );
    expect(await world.keyNames()).toEqual([]);
  });

  test("a Redis that has forgotten its scripts, and has learned but the exchange again, is told of the end all the same", async () => {
    const forget = async () => {
      await world.send(["SCRIPT", "FLUSH"], ["SCRIPT", "LOAD", exchange.source]);
    };
    const jobs = [{ class: "Job", perform: forget }];
    const app = world.app({ jobs, status, concurrency: 1 });
    await app.enqueueAll(["first", "second"].map((id) => ({ queue: "q", class: "Job", id })));
    await app.drain();
    expect(await app.jobs(["first", "second"])).toMatchObject([{ state: "done" }, { state: "done" }]);
  });

  test("of ids that are not known nothing is told", async () => {
    const app = world.app({ jobs: [], status });
    await app.enqueue({ queue: "q", class: "Job", id: "a" });
    await world.send(["SET", world.keys.job("odd"), "[1", "PX", "60000"]);
    expect(await app.jobs(["b", "a", "odd"])).toMatchObject([undefined, { id: "a" }, undefined]);
    expect(await app.jobs([])).toEqual([]);
    expect(await app.job("b")).toBeUndefined();
  });

  test("a newer unique job takes the place of another, and its status", async () => {
    const job = {
      ...{ class: "Job", perform },
      unique: { until: "start", key: () => "one", onConflict: "replace" },
    } as const;
    const app = world.app({ jobs: [job], status });
    await app.enqueue({ queue: "q", class: "Job", args: [1], id: "older" });
    expect(await app.enqueue({ queue: "q", class: "Job", args: [2], id: "newer" })).toEqual({
      ...{ kind: "replaced", queue: "q", id: "newer" },
    });
    expect(await app.job("older")).toMatchObject({ state: "discarded", reason: "a newer job took its place" });
    expect(await app.job("newer")).toMatchObject({ state: "queued" });
    await app.drain();
    expect(await app.job("newer")).toMatchObject({ state: "done" });
  });

  test("of a unique job that is dropped nothing is written", async () => {
    const app = world.app({ jobs: [{ class: "Job", perform, unique: { until: "done" } }], status });
    await app.enqueue({ queue: "q", class: "Job", id: "first" });
    expect(await app.enqueue({ queue: "q", class: "Job", id: "second" })).toMatchObject({ kind: "dropped" });
    expect(await app.jobs(["first", "second"])).toMatchObject([{ state: "queued" }, undefined]);
    await app.drain();
    expect(await app.job("first")).toMatchObject({ state: "done" });
  });

  /** A drain that falls silent for ever once its job has started, and whose lease has ended. */
  const abandon = async (): Promise<void> => {
    let isDead = false;
    const started = createGate();
    const how = () => {
      isDead = true;
      started.open();
      return never();
    };
    const redis = fatedClient(world.client, () => (isDead ? { carriedOut: false } : "ok"));
    world
      .app({ redis, jobs: [{ class: "Job", perform: how }], status })
      .drain()
      .catch(() => undefined);
    await started.passed;
    await world.endLeases();
  };

  test("the jobs of a drain that died are queued again, and failed beyond the crash limit", async () => {
    const app = world.app({ jobs: [{ class: "Job", perform }], status, crashLimit: 2 });
    await app.enqueue({ queue: "q", class: "Job", id: "job-1" });
    await abandon();
    const other = world.app({ queues: ["other"], jobs: [], status, crashLimit: 2 });
    expect(await other.drain()).toMatchObject({ recovered: 1 });
    expect(await app.job("job-1")).toEqual({
      ...{ id: "job-1", state: "queued", queue: "q", class: "Job", attempt: 1, enqueuedMs: expect.any(Number) },
    });
    await abandon();
    await world.send(["PEXPIRE", world.keys.job("job-1"), "30000"]);
    // One that keeps no statuses itself writes it all the same, and lets it live as long as it was to.
    await world.app({ queues: ["other"], jobs: [], crashLimit: 2 }).drain();
    expect(await app.job("job-1")).toMatchObject({
      ...{ state: "failed", class: "Job", attempt: 2, failure: { exception: "Resque::DirtyExit" } },
      worker: expect.stringMatching(/^airlift-/),
    });
    expect(await ttlOf("job-1")).toBeLessThanOrEqual(30_000);
  });

  test("a status that has expired is written anew when its job runs, or dies", async () => {
    const app = world.app({ jobs: [{ class: "Job", perform }], status, crashLimit: 1 });
    await app.enqueue({ queue: "q", class: "Job", id: "a" });
    await world.send(["DEL", world.keys.job("a")]);
    await abandon();
    await app.drain();
    expect(await app.job("a")).toMatchObject({ state: "failed", queue: "q" });
    await app.enqueue({ queue: "q", class: "Job", id: "b" });
    await world.send(["DEL", world.keys.job("b")]);
    await app.drain();
    expect(await app.job("b")).toMatchObject({ state: "done", queue: "q", class: "Job" });
  });

  test("a drain whose job was taken back from it does not write over what came after", async () => {
    const gate = createGate();
    const started = createGate();
    const how = async () => {
      started.open();
      await gate.passed;
      throw new Error("too late");
    };
    const frozen = world.app({ jobs: [{ class: "Job", perform: how }], status });
    await frozen.enqueue({ queue: "q", class: "Job", id: "job-1" });
    const draining = frozen.drain();
    await started.passed;
    await world.endLeases();
    const app = world.app({ jobs: [{ class: "Job", perform }], status });
    expect(await app.drain()).toMatchObject({ recovered: 1, succeeded: 1 });
    gate.open();
    expect(await draining).toMatchObject({ lost: 1 });
    expect(await app.job("job-1")).toMatchObject({ state: "done", attempt: 2 });
  });

  test("a drain whose exchanges fail for good gives its jobs back, and their statuses say so", async () => {
    let isBroken = false;
    const closes = { ...world.client };
    const broken = () => Promise.reject(new Error("the program is broken"));
    const pass = fatedClient(world.client, () => "ok");
    const redis = {
      ...closes,
      ...{ description: pass.description, command: pass.command, transaction: pass.transaction, close: pass.close },
      script: (...call: Parameters<typeof pass.script>) =>
        isBroken && call[0].script.name === "exchange" ? broken() : pass.script(...call),
      pipeline: async (...[items, options]: Parameters<typeof pass.pipeline>) => {
        const isExchange = items.some((item) => "script" in item && item.script.name === "exchange");
        if (!isBroken || !isExchange) return pass.pipeline(items, options);
        // What stands before the exchange is carried out.
        await pass.pipeline(items.slice(0, 1), options);
        return broken();
      },
    };
    const how = () => {
      isBroken = true;
    };
    const app = world.app({ redis, jobs: [{ class: "Job", perform: how }], status });
    const healthy = world.app({ jobs: [], status });
    await healthy.enqueue({ queue: "q", class: "Job", id: "job-1" });
    await expect(app.drain()).rejects.toThrow("the program is broken");
    expect(await world.queued("q")).toHaveLength(1);
    expect(await healthy.job("job-1")).toMatchObject({ state: "queued" });
  });
});

const [real] = setups().filter(({ name }) => name === "redis-server-tcp");

describe.skipIf(!real)("what statuses cost", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(real as NonNullable<typeof real>);
    // Loads the scripts.
    await drainOne({ status }, "first");
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const drainOne = async (options: Partial<AppOptions>, id?: string) => {
    const app = world.app({ jobs: [{ class: "Noop", perform }], ...options });
    await world.countCommands();
    if (id === undefined) await app.enqueue({ queue: "q", class: "Noop" });
    else await app.enqueue({ queue: "q", class: "Noop", id });
    const enqueueing = await world.countCommands();
    const report = await app.drain();
    const draining = await world.countCommands();
    expect(report.commands).toBe(draining);
    return { enqueueing, draining, requests: report.requests };
  };

  test("nothing without the option, whoever enqueued the jobs", async () => {
    const plain = await drainOne({});
    // MULTI and EXEC are not billed.
    expect(plain).toEqual({ enqueueing: 4, draining: 25, requests: 5 });
    await world.push("q", payload(1));
    expect((await world.app({ jobs: [{ class: "Noop", perform }], status }).drain()).commands).toBe(25);
  });

  test("a SET at the enqueueing; EVAL, MGET and a SET at the end, in the request that ends it", async () => {
    expect(await drainOne({ status }, "job-1")).toEqual({ enqueueing: 5, draining: 28, requests: 5 });
  });

  test("of many jobs that end together: a SET each, and two commands for all of them", async () => {
    const jobs = Array.from({ length: 200 }, () => ({ queue: "q", class: "Noop" }));
    const kept = world.app({ jobs: [{ class: "Noop", perform }], status, concurrency: 50 });
    const plain = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 50 });
    await plain.enqueueAll(jobs);
    const without = await plain.drain();
    await kept.enqueueAll(jobs);
    await world.countCommands();
    const report = await kept.drain();
    const [info] = await world.send(["INFO", "commandstats"]);
    expect(/^cmdstat_set:calls=(\d+)/m.exec(String(info))?.[1]).toBe("200");
    expect(report.commands).toBe(await world.countCommands());
    const exchanges = report.requests;
    expect(report.commands - without.commands).toBeLessThanOrEqual(200 + 2 * exchanges + 10);
  });

  test("reading any number is one command", async () => {
    const app = world.app({ jobs: [], status });
    await world.countCommands();
    await app.jobs(["a", "b", "c"]);
    expect(await world.countCommands()).toBe(1);
  });

  test.each(["set", "mget"])("a user whom the server refuses %s loses statuses and no job", async (command) => {
    const { ioredis } = await import("../../src/redis/ioredis.ts");
    const app = world.app({ jobs: [], status });
    await app.enqueueAll(Array.from({ length: 5 }, (_, n) => ({ queue: "q", class: "Noop", id: `job-${n}` })));
    // The exchange needs MGET, so it is refused to the script of statuses alone: by its keys.
    const rights = command === "set" ? ["~*", "+@all", "-set"] : ["~resque:[^a]*", "~resque:airlift:[^j]*", "+@all"];
    await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "&*", ...rights]);
    const redis = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
    const lines: string[] = [];
    const report = await world
      .app({ redis, jobs: [{ class: "Noop", perform }], status })
      .drain({ onEvent: (event) => event.kind === "store-retry" && lines.push(event.error.message) });
    await redis.close();
    expect(report).toMatchObject({ succeeded: 5, stopped: "empty" });
    expect(lines).toEqual([expect.stringContaining("going on without statuses and check-ins")]);
    expect(await app.job("job-1")).toMatchObject({ state: "queued" });
  });
});

describe("a class's status goes before the app's", () => {
  const app = { ttlMs: 1_000 };
  const own = { ttlMs: 2_000 };
  test.each([
    [undefined, undefined, false, undefined],
    [app, undefined, true, app],
    [undefined, own, true, own],
    [app, own, true, own],
    [app, false as const, true, undefined],
    [undefined, false as const, false, undefined],
  ])("%j, %j", (ofApp, ofClass, isOn, expected) => {
    const policy = createStatusPolicy(ofApp, [{ class: "Job", ...(ofClass !== undefined && { status: ofClass }) }]);
    expect([policy.isOn, policy.of("Job"), policy.of("Other"), policy.of(undefined)]).toEqual([
      isOn,
      expected,
      ofApp,
      ofApp,
    ]);
  });
});

describe("a job that is over", () => {
  const job = { kind: "job", class: "Job", args: [1], raw: "", attempt: 2, retries: 1, id: "a" } as const;
  const claim = { slot: 0, token: "d.1", queue: "q", job };
  const failed = { exception: "E", message: "m", backtrace: [] };
  const base = { id: "a", queue: "q", class: "Job", args: [1], attempt: 2, durationMs: 5 };
  test.each<[Outcome, object | undefined]>([
    [{ kind: "ok" }, { ...base, state: "done" }],
    [
      { kind: "ok", result: 7 },
      { ...base, state: "done", result: 7 },
    ],
    [
      { kind: "discarded", reason: "r" },
      { ...base, state: "discarded", reason: "r" },
    ],
    [
      { kind: "discarded", reason: undefined },
      { ...base, state: "discarded" },
    ],
    [
      { kind: "failed", failure: failed },
      { ...base, state: "failed", failure: failed },
    ],
    [
      { kind: "dropped", failure: failed },
      { ...base, state: "dropped", failure: failed },
    ],
    [{ kind: "retrying", failure: failed, afterMs: 1 }, undefined],
    [{ kind: "postponed", afterMs: 1 }, undefined],
    [{ kind: "released" }, undefined],
    [{ kind: "requeued" }, undefined],
  ])("%j", (outcome, expected) => {
    expect(completedJob({ claim, outcome, durationMs: 5 })).toEqual(expected);
  });

  test("is none if its payload was none", () => {
    const malformed = { kind: "malformed", raw: "x", reason: "", isBinary: false } as const;
    expect(completedJob({ claim: { ...claim, job: malformed }, outcome: { kind: "failed", failure: failed } })).toBe(
      undefined,
    );
  });
});
