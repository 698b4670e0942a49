import { randomBytes } from "node:crypto";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MAX_DURATION_MS } from "../../../functions/vercel/limits.ts";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { type Gate, startGate } from "../gate.ts";
import { type BuiltProject, buildProject, type RunningFunction } from "./project.ts";

const SECRET = "cron-secret-0123456789";
const CRON = { headers: { authorization: `Bearer ${SECRET}` } };
const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

let project: BuiltProject;
let world: AppWorld;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  [project, world] = await Promise.all([buildProject(), openAppWorld(setup)]);
  const { url, token = "" } = world.setup;
  const redis = { KV_REST_API_URL: url, KV_REST_API_TOKEN: token };
  env = { ...redis, CRON_SECRET: SECRET, ENQUEUE_TOKEN: "enqueue-token", OPERATE_TOKEN: "operate-token" };
}, 120_000);
afterAll(async () => {
  await project[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
beforeEach(() => world.flush());

/** The project's address: its router, which passes requests on to functions. */
async function openSite() {
  const functions = new Map<string, RunningFunction>();
  const asked: string[] = [];
  const hono = new Hono().all("*", async ({ req }) => {
    asked.push(`${req.method} ${req.path}`);
    const { search, pathname } = new URL(req.url);
    const target = functions.get(pathname);
    if (!target) return new Response(null, { status: 404 });
    return await target.call(pathname + search, { method: req.method, headers: req.header(), body: await req.text() });
  });
  const server = serve({ fetch: hono.fetch, port: 0, hostname: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    asked,
    serve: (path: string, target: RunningFunction) => void functions.set(path, target),
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  };
}

describe("what vercel build makes", () => {
  test("a cron job each minute, whose path is a function", async () => {
    expect(project.config.crons).toEqual([{ path: "/api/cron", schedule: "* * * * *" }]);
    for (const { path } of project.config.crons) expect(await project.functionAt(path)).toBeDefined();
  });

  test("functions whose time limit is the one that they reckon with", async () => {
    for (const path of ["/api/cron", "/api/airlift", "/api/job"]) {
      expect(await project.functionAt(path)).toMatchObject({
        maxDuration: MAX_DURATION_MS / 1_000,
        runtime: "nodejs24.x",
      });
    }
  });

  test("all other paths are the API's", () => {
    const beforeMiss = project.config.routes.slice(0, 2);
    expect(beforeMiss).toEqual([{ handle: "filesystem" }, { src: "^(?:/(.*))$", dest: "/api/airlift", check: true }]);
  });
});

describe("the built functions, in Vercel's launcher", () => {
  let cron: RunningFunction;
  let gate: Gate;

  beforeAll(async () => {
    cron = await project.start("/api/cron", env);
  });
  afterAll(() => cron[Symbol.asyncDispose]());
  beforeEach(async () => {
    gate = await startGate();
  });
  afterEach(() => gate[Symbol.asyncDispose]());

  test("the cron route drains a Redis over HTTP and answers with the report", async () => {
    gate.open();
    await world.push("webhooks", job("CallWebhook", gate.url, { hello: 1 }), job("Unknown"));
    const response = await cron.call("/api/cron", CRON);
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { stopped: "empty", succeeded: 1, failed: 1 },
    ]);
    expect(gate.told).toEqual(['{"hello":1}']);
    expect((await world.failed())[0]?.worker).toMatch(/^airlift-vercel-/);
    await world.expectNoTraces();
  });

  test("an idle call costs one command", async () => {
    expect(await (await cron.call("/api/cron", CRON)).json()).toMatchObject({ commands: 1, requests: 1 });
  });

  test("the cron route is closed to a wrong secret and to none, and HEAD does not drain", async () => {
    await world.push("webhooks", job("CallWebhook", gate.url));
    expect((await cron.call("/api/cron", { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    expect((await cron.call("/api/cron")).status).toBe(401);
    expect((await cron.call("/api/cron", { ...CRON, method: "HEAD" })).status).toBe(405);
    expect(await world.queued("webhooks")).toHaveLength(1);
  });

  test("the cron route is closed to everybody while CRON_SECRET is not set, and the log says why", async () => {
    await world.push("webhooks", job("CallWebhook", gate.url));
    const { CRON_SECRET: _, ...others } = env;
    await using closed = await project.start("/api/cron", others);
    for (const authorization of ["", "Bearer ", "Bearer undefined", CRON.headers.authorization]) {
      expect((await closed.call("/api/cron", { headers: { authorization } })).status).toBe(503);
    }
    await closed.sees(/toCronRoute: nobody can drain: no secret is set; set CRON_SECRET/);
    expect(await world.queued("webhooks")).toHaveLength(1);
  });

  test("the API enqueues, and what it enqueued runs after the answer, before the function ends", async () => {
    gate.open();
    await using api = await project.start("/api/airlift", env);
    const headers = { authorization: "Bearer enqueue-token", "content-type": "application/json" };
    const body = job("CallWebhook", gate.url);
    const response = await api.call("/queues/webhooks/jobs", { method: "POST", headers, body });
    expect([response.status, await response.json()]).toEqual([201, { queue: "webhooks", enqueued: 1 }]);
    await api.shutDown();
    expect(await world.get(world.keys.processed)).toBe("1");
    await world.expectNoTraces();
  });

  test("the API is closed to whom it does not know, and tells operators", async () => {
    await using api = await project.start("/api/airlift", env);
    const post = { method: "POST", headers: { authorization: `Bearer ${SECRET}` }, body: job("A") };
    expect((await api.call("/queues/webhooks/jobs", post)).status).toBe(401);
    expect((await api.call("/status", { headers: { authorization: "Bearer operate-token" } })).status).toBe(200);
    expect((await api.call("/health")).status).toBe(200);
    expect((await api.call("/nothing")).status).toBe(404);
  });

  test("a job of the job function runs in an invocation of its own, and nowhere without a signature", async () => {
    const secret = randomBytes(32).toString("base64");
    await using site = await openSite();
    const all = { ...env, SITE_URL: site.url, JOBS_SECRET: secret };
    await using sender = await project.start("/api/cron", all);
    await using receiver = await project.start("/api/job", all);
    site.serve("/api/job", receiver);
    gate.open();
    await world.push("files", job("HashFile", gate.url), job("HashFile", `${gate.url}missing`, "more"));
    expect(await (await sender.call("/api/cron", CRON)).json()).toMatchObject({
      claimed: 2,
      succeeded: 2,
      remaining: 0,
    });
    expect(site.asked).toEqual(["POST /api/job", "POST /api/job"]);
    expect(gate.told).toHaveLength(2);
    const unsigned = await fetch(`${site.url}/api/job`, { method: "POST", body: "{}" });
    expect(unsigned.status).toBeGreaterThanOrEqual(400);

    await using closed = await project.start("/api/job", env);
    expect((await closed.call("/api/job", { method: "POST", body: "{}" })).status).toBe(503);
  });

  test("errors that nobody caught end neither the function nor the other jobs", async () => {
    await world.push("q", job("Late"), job("Gate", gate.url));
    await using fixture = await project.start("/api/fixture", env);
    const answer = fixture.call("/api/fixture", CRON);
    await fixture.sees(/thrown late/);
    gate.open();
    expect(await (await answer).json()).toMatchObject({ claimed: 2, succeeded: 1, failed: 1, remaining: 0 });
    expect((await fixture.call("/api/fixture", CRON)).status).toBe(200);
    expect(await world.failed()).toMatchObject([{ error: "thrown late", payload: { class: "Late" } }]);
  });

  test("who does not want to wait is answered at once, and the function ends when the drain has", async () => {
    await world.push("q", job("Gate", gate.url), job("Note"));
    await using fixture = await project.start("/api/fixture", env);
    const response = await fixture.call("/api/fixture", { headers: { ...CRON.headers, prefer: "respond-async" } });
    expect(response.status).toBe(202);
    await gate.reached(1);
    gate.open();
    await fixture.shutDown();
    expect(await world.get(world.keys.processed)).toBe("2");
    await world.expectNoTraces();
  });
});
