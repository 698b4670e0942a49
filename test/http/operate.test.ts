import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { defineJob } from "../../src/core/job.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { hasRedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { NDJSON, type OpenApp, openApp, problemOf } from "./open-app.ts";

/** The embedded Redis has no commandstats, CLIENT PAUSE or maxmemory. */
const onRedisServer = test.skipIf(!hasRedisServer());

const ran: unknown[] = [];
let release: () => void = () => undefined;
const note = defineJob({ class: "Note", perform: ([what]) => void ran.push(what) });
/** Runs until the test ends it, whatever its signal says. */
const wait = defineJob({
  class: "Wait",
  perform: () =>
    new Promise<void>((resolve) => {
      release = resolve;
    }),
});

/** Runs for longer than a short drain lets it. */
const long = defineJob({ class: "Long", perform: (_args, { signal }) => delay(10_000, undefined, { signal }) });

let open: OpenApp;
const events: DrainEvent[] = [];
const shutdown = new AbortController();
beforeAll(async () => {
  open = await openApp({
    airlift: { jobs: [note, wait], marginMs: 0, graceMs: 0 },
    http: {
      tokens: { operate: "operate-token" },
      maxDrainMs: 20_000,
      drain: { onEvent: (event) => events.push(event), signal: shutdown.signal },
    },
  });
});
beforeEach(async () => {
  await open.client.command(["FLUSHALL"]);
  ran.length = 0;
});
afterAll(() => open[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };

describe("/drain", () => {
  const ways = [
    ["POST", "/drain", undefined],
    ["POST", "/drain", ""],
    ["POST", "/drain", "{}"],
    ["POST", "/drain?forMs=5000", undefined],
    ["POST", "/drain", '{"forMs":5000,"maxJobs":10}'],
    ["GET", "/drain", undefined],
    ["GET", "/drain?forMs=20000&maxJobs=10", undefined],
  ] as const;
  test.each(ways)("%s %s %s runs what is queued and answers with the report", async (method, path, body) => {
    await open.airlift.enqueueAll([1, 2, 3].map((n) => ({ queue: "q", class: "Note", args: [n] })));
    events.length = 0;
    const response = await open.request(path, { method, headers: json, ...(body !== undefined && { body }) });
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await response.json()).toMatchObject({
      stopped: "empty",
      claimed: 3,
      succeeded: 3,
      failed: 0,
      remaining: 0,
    });
    expect(ran.toSorted()).toEqual([1, 2, 3]);
    expect(events.at(-1)).toMatchObject({ kind: "drain-ended", report: { succeeded: 3 } });
  });

  test("stops after maxJobs", async () => {
    await open.airlift.enqueueAll([1, 2, 3].map((n) => ({ queue: "q", class: "Note", args: [n] })));
    const report = await (await open.request("/drain?maxJobs=2", { method: "POST" })).json();
    expect(report).toMatchObject({ stopped: "budget", claimed: 2, remaining: 1 });
    expect(await open.payloads("q")).toEqual(['{"class":"Note","args":[3]}']);
  });

  test("claims no more after forMs", async () => {
    const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs: [long], concurrency: 1, marginMs: 0 });
    const app = createHttpApp(airlift, { tokens: { operate: "o" } });
    await airlift.enqueueAll([1, 2, 3].map((n) => ({ queue: "q", class: "Long", args: [n] })));
    const headers = { ...json, authorization: "Bearer o" };
    const response = await app.request("/drain", { method: "POST", headers, body: '{"forMs":1500}' });
    expect(await response.json()).toMatchObject({ stopped: "deadline", claimed: 1, released: 1, remaining: 3 });
    expect(await open.payloads("q")).toEqual([1, 2, 3].map((n) => `{"class":"Long","args":[${n}]}`));
  });

  test("a caller that hangs up stops nothing", async () => {
    await open.airlift.enqueueAll([
      { queue: "q", class: "Wait" },
      { queue: "q", class: "Note", args: ["after"] },
    ]);
    events.length = 0;
    const caller = new AbortController();
    const answer = open.request("/drain", { method: "POST", signal: caller.signal });
    await until(() => ran.length === 1);
    caller.abort();
    release();
    await answer.catch(() => undefined);
    await until(() => events.some(({ kind }) => kind === "drain-ended"));
    expect(events.at(-1)).toMatchObject({ report: { stopped: "empty", succeeded: 2 } });
  });

  test("on a host that ends a request with its connection, the drain is handed to waitUntil", async () => {
    await open.airlift.enqueue({ queue: "q", class: "Note", args: [1] });
    const kept: Promise<unknown>[] = [];
    const context = { waitUntil: (work: Promise<unknown>) => kept.push(work), passThroughOnException: () => undefined };
    const request = new Request("http://host/drain", {
      method: "POST",
      headers: { authorization: "Bearer operate-token" },
    });
    // Hono's context type asks for `props`, which only Cloudflare's has.
    const answer = open.app.fetch(request, {}, context as unknown as Parameters<typeof open.app.fetch>[2]);
    await until(() => kept.length === 1);
    await kept[0];
    expect(ran).toEqual([1]);
    expect((await answer).status).toBe(200);
  });

  test.each([
    ["/drain?forMs=0", undefined, "forMs", "must be a whole number, at least 1"],
    ["/drain?forMs=1.5", undefined, "forMs", "must be a whole number, at least 1"],
    ["/drain?forMs=5s", undefined, "forMs", "must be a whole number, at least 1"],
    ["/drain?forMs=1&forMs=2", undefined, "forMs", "must be a whole number, at least 1"],
    ["/drain?forMs=20001", undefined, "forMs", "must be at most 20000 (maxDrainMs of this server)"],
    ["/drain?maxJobs=-1", undefined, "maxJobs", "must be a whole number, at least 1"],
    ["/drain?deadlineMs=1", undefined, "deadlineMs", "is not known; a drain takes forMs, maxJobs and depth"],
    ["/drain", '{"forMs":"5"}', "forMs", "must be a whole number, at least 1"],
    ["/drain", '{"forMs":20001}', "forMs", "must be at most 20000 (maxDrainMs of this server)"],
    ["/drain", '{"for":5}', "for", "is not known; a drain takes forMs, maxJobs and depth"],
    ["/drain", "[]", "", "must be an object with forMs or maxJobs, or be left out"],
    ["/drain", "{", "", "is not valid JSON (at character 2)"],
    ["/drain?forMs=5", '{"forMs":5}', "forMs", "is given in the query and in the body"],
  ])("%s %s is refused, and drains nothing", async (path, body, field, message) => {
    await open.airlift.enqueue({ queue: "q", class: "Note" });
    const response = await open.request(path, { method: "POST", headers: json, ...(body !== undefined && { body }) });
    const errors = [{ path: field, message }];
    expect(await problemOf(response)).toMatchObject({
      type: "urn:airlift:problem:invalid-request",
      status: 400,
      errors,
    });
    expect(await open.payloads("q")).toHaveLength(1);
  });

  test("a body that is no JSON is refused with 415, a large one with 413", async () => {
    const send = (type: string, body: string) =>
      open.request("/drain", {
        method: "POST",
        headers: { "content-type": type, "content-length": String(body.length) },
        body,
      });
    expect((await problemOf(await send("text/plain", "forMs=5")))["status"]).toBe(415);
    expect((await problemOf(await send("application/json", `{}${" ".repeat(1_000_000)}`)))["status"]).toBe(413);
  });

  test("a time that is too short for a class' own time limit is refused, naming both", async () => {
    const slow = defineJob({ class: "Slow", timeoutMs: 10_000, perform: () => undefined });
    const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs: [slow], marginMs: 0 });
    const app = createHttpApp(airlift, { tokens: { operate: "o" } });
    const headers = { authorization: "Bearer o" };
    const problem = await problemOf(await app.request("/drain?forMs=9000", { method: "POST", headers }));
    expect(problem).toMatchObject({ status: 400, errors: [{ path: "forMs" }] });
    expect(problem["detail"]).toMatch(/Slow.*10000/);
  });

  test("the host's shutdown ends a drain, and its jobs go back", async () => {
    await open.airlift.enqueue({ queue: "q", class: "Wait" });
    events.length = 0;
    const answer = open.request("/drain", { method: "POST" });
    await until(() => events.some(({ kind }) => kind === "job-claimed"));
    shutdown.abort();
    expect(await (await answer).json()).toMatchObject({ stopped: "aborted", remaining: 1 });
    expect(await open.payloads("q")).toHaveLength(1);
  });
});

test("/status shows what is in Redis", async () => {
  await open.airlift.enqueueAll([
    { queue: "a", class: "X" },
    { queue: "b", class: "X" },
    { queue: "b", class: "X" },
  ]);
  await open.client.command(["SET", "resque:pause:queue:b", "true"]);
  const response = await open.request("/status");
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  expect(await response.json()).toEqual({
    queues: [
      { name: "a", size: 1, paused: false },
      { name: "b", size: 2, paused: true },
    ],
    ...{ paused: false, workers: 0, working: 0, failed: 0, processed: 0, failures: 0, drains: 0 },
    ...{ delayed: 0, retries: 0, pausedClasses: [] },
  });
});

describe("when Redis is gone", () => {
  test("every route says so with 503 and nothing else, and works again when it is back", async () => {
    await using lost = await openApp({
      http: { tokens: { operate: "operate-token", enqueue: "enqueue-token" }, healthMaxAgeMs: 0 },
      airlift: { marginMs: 0 },
    });
    const { port } = lost.redis;
    expect(await (await lost.app.request("/health")).json()).toEqual({ status: "ok" });
    await lost.redis.close();
    const responses = [
      await lost.app.request("/health"),
      await lost.request("/status"),
      await lost.request("/drain?forMs=500", { method: "POST" }),
      await lost.enqueue({ class: "A", args: ["s3cret"] }),
      await lost.enqueue('{"class":"A","args":["s3cret"]}', { type: NDJSON }),
    ];
    for (const response of responses) {
      const problem = await problemOf(response);
      expect(problem).toMatchObject({ type: "urn:airlift:problem:store", status: 503 });
      expect(JSON.stringify(problem)).not.toMatch(new RegExp(`s3cret|127\\.0\\.0\\.1|${port}`));
    }
    await using _again = await startRedis({ port });
    await until(async () => (await lost.app.request("/health")).status === 200);
    expect((await lost.enqueue({ class: "A" })).status).toBe(201);
  });

  test("what may or may not have been enqueued is told", async () => {
    await using lost = await openApp();
    await lost.redis.close();
    expect(await problemOf(await lost.enqueue([{ class: "A" }, { class: "B" }]))).toMatchObject({ uncertain: 2 });
    const stream = await lost.enqueue('{"class":"A"}\n{"class":"B"}\n', { type: NDJSON });
    expect(await problemOf(stream)).toMatchObject({ enqueued: 0, uncertain: 2 });
    expect(lost.logged.join()).toMatch(/enqueue over HTTP/);
  });

  onRedisServer("what a full Redis refuses is certain", async () => {
    await using full = await openApp();
    await full.client.command(["CONFIG", "SET", "maxmemory", "1"]);
    const problem = await problemOf(await full.enqueue({ class: "A" }));
    expect(problem).toMatchObject({ status: 503, enqueued: 0 });
    expect(problem).not.toHaveProperty("uncertain");
  });
});

test("Retry-After says how long a throttling Redis wants to be left alone, rounded up", async () => {
  const server = createServer((_request, response) => response.writeHead(429, { "retry-after": "7" }).end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };
  const redis = upstash({ url: `http://127.0.0.1:${address.port}`, token: "secret-of-redis" });
  const app = createHttpApp(createAirlift({ redis, queues: ["q"], jobs: [] }), {
    tokens: { operate: "o" },
    logger: { warn: () => undefined, error: () => undefined },
  });
  const response = await app.request("/status", { headers: { authorization: "Bearer o" } });
  expect(response.headers.get("retry-after")).toBe("7");
  expect(JSON.stringify(await problemOf(response))).not.toContain("secret-of-redis");
  await redis.close();
  server.close();
});

describe("/health", () => {
  onRedisServer("is public, says nothing but ok, and asks Redis once in healthMaxAgeMs", async () => {
    const app = createHttpApp(open.airlift, { healthMaxAgeMs: 60_000 });
    const pings = async () =>
      /cmdstat_ping:calls=(\d+)/.exec(String(await open.client.command(["INFO", "commandstats"])))?.[1];
    await open.client.command(["CONFIG", "RESETSTAT"]);
    for (let i = 0; i < 5; i++) {
      const response = await app.request("/health");
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    }
    expect(await pings()).toBe("1");
  });
});

test("an error that nobody expected is a bare 500; the logger is told", async () => {
  const logged: unknown[] = [];
  const log = (...line: unknown[]): void => void logged.push(line);
  // A client that is broken in itself: its error is none of the store's.
  const broken = Object.create(open.client, {
    pipeline: { value: () => Promise.reject(new TypeError("s3cret detail")) },
  });
  const airlift = createAirlift({ redis: broken, queues: ["q"], jobs: [] });
  const app = createHttpApp(airlift, { tokens: { operate: "o" }, logger: { warn: log, error: log } });
  const problem = await problemOf(await app.request("/status", { headers: { authorization: "Bearer o" } }));
  expect(problem).toMatchObject({ type: "urn:airlift:problem:internal", status: 500 });
  expect(JSON.stringify(problem)).not.toContain("s3cret");
  expect(logged).toHaveLength(1);
});
