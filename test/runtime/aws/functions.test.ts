import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { type AwsWorld, ENQUEUE_TOKEN, openAwsWorld } from "./aws-world.ts";
import { type Bundles, buildBundles } from "./bundles.ts";
import type { Invocation } from "./lambda-environment.ts";
import { type LambdaFunction, type LambdaService, startLambdaService } from "./lambda-service.ts";

/** The bundles of functions/aws/ in Lambda's own runtime for Node. */
let bundles: Bundles;
let world: AwsWorld;
let service: LambdaService;

beforeAll(async () => {
  bundles = await buildBundles();
});
afterAll(() => bundles[Symbol.asyncDispose]());

beforeEach(async () => {
  world = await openAwsWorld();
  service = await startLambdaService();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** One of the functions of serverless.yml, by the name that it has there. */
function create(name: "drain" | "api" | "job", timeoutMs = 30_000): LambdaFunction {
  const invoked = { DRAIN_FUNCTION: "drain", JOB_FUNCTION: "job", AWS_ENDPOINT_URL_LAMBDA: service.url };
  const env = { NODE_OPTIONS: "--enable-source-maps", ...(name !== "job" && { ...world.env, ...invoked }) };
  const handler = `dist/functions/aws/${name}.handler`;
  return service.create(name, { taskRoot: bundles.taskRoot, handler, env, timeoutMs });
}

const answered = (payload: object): Invocation => ({ kind: "answer", payload: expect.objectContaining(payload) });

test("a tick without work costs one command, and its report is the answer and a line in the log", async () => {
  const drain = create("drain");
  const report = { stopped: "empty", claimed: 0, commands: 1 };
  expect(await drain.invoke({ "detail-type": "Scheduled Event" })).toEqual(answered(report));
  await until(() => drain.log.length > 0);
  const line = { level: "INFO", message: "drained", requestId: expect.any(String), timestamp: expect.any(String) };
  expect(drain.log).toEqual([expect.objectContaining({ ...line, ...report })]);
});

test("a drain runs the jobs that wait, and the same environment the next ones", async () => {
  const drain = create("drain");
  await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, { n: 1 });
  expect(await drain.invoke()).toEqual(answered({ stopped: "empty", succeeded: 1 }));
  await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, { n: 2 });
  expect(await drain.invoke()).toEqual(answered({ stopped: "empty", succeeded: 1 }));
  expect(world.web.posted).toEqual([{ n: 1 }, { n: 2 }]);
  expect(drain.pids).toHaveLength(1);
});

test("an environment that was frozen does without the connections that were closed meanwhile", async () => {
  const drain = create("drain");
  create("job");
  const runBoth = async (): Promise<void> => {
    await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, "both");
    await world.push("files", "HashFile", `${world.web.url}/file`);
    expect(await drain.invoke()).toEqual(answered({ stopped: "empty", succeeded: 2, retried: 0 }));
  };
  await runBoth();
  await world.stopGateway();
  await world.startGateway();
  service.closeIdleConnections();
  await runBoth();
  expect(drain.pids).toHaveLength(1);
});

test("what still runs near the function's time limit is given back, byte for byte, and the drain answers in time", async () => {
  const drain = create("drain", 4_000);
  const payload = await world.push("webhooks", "CallWebhook", `${world.web.url}/endless`, null);
  expect(await drain.invoke()).toEqual(answered({ stopped: "deadline", claimed: 1, released: 1, remaining: 1 }));
  expect(await world.queued("webhooks")).toEqual([payload]);
});

test("an invocation fails when Redis cannot be used, and the next one drains when it can be again", async () => {
  const drain = create("drain", 8_000);
  await world.stopGateway();
  const error = { errorType: "DrainError", errorMessage: expect.stringContaining("Redis") };
  expect(await drain.invoke()).toEqual({ kind: "error", error: expect.objectContaining(error) });
  await world.startGateway();
  await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, "again");
  expect(await drain.invoke()).toEqual(answered({ stopped: "empty", succeeded: 1 }));
});

test("the drain sends a job to the job function, each job in an invocation of its own", async () => {
  const drain = create("drain");
  const job = create("job");
  await world.push("files", "HashFile", `${world.web.url}/file`);
  await world.push("files", "HashFile", `${world.web.url}/file`);
  expect(await drain.invoke()).toEqual(answered({ stopped: "empty", claimed: 2, succeeded: 2 }));
  const sent = { name: "job", type: "RequestResponse", event: expect.objectContaining({ airlift: 1 }) };
  expect(service.received).toEqual([sent, sent]);
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; // of "hello"
  const lines = await until(() => job.log.length === 2 && job.log);
  expect(lines).toMatchObject(lines.map(() => ({ message: "hashed", class: "HashFile", sha256 })));
});

test("a job that fails in the job function is written to failed as it failed there, with the lines of its source", async () => {
  const drain = create("drain");
  create("job");
  await world.push("files", "HashFile", `${world.web.url}/none`);
  expect(await drain.invoke()).toEqual(answered({ stopped: "empty", failed: 1 }));
  const [entry] = await world.failed();
  expect(entry).toMatchObject({
    queue: "files",
    payload: { class: "HashFile", args: [`${world.web.url}/none`] },
    exception: "Error",
    error: `${world.web.url}/none answered 404`,
  });
  expect(entry?.backtrace[0]).toMatch(/functions\/aws\/jobs\.ts:\d+:\d+/);
  const line = await until(() => drain.log.find(({ message }) => message === "job failed"));
  expect(line).toMatchObject({ level: "WARN", class: "HashFile", error: `Error: ${world.web.url}/none answered 404` });
});

test("a POST enqueues, and starts a drain by an Event that is not waited for", async () => {
  const drain = create("drain");
  const api = create("api");
  const answer = await api.invoke(
    post("/queues/webhooks/jobs", { class: "CallWebhook", args: [`${world.web.url}/webhook`, 7] }),
  );
  expect(answer).toEqual(answered({ statusCode: 201 }));
  await until(() => drain.log.some(({ message }) => message === "drained"), { timeoutMs: 20_000 });
  expect(world.web.posted).toEqual([7]);
  expect(service.received).toEqual([{ name: "drain", type: "Event", event: { reason: "kick", depth: 0 } }]);
});

/** As an HTTP API calls its function, in the payload's format 2.0. */
function post(path: string, body: unknown): object {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers: { "content-type": "application/json", authorization: `Bearer ${ENQUEUE_TOKEN}`, host: "api.example.com" },
    requestContext: {
      domainName: "api.example.com",
      http: { method: "POST", path, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" },
    },
    body: Buffer.from(JSON.stringify(body)).toString("base64"),
    isBase64Encoded: true,
  };
}
