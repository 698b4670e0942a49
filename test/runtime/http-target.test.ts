import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { http } from "../../src/target/http.ts";
import { openAppWorld } from "../core/app-world.ts";
import { freePort } from "../support/redis.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { answering, type Endpoint, replying, startEndpoint } from "../target/endpoint.ts";
import { HOSTS, type RunningHost } from "./http-target/hosts.ts";
import { SECRET } from "./http-target/secret.ts";
import type { SendAnswer, SendRequest } from "./http-target/server.ts";

describe.each(HOSTS)("in $name", ({ start }) => {
  let host: RunningHost;
  let endpoint: Endpoint;

  beforeAll(async () => {
    [host, endpoint] = await Promise.all([start(), startEndpoint()]);
  });
  beforeEach(() => {
    endpoint.answer = 200;
    endpoint.requests.length = 0;
  });
  afterAll(async () => {
    await endpoint[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });

  const send = async (request: Partial<SendRequest> = {}): Promise<SendAnswer> => {
    const body = JSON.stringify({ url: `${endpoint.url}/jobs`, ...request });
    const response = await fetch(`${host.url}/send`, { method: "POST", body });
    expect(response.status).toBe(200);
    return (await response.json()) as SendAnswer;
  };

  test("jobs of a drain run there", async () => {
    await using world = await openAppWorld(setups()[0] as never);
    await world.push("q", '{"class":"Add","args":[1,2]}', '{"class":"Sub","args":[1,2]}');
    const perform = http(`${host.url}/jobs`, { secret: SECRET });
    const told: unknown[] = [];
    const hooks = { afterPerform: (_job: unknown, result: unknown) => void told.push(result) };
    const jobs = ["Add", "Sub"].map((name) => ({ class: name, perform, hooks }));
    expect(await world.app({ jobs }).drain()).toMatchObject({ succeeded: 1, failed: 1 });
    expect(told).toEqual([3]);
    expect(await world.failed()).toMatchObject([{ exception: "UnknownJobClass", payload: { class: "Sub" } }]);
  });

  test("a request that is not signed is refused", async () => {
    const response = await fetch(`${host.url}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(401);
    await response.body?.cancel();
  });

  test("jobs are sent from there, signed", async () => {
    endpoint.answer = replying({ airlift: 1, outcome: { kind: "ok", result: [7] } });
    expect(await send()).toEqual({ kind: "result", result: [7] });
    const [request] = endpoint.requests;
    expect(request).toMatchObject({ method: "POST", url: "/jobs", headers: { "content-type": "application/json" } });
    expect(JSON.parse(request?.body ?? "")).toMatchObject({ airlift: 1, job: { class: "Add", args: [1, 2] } });
    expect(request?.headers["webhook-signature"]).toMatch(/^v1,/);
  });

  test("answers mean what they mean elsewhere", async () => {
    endpoint.answer = answering(503, "", { "retry-after": "60" });
    expect(await send()).toMatchObject({ kind: "directive", directive: { kind: "retry", afterMs: 60_000 } });
    endpoint.answer = answering(422, "no such image", { "content-type": "text/plain" });
    expect(await send()).toEqual({
      ...{ kind: "error", name: "HttpError", message: `${endpoint.url} answered HTTP 422: no such image` },
    });
  });

  test("a redirect is not followed", async () => {
    endpoint.answer = (response, { url }) =>
      void (url === "/jobs" ? response.writeHead(302, { location: "/there" }) : response.writeHead(200)).end();
    expect(await send()).toMatchObject({
      kind: "error",
      message: expect.stringMatching(/a redirect, which is not followed$/),
    });
    expect(endpoint.requests).toHaveLength(1);
  });

  test("no answer is tried again", async () => {
    const refused = await send({ url: `http://127.0.0.1:${await freePort()}` });
    expect(refused).toMatchObject({ kind: "directive", directive: { kind: "retry" } });
    endpoint.answer = () => undefined;
    const before = endpoint.abandoned;
    const late = await send({ options: { timeoutMs: 1_000 } });
    expect(late).toMatchObject({
      directive: { kind: "retry", reason: `${endpoint.url} gave no whole answer: within 1000 ms` },
    });
    await until(() => endpoint.abandoned > before);
  });

  test("an answer without an end is read no further than allowed", async () => {
    endpoint.answer = (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const pour = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", pour);
      pour();
    };
    const before = endpoint.abandoned;
    expect(await send({ options: { maxReplyBytes: 100_000 } })).toEqual({ kind: "result" });
    await until(() => endpoint.abandoned > before);
  });

  test("private addresses are refused as far as the URL's text tells", async () => {
    for (const url of [
      "http://169.254.169.254/",
      "http://[fd00:ec2::254]/",
      "http://2130706433/",
      "http://localhost/",
    ]) {
      expect(await send({ url, options: { refusePrivateAddresses: true } })).toMatchObject({
        ...{ kind: "error", name: "UsageError", message: expect.stringMatching(/is a private address/) },
      });
    }
    expect(await send({ options: { refusePrivateAddresses: false } })).toEqual({ kind: "result" });
  });
});
