import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { StoreError, UsageError } from "../../src/core/errors.ts";
import type { JobMessage } from "../../src/core/job-message.ts";
import { createJobFunction, type JobFunction } from "../../src/job-function/job-function.ts";
import { type FetchJobHandlerOptions, toFetchJobHandler, verifyJobRequest } from "../../src/platform/fetch.ts";
import { OTHER_SECRET, SECRET } from "../target/endpoint.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const job = { queue: "q", class: "Add", args: [1, 2], payload: '{"class":"Add","args":[1,2]}', attempt: 1, retries: 0 };
const message: JobMessage = { airlift: 1, job, deadlineMs: Date.now() + 60_000 };
const BODY = JSON.stringify(message);

const jobFunction = createJobFunction({
  logger: silent,
  jobs: [
    { class: "Add", perform: ([a, b]) => Number(a) + Number(b) },
    {
      class: "Fail",
      perform: () => {
        throw new RangeError("too far");
      },
    },
  ],
});

interface Sent {
  readonly body?: BodyInit;
  /** What is signed, if it is not the body. */
  readonly signedBody?: string;
  readonly secret?: string;
  readonly id?: string;
  /** How long ago it was signed. */
  readonly agoMs?: number;
  readonly method?: string;
  /** Undefined for one that is left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

function request({ body = BODY, secret = SECRET, id = "msg_1", agoMs = 0, ...sent }: Sent = {}): Request {
  const atMs = Date.now() - agoMs;
  const text = sent.signedBody ?? (typeof body === "string" ? body : BODY);
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(atMs / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, new Date(atMs), text),
    ...sent.headers,
  };
  const method = sent.method ?? "POST";
  return new Request("http://localhost/jobs", {
    method,
    headers: Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ...(method === "GET" ? {} : { body, duplex: "half" }),
  });
}

const handle = (sent?: Sent, options: Partial<FetchJobHandlerOptions> = {}, run: JobFunction = jobFunction) =>
  toFetchJobHandler(run, { secret: SECRET, logger: silent, ...options })(request(sent));

describe("a request that is signed", () => {
  test("runs its job, and is answered with how that ended", async () => {
    const response = await handle();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({ airlift: 1, outcome: { kind: "ok", result: 3 } });
  });

  test("is answered with 200 if its job fails, too: the request did not", async () => {
    const response = await handle({ body: BODY.replaceAll("Add", "Fail") });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      outcome: { kind: "failed", failure: { exception: "RangeError", message: "too far" } },
    });
  });

  test("may bring several jobs", async () => {
    const jobs = [
      { id: "0", ...job },
      { id: "1", ...job, class: "Fail", payload: '{"class":"Fail","args":[]}' },
    ];
    const response = await handle({ body: JSON.stringify({ airlift: 1, jobs, deadlineMs: message.deadlineMs }) });
    expect(await response.json()).toMatchObject({
      outcomes: { "0": { kind: "ok", result: 3 }, "1": { kind: "failed" } },
      batchItemFailures: [{ itemIdentifier: "1" }],
    });
  });

  test("may be signed by hand, as the specification says", async () => {
    const seconds = Math.floor(Date.now() / 1_000);
    const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
    const signature = createHmac("sha256", key).update(`by-hand.${seconds}.${BODY}`).digest("base64");
    const headers = {
      "webhook-id": "by-hand",
      "webhook-timestamp": String(seconds),
      "webhook-signature": `v1,${signature}`,
    };
    expect((await handle({ headers })).status).toBe(200);
  });

  test("may hold what is not ASCII, in UTF-8", async () => {
    const body = BODY.replaceAll("[1,2]", "[1,2]").replace('"queue":"q"', '"queue":"é ☃ 𝄞"');
    expect((await handle({ body })).status).toBe(200);
  });

  test("may name UTF-8 as its charset", async () => {
    expect((await handle({ headers: { "content-type": "application/json; charset=utf-8" } })).status).toBe(200);
  });

  test("may bear other signatures beside the one", async () => {
    const signature = request().headers.get("webhook-signature");
    const headers = { "webhook-signature": `v1a,AAAA v1,AAAA v2 v1 ${signature}` };
    expect((await handle({ headers })).status).toBe(200);
  });

  test("may be signed with any of the secrets, while they change", async () => {
    const secret = [OTHER_SECRET, SECRET.slice("whsec_".length)];
    expect((await handle({}, { secret })).status).toBe(200);
    expect((await handle({ secret: OTHER_SECRET }, { secret })).status).toBe(200);
    expect((await handle({ secret: OTHER_SECRET })).status).toBe(401);
  });
});

describe("refused, by a problem", () => {
  const long = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
  });
  const rows: readonly (readonly [name: string, sent: Sent, status: number, type: string])[] = [
    ["GET", { method: "GET" }, 405, "method-not-allowed"],
    ["PUT", { method: "PUT" }, 405, "method-not-allowed"],
    ["a form", { headers: { "content-type": "application/x-www-form-urlencoded" } }, 415, "unsupported-media-type"],
    ["no type", { headers: { "content-type": undefined }, body: new Uint8Array(2) }, 415, "unsupported-media-type"],
    [
      "another charset",
      { headers: { "content-type": "application/json; charset=latin1" } },
      415,
      "unsupported-media-type",
    ],
    ["a compressed body", { headers: { "content-encoding": "gzip" } }, 415, "unsupported-media-type"],
    ["a body that says it is too long", { headers: { "content-length": "4000001" } }, 413, "too-large"],
    ["a body that is too long", { body: long }, 413, "too-large"],
    ["no id", { headers: { "webhook-id": undefined } }, 401, "unauthorized"],
    ["no time", { headers: { "webhook-timestamp": undefined } }, 401, "unauthorized"],
    ["no signature", { headers: { "webhook-signature": undefined } }, 401, "unauthorized"],
    ["an empty signature", { headers: { "webhook-signature": "" } }, 401, "unauthorized"],
    ["half a signature", { headers: { "webhook-signature": "v1" } }, 401, "unauthorized"],
    ["a signature of another version", { headers: { "webhook-signature": "v2,AAAA" } }, 401, "unauthorized"],
    ["another secret", { secret: OTHER_SECRET }, 401, "unauthorized"],
    ["another id than was signed", { headers: { "webhook-id": "msg_2" } }, 401, "unauthorized"],
    ["another body than was signed", { signedBody: `${BODY} ` }, 401, "unauthorized"],
    ["a time 301 s ago", { agoMs: 302_000 }, 401, "unauthorized"],
    ["a time to come", { agoMs: -305_000 }, 401, "unauthorized"],
    ["a time that is none", { headers: { "webhook-timestamp": "now" } }, 401, "unauthorized"],
    [
      "a time with more behind it",
      { headers: { "webhook-timestamp": `${Math.floor(Date.now() / 1_000)}x` } },
      401,
      "unauthorized",
    ],
    ["bytes that are not UTF-8", { body: new Uint8Array([0x7b, 0xff]) }, 400, "invalid-request"],
    ["what is not JSON", { body: "{" }, 400, "invalid-request"],
    ["nothing", { body: "" }, 400, "invalid-request"],
    ["JSON that is no message", { body: "[]" }, 400, "invalid-request"],
    ["a message of a version to come", { body: BODY.replace('"airlift":1', '"airlift":2') }, 400, "invalid-request"],
  ];
  test.each(rows)("%s", async (_, sent, status, type) => {
    const response = await handle(sent);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ type: `urn:airlift:problem:${type}`, status });
    expect(response.headers.get("allow")).toBe(status === 405 ? "POST" : null);
  });

  test("a job that is to be acknowledged, where there is no Redis to do so", async () => {
    const response = await handle({ body: JSON.stringify({ ...message, ack: { head: "" } }) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      detail: expect.stringMatching(/give createJobFunction the drain's Redis/),
    });
  });

  test("nothing that was sent is quoted", async () => {
    const body = '{"airlift":1,"job":{"class":"Add","args":["a-private-word"]},oops}';
    const answers = [await handle({ body }), await handle({ body, secret: OTHER_SECRET })];
    for (const answer of answers) expect(await answer.text()).not.toContain("a-private-word");
  });
});

describe("limits", () => {
  test("an older request is refused if less is tolerated", async () => {
    expect((await handle({ agoMs: 20_000 }, { toleranceSeconds: 30 })).status).toBe(200);
    expect((await handle({ agoMs: 40_000 }, { toleranceSeconds: 30 })).status).toBe(401);
  });

  test("a body without an end is refused, whatever the request says of its length", async () => {
    let bytes = 0;
    const body = new ReadableStream({
      pull(controller) {
        bytes += 100_000;
        controller.enqueue(new Uint8Array(100_000));
      },
    });
    const response = await handle({ body, headers: { "content-length": "10" } }, { maxBodyBytes: 10_000 });
    expect(response.status).toBe(413);
    // Some of it is passed over, so that its sender hears of it.
    expect(bytes).toBeLessThanOrEqual(64 * 1024 * 1024 + 300_000);
  });

  test("the body of a request without a right time is not read", async () => {
    let pulls = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulls++;
          controller.enqueue(new Uint8Array(1));
        },
      },
      { highWaterMark: 0 },
    );
    expect((await handle({ body, agoMs: Date.now() })).status).toBe(401);
    expect(pulls).toBe(0);
  });

  test("a body of exactly the allowed bytes is read", async () => {
    expect((await handle({}, { maxBodyBytes: BODY.length })).status).toBe(200);
    expect((await handle({}, { maxBodyBytes: BODY.length - 1 })).status).toBe(413);
  });

  test.each([
    [{ secret: "short" }, "toFetchJobHandler: secret: expected base64 of 24 to 64 random bytes"],
    [{ secret: [] }, "toFetchJobHandler: secret: expected at least one"],
    [{ toleranceSeconds: 301 }, "toFetchJobHandler: toleranceSeconds: expected an integer from 1 to 300, got 301"],
    [{ maxBodyBytes: 0.5 }, "toFetchJobHandler: maxBodyBytes: expected an integer from 1"],
    [{ maxDurationMs: 0 }, "toFetchJobHandler: maxDurationMs: expected milliseconds, got 0"],
  ])("a wrong option is named when the handler is made: %j", (options, expected) => {
    const make = () => toFetchJobHandler(jobFunction, { secret: SECRET, ...options });
    expect(make).toThrow(UsageError);
    expect(make).toThrow(expected);
  });
});

describe("errors of its own", () => {
  const failing = (error: unknown): JobFunction => ({ ...jobFunction, run: () => Promise.reject(error) });

  test.each([
    ["Redis does not answer: 503, as it should be sent again", new StoreError("unavailable", "secret host"), 503],
    ["anything else: 500", new Error("secret"), 500],
  ])("%s", async (_, error, status) => {
    const logged: unknown[] = [];
    const logger = { error: (...line: unknown[]) => void logged.push(line) };
    const response = await handle({}, { logger }, failing(error));
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain("secret");
    expect(logged).toEqual([["a request's jobs were not run", { error }]]);
  });
});

describe("verifyJobRequest, for receivers of another kind", () => {
  test("gives the message", async () => {
    expect(await verifyJobRequest(request(), { secret: SECRET })).toEqual(message);
  });

  test("gives integers exactly", async () => {
    const body = BODY.replace('"args":[1,2],', '"args":[12345678901234567890],');
    const read = (await verifyJobRequest(request({ body }), { secret: SECRET })) as JobMessage;
    expect(read.job.args).toEqual([12345678901234567890n]);
  });

  test("throws an error that knows its answer", async () => {
    const refused = verifyJobRequest(request({ secret: OTHER_SECRET }), { secret: SECRET });
    await expect(refused).rejects.toMatchObject({ name: "JobRequestError", code: "ERR_JOB_REQUEST", status: 401 });
    const response: Response = await refused.catch((error) => error.toResponse());
    expect(response.status).toBe(401);
  });

  test.each([
    ["no job", { airlift: 1, deadlineMs: 1 }],
    ["a job without a class", { ...message, job: { ...job, class: undefined } }],
    ["a job whose arguments are no list", { ...message, job: { ...job, args: {} } }],
    ["jobs without ids", { airlift: 1, jobs: [job], deadlineMs: 1 }],
    ["no time", { ...message, deadlineMs: undefined }],
  ])("refuses a message with %s", async (_, value) => {
    const refused = verifyJobRequest(request({ body: JSON.stringify(value) }), { secret: SECRET });
    await expect(refused).rejects.toMatchObject({ status: 400 });
  });
});
