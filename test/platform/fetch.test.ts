import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DrainEvent } from "../../src/core/events.ts";
import type { StartReason } from "../../src/core/start-drain.ts";
import { startByRequest, toFetchHandler, toScheduledHandler } from "../../src/platform/fetch.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { type AppOptions, type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { createLogBook, job } from "./route-world.ts";

const SECRET = "another-secret-0123456789";
const [setup] = setups().filter(({ transport }) => transport === "http");
if (!setup) throw new Error("no Redis over HTTP to test with");

let world: AppWorld;
beforeAll(async () => {
  world = await openAppWorld(setup);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.flush());

const done: AppOptions["jobs"] = [{ class: "A", perform: () => undefined }];
const ask = (headers: Record<string, string> = { authorization: `Bearer ${SECRET}` }) =>
  new Request("https://host.example/any/path", { headers });

describe("toFetchHandler", () => {
  test("drains at whatever path it is mounted", async () => {
    await world.push("q", job("A"));
    const drain = toFetchHandler(world.app({ jobs: done }), { secret: SECRET, maxDurationMs: 55_000 });
    expect(await (await drain(ask())).json()).toMatchObject({ stopped: "empty", succeeded: 1 });
    await world.expectNoTraces();
  });

  test.each([[undefined], [""], [[]], [[" "]]])("is closed to everybody with the secret %j", async (secret) => {
    await world.push("q", job("A"));
    const logBook = createLogBook();
    const app = world.app({ jobs: done, logger: logBook.logger });
    const drain = toFetchHandler(app, { secret, maxDurationMs: 55_000 });
    for (const authorization of ["", "Bearer ", "Bearer undefined"]) {
      expect((await drain(ask({ authorization }))).status).toBe(503);
    }
    expect(await world.queued("q")).toHaveLength(1);
    expect(logBook.lines[0]).toBe("error toFetchHandler: nobody can drain: no secret is set; set its option secret");
  });

  test("is closed to other secrets, and the environment opens nothing", async () => {
    process.env["CRON_SECRET"] = "of-the-environment";
    try {
      const logBook = createLogBook();
      const app = world.app({ jobs: done, logger: logBook.logger });
      const drain = toFetchHandler(app, { secret: SECRET, maxDurationMs: 55_000 });
      expect((await drain(ask({ authorization: "Bearer of-the-environment" }))).status).toBe(401);
      expect(logBook.lines).toEqual(["warn toFetchHandler: a request without the secret was refused"]);
    } finally {
      delete process.env["CRON_SECRET"];
    }
  });

  test("without a waitUntil every caller waits for the report", async () => {
    const drain = toFetchHandler(world.app({ jobs: done }), { secret: SECRET, maxDurationMs: 55_000 });
    const response = await drain(ask({ authorization: `Bearer ${SECRET}`, prefer: "respond-async" }));
    expect([response.status, response.headers.get("preference-applied")]).toEqual([200, null]);
  });

  test("what the host adds reaches each drain: its signal, its limits, its listener", async () => {
    await world.push("q", job("A"), job("A"), job("A"));
    const kinds: DrainEvent["kind"][] = [];
    const stop = new AbortController();
    const drain = toFetchHandler(world.app({ jobs: done, concurrency: 1 }), {
      secret: SECRET,
      maxDurationMs: 55_000,
      drain: { signal: stop.signal, maxJobs: 2, onEvent: ({ kind }) => void kinds.push(kind) },
    });
    expect(await (await drain(ask())).json()).toMatchObject({ stopped: "budget", succeeded: 2, remaining: 1 });
    expect(kinds.filter((kind) => kind === "job-ended")).toHaveLength(2);
    stop.abort();
    expect(await (await drain(ask())).json()).toMatchObject({ stopped: "aborted", remaining: 1 });
  });

  test("the log tells of a job that failed", async () => {
    const logBook = createLogBook();
    const jobs: AppOptions["jobs"] = [{ class: "A", perform: () => Promise.reject(new RangeError("too far\nmore")) }];
    await world.push("q", job("A"));
    const drain = toFetchHandler(world.app({ jobs, logger: logBook.logger }), {
      secret: SECRET,
      maxDurationMs: 55_000,
    });
    await drain(ask());
    expect(logBook.lines).toEqual(["warn job failed", "info drained"]);
  });

  test("drains at the same time are guarded until the last ends, and no listener stays on the process", async () => {
    const listeners = () => ["uncaughtException", "unhandledRejection"].map((event) => process.listenerCount(event));
    const before = listeners();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const jobs: AppOptions["jobs"] = [{ class: "A", perform: ([which]) => gates[Number(which)]?.promise }];
    await world.push("q", job("A", 0), job("A", 1));
    const drain = toFetchHandler(world.app({ jobs, concurrency: 1 }), { secret: SECRET, maxDurationMs: 55_000 });
    const answers = [drain(ask()), drain(ask())];
    await until(async () => (await world.queued("q")).length === 0);
    const guarded = before.map((count) => count + 1);
    expect(listeners()).toEqual(guarded);
    gates[0].resolve();
    await Promise.race(answers);
    expect(listeners()).toEqual(guarded);
    gates[1].resolve();
    await Promise.all(answers);
    expect(listeners()).toEqual(before);
  });
});

describe("toScheduledHandler", () => {
  test("drains for whatever calls it, and ends in time", async () => {
    const budgets: number[] = [];
    const jobs: AppOptions["jobs"] = [
      { class: "A", perform: (_args, { deadlineMs }) => void budgets.push(deadlineMs - Date.now()) },
    ];
    await world.push("q", job("A"));
    const logBook = createLogBook();
    const app = world.app({ jobs, logger: logBook.logger });
    expect(await toScheduledHandler(app, { maxDurationMs: 29_000 })()).toBeUndefined();
    expect(budgets[0]).toBeGreaterThan(20_000);
    // A drain's clock is rounded where the host's is cut off.
    expect(budgets[0]).toBeLessThanOrEqual(27_001);
    expect(logBook.lines).toEqual(["info drained"]);
  });

  test("rejects without Redis, so that the host counts it as a failure, and the log says why", async () => {
    const logBook = createLogBook();
    const redis = upstash({ url: world.setup.url, token: "wrong-token" });
    const app = world.app({ jobs: done, redis, logger: logBook.logger });
    await expect(toScheduledHandler(app, { maxDurationMs: 29_000 })()).rejects.toThrow(/the drain could not go on/);
    expect(logBook.lines).toEqual([expect.stringMatching(/^error the drain failed: the drain could not go on/)]);
  });

  test("refuses a time that the margin uses up", () => {
    const make = () => toScheduledHandler(world.app({ jobs: done }), { maxDurationMs: 2_000 });
    expect(make).toThrow(/toScheduledHandler: maxDurationMs: expected .* \(marginMs: 2000\), got 2000/);
  });
});

describe("startByRequest", () => {
  /** A server whose drains take one job each, and start their successors by a request to it. */
  async function openChain(options: { readonly maxDepth?: number; readonly secret?: string } = {}) {
    const works: Promise<unknown>[] = [];
    const asked: (StartReason | null)[] = [];
    const hono = new Hono();
    const server = serve({ fetch: hono.fetch, port: 0, hostname: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/cron?from=here`;
    const logBook = createLogBook();
    const successor = {
      start: startByRequest({ url, secret: options.secret ?? SECRET }),
      ...(options.maxDepth !== undefined && { maxDepth: options.maxDepth }),
    };
    const airlift = world.app({ jobs: done, successor, logger: logBook.logger, concurrency: 1 });
    const drain = toFetchHandler(airlift, {
      secret: SECRET,
      maxDurationMs: 55_000,
      waitUntil: (work) => works.push(work),
      drain: { maxJobs: 1 },
    });
    hono.all("/cron", (c) => {
      asked.push((c.req.query("reason") ?? null) as StartReason | null);
      return drain(c.req.raw);
    });
    const close = async () => {
      for (let count = -1; count !== works.length; ) {
        count = works.length;
        await Promise.all(works);
      }
      await new Promise((resolve) => server.close(resolve));
    };
    return { url, asked, logBook, works, [Symbol.asyncDispose]: close };
  }
  const tick = (url: string) => fetch(url, { headers: { authorization: `Bearer ${SECRET}` } });
  const processed = async () => Number(await world.get(world.keys.processed));

  test("a drain that leaves jobs behind is followed by another until the queues are empty", async () => {
    await world.push("q", ...Array.from({ length: 4 }, () => job("A")));
    await using chain = await openChain();
    expect(await (await tick(chain.url)).json()).toMatchObject({ stopped: "budget", succeeded: 1, drainsStarted: 1 });
    await until(async () => (await processed()) === 4);
    expect(chain.asked).toEqual([null, "successor", "successor", "successor"]);
  });

  test("no further than maxDepth", async () => {
    await world.push("q", ...Array.from({ length: 9 }, () => job("A")));
    {
      await using chain = await openChain({ maxDepth: 2 });
      await tick(chain.url);
      await until(async () => (await processed()) === 3);
    }
    expect(await world.queued("q")).toHaveLength(6);
  });

  test.each([
    ["wrong", "the-wrong-secret", /the route at http:\/\/127.0.0.1:\d+\/cron answered 401/],
    ["unset", "", /secret: none is set/],
  ])("a secret that is %s starts nothing, and the log says why", async (_name, secret, message) => {
    await world.push("q", job("A"), job("A"));
    await using chain = await openChain({ secret });
    expect(await (await tick(chain.url)).json()).toMatchObject({ succeeded: 1, remaining: 1, drainsStarted: 0 });
    const start = startByRequest({ url: chain.url, secret });
    await expect(start({ reason: "successor", depth: 1 }, () => Promise.resolve())).rejects.toThrow(message);
    expect(chain.logBook.lines).toContain("warn the host could not start a drain");
  });

  test.each(["", "api/cron", "ftp://host.example/"])("refuses the address %j", (url) => {
    expect(() => startByRequest({ url, secret: SECRET })).toThrow(
      /startByRequest: url: expected the https:\/\/ address/,
    );
  });
});
