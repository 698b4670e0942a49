import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type HttpTargetOptions, http } from "../../src/target/http.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { type Endpoint, OTHER_SECRET, type ReceivedRequest, SECRET, startEndpoint } from "./endpoint.ts";

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

async function send(options: Partial<HttpTargetOptions> = {}, payload = '{"class":"Send","args":["é ☃"]}') {
  await world.push("q", payload);
  const perform = http(`${endpoint.url}/jobs?x=1`, { secret: SECRET, ...options });
  await world.app({ jobs: [{ class: "Send", timeoutMs: 30_000, perform }] }).drain();
  return endpoint.requests.at(-1) as ReceivedRequest;
}

const webhookHeaders = ({ headers }: ReceivedRequest): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

test("the library of Standard Webhooks verifies a request, and none that was changed", async () => {
  const request = await send();
  const webhook = new Webhook(SECRET);
  expect(webhook.verify(request.body, webhookHeaders(request))).toMatchObject({ airlift: 1 });
  expect(() => webhook.verify(`${request.body} `, webhookHeaders(request))).toThrow("No matching signature found");
  const otherId = { ...webhookHeaders(request), "webhook-id": "msg_other" };
  expect(() => webhook.verify(request.body, otherId)).toThrow("No matching signature found");
  expect(() => new Webhook(OTHER_SECRET).verify(request.body, webhookHeaders(request))).toThrow();
});

test("the signature is an HMAC of id, time and body, as its specification says", async () => {
  const { headers, body } = await send();
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1_000)).toBeLessThan(5);
});

test("while secrets change, a request bears a signature of each", async () => {
  const request = await send({ secret: [SECRET, OTHER_SECRET] });
  for (const secret of [SECRET, OTHER_SECRET]) {
    expect(new Webhook(secret).verify(request.body, webhookHeaders(request))).toBeTruthy();
  }
  expect(String(request.headers["webhook-signature"]).split(" ")).toHaveLength(2);
});

test("a secret counts the same with and without its prefix", async () => {
  const request = await send({ secret: SECRET.slice("whsec_".length) });
  expect(new Webhook(SECRET).verify(request.body, webhookHeaders(request))).toBeTruthy();
});

test("what is sent: the job, the payload's exact text, the attempt, the time that is left", async () => {
  const payload = '{"class":"Send", "args":[12345678901234567890,{"a":[]}],"airlift":{"retries":2}}';
  const beforeMs = Date.now();
  const { method, url, headers, body } = await send({ headers: { "X-Tenant": "one\n" } }, payload);
  expect([method, url]).toEqual(["POST", "/jobs?x=1"]);
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "Airlift",
    "x-tenant": "one",
    "content-length": String(Buffer.byteLength(body)),
  });
  expect(body).toContain('"args":[12345678901234567890,{"a":[]}]');
  const message = JSON.parse(body);
  expect(message).toMatchObject({ airlift: 1, job: { queue: "q", class: "Send", payload, attempt: 3, retries: 2 } });
  expect(Object.keys(message)).toEqual(["airlift", "job", "deadlineMs"]);
  expect(message.deadlineMs - beforeMs).toBeGreaterThan(29_000);
  expect(message.deadlineMs - beforeMs).toBeLessThan(40_000);
});

test("two jobs of the same payload are two messages", async () => {
  const first = await send();
  const second = await send();
  expect(first.headers["webhook-id"]).toMatch(/^msg_[0-9a-f-]{36}$/);
  expect(second.headers["webhook-id"]).not.toBe(first.headers["webhook-id"]);
});

test("a job with an id of its own is the same message at each attempt", async () => {
  const perform = http(endpoint.url, { secret: SECRET });
  const retry = { backoff: [0] };
  const app = world.app({ status: { ttlMs: 60_000 }, jobs: [{ class: "Send", queue: "q", retry, perform }] });
  const enqueued = await app.enqueue({ queue: "q", class: "Send", args: [] });
  endpoint.answer = (response) => void response.writeHead(endpoint.requests.length < 3 ? 503 : 200).end();
  expect(await app.drain()).toMatchObject({ succeeded: 1, retried: 2 });
  const id = `job_${"id" in enqueued ? enqueued.id : ""}`;
  expect(endpoint.requests.map(({ headers }) => headers["webhook-id"])).toEqual([id, id, id]);
  expect(endpoint.requests.map(({ body }) => JSON.parse(body).job.attempt)).toEqual([1, 2, 3]);
});
