import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorld, type World } from "../../conformance/world.ts";
import { setups } from "../../support/setups.ts";
import { until } from "../../support/until.ts";
import { bundleFunctions, bundleWorker } from "./bundle-worker.ts";
import { startWorkerd, type TestWorker, type Workerd } from "./workerd.ts";

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
});
afterEach(async () => {
  const { keys } = world;
  const lasting = [keys.queues, keys.failed, keys.processed, keys.failures, keys.kick];
  const names = (await world.keyNames()).filter((name) => !lasting.includes(name) && !name.startsWith(keys.queue("")));
  expect(names).toEqual([]);
});

const job = (className: string, ...args: unknown[]): string => JSON.stringify({ class: className, args });
const ran = (): unknown[] => workerd.logged.filter(({ message }) => message === "ran").map(({ what }) => what);
const report = (): unknown => workerd.logged.find(({ message }) => message === "drained");
const processed = async (): Promise<number> => Number(await world.get(world.keys.processed));
const enqueue = (queue: string, body: object): Promise<Response> =>
  workerd.fetch(`/queues/${queue}/jobs`, {
    method: "POST",
    headers: { authorization: "Bearer enqueue-token", "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describe("the Workers that are deployed for fan-out", () => {
  beforeAll(async () => {
    const { worker, receiver } = await bundleFunctions();
    const { url, token = "" } = world.setup;
    const redis = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
    workerd = await startWorkerd([
      {
        name: "airlift",
        script: worker,
        bindings: { ...redis, ENQUEUE_TOKEN: "enqueue-token", AIRLIFT_PLAN: "paid" },
        serviceBindings: { IMAGES: { name: "airlift-receiver", entrypoint: "Jobs" } },
        queueProducers: { REPORTS: "airlift-reports", DRAINS: "airlift-drains" },
        queueConsumers: { "airlift-drains": { maxBatchSize: 100, maxBatchTimeout: 0, maxRetries: 0 } },
      },
      {
        name: "airlift-receiver",
        script: receiver,
        bindings: redis,
        queueConsumers: { "airlift-reports": { maxBatchSize: 5, maxBatchTimeout: 0, maxRetries: 5 } },
      },
    ]);
  });
  afterAll(() => workerd[Symbol.asyncDispose]());

  test("images run in the other Worker, while the drain waits", async () => {
    await world.push("images", job("ResizeImage", "https://example.com/a.png", 100));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 1, detached: 0 });
    expect(workerd.logged).toContainEqual(expect.objectContaining({ message: "resized", width: 100 }));
  });

  test("reports go through the Queue, and are settled by who runs them", async () => {
    await world.push("reports", job("BuildReport", "2026-11"));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 0, detached: 1 });
    await until(async () => (await processed()) === 1);
    await workerd.allLogged();
    expect(workerd.logged).toContainEqual(expect.objectContaining({ message: "built", month: "2026-11" }));
  });

  test("a job that is enqueued is drained at once, without a tick: the Queue brings the drain", async () => {
    expect((await enqueue("mail", { class: "SendEmail", args: ["ada@example.com", "Hello"] })).status).toBe(201);
    await until(async () => (await processed()) === 1);
    await workerd.allLogged();
    expect(workerd.logged).toContainEqual(expect.objectContaining({ message: "sent", to: "ada@example.com" }));
    await until(() => report() !== undefined);
  });

  test("jobs that come together are drained together, after one kick", async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => enqueue("mail", { class: "SendEmail", args: ["ada@example.com", n] })),
    );
    await until(async () => (await processed()) === 10);
    await until(async () => !(await world.keyNames()).includes(world.keys.drains));
    await workerd.allLogged();
    const drains = workerd.logged.filter(({ message }) => message === "drained");
    expect(drains.length).toBeLessThanOrEqual(4);
  });
});

describe("targets in workerd", () => {
  /** A receiver that is not Airlift's. */
  const other = `
    class Boom extends Error { name = "Boom" }
    export default {
      async fetch(request) {
        const { job } = await request.json();
        if (new URL(request.url).pathname !== "/jobs") return new Response(null, { status: 404 });
        const [what] = job.args;
        if (typeof what === "number") return new Response("as you like", { status: what });
        if (what === "throw") throw new Boom("bad luck");
        if (what === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
        return Response.json({ id: job.payload.length });
      },
    };`;

  beforeAll(async () => {
    const { url, token = "" } = world.setup;
    const bindings = { REDIS_URL: url, REDIS_TOKEN: token };
    const workers: TestWorker[] = [
      {
        name: "fan-out",
        script: await bundleWorker("fan-out"),
        bindings,
        serviceBindings: {
          RECEIVER: "receiver",
          ENTRYPOINT: { name: "receiver", entrypoint: "Jobs" },
          OTHER: "other",
        },
        queueProducers: { REPORTS: "reports" },
      },
      {
        name: "receiver",
        script: await bundleWorker("receiver"),
        bindings,
        queueConsumers: { reports: { maxBatchSize: 10, maxBatchTimeout: 0, maxRetries: 3 } },
      },
      { name: "other", script: other },
    ];
    workerd = await startWorkerd(workers);
  });
  afterAll(() => workerd[Symbol.asyncDispose]());

  test.each(["ByFetch", "ByMethod", "InBatches"])("%s: jobs run and fail as their handlers say", async (name) => {
    await world.push("q", job(name, 1), job(name, "throw"), job(name, 2));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 2, failed: 1 });
    expect(ran().toSorted()).toEqual([1, 2]);
    // Where it happened, as far as the runtime there tells.
    const backtrace = [expect.stringMatching(/^at Object\.perform \(/)];
    expect(await world.failed()).toMatchObject([{ exception: "TooSmall", error: "no pixels", backtrace }]);
  });

  test.each(["Queued", "QueuedInBatches"])("%s: jobs are settled by their consumer", async (name) => {
    await world.push("q", job(name, 1), job(name, "throw"), job(name, 2));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", detached: 3 });
    await until(async () => (await processed()) === 3);
    await workerd.allLogged();
    expect(ran().toSorted()).toEqual([1, 2]);
    expect(await world.failed()).toMatchObject([{ exception: "TooSmall", error: "no pixels", queue: "q" }]);
    expect(await world.get(world.keys.failures)).toBe("1");
  });

  test("a job too large for a Queue fails here, and the others go", async () => {
    await world.push("q", job("Queued", "x".repeat(70_000)), job("Queued", 1));
    await workerd.scheduled();
    expect(report()).toMatchObject({ failed: 1, detached: 1 });
    await until(async () => (await processed()) === 2);
    expect(await world.failed()).toMatchObject([{ exception: "QueueMessageError" }]);
  });

  test.each([
    ["answers", "anything", { succeeded: 1 }],
    ["refuses", 422, { failed: 1 }],
    ["throws", "throw", { failed: 1 }],
    ["does not end in time", "hang", { failed: 1 }],
  ] as const)("another's Worker %s", async (_, what, expected) => {
    await world.push("q", job("Other", what));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ stopped: "empty", succeeded: 0, failed: 0, ...expected });
    const exceptions = { 422: "HttpError", throw: "Boom", hang: "TimeoutError", anything: undefined };
    expect((await world.failed())[0]?.exception).toBe(exceptions[what]);
  });

  test("another's Worker that asks to be tried again is", async () => {
    await world.push("q", job("Other", 503));
    expect(await workerd.scheduled()).toBe("ok");
    expect(report()).toMatchObject({ retried: 1 });
    expect(await world.keyNames()).toContain(world.keys.retries);
    await world.send(["DEL", world.keys.retries]);
  });

  test("a method that the entrypoint does not have fails the job, by what the runtime says", async () => {
    await world.push("q", job("ByNoMethod"));
    await workerd.scheduled();
    expect(await world.failed()).toMatchObject([{ exception: "TypeError", error: /nothing/ }]);
  });

  test("no more Workers are called than one invocation may call; the next tick goes on", async () => {
    await world.push("q", ...Array.from({ length: 40 }, (_, n) => job("ByMethod", n)));
    await workerd.scheduled();
    expect(report()).toMatchObject({ stopped: "budget", succeeded: 31, remaining: 9 });
    expect(ran()).toHaveLength(31);
    await workerd.scheduled();
    expect(ran().toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  test("in batches they are many more", async () => {
    await world.push("q", ...Array.from({ length: 150 }, (_, n) => job("InBatches", n)));
    await workerd.scheduled();
    expect(ran().length).toBeGreaterThan(90);
    expect(report()).toMatchObject({ succeeded: ran().length, failed: 0, retried: 0 });
  });

  test("a job that is enqueued runs behind the answer", async () => {
    expect((await enqueue("q", { class: "ByFetch", args: ["kicked"] })).status).toBe(201);
    await until(async () => (await processed()) === 1);
    await workerd.allLogged();
    expect(ran()).toEqual(["kicked"]);
    await until(async () => (await world.keyNames()).every((name) => !name.includes("airlift")));
  });
});
