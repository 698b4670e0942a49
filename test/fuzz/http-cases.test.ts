import { request as nodeRequest } from "node:http";
import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { startGateway } from "../support/gateway.ts";
import { type ApiWorld, openApiWorld, TOKEN } from "./api-world.ts";
import { connectTo, portOf, requestText } from "./raw-http.ts";

/** Requests that the HTTP API once did not stand up to, each by itself: what fuzzing has found stays here. */

let world: ApiWorld;
beforeAll(async () => {
  world = await openApiWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.client.command(["FLUSHALL"]);
  world.logged.length = 0;
});

const JSON_HEADERS = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };

/** Sends all of a body before it reads the answer, over a connection for itself, as simple clients do. */
async function postAtOnce(
  url: string,
  path: string,
  type: string,
  body: Buffer,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      "content-type": type,
      "content-length": body.length,
      connection: "close",
    };
    const request = nodeRequest({ host: "127.0.0.1", port: portOf(url), path, method: "POST", headers, agent: false });
    let isSent = false;
    request.on("error", reject);
    request.on("finish", () => {
      isSent = true;
    });
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: isSent ? (response.statusCode ?? 0) : -1, text }));
    });
    request.end(body);
  });
}

/** What is refused is read on for a second at most: for longer here, as the machine may be busy otherwise. */
function readOnForLong(): void {
  const { setTimeout } = globalThis;
  const longer = (callback: () => void, ms: number) => setTimeout(callback, ms === 1_000 ? 30_000 : ms);
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(longer as never);
  onTestFinished(() => spy.mockRestore());
}

test("who sends 12 MB before reading is told that it is too much", async () => {
  readOnForLong();
  const body = Buffer.alloc(12_000_000, "x");
  const answer = await postAtOnce(world.url, "/queues/q/jobs", "application/json", body);
  expect(answer).toEqual({ status: 413, text: expect.stringContaining("At most 1000000 bytes") });
  expect(await postAtOnce(world.url, "/pause", "application/json", body)).toMatchObject({ status: 413 });
  await using gateway = await startGateway("redis://127.0.0.1:1", { tokens: [TOKEN] });
  const refused = await postAtOnce(gateway.url, "/pipeline", "application/json", body);
  expect(refused).toEqual({ status: 413, text: expect.stringContaining("Limit: 10485760 bytes") });
});

test("a caller that hangs up in the middle of its body is no error of ours", async () => {
  for (const path of ["/queues/q/jobs", "/drain", "/pause", "/failed/retry"]) {
    const socket = await connectTo(world.url);
    const text = requestText("POST", path, { headers: { ...JSON_HEADERS, "Content-Length": "100" } });
    socket.write(`${text}{"class":`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
  }
  await world.enqueueGood("after");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(world.logged).toEqual([]);
  expect(await world.queued("q")).toEqual([]);
});

test("what the API can do is put together once, and told under whatever path it was asked for", async () => {
  const airlift = createAirlift({ redis: world.client, queues: ["q"], jobs: [] });
  const app = createHttpApp(airlift);
  let looks = 0;
  const routes = app.routes;
  const look = () => {
    looks++;
    return routes;
  };
  Object.defineProperty(app, "routes", { get: look });
  const mounted = new Hono().route("/airlift", app);
  const ask = async (at: Hono, path: string): Promise<object> =>
    (await (await at.request(`${path}/openapi.json`)).json()) as object;
  const first = await ask(app, "");
  const once = looks;
  expect(once).toBeGreaterThan(0);
  for (let asked = 0; asked < 20; asked++) expect(await ask(app, "")).toEqual(first);
  expect(await ask(mounted, "/airlift")).toEqual({ ...first, servers: [{ url: "/airlift" }] });
  expect(looks).toBe(once);
});

test("a name that nobody knows is told, but not all of a hundred kilobytes of it", async () => {
  const headers = { "content-type": "application/json" };
  const name = `odd${"x".repeat(100_000)}`;
  const body = `{"class":"Noop","${name}":1}`;
  const answer = await world.request("/queues/q/jobs", { method: "POST", headers, body });
  const text = await answer.text();
  expect([answer.status, text.length < 1_000]).toEqual([400, true]);
  expect(text).toContain(name.slice(0, 50));
});

test("a job of nearly a megabyte, of every awkward value, is in Redis byte for byte", async () => {
  const awkward = '[1.0,1E400,-0,12345678901234567890,"\\ud800","\\u0000",{"1":[],"2":{},"__proto__":{"a":[]}},"💣"]';
  const args = `[${Array(8_000).fill(awkward).join(",")}]`;
  const headers = { "content-type": "application/json" };
  const body = `{"class":"Noop","args":${args}}`;
  expect(body.length).toBeGreaterThan(700_000);
  const answer = await world.request("/queues/q/jobs", { method: "POST", headers, body });
  expect([answer.status, await answer.json()]).toEqual([201, { queue: "q", enqueued: 1 }]);
  expect(await world.queued("q")).toEqual([body]);
});

test("millions of empty lines are passed over", async () => {
  const headers = { "content-type": "application/x-ndjson" };
  const body = `${"\n".repeat(2_000_000)}{"class":"Noop"}${"\r\n \n".repeat(500_000)}`;
  const answer = await world.request("/queues/q/jobs", { method: "POST", headers, body });
  expect([answer.status, await answer.json()]).toEqual([201, { queue: "q", enqueued: 1 }]);
});

describe("a queue whose name is no UTF-8", () => {
  test.each([
    ["GET", "/queues/%ff/jobs"],
    ["POST", "/queues/%zz/clear"],
    ["POST", "/queues/%e2%82/remove"],
    ["POST", "/queues/%ff/jobs/remove"],
  ])("is refused, and not taken for another: %s %s", async (method, path) => {
    const answer = await world.request(path, { method });
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { errors: [{ path: "queue", message: "is not valid percent-encoded UTF-8" }] },
    ]);
  });

  test("may hold a percent sign", async () => {
    await world.client.command(["RPUSH", "resque:queue:100%", "x"]);
    expect(await (await world.request("/queues/100%25/jobs")).json()).toMatchObject({ total: 1 });
  });
});
