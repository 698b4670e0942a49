import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release, retry } from "../../src/core/directive.ts";
import type { JobDefinition } from "../../src/core/job.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { toFetchJobHandler } from "../../src/platform/fetch.ts";
import { type HttpTargetOptions, http } from "../../src/target/http.ts";
import { type AppWorld, createGate, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { SECRET } from "../target/endpoint.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

class Declined extends Error {}

describe.each(setups())("over $name", (setup) => {
  let world: AppWorld;
  let server: ReturnType<typeof serve>;
  let url: string;
  let statuses: number[];
  let ran: unknown[];
  let handle: (request: Request) => Promise<Response>;
  let gate: ReturnType<typeof createGate>;

  const handlers: readonly JobDefinition[] = [
    { class: "Note", perform: ([word]) => void ran.push(word) },
    {
      class: "Fail",
      perform: () => {
        throw new Declined("no money");
      },
    },
    { class: "Retry", perform: () => retry({ afterMs: 60_000, reason: "the bank is closed" }) },
    { class: "Discard", perform: () => discard("gone") },
    { class: "Release", perform: () => release({ afterMs: 60_000 }) },
    {
      class: "Wait",
      perform: async (_, job) => {
        const aborted = new Promise((_, reject) =>
          job.signal.addEventListener("abort", () => reject(job.signal.reason)),
        );
        ran.push("begun");
        await Promise.race([gate.passed, aborted]).catch((error: Error) => {
          ran.push(error.name);
          throw error;
        });
        ran.push("ended");
      },
    },
  ];

  beforeAll(async () => {
    world = await openAppWorld(setup);
    const jobFunction = createJobFunction({
      jobs: handlers,
      redis: world.client,
      logger: silent,
    });
    handle = toFetchJobHandler(jobFunction, { secret: SECRET, logger: silent });
    const fetch = async (request: Request): Promise<Response> => {
      const response = await handle(request);
      statuses.push(response.status);
      return response;
    };
    await new Promise<void>((resolve) => {
      server = serve({ fetch, port: 0, hostname: "127.0.0.1" }, () => resolve());
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`;
  });
  beforeEach(async () => {
    await world.flush();
    [statuses, ran, gate] = [[], [], createGate()];
  });
  afterEach(() => gate.open());
  afterAll(async () => {
    server.close();
    await world[Symbol.asyncDispose]();
  });

  /** The app whose jobs all run behind the endpoint. */
  const app = (options: Partial<HttpTargetOptions> = {}, definition: object = {}) => {
    const perform = http(url, { secret: SECRET, ...options });
    const jobs = handlers.map(({ class: className }) => ({ class: className, perform, ...definition }));
    return world.app({ concurrency: 10, jobs });
  };
  const push = (...classes: string[]): Promise<void> =>
    world.push(
      "q",
      ...classes.map((className, index) => `{"class":"${className}","args":["word ${index}",12345678901234567890]}`),
    );
  const counts = async () => ({
    processed: Number(await world.get(world.keys.processed)),
    failed: Number(await world.get(world.keys.failures)),
  });

  const ALL = ["Note", "Fail", "Retry", "Discard", "Release"];
  const ENDS = { succeeded: 1, failed: 1, retried: 1, discarded: 1, released: 1, detached: 0 };

  test.each([
    ["each by itself", {}, [200, 200, 200, 200, 200]],
    ["together", { batch: { size: 5, maxWaitMs: 10_000 } }, [200]],
  ])("jobs end as they end there, sent %s", async (_, options, expected) => {
    await push(...ALL);
    expect(await app(options).drain()).toMatchObject(ENDS);
    expect(statuses).toEqual(expected);
    expect(ran).toEqual(["word 0"]);
    expect(await counts()).toEqual({ processed: 4, failed: 2 });
    const [failed] = await world.failed();
    expect(failed).toMatchObject({ exception: "Declined", error: "no money", queue: "q" });
    // Where it was thrown, not where that was read.
    expect(failed?.backtrace[0]).toContain("fetch-job-trip.test");
  });

  test.each([
    ["each by itself", {}, [202, 202, 202, 202, 202]],
    ["together", { batch: { size: 5, maxWaitMs: 10_000 } }, [202]],
  ])("jobs are acknowledged as they end there, sent %s", async (_, options, expected) => {
    await push(...ALL);
    expect(await app({ acknowledge: { leaseMs: 60_000 }, ...options }).drain()).toMatchObject({
      ...{ succeeded: 0, failed: 0, detached: 5, stopped: "empty" },
    });
    expect(statuses).toEqual(expected);
    await until(async () => (await counts()).processed === 4);
    await until(async () => (await world.failed()).length === 1);
    expect(ran).toEqual(["word 0"]);
    expect(await counts()).toEqual({ processed: 4, failed: 2 });
    expect(await world.failed()).toMatchObject([{ exception: "Declined", error: "no money", queue: "q" }]);
    // The one that is tried again, and the one that was released, wait under their own times.
    const waiting = (await world.everything())[world.keys.retries] as Record<string, string>;
    expect(Object.values(waiting).every((dueMs) => Number(dueMs) - Date.now() > 50_000)).toBe(true);
    expect(Object.keys(waiting)).toHaveLength(2);
  });

  test.each([
    ["its class", { error: Declined, action: "discard" }, { discarded: 1 }],
    ["its name", { error: "Declined", action: "discard" }, { discarded: 1 }],
    ["another class", { error: RangeError, action: "discard" }, { retried: 1 }],
  ] as const)("a policy's rule knows an error from there by %s, as it does here", async (_, rule, expected) => {
    await push("Fail");
    expect(await app({}, { retry: { rules: [rule] } }).drain()).toMatchObject(expected);
  });

  test("a drain ends before the job that it handed over", async () => {
    await push("Wait");
    expect(await app({ acknowledge: { leaseMs: 60_000 } }).drain()).toMatchObject({ detached: 1, stopped: "empty" });
    await until(() => ran.length > 0);
    expect([ran, await counts()]).toEqual([["begun"], { processed: 0, failed: 0 }]);
    gate.open();
    await until(async () => (await counts()).processed === 1);
    await world.expectNoTraces();
  });

  test("a drain that is aborted has the jobs which it waits for aborted, and gives them back", async () => {
    await push("Wait");
    const controller = new AbortController();
    const jobs = [{ class: "Wait", perform: http(url, { secret: SECRET }) }];
    const drained = world.app({ graceMs: 0, jobs }).drain({ signal: controller.signal });
    await until(() => ran.length > 0);
    controller.abort();
    expect(await drained).toMatchObject({ stopped: "aborted", released: 1 });
    await until(() => ran.length > 1);
    expect(ran).toEqual(["begun", "AbortError"]);
    expect(await world.queued("q")).toHaveLength(1);
  });

  test("a job's time limit ends it there, before its drain stops waiting", async () => {
    await push("Wait");
    using time = stopTime();
    const drained = app({}, { timeoutMs: 1_300 }).drain();
    await until(() => ran.length > 0);
    time.advance(300);
    await until(() => statuses.length > 0);
    expect([ran, statuses]).toEqual([["begun", "TimeoutError"], [200]]);
    time.advance(1_000);
    expect(await drained).toMatchObject({ failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "TimeoutError" }]);
  });

  test.each([
    ["each by itself", {}],
    ["together", { batch: { size: 2, maxWaitMs: 10_000 } }],
  ])(
    "a drain whose time is over gives back what does not end there, sent %s: it was not given all its time",
    async (_, options) => {
      await push("Wait", "Note");
      using time = stopTime();
      const drained = app(options).drain({ deadlineMs: Date.now() + 3_600 });
      await until(() => ran.length === 2);
      time.advance(600);
      await until(() => ran.length === 3);
      // Until then the drain waits.
      time.advance(1_000);
      const report = await drained;
      expect(report).toMatchObject({ stopped: "deadline", succeeded: 1, released: 1, failed: 0 });
      expect(ran).toEqual(["begun", "word 1", "TimeoutError"]);
      expect(await world.queued("q")).toEqual(['{"class":"Wait","args":["word 0",12345678901234567890]}']);
      expect(await counts()).toEqual({ processed: 1, failed: 0 });
    },
  );

  test("an endpoint with another secret fails the jobs", async () => {
    await push("Note");
    expect(await app({ secret: `whsec_${Buffer.alloc(32, 9).toString("base64")}` }).drain()).toMatchObject({
      failed: 1,
    });
    expect(statuses).toEqual([401]);
    expect((await world.failed())[0]?.error).toMatch(/answered HTTP 401: .*A valid signature is needed/);
    expect(ran).toEqual([]);
  });
});
