import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { type AwsWorld, ENQUEUE_TOKEN, openAwsWorld } from "./aws-world.ts";
import { type Emulator, startEmulator } from "./emulator.ts";

let world: AwsWorld;
let emulator: Emulator;

beforeAll(async () => {
  world = await openAwsWorld();
  emulator = await startEmulator(world.env);
});
afterAll(async () => {
  await emulator[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Its clock is put forward to shortly before a full minute; if it was slow to start, another minute has to pass. */
const NEXT_TICK = { timeoutMs: 80_000 };

test("the schedule drains a real Redis over HTTP", { timeout: 90_000 }, async () => {
  await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, "by schedule");
  await until(async () => (await world.processed()) === 1, NEXT_TICK);
  expect(world.web.posted).toEqual(["by schedule"]);
  await until(() => emulator.lines.some((line) => line.includes("Successfully invoked scheduled function: [drain]")));
});

test("a POST enqueues, the drain that it starts invokes the job function, and the end of its job is told", async () => {
  const before = await world.processed();
  const jobs = ["/file", "/none"].map((path) => ({ class: "HashFile", args: [world.web.url + path] }));
  const response = await fetch(`${emulator.url}/queues/files/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ENQUEUE_TOKEN}` },
    body: JSON.stringify(jobs),
  });
  expect(response.status).toBe(201);
  await until(async () => (await world.processed()) === before + 2, { timeoutMs: 20_000 });
  expect(await world.failed()).toMatchObject([
    { queue: "files", payload: jobs[1], exception: "Error", error: `${world.web.url}/none answered 404` },
  ]);
  const line = await until(() => emulator.lines.find((text) => text.includes('"message":"hashed"')));
  expect(JSON.parse(line)).toMatchObject({ class: "HashFile", url: `${world.web.url}/file` });
});

test("a role whose token is not sent is refused", async () => {
  expect((await fetch(`${emulator.url}/status`)).status).toBe(401);
  expect(await (await fetch(`${emulator.url}/health`)).json()).toEqual({ status: "ok" });
});

test("whoever invokes the drain is answered with its report", async () => {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const client = new LambdaClient({ endpoint: emulator.lambdaUrl, region: "us-east-1", credentials });
  const { Payload, FunctionError } = await client.send(new InvokeCommand({ FunctionName: "airlift-dev-drain" }));
  client.destroy();
  expect(FunctionError).toBeUndefined();
  expect(JSON.parse(Payload?.transformToString() ?? "")).toMatchObject({ stopped: "empty", claimed: 0, commands: 1 });
});
