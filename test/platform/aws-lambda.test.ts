import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { StartRequest } from "../../src/core/start-drain.ts";
import { createLambdaLogger, startByInvoke, toLambdaHandler } from "../../src/platform/aws-lambda.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";

/** What Lambda gives to a handler, with so much time left. */
const context = (remainingMs: number) => ({ awsRequestId: "request-1", getRemainingTimeInMillis: () => remainingMs });

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe.each(setups())("a drain in a function, over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    begun = 0;
    await world.flush();
  });

  let begun = 0;
  const never = { class: "Never", perform: () => new Promise<never>(() => void begun++) };
  const payload = '{"class":"Never","args":[ 1.0 ]}';

  test("ends as long before the function's time limit as its app's margin says, and gives back what still runs", async () => {
    await world.push("q", payload);
    const handler = toLambdaHandler(world.app({ jobs: [never], marginMs: 1_700 }));
    using time = stopTime();
    let hasEnded = false;
    const drained = handler({}, context(2_500)).finally(() => {
      hasEnded = true;
    });
    await until(() => begun === 1);
    time.advance(250);
    await world.queued("q");
    expect(hasEnded).toBe(false);
    // Half a second is for the answer.
    time.advance(2_500 - 500 - 1_700 - 250 + 1);
    expect(await drained).toMatchObject({ stopped: "deadline", claimed: 1, released: 1 });
    expect(await world.queued("q")).toEqual([payload]);
  });

  test("knows how many drains have started one another, by the event with which it was started", async () => {
    await world.push("q", '{"class":"Quick","args":[]}', payload);
    const asked: StartRequest[] = [];
    const start = (request: StartRequest): unknown => asked.push(request);
    const jobs = [never, { class: "Quick", perform: () => undefined }];
    const handler = toLambdaHandler(world.app({ jobs, marginMs: 1_700, successor: { start } }));
    using time = stopTime();
    const drained = handler({ reason: "successor", depth: 3, remaining: 2 }, context(2_500));
    await until(async () => begun === 1 && (await world.get(world.keys.processed)) === "1");
    time.advance(2_500 - 1_700);
    await drained;
    expect(asked).toEqual([{ reason: "successor", depth: 4, remaining: 1 }]);
  });
});

describe("the log of a function", () => {
  const levels = (): string[] => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const logger = createLambdaLogger();
    for (const name of ["debug", "info", "warn", "error"] as const) logger[name]("x");
    return write.mock.calls.map(([line]) => JSON.parse(String(line)).level);
  };

  test("has what the function's log level asks for", () => {
    vi.stubEnv("AWS_LAMBDA_LOG_LEVEL", "WARN");
    expect(levels()).toEqual(["WARN", "ERROR"]);
  });

  test("has no debugging lines unless they are asked for", () => {
    vi.stubEnv("AWS_LAMBDA_LOG_LEVEL", undefined);
    expect(levels()).toEqual(["INFO", "WARN", "ERROR"]);
  });
});

describe("a drain that is started by an invocation", () => {
  let server: Server;
  let status: number;
  let asked: unknown[];

  beforeEach(async () => {
    [status, asked] = [202, []];
    server = createServer(async (request, response) => {
      asked.push([request.url, request.headers["x-amz-invocation-type"], JSON.parse(await text(request))]);
      response.writeHead(status, status === 404 ? { "x-amzn-errortype": "ResourceNotFoundException" } : {}).end("{}");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    vi.stubEnv("AWS_ENDPOINT_URL_LAMBDA", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("AWS_REGION", "us-east-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const start = (name: string, request: StartRequest): Promise<unknown> =>
    startByInvoke(name)(request, async () => undefined) as Promise<unknown>;

  test("is not waited for, and is told why it was started and how many before it", async () => {
    await start("my-drain", { reason: "sibling", depth: 2, remaining: 700 });
    const event = { reason: "sibling", depth: 2, remaining: 700 };
    expect(asked).toEqual([["/2015-03-31/functions/my-drain/invocations", "Event", event]]);
  });

  test("has not started if there is no such function", async () => {
    status = 404;
    await expect(start("gone", { reason: "kick", depth: 0 })).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    });
    expect(asked).toHaveLength(1);
  });

  test("is asked for once more if Lambda fails", async () => {
    status = 500;
    await expect(start("my-drain", { reason: "kick", depth: 0 })).rejects.toThrow();
    expect(asked).toHaveLength(2);
  });

  test.each(["", undefined, 7])("needs the name of a function: %j is none", (name) => {
    expect(() => startByInvoke(name as string)).toThrow(/^startByInvoke: expected the name or ARN of a function, got /);
  });
});
