import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { JobMessage } from "../../src/core/job-message.ts";
import { createRegistry } from "../../src/core/registry.ts";
import { createAckStore } from "../../src/resque/ack.ts";
import { type HttpTargetOptions, http } from "../../src/target/http.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type Endpoint, replying, SECRET, startEndpoint } from "./endpoint.ts";

const LEASE_MS = 60_000;
const PAYLOAD = '{"class":"Send","args":[1]}';

let world: AppWorld;
let endpoint: Endpoint;

beforeAll(async () => {
  [world, endpoint] = await Promise.all([openAppWorld(setups()[0] as never), startEndpoint()]);
});
beforeEach(async () => {
  await world.flush();
  endpoint.answer = 202;
  endpoint.requests.length = 0;
});
afterAll(async () => {
  await endpoint[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function app(options: Partial<HttpTargetOptions> = {}, leaseMs = LEASE_MS, marginMs = 0) {
  const perform = http(endpoint.url, { secret: SECRET, acknowledge: { leaseMs }, ...options });
  return world.app({ marginMs, jobs: [{ class: "Send", perform }] });
}

const messages = (): JobMessage[] => endpoint.requests.map(({ body }) => JSON.parse(body) as JobMessage);
const waiting = async (): Promise<[entry: string, dueMs: number][]> =>
  Object.entries(((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>).map(
    ([entry, dueMs]) => [entry, Number(dueMs)],
  );

test("202: the drain ends, the job waits for its acknowledgement under its lease", async () => {
  await world.push("q", PAYLOAD);
  const beforeMs = Date.now();
  expect(await app().drain()).toMatchObject({ detached: 1, succeeded: 0, stopped: "empty" });
  const [[, dueMs = 0] = []] = await waiting();
  expect(dueMs - beforeMs).toBeGreaterThanOrEqual(LEASE_MS - 1_000);
  const [message] = messages();
  expect(message).toMatchObject({ job: { payload: PAYLOAD }, ack: expect.any(Object) });
  // Whoever heeds it ends before the job is given to somebody else.
  expect(message?.deadlineMs).toBeLessThanOrEqual(dueMs + 1_000);
  expect(message?.deadlineMs).toBeGreaterThan(beforeMs + LEASE_MS - 1_000);
});

test("the acknowledgement that the message bears ends the job", async () => {
  await world.push("q", PAYLOAD);
  await app().drain();
  const { client, keys } = world;
  const store = createAckStore({ client, keys, registry: createRegistry([]), nowMs: Date.now });
  const job = { kind: "job", raw: PAYLOAD, class: "Send", args: [1], attempt: 1, retries: 0 } as const;
  const ended = { ack: messages()[0]?.ack ?? {}, queue: "q", job, outcome: { kind: "ok" }, worker: "w" } as const;
  expect(await store.settle(ended)).toBe(true);
  await world.expectNoTraces();
  expect(await world.get(keys.processed)).toBe("1");
  expect(await store.settle(ended)).toBe(false);
});

test("without an acknowledgement the job is back when its lease ends, one crash counted", async () => {
  await world.push("q", PAYLOAD);
  expect(await app().drain()).toMatchObject({ detached: 1 });
  for (const [entry] of await waiting()) await world.send(["ZADD", world.keys.retries, 1, entry]);
  endpoint.answer = 200;
  expect(await app().drain()).toMatchObject({ promoted: 1, succeeded: 1 });
  expect(messages().map(({ job }) => job.attempt)).toEqual([1, 2]);
});

test.each([
  ["200", 200, { succeeded: 1 }],
  ["Airlift's own reply", replying({ airlift: 1, outcome: { kind: "discard" } }), { discarded: 1 }],
  ["400", 400, { failed: 1 }],
  ["302", 302, { failed: 1 }],
  ["503", 503, { retried: 1 }],
] as const)("%s is the job's end, at once", async (_, answer, expected) => {
  await world.push("q", PAYLOAD);
  endpoint.answer = answer;
  expect(await app().drain()).toMatchObject({ detached: 0, ...expected });
});

test("an endpoint that does not say in time whether it takes the job is tried again", async () => {
  await world.push("q", PAYLOAD);
  endpoint.answer = () => undefined;
  const before = endpoint.abandoned;
  expect(await app({ timeoutMs: 50 }).drain()).toMatchObject({ detached: 0, retried: 1 });
  await until(() => endpoint.abandoned > before);
});

test("a drain that ends meanwhile leaves the job to its lease, as it may have arrived", async () => {
  await world.push("q", PAYLOAD);
  endpoint.answer = () => undefined;
  using time = stopTime();
  const drained = app().drain({ deadlineMs: Date.now() + 500 });
  await until(() => endpoint.requests.length > 0);
  time.advance(500);
  expect(await drained).toMatchObject({ detached: 1, released: 0 });
  expect(endpoint.requests).toHaveLength(1);
  expect(await waiting()).toHaveLength(1);
  expect(await world.queued("q")).toEqual([]);
});

test("a batch is taken as a whole, each job with an acknowledgement of its own", async () => {
  await world.push("q", PAYLOAD, PAYLOAD, PAYLOAD);
  expect(await app({ batch: { size: 3, maxWaitMs: 5_000 } }).drain()).toMatchObject({ detached: 3 });
  expect(endpoint.requests).toHaveLength(1);
  const { jobs } = JSON.parse(endpoint.requests[0]?.body ?? "") as { jobs: { ack: object }[] };
  expect(new Set(jobs.map(({ ack }) => JSON.stringify(ack))).size).toBe(3);
  expect(await waiting()).toHaveLength(3);
});

test("a job that still waits for others of its batch when the drain ends was not sent: it goes back at once, nothing counted", async () => {
  await world.push("q", PAYLOAD, PAYLOAD);
  using time = stopTime();
  const drained = app({ batch: { size: 100, maxWaitMs: 60_000 } }, LEASE_MS, 1_000).drain({
    deadlineMs: Date.now() + 1_500,
  });
  await until(async () => (await waiting()).length === 2);
  time.advance(500);
  expect(await drained).toMatchObject({ detached: 0, released: 2 });
  expect(endpoint.requests).toHaveLength(0);
  expect(await waiting()).toHaveLength(0);
  expect(await world.queued("q")).toEqual([PAYLOAD, PAYLOAD]);
});
