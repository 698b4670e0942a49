import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Airlift } from "../../src/airlift.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { type CronRouteOptions, toCronRoute, toRouteHandlers, waitUntil } from "../../src/platform/vercel.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { type AppOptions, type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { createLogBook, job } from "./route-world.ts";

const SECRET = "a-secret-of-24-characters";
const [setup] = setups().filter(({ transport }) => transport === "http");
if (!setup) throw new Error("no Redis over HTTP to test with");

let world: AppWorld;
beforeAll(async () => {
  world = await openAppWorld(setup);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.flush();
  vi.stubEnv("CRON_SECRET", SECRET);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const done: AppOptions["jobs"] = [{ class: "A", perform: () => undefined }];
const cronOf = (airlift: Airlift, options: Partial<CronRouteOptions> = {}) =>
  toCronRoute(airlift, { maxDurationMs: 60_000, ...options });
const get = (authorization: string | undefined = `Bearer ${SECRET}`, url = "https://app.example/api/cron") =>
  new Request(url, authorization === undefined ? {} : { headers: { authorization } });

describe("toCronRoute", () => {
  test("drains for Vercel's request, and answers with the report, which nobody may keep", async () => {
    await world.push("q", job("A"), job("A"));
    const response = await cronOf(world.app({ jobs: done }))(get());
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await response.json()).toMatchObject({ stopped: "empty", claimed: 2, succeeded: 2, remaining: 0 });
    await world.expectNoTraces();
  });

  test("an idle call costs one command", async () => {
    const response = await cronOf(world.app({ jobs: done }))(get());
    expect(await response.json()).toMatchObject({ stopped: "empty", commands: 1, requests: 1 });
  });

  test.each([
    ["no header", undefined],
    ["nothing behind the scheme", "Bearer "],
    ["another scheme", `Basic ${SECRET}`],
    ["the secret alone", SECRET],
    ["the secret's beginning", `Bearer ${SECRET.slice(0, -1)}`],
    ["more than the secret", `Bearer ${SECRET}x`],
    ["the secret in other letters", `Bearer ${SECRET.toUpperCase()}`],
    ["two secrets", `Bearer ${SECRET}, Bearer ${SECRET}`],
    ["an unset variable's name for itself", "Bearer undefined"],
  ])("stays closed to %s", async (_name, authorization) => {
    await world.push("q", job("A"));
    const request = new Request(
      "https://app.example/",
      authorization === undefined ? {} : { headers: { authorization } },
    );
    const response = await cronOf(world.app({ jobs: done }))(request);
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(await response.text()).not.toContain(SECRET);
    expect(await world.queued("q")).toHaveLength(1);
  });

  test.each([
    ["unset", undefined],
    ["empty", ""],
    ["blank", " \n"],
  ])("is closed to everybody while CRON_SECRET is %s, and the log says what to set", async (_name, secret) => {
    vi.stubEnv("CRON_SECRET", secret);
    await world.push("q", job("A"));
    const logBook = createLogBook();
    const cron = cronOf(world.app({ jobs: done, logger: logBook.logger }));
    for (const authorization of [
      "Bearer ",
      "Bearer undefined",
      "Bearer null",
      `Bearer ${secret}`.trim(),
      `Bearer ${SECRET}`,
    ]) {
      const response = await cron(get(authorization));
      expect([response.status, await response.json()]).toMatchObject([503, { type: "urn:airlift:problem:closed" }]);
    }
    expect(await world.queued("q")).toHaveLength(1);
    expect(logBook.lines[0]).toBe("error toCronRoute: nobody can drain: no secret is set; set CRON_SECRET");
  });

  test("a variable that is set after the route was made opens it: frameworks load routes when they build", async () => {
    vi.stubEnv("CRON_SECRET", undefined);
    const cron = cronOf(world.app({ jobs: done }));
    expect((await cron(get())).status).toBe(503);
    vi.stubEnv("CRON_SECRET", SECRET);
    expect((await cron(get())).status).toBe(200);
  });

  test("a secret that is given takes the variable's place, each of several opens", async () => {
    const cron = cronOf(world.app({ jobs: done }), { secret: ["old", "new"] });
    const statuses = [];
    for (const secret of ["old", "new", SECRET]) statuses.push((await cron(get(`Bearer ${secret}`))).status);
    expect(statuses).toEqual([200, 200, 401]);
    const closed = cronOf(world.app({ jobs: done }), { secret: [] });
    expect((await closed(get())).status).toBe(503);
  });

  test("does the same work for a right secret as for a wrong one, wherever they differ", async () => {
    const cron = cronOf(world.app({ jobs: done }), { secret: ["first-secret", "second-secret"] });
    const digest = vi.spyOn(crypto.subtle, "digest");
    const works = [];
    for (const given of ["first-secret", "second-secret", "x", "first-secreT", "x".repeat(5_000)]) {
      digest.mockClear();
      await cron(get(`Bearer ${given}`, "https://app.example/?depth=x"));
      works.push(digest.mock.calls.length);
    }
    expect(works).toEqual([4, 4, 4, 4, 4]);
  });

  test.each(["HEAD", "PUT", "DELETE", "OPTIONS"])("%s drains nothing", async (method) => {
    await world.push("q", job("A"));
    const cron = cronOf(world.app({ jobs: done }));
    const response = await cron(new Request(get(), { method }));
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, POST"]);
    expect(await world.queued("q")).toHaveLength(1);
  });

  test("drains by POST, for the schedules of others", async () => {
    await world.push("q", job("A"));
    const response = await cronOf(world.app({ jobs: done }))(new Request(get(), { method: "POST", body: "{}" }));
    expect(await response.json()).toMatchObject({ succeeded: 1 });
  });

  test("jobs end the margin before maxDurationMs, counted from the request", async () => {
    const deadlines: number[] = [];
    const jobs: AppOptions["jobs"] = [
      { class: "A", perform: (_args, { deadlineMs }) => void deadlines.push(deadlineMs) },
    ];
    await world.push("q", job("A"));
    const beforeMs = Date.now();
    const cron = cronOf(world.app({ jobs, marginMs: 1_000 }), { maxDurationMs: 8_000 });
    const answer = cron(get());
    const afterMs = Date.now();
    await answer;
    expect(deadlines[0]).toBeGreaterThanOrEqual(beforeMs + 7_000);
    expect(deadlines[0]).toBeLessThanOrEqual(afterMs + 7_000);
  });

  test("a job that does not end in time goes back to its queue, and the answer comes before maxDurationMs", async () => {
    await world.push("q", job("A"));
    let begun = 0;
    const perform = () => new Promise(() => void begun++);
    const airlift = world.app({ jobs: [{ class: "A", perform }], marginMs: 2_000 });
    using time = stopTime();
    const startedMs = Date.now();
    const answer = cronOf(airlift, { maxDurationMs: 2_300 })(get());
    await until(() => begun === 1);
    time.advance(300);
    const response = await answer;
    expect(await response.json()).toMatchObject({ stopped: "deadline", claimed: 1, released: 1, remaining: 1 });
    expect(Date.now() - startedMs).toBeLessThan(2_300);
    expect(await world.queued("q")).toEqual([job("A")]);
  });

  test("a class whose time limit does not fit is a 500, and the log names it", async () => {
    const logBook = createLogBook();
    const jobs: AppOptions["jobs"] = [{ class: "Long", timeoutMs: 90_000, perform: () => undefined }];
    const response = await cronOf(world.app({ jobs, logger: logBook.logger }))(get());
    expect([response.status, await response.json()]).toMatchObject([500, { type: "urn:airlift:problem:internal" }]);
    expect(logBook.lines[0]).toMatch(/^error the drain failed: the time limit of class "Long"/);
  });

  test("without Redis it is a 503 that says no more than it may", async () => {
    const logBook = createLogBook();
    const redis = upstash({ url: world.setup.url, token: "wrong-token" });
    const response = await cronOf(world.app({ jobs: done, redis, logger: logBook.logger }))(get());
    const problem = { type: "urn:airlift:problem:store", detail: "Redis refused this server's credentials." };
    expect([response.status, await response.json()]).toMatchObject([503, problem]);
    expect(logBook.lines[0]).toMatch(/^error the drain failed: the drain could not go on: /);
  });

  test("a drain that another has started knows how many came before it", async () => {
    const depths: number[] = [];
    const successor = { start: ({ depth }: { depth: number }) => void depths.push(depth) };
    const airlift = world.app({ jobs: done, successor, concurrency: 1 });
    const cron = cronOf(airlift, { drain: { maxJobs: 1 } });
    for (const query of ["", "?reason=successor&depth=3", "?utm=x"]) {
      await world.push("q", job("A"), job("A"));
      await cron(get(undefined, `https://app.example/api/cron${query}`));
    }
    expect(depths).toEqual([1, 4, 1]);
  });

  test.each([
    "?depth=3",
    "?reason=successor&depth=-1",
    "?reason=successor&depth=",
    "?reason=x&depth=1",
    "?reason=kick&depth=1e1",
  ])("a depth that is none is refused, for it would begin anew: %s", async (query) => {
    await world.push("q", job("A"));
    const response = await cronOf(world.app({ jobs: done }))(get(undefined, `https://app.example/${query}`));
    expect(response.status).toBe(400);
    expect(await world.queued("q")).toHaveLength(1);
  });

  test("a caller that does not want to wait is answered at once, and the host waits for the drain", async () => {
    await world.push("q", job("A"));
    const works: Promise<unknown>[] = [];
    const gate = Promise.withResolvers<void>();
    const airlift = world.app({ jobs: [{ class: "A", perform: () => gate.promise }] });
    const cron = cronOf(airlift, { waitUntil: (work) => works.push(work) });
    const headers = { authorization: `Bearer ${SECRET}`, prefer: "wait=5, respond-async" };
    const response = await cron(new Request("https://app.example/", { headers }));
    expect([response.status, response.headers.get("preference-applied"), await response.text()]).toEqual([
      202,
      "respond-async",
      "",
    ]);
    expect(works).toHaveLength(1);
    gate.resolve();
    await works[0];
    expect(await world.get(world.keys.processed)).toBe("1");
  });

  test("the host is told to wait for the drain of a caller that may hang up", async () => {
    const works: Promise<unknown>[] = [];
    await cronOf(world.app({ jobs: done }), { waitUntil: (work) => works.push(work) })(get());
    expect(works).toHaveLength(1);
  });

  test("Vercel's own waitUntil is used where there is one", async () => {
    const works: Promise<unknown>[] = [];
    const key = Symbol.for("@vercel/request-context");
    const context = { get: () => ({ waitUntil: (work: Promise<unknown>) => works.push(work) }) };
    Object.assign(globalThis, { [key]: context });
    try {
      await cronOf(world.app({ jobs: done }))(get());
      waitUntil(Promise.resolve("mine"));
      expect(await works[1]).toBe("mine");
    } finally {
      Reflect.deleteProperty(globalThis, key);
    }
    expect(waitUntil(Promise.resolve())).toBeUndefined();
  });

  test.each([
    [
      { maxDurationMs: 2_000 },
      /maxDurationMs: expected a whole number of milliseconds, more than the margin \(marginMs: 2000\), got 2000/,
    ],
    [{ maxDurationMs: Number.NaN }, /maxDurationMs: .*, got NaN/],
    [{ maxDurationMs: "300" as unknown as number }, /maxDurationMs: .*, got 300/],
    [
      { maxDurationMs: 60_000, secret: 7 as unknown as string },
      /secret: expected a text or an array of texts, got number/,
    ],
  ])("refuses %o", (options, message) => {
    const make = () => toCronRoute(world.app({ jobs: done }), options);
    expect(make).toThrow(message);
  });
});

describe("in three lines", () => {
  test("in a Hono app", async () => {
    await world.push("q", job("A"));
    const cron = cronOf(world.app({ jobs: done }));
    const app = new Hono().get("/cron", (c) => cron(c.req.raw));
    const response = await app.request("/cron", { headers: { authorization: `Bearer ${SECRET}` } });
    expect(await response.json()).toMatchObject({ succeeded: 1 });
  });

  test("toRouteHandlers serves an app under the path of its file", async () => {
    const app = createHttpApp(world.app({ jobs: done }), { tokens: { enqueue: "e", operate: "o" } });
    const { POST, GET, PUT } = toRouteHandlers(app, "/api/airlift");
    const send = (path: string, method: string, token: string, body?: string) =>
      new Request(`https://app.example/api/airlift${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body && { body }),
      });
    expect((await POST(send("/queues/q/jobs", "POST", "e", job("A")))).status).toBe(201);
    expect(await world.queued("q")).toHaveLength(1);
    expect((await GET(send("/status", "GET", "o"))).status).toBe(200);
    expect((await GET(send("/status", "GET", "e"))).status).toBe(401);
    expect((await PUT(send("/drain", "PUT", "o"))).status).toBe(405);
    expect((await GET(send("/nothing", "GET", "o"))).status).toBe(404);
    const { servers } = (await (await GET(send("/openapi.json", "GET", ""))).json()) as { servers: unknown };
    expect(servers).toEqual([{ url: "/api/airlift" }]);
  });

  test("toRouteHandlers serves an app where it is, with no path", async () => {
    const { POST } = toRouteHandlers(createHttpApp(world.app({ jobs: done }), { tokens: { operate: "o" } }));
    const request = new Request("https://app.example/drain", {
      method: "POST",
      headers: { authorization: "Bearer o" },
    });
    expect((await POST(request)).status).toBe(200);
  });

  test("both are what Next.js takes for the exports of a route's file", () => {
    /** What Next.js' generated types ask of each export, with its own request in the place of the standard one. */
    interface NextRequest extends Request {
      readonly nextUrl: URL;
    }
    type NextHandler = (
      request: NextRequest,
      context: { params: Promise<{ route: string[] }> },
    ) => Response | undefined | Promise<Response | undefined>;
    const route = { maxDuration: 300, GET: cronOf(world.app({ jobs: done })) } satisfies {
      maxDuration: number;
      GET: NextHandler;
    };
    const api = toRouteHandlers(new Hono()) satisfies Record<
      "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS",
      NextHandler
    >;
    expect(Object.keys({ ...api, ...route })).toContain("GET");
  });
});
