import type { Context } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Airlift, createAirlift } from "../../src/airlift.ts";
import { defineJob } from "../../src/core/job.ts";
import type { StartRequest } from "../../src/core/start-drain.ts";
import { createHttpApp, type HttpAppOptions } from "../../src/http/app.ts";
import { until } from "../support/until.ts";
import { ENQUEUE_TOKEN, NDJSON, OPERATE_TOKEN, type OpenApp, openApp } from "./open-app.ts";

let open: OpenApp;
const ran: unknown[] = [];
const note = defineJob({ class: "Note", perform: ([what]) => void ran.push(what) });
beforeAll(async () => {
  open = await openApp();
});
afterAll(() => open[Symbol.asyncDispose]());
beforeEach(async () => {
  ran.length = 0;
  await open.client.command(["FLUSHALL"]);
});

const headers = { authorization: `Bearer ${ENQUEUE_TOKEN}`, "content-type": "application/json" };

const create = (kick: HttpAppOptions["kick"], options: object = {}) => {
  const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs: [note], kick: {}, ...options });
  const tokens = { enqueue: ENQUEUE_TOKEN, operate: OPERATE_TOKEN };
  const app = createHttpApp(airlift, { tokens, ...(kick && { kick }) });
  const post = (body: string, type = "application/json", queue = "q") =>
    app.request(`/queues/${queue}/jobs`, { method: "POST", body, headers: { ...headers, "content-type": type } });
  return { airlift, app, post };
};
const job = (n: number, more = "") => `{"class":"Note","args":[${n}]${more}}`;

describe("jobs that come over HTTP", () => {
  test("kick as the app does", async () => {
    const asked: StartRequest[] = [];
    const { post } = create(undefined, { kick: (request: StartRequest) => void asked.push(request) });
    expect((await post(job(1))).status).toBe(201);
    expect((await post(job(2))).status).toBe(201);
    expect(asked).toEqual([{ reason: "kick", depth: 0 }]);
  });

  test("kick in the HTTP app's own way, with the request's context, before the answer", async () => {
    const asked: [StartRequest, string][] = [];
    const kick = (request: StartRequest, c: Context) => void asked.push([request, c.req.path]);
    const { post } = create(kick, { kick: () => Promise.reject(new Error("not this one")) });
    await post(`[${job(1)},${job(2)}]`);
    expect(asked).toEqual([[{ reason: "kick", depth: 0 }, "/queues/q/jobs"]]);
  });

  test("of a stream kick once", async () => {
    let asked = 0;
    const { post } = create(() => void asked++);
    const lines = Array.from({ length: 1_200 }, (_, n) => `${job(n)}\n`).join("");
    expect(await (await post(lines, NDJSON)).json()).toEqual({ queue: "q", enqueued: 1_200 });
    expect(asked).toBe(1);
  });

  test.each([
    ["that are delayed", job(1, ',"inMs":60000'), "q"],
    ["of a queue that the app does not drain", job(1), "other"],
    ["that are refused", '{"class":1}', "q"],
    ["that are none", "[]", "q"],
  ])("%s kick nothing", async (_name, body, queue) => {
    let asked = 0;
    const { post } = create(() => void asked++);
    await post(body, "application/json", queue);
    expect(asked).toBe(0);
  });

  test("are enqueued though the host refuses to start a drain", async () => {
    const warned: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => void warned.push(text), error: () => {} };
    const { post } = create(() => Promise.reject(new Error("throttled")), { logger });
    const response = await post(job(1));
    expect([response.status, await response.json()]).toEqual([201, { queue: "q", enqueued: 1 }]);
    expect(warned).toEqual(["the host could not start a drain"]);
  });

  test("are drained in the background, after the answer", async () => {
    const { post } = create("background");
    expect((await post(job(1))).status).toBe(201);
    await until(() => ran.length === 1);
    await post(`[${job(2)},${job(3)}]`);
    await until(() => ran.length === 3);
    expect(ran).toEqual([1, 2, 3]);
  });

  test("are drained in the background by waitUntil, where the host has it", async () => {
    const { app } = create("background");
    const kept: Promise<unknown>[] = [];
    const context = { waitUntil: (work: Promise<unknown>) => kept.push(work), passThroughOnException: () => undefined };
    const request = new Request("http://host/queues/q/jobs", { method: "POST", headers, body: job(1) });
    // Hono's context type asks for `props`, which only Cloudflare's has.
    const answer = await app.fetch(request, {}, context as unknown as Parameters<typeof app.fetch>[2]);
    expect([answer.status, kept.length]).toEqual([201, 1]);
    await kept[0];
    expect(ran).toEqual([1]);
  });

  test("whose drain fails in the background: it is logged, and nothing rejects", async () => {
    const logged: string[] = [];
    const logger = { warn: () => undefined, error: (text: string) => void logged.push(text) };
    const jobs = [{ ...note, timeoutMs: 80_000 }];
    const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs, kick: {} });
    const app = createHttpApp(airlift, { tokens: { enqueue: ENQUEUE_TOKEN }, kick: "background", logger });
    const response = await app.request("/queues/q/jobs", { method: "POST", headers, body: job(1) });
    expect(response.status).toBe(201);
    // The class needs more time than maxDrainMs.
    await until(() => logged.length === 1);
    expect(logged).toEqual(["HTTP: the drain after an enqueueing failed"]);
  });
});

describe("the option kick", () => {
  test("needs an app whose drains know of kicks", () => {
    const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs: [] });
    expect(() => createHttpApp(airlift, { kick: "background" })).toThrow(
      "createHttpApp: kick: expected an app with the option kick, which {} turns on",
    );
  });
  test.each(["now", {}, true])("refuses %j", (kick) => {
    expect(() => create(kick as never)).toThrow('createHttpApp: kick must be "background" or a function');
  });
});

describe("/drain", () => {
  const operate = { authorization: `Bearer ${OPERATE_TOKEN}` };
  const enqueue = (count: number) =>
    open.airlift.enqueueAll(Array.from({ length: count }, (_, n) => ({ queue: "q", class: "Note", args: [n] })));

  test("passes its depth on, so that a chain of drains over HTTP ends", async () => {
    const asked: StartRequest[] = [];
    const successor = { start: (request: StartRequest) => void asked.push(request), maxDepth: 3 };
    const { airlift } = create(undefined, { successor });
    // Each ends before its jobs do, as one whose time is over, but for a reason that does not hang on the clock.
    const cut: Airlift = { ...airlift, drain: (options) => airlift.drain({ ...options, maxJobs: 5 }) };
    const app = createHttpApp(cut, { tokens: { operate: OPERATE_TOKEN } });
    await enqueue(50);
    for (const query of ["?depth=2", "?depth=3", ""]) {
      const response = await app.request(`/drain${query}`, { headers: operate });
      expect(await response.json()).toMatchObject({ stopped: "budget", succeeded: 5 });
    }
    expect(asked.map(({ depth }) => depth)).toEqual([3, 1]);
  });

  test("with maxJobs it is not followed by another", async () => {
    const { app } = create(undefined, { successor: { start: () => expect.fail("nobody asked for more") } });
    await enqueue(5);
    const response = await app.request("/drain?maxJobs=2", { headers: operate });
    expect(await response.json()).toMatchObject({ stopped: "budget", remaining: 3, drainsStarted: 0 });
  });

  test.each([
    ["?depth=-1", undefined],
    ["?depth=1001", undefined],
    ["?depth=x", undefined],
    ["", '{"depth":-1}'],
    ["", '{"depth":1001}'],
    ["", '{"depth":1.5}'],
    ["", '{"depth":"1"}'],
  ])("refuses %s %s", async (query, body) => {
    const init = { method: "POST", headers: { ...operate, "content-type": "application/json" }, ...(body && { body }) };
    const response = await create(undefined).app.request(`/drain${query}`, init);
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { errors: [{ path: "depth", message: "must be a whole number, from 0 to 1000" }] },
    ]);
  });
});
