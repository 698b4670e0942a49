import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { defineJob } from "../../src/core/job.ts";
import { readJobReply } from "../../src/core/job-message.ts";
import { RemoteJobError } from "../../src/core/remote-job-error.ts";
import { type HttpServer, listen } from "../../src/gateway/listen.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { toFetchHandler, toFetchJobHandler } from "../../src/platform/fetch.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { readInvocation } from "../../src/target/lambda-reply.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { damaged, hostileArray, hostileJson, hostileObject, hostileString, mostly, quoted } from "./hostile-json.ts";
import { requestText, sendRaw } from "./raw-http.ts";
import { fuzzing } from "./settings.ts";

const CRON_SECRET = "cron-secret-that-must-not-be-told";
const JOBS_SECRET = Buffer.from("jobs-secret-that-must-not-be-told").toString("base64");
const ARGUMENT = "s3cret-argument";

let redis: TestRedis;
let server: HttpServer;
let url: string;
const ran: unknown[] = [];
const logged: string[] = [];
let close: () => Promise<void>;

beforeAll(async () => {
  redis = await startRedis();
  const log = (message: string, fields?: unknown): void =>
    void logged.push(
      `${message} ${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? String(value) : value))}`,
    );
  const logger = { debug: log, info: log, warn: log, error: log };
  const jobs = [defineJob({ class: "Noop", timeoutMs: 1_000, perform: (args) => void ran.push(args) })];
  const client = ioredis(redis.url);
  const airlift = createAirlift({ redis: client, queues: ["q"], jobs, logger });
  const jobFunction = createJobFunction({ jobs, redis: ioredis(redis.url), logger });
  const cron = toFetchHandler(airlift, { secret: CRON_SECRET, maxDurationMs: 10_000 });
  const job = toFetchJobHandler(jobFunction, {
    secret: JOBS_SECRET,
    maxBodyBytes: 200_000,
    maxDurationMs: 10_000,
    logger,
  });
  const handle = (request: Request) => (new URL(request.url).pathname === "/cron" ? cron(request) : job(request));
  const refuse = ({ detail }: { readonly detail: string }) => ({ type: "text/plain", body: detail });
  server = await listen({
    fetch: handle,
    port: 0,
    host: "127.0.0.1",
    headTimeoutMs: 20_000,
    requestTimeoutMs: 20_000,
    refuse,
  });
  url = `http://127.0.0.1:${server.port}`;
  close = async () => {
    await server.close(0);
    await airlift.close();
    await jobFunction.close();
    await redis.close();
  };
});
afterAll(() => close());
beforeEach(() => {
  ran.length = 0;
  logged.length = 0;
});

/** Fails if what nobody should hear of is told. */
function expectNoSecrets(...texts: readonly string[]): void {
  for (const text of texts) {
    for (const secret of [CRON_SECRET, JOBS_SECRET, "jobs-secret-that"]) expect(text).not.toContain(secret);
  }
}

function sign(body: string | Buffer, id = "msg_1", atMs = Date.now(), secret = JOBS_SECRET): Record<string, string> {
  const at = new Date(atMs);
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(atMs / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body.toString()),
  };
}

const job = hostileObject({
  queue: mostly(quoted("q"), hostileString, hostileJson),
  class: mostly(quoted("Noop", "Other", "constructor"), hostileString, hostileJson),
  args: mostly(fc.constant(`["${ARGUMENT}"]`), hostileArray(hostileJson), hostileJson),
  payload: mostly(
    fc.constant(JSON.stringify(`{"class":"Noop","args":["${ARGUMENT}"]}`)),
    hostileJson.map((text) => JSON.stringify(text)),
    hostileJson,
  ),
  attempt: mostly(fc.constant("1"), hostileJson),
  retries: mostly(fc.constant("0"), hostileJson),
});
const ack = hostileObject({
  head: mostly(quoted('{"id":"a-0","queue":"q","payload":', ""), hostileJson),
  cut: mostly(fc.constant("1"), hostileJson),
  append: mostly(quoted("}"), hostileJson),
  leaseMs: mostly(fc.constant("60000"), hostileJson),
  status: hostileJson,
  maxFailed: hostileJson,
});
const message = mostly(
  hostileObject({
    airlift: mostly(fc.constant("1"), hostileJson),
    job,
    deadlineMs: mostly(fc.constant("9999999999999"), hostileJson),
  }),
  hostileObject({ airlift: fc.constant("1"), job, deadlineMs: hostileJson, ack: mostly(ack, hostileJson) }),
  hostileObject({
    airlift: fc.constant("1"),
    jobs: mostly(hostileArray(job), hostileJson),
    deadlineMs: hostileJson,
    ack,
  }),
  hostileJson,
);

test("whatever a signed message brings, the receiver answers, and goes on", async () => {
  const statuses = new Map<number, number>();
  const property = fc.asyncProperty(damaged(message), async (bytes) => {
    const body = bytes.toString("utf8");
    const response = await fetch(url, {
      method: "POST",
      headers: sign(body),
      body,
      signal: AbortSignal.timeout(15_000),
    });
    const answer = await response.text();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    expect([200, 202, 400, 413]).toContain(response.status);
    JSON.parse(answer);
    expectNoSecrets(answer);
    if (response.status === 400) expect(answer).not.toContain(ARGUMENT);
  });
  await fc.assert(property, fuzzing(400));
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 202, 400]));
  expect(ran.length).toBeGreaterThan(10);
  expectNoSecrets(...logged);
  const body = '{"airlift":1,"job":{"class":"Noop","args":["good"]},"deadlineMs":9999999999999}';
  expect(await (await fetch(url, { method: "POST", headers: sign(body), body })).json()).toMatchObject({
    outcome: { kind: "ok" },
  });
  expect(ran.at(-1)).toEqual(["good"]);
});

test.each([
  // Found: what JavaScript makes no text of.
  '{"airlift":{"toString":""}}',
  '{"airlift":{"__proto__":null,"toString":1,"valueOf":1}}',
  '{"airlift":[[],{"toString":[]}]}',
  '{"airlift":12345678901234567890}',
])("a message of a version that is none is refused: %s", async (body) => {
  const response = await fetch(url, { method: "POST", headers: sign(body), body });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ detail: expect.stringContaining("got ") });
});

test.each<[string, string, number]>([
  // Found: what comes behind them on the same connection, as from a proxy's other clients, was cut off half a second later.
  ["too large", "x".repeat(900_000), 413],
  ["no UTF-8", `\xff${"x".repeat(190_000)}`, 400],
])("a body that is %s leaves the connection to the next request", async (_what, refused, status) => {
  const good = '{"airlift":1,"job":{"class":"Noop","args":["next"]},"deadlineMs":9999999999999}';
  const first = requestText("POST", "/", { headers: sign(Buffer.from(refused, "latin1")), body: refused });
  const next = requestText("POST", "/", { headers: { ...sign(good), connection: "close" }, body: good });
  expect((await sendRaw(url, first + next)).statuses).toEqual([status, 200]);
});

test.each([
  { airlift: 1, outcome: { kind: { toString: "" } } },
  { airlift: 1, outcome: { kind: "failed", failure: { exception: { toString: 1 }, message: {}, backtrace: [{}] } } },
])("a receiver's answer that nobody should give fails the job as a receiver's: %j", (reply) => {
  expect(() => readJobReply(reply)).toThrow(RemoteJobError);
});

test("a function's error that nobody should throw fails the job as the function's", () => {
  const Payload = Buffer.from('{"errorType":"E","errorMessage":"m","stackTrace":[{"toString":""},1,"a.ts:1",null]}');
  expect(() => readInvocation({ FunctionError: "Unhandled", Payload })).toThrow(RemoteJobError);
});

describe("what is not signed, or not as it should be, runs nothing", () => {
  const body = `{"airlift":1,"job":{"class":"Noop","args":["${ARGUMENT}"]},"deadlineMs":9999999999999}`;
  const good = (): Record<string, string> => sign(body);
  const hostileHeaders = fc.oneof(
    fc.record({ "webhook-id": fc.constantFrom("", "a.b", "x".repeat(3_000), "\u00ff", "msg_2") }),
    fc.record({
      "webhook-timestamp": fc.constantFrom(
        ...["", "0", "-1", "Infinity", "NaN", "1e99", "0x7fffffff", " 1", "1.5", "9".repeat(300), "2026-11-20"],
        ...[-301, 301, -86_400].map((offset) => String(Math.floor(Date.now() / 1_000) + offset)),
      ),
    }),
    fc.record({
      "webhook-signature": fc.oneof(
        fc.constantFrom(
          "",
          "v1",
          "v1,",
          "v1,====",
          "v2,abc",
          "v1a,abc",
          ",",
          `v1,${"A".repeat(43)}=`,
          "v1,abc ".repeat(1_500),
        ),
        fc.base64String({ maxLength: 60 }).map((text) => `v1,${text}`),
      ),
    }),
    fc.record({ "content-type": fc.constantFrom("text/plain", "application/json; charset=utf-16", "application/xml") }),
    fc.record({ "content-encoding": fc.constantFrom("gzip", "br", "x") }),
  );

  test("with hostile headers", async () => {
    const property = fc.asyncProperty(hostileHeaders, async (headers) => {
      const response = await fetch(url, { method: "POST", headers: { ...good(), ...headers }, body });
      const answer = await response.text();
      expect([401, 415]).toContain(response.status);
      expectNoSecrets(answer);
      expect(answer).not.toContain(ARGUMENT);
    });
    await fc.assert(property, fuzzing(150));
    expect([ran, logged]).toEqual([[], []]);
  });

  test.each<[string, () => [Record<string, string>, string], number]>([
    ["another body than the signed one", () => [good(), body.replace("good", "evil").replace("Noop", "noop")], 401],
    ["a byte more", () => [good(), `${body} `], 401],
    ["signed with another secret", () => [sign(body, "m", Date.now(), Buffer.alloc(32).toString("base64")), body], 401],
    ["signed 301 s ago", () => [sign(body, "m", Date.now() - 301_000), body], 401],
    ["signed 305 s ahead", () => [sign(body, "m", Date.now() + 305_000), body], 401],
    ["more than is taken", () => [sign("x".repeat(200_001)), "x".repeat(200_001)], 413],
  ])("%s", async (_what, making, status) => {
    const [headers, sent] = making();
    const response = await fetch(url, { method: "POST", headers, body: sent });
    expect(response.status).toBe(status);
    expectNoSecrets(await response.text());
    expect(ran).toEqual([]);
  });

  test("the same again, within 300 s, is taken again: whoever must not, knows the id", async () => {
    const headers = good();
    for (let n = 1; n <= 2; n++) {
      expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
      expect(ran).toHaveLength(n);
    }
  });
});

test("nobody drains without the secret, whatever else he sends", async () => {
  const authorization = fc.oneof(
    fc.constantFrom(
      "",
      "Bearer",
      "Bearer ",
      `Bearer ${CRON_SECRET}x`,
      `Bearer ${CRON_SECRET.slice(0, -1)}`,
      `Basic ${CRON_SECRET}`,
    ),
    fc.constantFrom(
      CRON_SECRET,
      `Bearer ${CRON_SECRET},`,
      `Bearer x ${CRON_SECRET}`,
      "Bearer undefined",
      "Bearer null",
    ),
    fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
  );
  const query = fc.constantFrom(
    "",
    "?depth=0",
    "?depth=-1",
    `?depth=${"9".repeat(400)}`,
    "?depth=1&reason=kick",
    "?depth=%ff",
  );
  const prefer = fc.constantFrom("", "respond-async", "respond-async".repeat(300));
  const property = fc.asyncProperty(
    fc.constantFrom("GET", "POST"),
    authorization,
    query,
    prefer,
    async (method, given, asked, wish) => {
      const response = await fetch(`${url}/cron${asked}`, { method, headers: { authorization: given, prefer: wish } });
      expect(response.status).toBe(401);
      expectNoSecrets(await response.text());
    },
  );
  await fc.assert(property, fuzzing(100));
  expect(logged.every((line) => line.includes("without the secret"))).toBe(true);
  expectNoSecrets(...logged);
  const headers = { authorization: `Bearer ${CRON_SECRET}` };
  for (const [asked, status] of [
    ["", 200],
    ["?depth=1&reason=kick", 200],
    ["?depth=x", 400],
    [`?depth=${"9".repeat(400)}&reason=kick`, 400],
  ] as const) {
    const response = await fetch(`${url}/cron${asked}`, { headers });
    expect([asked, response.status]).toEqual([asked, status]);
    expectNoSecrets(await response.text());
  }
  for (const method of ["DELETE", "PUT", "HEAD", "OPTIONS"]) {
    expect((await fetch(`${url}/cron`, { method, headers })).status).toBe(405);
  }
});
