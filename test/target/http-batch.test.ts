import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AirliftOptions } from "../../src/airlift.ts";
import { type BatchOptions, http } from "../../src/target/http.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type Answer, type Endpoint, replying, SECRET, startEndpoint } from "./endpoint.ts";

let world: AppWorld;
let endpoint: Endpoint;

beforeAll(async () => {
  [world, endpoint] = await Promise.all([openAppWorld(setups()[0] as never), startEndpoint()]);
});
beforeEach(async () => {
  await world.flush();
  endpoint.answer = 200;
  endpoint.requests.length = 0;
});
afterAll(async () => {
  await endpoint[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

interface SentBatch {
  readonly airlift: 1;
  readonly jobs: readonly {
    readonly id: string;
    readonly class: string;
    readonly args: readonly unknown[];
    readonly payload: string;
  }[];
  readonly deadlineMs: number;
}

const batches = (): SentBatch[] => endpoint.requests.map(({ body }) => JSON.parse(body) as SentBatch);
const sizes = (): number[] => batches().map(({ jobs }) => jobs.length);

function app(batch: BatchOptions, options: Partial<AirliftOptions> = {}, definition: object = {}) {
  const perform = http(endpoint.url, { secret: SECRET, batch });
  return world.app({ concurrency: 10, ...options, jobs: [{ class: "Send", perform, ...definition }] });
}

const push = (count: number): Promise<void> =>
  world.push("q", ...Array.from({ length: count }, (_, index) => `{"class":"Send","args":[${index}]}`));

describe("jobs are joined", () => {
  test("as many as a batch holds, each sent once", async () => {
    await push(20);
    expect(await app({ size: 5, maxWaitMs: 30_000 }).drain()).toMatchObject({ succeeded: 20 });
    expect(sizes()).toEqual([5, 5, 5, 5]);
    const sent = batches().flatMap(({ jobs }) => jobs);
    expect(sent.map(({ args }) => args[0]).toSorted((a, b) => Number(a) - Number(b))).toEqual([...Array(20).keys()]);
    expect(batches()[0]?.jobs.map(({ id }) => id)).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("as many as came while the first one waited", async () => {
    await push(3);
    const beforeMs = performance.now();
    expect(await app({ size: 100, maxWaitMs: 50 }).drain()).toMatchObject({ succeeded: 3 });
    expect(sizes()).toEqual([3]);
    expect(performance.now() - beforeMs).toBeGreaterThan(45);
  });

  test("no more than a request carries; a large job travels alone", async () => {
    const large = (chars: number) => JSON.stringify({ class: "Send", args: ["x".repeat(chars)] });
    await world.push("q", large(400_000), large(400_000), large(400_000), large(3_000_000), large(10));
    expect(await app({ size: 100, maxWaitMs: 50 }).drain()).toMatchObject({ succeeded: 5 });
    expect(sizes().toSorted()).toEqual([1, 1, 1, 2]);
  });

  test("with the time that is left to the job which has the least", async () => {
    await push(2);
    const beforeMs = Date.now();
    await app({ size: 2, maxWaitMs: 100 }, {}, { timeoutMs: 20_000 }).drain();
    const left = (batches()[0]?.deadlineMs ?? 0) - beforeMs;
    expect(left).toBeGreaterThan(19_000);
    expect(left).toBeLessThan(30_000);
  });
});

describe("each job ends by itself", () => {
  const jobsOf = (body: string) => (JSON.parse(body) as SentBatch).jobs;
  /** Answers with an outcome for each job, by its argument. */
  const outcomes =
    (outcomeOf: (arg: unknown) => unknown): Answer =>
    (response, { body }) => {
      const byId = Object.fromEntries(jobsOf(body).map(({ id, args }) => [id, outcomeOf(args[0])]));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ airlift: 1, outcomes: byId }));
    };

  test("as Airlift's own receiver says", async () => {
    await push(4);
    const failure = { exception: "Declined", message: "no money", backtrace: [] };
    endpoint.answer = outcomes(
      (arg) => [{ kind: "ok" }, { kind: "failed", failure }, { kind: "retry" }, { kind: "discard" }][Number(arg)],
    );
    expect(await app({ size: 4, maxWaitMs: 1_000 }).drain()).toMatchObject({
      ...{ succeeded: 1, failed: 1, retried: 1, discarded: 1 },
    });
    expect(await world.failed()).toMatchObject([{ exception: "Declined", error: "no money", payload: { args: [1] } }]);
    expect(sizes()).toEqual([4]);
  });

  test("those that a foreign receiver reports as SQS is told", async () => {
    await push(3);
    endpoint.answer = (response, request) => {
      const failed = jobsOf(request.body).find(({ args }) => args[0] === 1);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ batchItemFailures: [{ itemIdentifier: failed?.id }] }));
    };
    expect(await app({ size: 3, maxWaitMs: 1_000 }).drain()).toMatchObject({ succeeded: 2, failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "BatchItemFailure", payload: { args: [1] } }]);
  });

  test("one that an Airlift reply does not mention has failed", async () => {
    await push(2);
    endpoint.answer = replying({ airlift: 1, outcomes: { "0": { kind: "ok" } } });
    expect(await app({ size: 2, maxWaitMs: 1_000 }).drain()).toMatchObject({ succeeded: 1, failed: 1 });
  });

  test.each([
    ["a refusal fails all of them", 400, { failed: 3 }],
    ["a 503 has all of them tried again", 503, { retried: 3 }],
    ["a 202 is the end of all of them", 202, { succeeded: 3 }],
  ])("%s", async (_, status, expected) => {
    await push(3);
    endpoint.answer = status;
    expect(await app({ size: 3, maxWaitMs: 1_000 }).drain()).toMatchObject(expected);
    expect(sizes()).toEqual([3]);
  });
});

describe("jobs that are aborted", () => {
  test("while they wait are not sent", async () => {
    await push(2);
    const drained = app({ size: 100, maxWaitMs: 60_000 }, {}, { timeoutMs: 50 }).drain();
    expect(await drained).toMatchObject({ failed: 2 });
    expect(endpoint.requests).toEqual([]);
  });

  test("together give up their request", async () => {
    await push(2);
    endpoint.answer = () => undefined;
    const before = endpoint.abandoned;
    using time = stopTime();
    const drained = app({ size: 2, maxWaitMs: 0 }, {}, { timeoutMs: 100 }).drain();
    await until(() => endpoint.requests.length > 0);
    time.advance(100);
    expect(await drained).toMatchObject({ failed: 2 });
    await until(() => endpoint.abandoned > before);
    expect(sizes()).toEqual([2]);
  });

  test("alone leave the others their request", async () => {
    const shared = http(endpoint.url, { secret: SECRET, batch: { size: 2, maxWaitMs: 30_000 } });
    await world.push("q", '{"class":"Short","args":[]}', '{"class":"Long","args":[]}');
    endpoint.answer = (response) =>
      void until(async () => (await world.failed()).length > 0).then(() => response.writeHead(200).end());
    const jobs = [
      { class: "Short", timeoutMs: 50, perform: shared },
      { class: "Long", timeoutMs: 10_000, perform: shared },
    ];
    expect(await world.app({ jobs }).drain()).toMatchObject({ succeeded: 1, failed: 1 });
    expect(sizes()).toEqual([2]);
    expect(await world.failed()).toMatchObject([{ payload: { class: "Short" } }]);
  });

  test("by the end of the drain go back to their queue", async () => {
    await push(2);
    using time = stopTime();
    const drained = app({ size: 100, maxWaitMs: 60_000 }, { marginMs: 0 }).drain({ deadlineMs: Date.now() + 400 });
    await until(async () => (await world.queued("q")).length === 0);
    time.advance(400);
    expect(await drained).toMatchObject({ released: 2 });
    expect(await world.queued("q")).toHaveLength(2);
    expect(endpoint.requests).toEqual([]);
  });
});
