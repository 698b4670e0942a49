import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Airlift, DrainOptions } from "../../src/airlift.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { toJobWorker, toWorker, type WorkerMessage, type WorkerParts } from "../../src/platform/cloudflare.ts";
import { payloads } from "../conformance/world.ts";
import { type AppWorld, createGate, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";

let world: AppWorld;
beforeAll(async () => {
  world = await openAppWorld(setups()[0] as never);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.flush());

/** What a Worker is given by its host, and what that was asked to wait for. */
function createContext() {
  const behind: Promise<unknown>[] = [];
  return {
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
    async ended() {
      while (behind.length > 0) await Promise.all(behind.splice(0));
    },
  };
}

/** An app, with the options that its drains were given, and whether it was closed. */
function watched(options: Partial<Parameters<AppWorld["app"]>[0]> = {}) {
  const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }], ...options });
  const drains: DrainOptions[] = [];
  const seen = { drains, closed: 0 };
  const airlift: Airlift = {
    ...app,
    drain(given = {}) {
      drains.push(given);
      return app.drain(given);
    },
    close: async () => void seen.closed++,
  };
  return { airlift, seen };
}

function createMessage(body: unknown): WorkerMessage & { end?: string } {
  const message: WorkerMessage & { end?: string } = {
    id: "1",
    body,
    ack() {
      message.end = "ack";
    },
    retry() {
      message.end = "retry";
    },
  };
  return message;
}

const tokens = { enqueue: "enqueue-token", operate: "operate-token" };
const request = (path: string, method = "GET", token = "operate-token"): Request =>
  new Request(`https://w.test${path}`, { method, headers: { authorization: `Bearer ${token}` } });

describe("the limits of a drain", () => {
  const limitsOf = async (parts: Partial<WorkerParts>, run?: "http"): Promise<DrainOptions> => {
    const { airlift, seen } = watched();
    const worker = toWorker<object>({ airlift, http: { tokens }, ...parts });
    if (run === "http") await worker.fetch(request("/drain", "POST"), {}, createContext());
    else await worker.scheduled({}, {}, createContext());
    return seen.drains[0] as DrainOptions;
  };

  test.each([
    ["free", { maxRequests: 50, maxConnections: 6, maxInvocations: 31 }],
    ["paid", { maxRequests: 10_000, maxConnections: 6, maxInvocations: 31 }],
  ] as const)("are those of the plan: %s", async (plan, expected) => {
    expect(await limitsOf({ plan })).toMatchObject(expected);
    expect(await limitsOf({ plan }, "http")).toMatchObject(expected);
  });

  test("are those of the free plan by default, or what is given", async () => {
    expect(await limitsOf({})).toMatchObject({ maxRequests: 50 });
    const limits = { maxRequests: 20_000, maxConnections: 4 };
    const expected = { maxRequests: 20_000, maxConnections: 4, maxInvocations: 31 };
    expect(await limitsOf({ plan: "paid", limits })).toMatchObject(expected);
  });

  test("are a quarter of an hour, or what is given", async () => {
    const before = Date.now();
    const { deadlineMs = 0 } = await limitsOf({});
    expect(deadlineMs - before).toBeGreaterThanOrEqual(900_000);
    expect(deadlineMs - before).toBeLessThan(960_000);
    expect(((await limitsOf({ maxDrainMs: 60_000 })).deadlineMs ?? 0) - before).toBeLessThan(120_000);
  });

  test("are kept behind an answer as well, with something left for what was done before it", async () => {
    const { airlift, seen } = watched({ kick: {} });
    const context = createContext();
    const http = { tokens, kick: "background" } as const;
    const body = JSON.stringify([{ class: "Noop" }, { class: "Noop" }]);
    const headers = { authorization: "Bearer enqueue-token", "content-type": "application/json" };
    const post = new Request("https://w.test/queues/q/jobs", { method: "POST", headers, body });
    expect((await toWorker<object>(() => ({ airlift, http })).fetch(post, {}, context)).status).toBe(201);
    await context.ended();
    expect(seen.drains).toMatchObject([{ depth: 0, maxRequests: 42, maxConnections: 6, maxInvocations: 31 }]);
    expect((seen.drains[0]?.deadlineMs ?? Number.NaN) - Date.now()).toBeLessThan(30_000);
    expect(await world.queued("q")).toEqual([]);
    expect(seen.closed).toBe(1);
  });
});

describe("the parts of a Worker", () => {
  test("are made anew for each invocation, and closed behind it", async () => {
    const made: ReturnType<typeof watched>[] = [];
    const worker = toWorker<{ readonly name: string }>((env) => {
      expect(env.name).toBe("env");
      const app = watched();
      made.push(app);
      return { airlift: app.airlift, http: { tokens } };
    });
    const env = { name: "env" };
    const context = createContext();
    await worker.scheduled({}, env, context);
    expect((await worker.fetch(request("/status"), env, context)).status).toBe(200);
    await worker.queue({ queue: "drains", messages: [] }, env, context);
    await context.ended();
    expect(made.map(({ seen }) => seen.closed)).toEqual([1, 1, 1]);
  });

  test("are closed when what goes on behind an answer has ended", async () => {
    const context = createContext();
    const gate = createGate();
    const ends: string[] = [];
    const worker = toWorker<object>((_env, own) => {
      own.waitUntil(gate.passed.then(() => own.waitUntil(Promise.resolve().then(() => void ends.push("ended")))));
      const { airlift } = watched();
      return { airlift: { ...airlift, close: async () => void ends.push("closed") }, http: { tokens } };
    });
    await worker.fetch(request("/status"), {}, context);
    expect(ends).toEqual([]);
    gate.open();
    await context.ended();
    expect(ends).toEqual(["ended", "closed"]);
  });

  test("that are given as they are stay open", async () => {
    const { airlift, seen } = watched();
    const context = createContext();
    const worker = toWorker<object>({ airlift });
    await worker.scheduled({}, {}, context);
    await worker.scheduled({}, {}, context);
    await context.ended();
    expect(seen).toMatchObject({ closed: 0, drains: { length: 2 } });
  });

  test("are one for all checks of health, which ask Redis seldom", async () => {
    let made = 0;
    const worker = toWorker<object>(() => {
      made++;
      return { airlift: watched().airlift };
    });
    for (let n = 0; n < 3; n++) expect((await worker.fetch(request("/health"), {}, createContext())).status).toBe(200);
    expect(made).toBe(1);
  });

  test("are closed though the drain has failed, which the invocation tells", async () => {
    const { airlift, seen } = watched();
    const errors: unknown[] = [];
    const logger = { ...airlift.options.logger, error: (message: string) => void errors.push(message) } as never;
    const failing = {
      ...airlift,
      options: { ...airlift.options, logger },
      drain: () => Promise.reject(new Error("no")),
    };
    const context = createContext();
    await expect(toWorker<object>(() => ({ airlift: failing })).scheduled({}, {}, context)).rejects.toThrow("no");
    await context.ended();
    expect(seen.closed).toBe(1);
    expect(errors).toEqual(["the drain failed"]);
  });
});

describe("what a Queue brings", () => {
  const asked = (depth: number): object => ({ reason: "successor", depth, remaining: 5 });
  const bring = async (parts: Partial<WorkerParts>, ...bodies: unknown[]) => {
    const { airlift, seen } = watched();
    const messages = bodies.map(createMessage);
    const context = createContext();
    const worker = toWorker<object>({ airlift, ...parts });
    await worker.queue({ queue: "drains", messages }, {}, context);
    return { ends: messages.map(({ end }) => end), drains: seen.drains };
  };

  test("requests for a drain: one drains for all, as deep as the deepest", async () => {
    await world.push("q", ...payloads(3));
    const { ends, drains } = await bring({}, asked(1), asked(3), asked(0));
    expect(drains).toMatchObject([{ depth: 3, maxRequests: 50, deadlineMs: expect.any(Number) }]);
    // Nothing to say of them: a Queue takes for delivered what nothing is said of.
    expect(ends).toEqual([undefined, undefined, undefined]);
    expect(await world.queued("q")).toEqual([]);
  });

  test("jobs, beside them", async () => {
    const ran: unknown[] = [];
    const jobs = [{ class: "Noop", perform: ([n]: readonly unknown[]) => void ran.push(n) }];
    const message = (n: number): object => ({ airlift: 1, job: { class: "Noop", args: [n] } });
    const { ends, drains } = await bring(
      { jobFunction: createJobFunction({ jobs }) },
      message(1),
      asked(1),
      message(2),
    );
    expect(ends).toEqual(["ack", undefined, "ack"]);
    expect(drains).toHaveLength(1);
    expect(ran).toEqual([1, 2]);
  });

  test("jobs that nobody can run stay with the Queue", async () => {
    expect(await bring({}, { airlift: 1, job: { class: "Noop" } })).toMatchObject({ ends: ["retry"], drains: [] });
  });

  test("jobs end though the drain beside them fails", async () => {
    const { airlift } = watched();
    const failing = { ...airlift, drain: () => Promise.reject(new Error("no")) };
    const gate = createGate();
    const jobFunction = createJobFunction({ jobs: [{ class: "Noop", perform: () => gate.passed }] });
    const messages = [createMessage(asked(1)), createMessage({ airlift: 1, job: { class: "Noop" } })];
    const worker = toWorker<object>({ airlift: failing, jobFunction });
    const taken = worker.queue({ queue: "both", messages }, {}, createContext());
    setImmediate(gate.open);
    await expect(taken).rejects.toThrow("no");
    expect(messages.map(({ end }) => end)).toEqual([undefined, "ack"]);
  });
});

test("the HTTP API can be mounted in a Hono app", async () => {
  const worker = toWorker<object>({ airlift: watched().airlift, http: { tokens } });
  const app = new Hono().mount("/airlift", worker.fetch);
  const answer = await app.fetch(request("/airlift/status"), {}, createContext() as never);
  expect(await answer.json()).toMatchObject({ queues: [] });
});

test("a Worker of jobs closes what each invocation has made", async () => {
  let closed = 0;
  const context = createContext();
  const worker = toJobWorker<object>(() => {
    const jobFunction = createJobFunction({ jobs: [{ class: "Noop", perform: () => undefined }] });
    return { ...jobFunction, close: async () => void closed++ };
  });
  const body = JSON.stringify({ airlift: 1, job: { class: "Noop" } });
  const answer = await worker.fetch(new Request("https://w.test/", { method: "POST", body }), {}, context);
  expect(await answer.json()).toEqual({ airlift: 1, outcome: { kind: "ok" } });
  await worker.queue({ queue: "jobs", messages: [] }, {}, context);
  await context.ended();
  expect(closed).toBe(2);
});
