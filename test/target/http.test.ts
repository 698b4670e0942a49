import { createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DrainReport } from "../../src/core/report.ts";
import { type HttpTargetOptions, http } from "../../src/target/http.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { freePort } from "../support/redis.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type Answer, answering, type Endpoint, replying, SECRET, startEndpoint } from "./endpoint.ts";

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

interface Drained {
  readonly report: DrainReport;
  readonly failures: readonly string[];
  /** Of the job that waits for another attempt: why, until when, and how long that is from when the drain began. */
  readonly waits: readonly { readonly error: string; readonly dueMs: number; readonly forMs: number }[];
}

/** Drains one job through the target. */
async function drainOne({
  options = {},
  url = `${endpoint.url}/jobs?key=query-secret`,
  definition = {},
}: {
  readonly options?: Partial<HttpTargetOptions>;
  readonly url?: string;
  readonly definition?: object;
} = {}): Promise<Drained> {
  await world.push("q", '{"class":"Send","args":[1,"two"]}');
  const perform = http(url, { secret: SECRET, ...options });
  const beforeMs = Date.now();
  const report = await world.app({ jobs: [{ class: "Send", perform, ...definition }] }).drain();
  const waiting = ((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>;
  return {
    report,
    failures: (await world.failed()).map(({ exception, error }) => `${exception}: ${error}`),
    waits: Object.entries(waiting).map(([entry, dueMs]) => ({
      error: JSON.parse(entry).error,
      dueMs: Number(dueMs),
      forMs: Number(dueMs) - beforeMs,
    })),
  };
}

const NAMED = /^http:\/\/127\.0\.0\.1:\d+ /;

describe("done", () => {
  const rows: readonly (readonly [string, Answer])[] = [
    ["200", 200],
    ["201", 201],
    ["202, with nobody to acknowledge", 202],
    ["204", 204],
    ["200 with a text", answering(200, "ok", { "content-type": "text/plain" })],
    ["200 with JSON of its own", replying({ status: "received" })],
    ["200 with what only claims to be JSON", answering(200, "{oops", { "content-type": "application/json" })],
    ["200 with Airlift's reply that it is done", replying({ airlift: 1, outcome: { kind: "ok" } })],
  ];
  test.each(rows)("%s", async (_, answer) => {
    endpoint.answer = answer;
    expect((await drainOne()).report).toMatchObject({ succeeded: 1, failed: 0, retried: 0, stopped: "empty" });
    await world.expectNoTraces();
  });

  test("the endpoint's JSON is the job's result, integers exact", async () => {
    endpoint.answer = answering(200, '{"order":12345678901234567890}', { "content-type": "application/json" });
    let told: unknown;
    await drainOne({ definition: { hooks: { afterPerform: (_job: unknown, result: unknown) => (told = result) } } });
    expect(told).toEqual({ order: 12345678901234567890n });
  });
});

describe("failed", () => {
  const rows: readonly (readonly [string, Answer, RegExp])[] = [
    ["400", 400, /answered HTTP 400$/],
    ["401", 401, /answered HTTP 401$/],
    ["404", 404, /answered HTTP 404$/],
    ["410", 410, /answered HTTP 410$/],
    ["413", 413, /answered HTTP 413$/],
    [
      "422, saying why",
      answering(422, "no such\n\timage", { "content-type": "text/plain" }),
      /answered HTTP 422: no such image$/,
    ],
    [
      "422, as a problem",
      answering(422, '{"title":"Wrong"}', { "content-type": "application/problem+json" }),
      /answered HTTP 422: \{"title":"Wrong"\}$/,
    ],
    ["400 with a page", answering(400, "<p>no</p>", { "content-type": "text/html" }), /answered HTTP 400$/],
    ["301", answering(301, "", { location: "/there" }), /answered HTTP 301, a redirect, which is not followed$/],
    ["307", answering(307, "", { location: "/there" }), /answered HTTP 307, a redirect, which is not followed$/],
    ["304", 304, /answered HTTP 304, a redirect, which is not followed$/],
    ["999", 999, /answered HTTP 999$/],
  ];
  test.each(rows)("%s", async (_, answer, message) => {
    endpoint.answer = answer;
    const { report, failures } = await drainOne();
    expect(report).toMatchObject({ succeeded: 0, failed: 1, retried: 0 });
    expect(failures).toEqual([expect.stringMatching(/^HttpError: http:\/\/127\.0\.0\.1:\d+ /)]);
    expect(failures[0]).toMatch(message);
    expect(endpoint.requests).toHaveLength(1);
  });

  test("as Airlift's own receiver says, with its name, message and backtrace", async () => {
    const failure = { exception: "Declined", message: "no money", backtrace: ["at pay (shop.ts:1)"] };
    endpoint.answer = replying({ airlift: 1, outcome: { kind: "failed", failure } });
    expect((await drainOne()).failures).toEqual(["Declined: no money"]);
    expect((await world.failed())[0]?.backtrace).toEqual(["at pay (shop.ts:1)"]);
  });

  test("a 4xx fails a job at once whatever its class's policy, unless a rule names it", async () => {
    endpoint.answer = 422;
    expect((await drainOne({ definition: { retry: { limit: 3 } } })).report).toMatchObject({ failed: 1, retried: 0 });
    await world.flush();
    const retry = { rules: [{ error: "HttpError", action: "retry" }] };
    expect((await drainOne({ definition: { retry } })).report).toMatchObject({ failed: 0, retried: 1 });
  });

  test("an endpoint's echo does not bring secrets into the message", async () => {
    const headers = { authorization: "Bearer token-of-the-endpoint" };
    endpoint.answer = (response, request) => {
      const echo = JSON.stringify({ ...request.headers, path: request.url, secret: SECRET });
      response.writeHead(400, { "content-type": "application/json" }).end(echo);
    };
    const { failures } = await drainOne({
      options: { headers },
      url: `${endpoint.url}/hooks/T0/capability?key=query-secret`,
    });
    expect(failures[0]).toContain("[redacted]");
    for (const secret of ["token-of-the-endpoint", "capability", "query-secret", SECRET]) {
      expect(failures[0]).not.toContain(secret);
    }
  });

  test("a long explanation is cut", async () => {
    endpoint.answer = answering(400, "x".repeat(100_000), { "content-type": "text/plain" });
    expect((await drainOne()).failures[0]?.length).toBeLessThan(600);
  });
});

describe("tried again", () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 599])("%i", async (status) => {
    endpoint.answer = status;
    const { report, waits } = await drainOne();
    expect(report).toMatchObject({ succeeded: 0, failed: 0, retried: 1 });
    expect(waits).toMatchObject([{ error: expect.stringMatching(NAMED) }]);
    expect(waits[0]?.error).toMatch(new RegExp(` answered HTTP ${status}$`));
    expect(waits[0]?.forMs).toBeGreaterThan(2_400);
  });

  /** A header counts in whole seconds. */
  const inTenMinutes = (): string => new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 600_000).toUTCString();
  const later: readonly (readonly [string, () => string, readonly [leastMs: number, mostMs: number]])[] = [
    ["in seconds", () => "120", [120_000, 120_000]],
    ["as a date", inTenMinutes, [600_000, 601_000]],
    ["in more than a day, which is a day", () => "99999999", [86_400_000, 86_400_000]],
    ["in no time, which is the class's backoff", () => "0", [2_500, 5_000]],
    ["at a time that has passed, which is the class's backoff", () => new Date(0).toUTCString(), [2_500, 5_000]],
    ["in words, which is the class's backoff", () => "soon", [2_500, 5_000]],
  ];
  test.each(later)("after Retry-After, given %s", async (_, header, [leastMs, mostMs]) => {
    for (const status of [429, 503]) {
      await world.flush();
      const startMs = Date.now();
      endpoint.answer = answering(status, "", { "retry-after": header() });
      const [wait] = (await drainOne()).waits;
      const tookMs = Date.now() - startMs;
      expect((wait?.dueMs ?? 0) - startMs).toBeGreaterThan(leastMs - 50);
      expect((wait?.dueMs ?? 0) - startMs).toBeLessThanOrEqual(mostMs + tookMs);
    }
  });

  test("as Airlift's own receiver says", async () => {
    endpoint.answer = replying({
      airlift: 1,
      outcome: { kind: "retry", afterMs: 60_000, reason: "the bank is closed" },
    });
    const { report, waits } = await drainOne();
    expect(report).toMatchObject({ retried: 1 });
    expect(waits[0]?.error).toBe("the bank is closed");
    expect(waits[0]?.forMs).toBeGreaterThan(59_000);
  });

  test("no more than 5 times, or as the class's policy says; then the job has failed", async () => {
    endpoint.answer = 503;
    const payload = (retries: number) => `{"class":"Send","args":[],"airlift":{"retries":${retries}}}`;
    const perform = http(endpoint.url, { secret: SECRET });
    await world.push("q", payload(4), payload(5));
    expect(await world.app({ jobs: [{ class: "Send", perform }] }).drain()).toMatchObject({ retried: 1, failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "Retry", error: expect.stringMatching(/HTTP 503$/) }]);
    await world.push("q", payload(1));
    expect(await world.app({ jobs: [{ class: "Send", retry: { limit: 1 }, perform }] }).drain()).toMatchObject({
      retried: 0,
      failed: 1,
    });
  });

  test("a connection that is refused", async () => {
    const { report, waits } = await drainOne({ url: `http://127.0.0.1:${await freePort()}` });
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(waits[0]?.error).toMatch(/^http:\/\/127\.0\.0\.1:\d+ gave no whole answer: ECONNREFUSED$/);
  });

  test("a name that does not exist", async () => {
    const { report, waits } = await drainOne({ url: "http://no-such-host.invalid/" });
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(waits[0]?.error).toMatch(/^http:\/\/no-such-host\.invalid gave no whole answer: (ENOTFOUND|EAI_AGAIN)$/);
  });

  test("a TLS handshake that fails", async () => {
    const { report, waits } = await drainOne({ url: endpoint.url.replace("http:", "https:") });
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(waits[0]?.error).toMatch(/^https:\/\/127\.0\.0\.1:\d+ gave no whole answer: ERR_SSL|EPROTO/);
  });

  test("a connection that is closed without an answer", async () => {
    endpoint.answer = (response) => void response.socket?.destroy();
    const { report, waits } = await drainOne();
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(waits[0]?.error).toMatch(/ gave no whole answer: ECONNRESET$/);
  });

  test("an answer that is not HTTP", async () => {
    const server = createServer((socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { waits } = await drainOne({ url: `http://127.0.0.1:${port}` });
    server.close();
    expect(waits[0]?.error).toMatch(/ gave no whole answer: HPE_INVALID_CONSTANT$/);
  });

  test("an answer that breaks off, as it may have told of a failure", async () => {
    endpoint.answer = (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"airlift":1,', () => void response.socket?.destroy());
    };
    expect((await drainOne()).report).toMatchObject({ retried: 1, succeeded: 0 });
  });

  test("no answer within timeoutMs", async () => {
    endpoint.answer = () => undefined;
    const { report, waits } = await drainOne({ options: { timeoutMs: 50 } });
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(waits[0]?.error).toMatch(/ gave no whole answer: within 50 ms$/);
  });
});

describe("other endings", () => {
  test("released and discarded, as Airlift's own receiver says", async () => {
    endpoint.answer = replying({ airlift: 1, outcome: { kind: "release", afterMs: 60_000 } });
    expect((await drainOne()).report).toMatchObject({ retried: 0, failed: 0, succeeded: 0, released: 1 });
    endpoint.answer = replying({ airlift: 1, outcome: { kind: "discard", reason: "gone" } });
    await world.flush();
    expect((await drainOne()).report).toMatchObject({ discarded: 1 });
  });

  test("no answer within the job's time limit fails it, and the request is given up", async () => {
    endpoint.answer = () => undefined;
    const before = endpoint.abandoned;
    using time = stopTime();
    const drained = drainOne({ definition: { timeoutMs: 50 } });
    await until(() => endpoint.requests.length > 0);
    time.advance(50);
    const { report, failures } = await drained;
    expect(report).toMatchObject({ failed: 1, retried: 0 });
    expect(failures).toEqual(["TimeoutError: the job did not end within its time limit of 50 ms"]);
    await until(() => endpoint.abandoned > before);
  });

  test("a drain that ends gives the job back, and the request is given up", async () => {
    endpoint.answer = () => undefined;
    const before = endpoint.abandoned;
    await world.push("q", '{"class":"Send","args":[]}');
    const app = world.app({
      marginMs: 0,
      timeoutMs: 60_000,
      jobs: [{ class: "Send", perform: http(endpoint.url, { secret: SECRET }) }],
    });
    using time = stopTime();
    const drained = app.drain({ deadlineMs: Date.now() + 400 });
    await until(() => endpoint.requests.length > 0);
    time.advance(400);
    expect(await drained).toMatchObject({ stopped: "deadline", released: 1 });
    expect(await world.queued("q")).toEqual(['{"class":"Send","args":[]}']);
    await until(() => endpoint.abandoned > before);
  });
});

test("connections are kept for the next job", async () => {
  const perform = http(endpoint.url, { secret: SECRET });
  const before = endpoint.connections;
  await world.push("q", ...Array.from({ length: 50 }, () => '{"class":"Send","args":[]}'));
  const report = await world.app({ concurrency: 2, jobs: [{ class: "Send", perform }] }).drain();
  expect(report).toMatchObject({ succeeded: 50 });
  expect(endpoint.connections - before).toBeLessThanOrEqual(2);
});
