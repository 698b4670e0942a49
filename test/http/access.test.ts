import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHttpApp } from "../../src/http/app.ts";
import { ENQUEUE_TOKEN, OPERATE_TOKEN, type OpenApp, openApp, problemOf } from "./open-app.ts";

let open: OpenApp;
beforeAll(async () => {
  open = await openApp();
});
afterAll(() => open[Symbol.asyncDispose]());

const CLOSED = [
  ["POST", "/queues/mail/jobs", "enqueue", ENQUEUE_TOKEN],
  ["POST", "/drain", "operate", OPERATE_TOKEN],
  ["GET", "/drain", "operate", OPERATE_TOKEN],
  ["GET", "/status", "operate", OPERATE_TOKEN],
] as const;

/** Sends a valid request with this Authorization header. */
function send(app: Hono, method: string, path: string, authorization?: string): Promise<Response> {
  const headers = { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) };
  const body = path.includes("/queues/") ? '{"class":"A"}' : undefined;
  return Promise.resolve(app.request(path, { method, headers, ...(body && { body }) }));
}

describe.each(CLOSED)("%s %s", (method, path, role, token) => {
  test("opens to its token", async () => {
    expect((await send(open.app, method, path, `Bearer ${token}`)).status).toBeLessThan(300);
    expect((await send(open.app, method, path, `bearer ${token}`)).status).toBeLessThan(300);
  });

  test.each([
    ["no token", undefined, 401, 'Bearer realm=""'],
    ["another scheme", `Basic ${token}`, 400, 'Bearer error="invalid_request"'],
    ["the scheme alone", "Bearer ", 400, 'Bearer error="invalid_request"'],
    [
      "the token of the other role",
      `Bearer ${role === "operate" ? ENQUEUE_TOKEN : OPERATE_TOKEN}`,
      401,
      'Bearer error="invalid_token"',
    ],
    ["the token's beginning", `Bearer ${token.slice(0, -1)}`, 401, 'Bearer error="invalid_token"'],
    ["more than the token", `Bearer ${token}x`, 401, 'Bearer error="invalid_token"'],
  ])("stays closed to %s", async (_name, authorization, status, challenge) => {
    const response = await send(open.app, method, path, authorization);
    expect(response.headers.get("www-authenticate")).toBe(challenge);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ type: "urn:airlift:problem:unauthorized", status });
    expect(JSON.stringify(problem)).not.toContain(token);
  });

  test("is closed to all while no token is configured, and says how to configure one", async () => {
    const app = createHttpApp(open.airlift, { tokens: role === "enqueue" ? { operate: "o" } : { enqueue: "e" } });
    for (const authorization of [undefined, "Bearer ", "Bearer undefined", "Bearer o", "Bearer e"]) {
      const problem = await problemOf(await send(app, method, path, authorization));
      expect(problem).toMatchObject({ type: "urn:airlift:problem:closed", status: 403 });
      expect(problem["detail"]).toContain(`tokens.${role}`);
    }
  });

  test("opens to each of several tokens", async () => {
    const app = createHttpApp(open.airlift, { tokens: { [role]: ["old", "new"] } });
    expect((await send(app, method, path, "Bearer old")).status).toBeLessThan(300);
    expect((await send(app, method, path, "Bearer new")).status).toBeLessThan(300);
    expect((await send(app, method, path, "Bearer ol")).status).toBe(401);
  });
});

test("a request that is refused for its token puts nothing into the queue", async () => {
  await open.client.command(["FLUSHALL"]);
  await send(open.app, "POST", "/queues/mail/jobs", `Bearer ${OPERATE_TOKEN}`);
  expect(await open.client.command(["KEYS", "*"])).toEqual([]);
});

describe("routes and methods", () => {
  test("an unknown path is a 404", async () => {
    for (const path of ["/", "/queue", "/queues/mail", "/queues/mail/jobs/", "/queues/a/b/jobs", "/drain/now"]) {
      expect(await problemOf(await open.request(path))).toMatchObject({
        type: "urn:airlift:problem:not-found",
        status: 404,
      });
    }
  });

  test.each([
    ["PUT", "/queues/mail/jobs", "POST, GET, HEAD"],
    ["GET", "/failed/retry", "POST"],
    ["HEAD", "/failed/retry", "POST"],
    ["DELETE", "/drain", "POST, GET"],
    ["HEAD", "/drain", "GET, POST"],
    ["POST", "/status", "GET, HEAD"],
    ["POST", "/health", "GET, HEAD"],
  ])("%s %s is a 405 that names %s", async (method, path, allow) => {
    const response = await open.request(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });

  test("HEAD /drain drains nothing", async () => {
    await open.airlift.enqueue({ queue: "untouched", class: "A" });
    await open.request("/drain", { method: "HEAD" });
    expect(await open.payloads("untouched")).toHaveLength(1);
  });

  test("OPTIONS says which methods there are, and allows no foreign origin", async () => {
    const response = await open.app.request("/queues/mail/jobs", {
      method: "OPTIONS",
      headers: { origin: "http://a.b" },
    });
    expect([response.status, response.headers.get("allow")]).toEqual([204, "POST, GET, HEAD, OPTIONS"]);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("HEAD answers as GET, without a body", async () => {
    const response = await open.request("/status", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("all of it can be mounted under a path of another app", async () => {
    const app = new Hono().route("/api/airlift", open.app);
    const authorization = `Bearer ${ENQUEUE_TOKEN}`;
    expect((await send(app, "POST", "/api/airlift/queues/a%2Fb/jobs", authorization)).status).toBe(201);
    expect(await open.payloads("a/b")).toHaveLength(1);
    expect((await send(app, "PUT", "/api/airlift/drain")).status).toBe(405);
    expect((await send(app, "GET", "/api/airlift/status")).status).toBe(401);
    const document = await (await app.request("/api/airlift/openapi.json")).json();
    expect(document.servers).toEqual([{ url: "/api/airlift" }]);
  });
});
