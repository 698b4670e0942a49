import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorld, type World } from "../../conformance/world.ts";
import { setups } from "../../support/setups.ts";
import { until } from "../../support/until.ts";
import { type Endpoint, startEndpoint } from "../../target/endpoint.ts";
import { bundleFunctions, bundleWorker } from "./bundle-worker.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

let world: World;
let workerd: Workerd;

beforeAll(async () => {
  world = await openWorld(setups().findLast(({ transport }) => transport === "http") as never);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.flush();
  await workerd.allLogged();
  workerd.logged.length = 0;
  Object.assign(workerd.outbound, { count: 0, mostOpen: 0 });
});
afterEach(async () => {
  const { keys } = world;
  const lasting = [keys.queues, keys.failed, keys.processed, keys.failures];
  const names = (await world.keyNames()).filter((name) => !lasting.includes(name) && !name.startsWith(keys.queue("")));
  expect(names).toEqual([]);
});

const job = (className: string, ...args: unknown[]): string => JSON.stringify({ class: className, args });
const jobs = (count: number, className: string, ...args: unknown[]): string[] =>
  Array.from({ length: count }, (_, n) => job(className, ...args, n));
const line = (fields: object): unknown => expect.objectContaining(fields);
const bearing = (token: string, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
});

describe("the Worker that is deployed", () => {
  beforeAll(async () => {
    const { worker } = await bundleFunctions();
    const { url, token = "" } = world.setup;
    const bindings = {
      UPSTASH_REDIS_REST_URL: url,
      UPSTASH_REDIS_REST_TOKEN: token,
      ENQUEUE_TOKEN: "enqueue-token",
      OPERATE_TOKEN: "operate-token",
      AIRLIFT_PLAN: "paid",
    };
    workerd = await startWorkerd([{ name: "airlift", script: worker, bindings }]);
  });
  afterAll(() => workerd[Symbol.asyncDispose]());

  const enqueue = (queue: string, ...bodies: object[]): Promise<Response> =>
    workerd.fetch(
      `/queues/${queue}/jobs`,
      bearing("enqueue-token", { method: "POST", body: JSON.stringify(bodies.length === 1 ? bodies[0] : bodies) }),
    );

  test("enqueues by POST, and runs the job at the next tick", async () => {
    expect((await enqueue("mail", { class: "SendEmail", args: ["ada@example.com", "Hello"] })).status).toBe(201);
    expect(await world.queued("mail")).toEqual([job("SendEmail", "ada@example.com", "Hello")]);
    expect(await workerd.scheduled()).toBe("ok");
    expect(workerd.logged).toContainEqual(
      line({ level: "INFO", message: "sent", to: "ada@example.com", class: "SendEmail" }),
    );
    expect(workerd.logged).toContainEqual(line({ message: "drained", stopped: "empty", succeeded: 1, remaining: 0 }));
    expect(await world.queued("mail")).toEqual([]);
    expect(await world.get(world.keys.processed)).toBe("1");
  });

  test("a tick without work is one request", async () => {
    expect(await workerd.scheduled()).toBe("ok");
    expect(workerd.logged).toContainEqual(line({ message: "drained", commands: 1, requests: 1 }));
  });

  test("drains by POST, and looks at the queues, for who bears the token alone", async () => {
    await enqueue("images", { class: "ResizeImage", args: ["https://example.com/a.png", 100] });
    for (const path of ["/drain", "/status"]) expect((await workerd.fetch(path)).status).toBe(401);
    const status = await workerd.fetch("/status", bearing("operate-token"));
    expect(await status.json()).toMatchObject({ queues: [{ name: "images", size: 1 }] });
    const drained = await workerd.fetch("/drain", bearing("operate-token", { method: "POST" }));
    expect(await drained.json()).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect((await workerd.fetch("/health")).status).toBe(200);
  });

  test("ticks at the same time, and requests among them, run each job once", async () => {
    await world.push("mail", ...jobs(300, "SendEmail", "ada@example.com"));
    const drain = (): Promise<Response> => workerd.fetch("/drain", bearing("operate-token", { method: "POST" }));
    const [first, second, answer] = await Promise.all([workerd.scheduled(), workerd.scheduled(), drain()]);
    expect([first, second, answer.status]).toEqual(["ok", "ok", 200]);
    await workerd.allLogged();
    const sent = workerd.logged.filter(({ message }) => message === "sent").map(({ subject }) => subject);
    expect(sent.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(await world.get(world.keys.processed)).toBe("300");
  });

  test("a failure is written as it is on other hosts, by the error's own name", async () => {
    await world.push("mail", job("SendMail"));
    expect(await workerd.scheduled()).toBe("ok");
    expect(await world.failed()).toMatchObject([
      { exception: "UnknownJobClass", queue: "mail", worker: expect.stringMatching(/^airlift-cloudflare-/) },
    ]);
  });
});

describe("a Worker that is held to the limits of the free plan, its clock to stand still while it computes", () => {
  let endpoint: Endpoint;
  beforeAll(async () => {
    endpoint = await startEndpoint();
    script = await bundleWorker("drain");
    workerd = await start("Compute,Hang,Look,Request,Sleep");
  });
  afterAll(async () => {
    await workerd[Symbol.asyncDispose]();
    await endpoint[Symbol.asyncDispose]();
  });

  let script: string;
  const start = (classes: string): Promise<Workerd> => {
    const { url, token = "" } = world.setup;
    const bindings = { REDIS_URL: url, REDIS_TOKEN: token, CLASSES: classes };
    return startWorkerd([{ name: "drain", script, bindings }], { isWatched: true });
  };
  const made = (): number => Number(workerd.logged.find(({ message }) => message === "made")?.["requests"]);
  const report = (): Readonly<Record<string, unknown>> =>
    workerd.logged.find(({ message }) => message === "drained") ?? {};

  test("ticks make at most 50 requests each, on 6 connections, until all is done", async () => {
    await world.push("q", ...jobs(90, "Request", endpoint.url));
    for (let tick = 0; tick < 5 && (await world.queued("q")).length > 0; tick++) {
      workerd.logged.length = 0;
      expect(await workerd.scheduled()).toBe("ok");
      expect(made()).toBeLessThanOrEqual(50);
      expect(report()).toMatchObject({ failed: 0, lost: 0 });
    }
    expect(workerd.outbound.mostOpen).toBeGreaterThan(2);
    expect(workerd.outbound.mostOpen).toBeLessThanOrEqual(6);
    expect(endpoint.requests).toHaveLength(90);
    expect(await world.get(world.keys.processed)).toBe("90");
    expect(await world.failed()).toEqual([]);
  });

  test("jobs that make no requests are many in a tick", async () => {
    await world.push("q", ...jobs(5_000, "Sleep", 1));
    await using quiet = await start("Sleep");
    expect(await quiet.scheduled()).toBe("ok");
    const logged = Object.assign({}, ...quiet.logged);
    expect(logged).toMatchObject({ stopped: "budget", failed: 0, lost: 0 });
    expect(logged.requests).toBeLessThanOrEqual(50);
    expect(logged.succeeded).toBeGreaterThan(400);
  });

  test("jobs that compute are run, settled, and found to have taken no time", async () => {
    await world.push("q", ...jobs(40, "Compute", 5));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 40, failed: 0 });
  });

  test("what computes for longer than a lease keeps it", async () => {
    // 7.5 s and more; the lease is 4 s, and all of them are claimed together.
    await world.push("q", ...jobs(250, "Compute", 30));
    await using busy = await start("Compute");
    const beats = new Set<number>();
    let hasEnded = false;
    const ended = busy.scheduled().finally(() => {
      hasEnded = true;
    });
    const look = async (): Promise<boolean> => {
      const [, beat] = (await world.send(["ZRANGE", world.keys.drains, 0, -1, "WITHSCORES"]))[0] as Uint8Array[];
      if (beat) beats.add(Number(Buffer.from(beat).toString()));
      return hasEnded;
    };
    await until(look, { timeoutMs: 50_000 });
    expect(await ended, JSON.stringify(busy.logged.filter(({ message }) => message !== "computed"))).toBe("ok");
    expect(Object.assign({}, ...busy.logged)).toMatchObject({ stopped: "empty", succeeded: 250, lost: 0 });
    const atMs = [...beats].toSorted((a, b) => a - b);
    const gapsMs = atMs.slice(1).map((ms, index) => ms - (atMs[index] as number));
    expect(atMs.length).toBeGreaterThan(3);
    expect(Math.max(...gapsMs)).toBeLessThan(4_000);
  });

  test("time limits end what hangs, beside what computes", async () => {
    await world.push("q", ...jobs(3, "Hang"), ...jobs(10, "Compute", 5));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 10, failed: 3 });
    expect((await world.failed()).map(({ exception }) => exception)).toEqual(Array(3).fill("TimeoutError"));
  });

  test("leases are kept while jobs wait", async () => {
    await world.push("q", ...jobs(3, "Sleep", 5_000));
    const draining = workerd.scheduled();
    expect(await draining).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 3, lost: 0 });
  });

  test("nothing of Node is there, and nothing of it is needed", async () => {
    await world.push("q", job("Look"));
    expect(await workerd.scheduled()).toBe("ok");
    const nothing = { process: "undefined", Buffer: "undefined", setImmediate: "undefined" };
    expect(workerd.logged).toContainEqual(line({ message: "looked", ...nothing }));
  });

  test("each invocation has an app of its own, and the checks of health share one", async () => {
    const setupsOf = async (run: () => Promise<unknown>): Promise<number> => {
      workerd.logged.length = 0;
      await run();
      await world.push("q", job("Look"));
      await workerd.scheduled();
      return Number(workerd.logged.find(({ message }) => message === "made")?.["setups"]);
    };
    const first = await setupsOf(() => workerd.scheduled());
    expect(await setupsOf(() => workerd.scheduled())).toBe(first + 2);
    const before = await setupsOf(() => workerd.fetch("/health"));
    const after = await setupsOf(async () => {
      workerd.outbound.count = 0;
      await Promise.all([workerd.fetch("/health"), workerd.fetch("/health")]);
      expect(workerd.outbound.count).toBe(0);
    });
    expect(after).toBe(before + 1);
  });
});

describe("a Worker whose Redis refuses it", () => {
  beforeAll(async () => {
    const bindings = { REDIS_URL: world.setup.url, REDIS_TOKEN: "wrong", CLASSES: "Sleep" };
    workerd = await startWorkerd([{ name: "drain", script: await bundleWorker("drain"), bindings }]);
  });
  afterAll(() => workerd[Symbol.asyncDispose]());

  test("fails its invocation, so that it is seen in the dashboard", async () => {
    expect(await workerd.scheduled()).toBe("exception");
    expect((await workerd.fetch("/health")).status).toBe(503);
  });
});
