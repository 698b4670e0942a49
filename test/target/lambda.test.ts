import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { AirliftOptions } from "../../src/airlift.ts";
import { discard, release, retry } from "../../src/core/directive.ts";
import { type AnyJobDefinition, defineJob, type JobContext, type JobDefinition } from "../../src/core/job.ts";
import { runOn } from "../../src/core/run-on.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { toLambdaJobHandler } from "../../src/platform/aws-lambda.ts";
import { type LambdaOptions, lambda } from "../../src/target/lambda.ts";
import { payload } from "../conformance/world.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { type Setup, setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type LambdaEndpoint, startLambda } from "./lambda-endpoint.ts";

let aws: LambdaEndpoint;
beforeAll(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIATEST");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_REGION", "eu-west-1");
});
afterAll(() => void vi.unstubAllEnvs());
beforeEach(async () => {
  aws = await startLambda();
});
afterEach(() => aws[Symbol.asyncDispose]());

const target = (options: LambdaOptions = {}) => lambda("worker", { endpoint: aws.url, ...options });
const job = (rest: Partial<JobDefinition> = {}, options: LambdaOptions = {}): JobDefinition =>
  defineJob({ class: "Noop", perform: target(options), ...rest });

describe.each(setups())("jobs in a Lambda function over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const drain = (definition: JobDefinition, options: Partial<AirliftOptions> = {}) =>
    world.app({ jobs: [definition], ...options }).drain();

  test("the function is sent the job as the documented message", async () => {
    const raw = '{"class":"Noop","args":[1.0,12345678901234567890,"ü"],"airlift":{"retries":2,"id":"job-1"}}';
    await world.push("q", raw);
    const beforeMs = Date.now();
    expect(await drain(job({ timeoutMs: 30_000 }, { qualifier: "live" }))).toMatchObject({ succeeded: 1 });
    const [call] = aws.calls;
    expect(call).toMatchObject({ functionName: "worker", qualifier: "live", invocationType: "RequestResponse" });
    const { deadlineMs, ...message } = Object(call?.event) as { deadlineMs: number };
    expect(message).toEqual({
      airlift: 1,
      job: {
        ...{ queue: "q", class: "Noop", args: [1, Number("12345678901234567890"), "ü"], payload: raw },
        ...{ attempt: 3, retries: 2 },
      },
    });
    expect(deadlineMs).toBeGreaterThanOrEqual(beforeMs + 30_000);
    expect(deadlineMs).toBeLessThanOrEqual(Date.now() + 30_000);
  });

  test("one code base serves both ends: schema, decoder, middleware, hooks and resources run in the function", async () => {
    const seen: unknown[] = [];
    const resize = defineJob({
      class: "Noop",
      queue: "q",
      args: z.tuple([z.number().transform((size) => ({ size }))]),
      retry: { backoff: [60_000] },
      middleware: [
        async (job, next) => {
          seen.push(["around", job.class]);
          return await next({ tenant: "t1" });
        },
      ],
      hooks: {
        beforePerform: () => void seen.push("before"),
        afterPerform: (_job, result) => void seen.push(["after", result]),
      },
      perform: async ([size], { context, raw, resources }) => {
        const { db } = resources as { readonly db?: Promise<string> };
        seen.push([size, context, raw, await db]);
        return size;
      },
    });
    const jobs: readonly AnyJobDefinition[] = [resize];
    await using worker = createJobFunction({ jobs, resources: { db: () => "opened" } });
    aws.behave({ kind: "runs", handler: toLambdaJobHandler(worker) });
    await world.push("q", payload(7), payload("wrong"));
    const airlift = world.app({ jobs: runOn(target(), jobs) });
    expect(await airlift.drain()).toMatchObject({ succeeded: 1, failed: 1 });
    expect(seen).toEqual([
      "before",
      ["around", "Noop"],
      [{ size: 7 }, { tenant: "t1" }, payload(7), "opened"],
      ["after", { size: 7 }],
    ]);
    expect(await world.failed()).toMatchObject([{ exception: "InvalidArgumentsError", payload: { args: ["wrong"] } }]);
  });

  test.each<[string, Partial<JobDefinition>, object, Partial<JobDefinition>]>([
    ["fails as the handler does", {}, { failed: 1 }, { perform: () => Promise.reject(new RangeError("too far")) }],
    [
      "is retried by its own policy",
      { retry: { limit: 1 } },
      { retried: 1 },
      { perform: () => Promise.reject(new Error()) },
    ],
    ["retries as its handler asks", {}, { retried: 1, failed: 0 }, { perform: () => retry({ afterMs: 60_000 }) }],
    ["discards", {}, { discarded: 1, failed: 0 }, { perform: () => discard("gone") }],
    ["releases", {}, { released: 1, failed: 0 }, { perform: () => release({ afterMs: 60_000 }) }],
  ])("a job that %s in the function ends so", async (_name, here, expected, there) => {
    const jobs = [defineJob({ class: "Noop", perform: () => undefined, ...there })];
    aws.behave({ kind: "runs", handler: toLambdaJobHandler(createJobFunction({ jobs })) });
    await world.push("q", payload(1));
    expect(await drain(job(here))).toMatchObject(expected);
    expect(aws.calls).toHaveLength(1);
  });

  test("several go in one invocation, and each ends as it did", async () => {
    const ends = [
      undefined,
      Promise.reject(new RangeError("one")),
      discard("two"),
      release({ afterMs: 60_000 }),
      "four",
    ];
    for (const end of ends) if (end instanceof Promise) end.catch(() => undefined);
    const jobs = [defineJob({ class: "Noop", perform: ([n]) => ends[Number(n)] })];
    aws.behave({ kind: "runs", handler: toLambdaJobHandler(createJobFunction({ jobs })) });
    await world.push("q", ...ends.map((_, n) => payload(n)));
    const report = await drain(job({}, { batch: { size: 5, maxWaitMs: 5_000 } }));
    expect(report).toMatchObject({ claimed: 5, succeeded: 2, failed: 1, discarded: 1, released: 1 });
    expect(aws.calls).toHaveLength(1);
    expect(aws.calls[0]?.event).toMatchObject({ airlift: 1, jobs: ends.map((_, n) => ({ id: String(n), args: [n] })) });
    expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "one", payload: { args: [1] } }]);
  });
});

describe("the failure table of a synchronous function", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setups()[0] as Setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const run = async (definition: JobDefinition, raw = payload("secret-4711")) => {
    await world.push("q", raw);
    const report = await world.app({ jobs: [definition] }).drain();
    const [failed] = await world.failed();
    const everything = await world.everything();
    const [waiting] = Object.entries((everything[world.keys.retries] ?? {}) as Record<string, string>);
    return { report, failed, waiting, processed: Number(everything[world.keys.processed] ?? 0) };
  };

  test("returns anything: done", async () => {
    for (const text of ["null", "7", '"done"', '{"statusCode":500}', '{"airlift":2}', "", "not JSON"]) {
      aws.behave({ kind: "answers", payload: text });
      expect((await run(job())).report, text).toMatchObject({ succeeded: 1, failed: 0 });
    }
  });

  test("returns a result: kept, if the job's status is", async () => {
    aws.behave({ kind: "answers", payload: '{"pages":3,"id":12345678901234567890}' });
    await world.push("q", '{"class":"Noop","args":[],"airlift":{"id":"a"}}');
    const app = world.app({ jobs: [job()], status: { ttlMs: 60_000, results: true } });
    await app.drain();
    expect(await app.job("a")).toMatchObject({ state: "done", result: { pages: 3, id: 12345678901234567890n } });
  });

  test("throws in Node: failed by type, message and stack", async () => {
    const handler = (): never => {
      throw Object.assign(new TypeError("no such size"), {
        stack: "TypeError: no such size\n    at resize (/var/task/a.js:3:1)",
      });
    };
    aws.behave({ kind: "runs", handler });
    const { failed, processed } = await run(job());
    expect(failed).toMatchObject({ exception: "TypeError", error: "no such size" });
    expect(failed?.backtrace).toEqual(["    at resize (/var/task/a.js:3:1)"]);
    expect(processed).toBe(1);
  });

  test.each([
    ["Python", '["  File \\"/var/task/a.py\\", line 3, in handler\\n    raise ValueError(\\"x\\")\\n"]', 2],
    ["Java", '["com.example.A.handle(A.java:3)","java.base/B.run(B.java:9)"]', 2],
    [".NET", '["at A.Handle() in A.cs:line 3"]', 1],
    ["Ruby", '["/var/task/a.rb:3:in `handler\'"]', 1],
  ])("throws in %s: failed by type, message and stack", async (_language, stackTrace, count) => {
    const text = `{"errorType":"ValueError","errorMessage":"wrong","requestId":"r","stackTrace":${stackTrace}}`;
    aws.behave({ kind: "answers", functionError: "Unhandled", payload: text });
    const { failed } = await run(job());
    expect(failed).toMatchObject({ exception: "ValueError", error: "wrong" });
    expect(failed?.backtrace).toHaveLength(count);
    expect(failed?.backtrace.join()).toMatch(/a\.(py|rb|cs)|A\.(java|cs)/);
  });

  test("throws in a class with a policy: retried, its rules knowing the function's errors by name", async () => {
    const text = '{"errorType":"Busy","errorMessage":"later"}';
    aws.behave({ kind: "answers", functionError: "Unhandled", payload: text });
    const rules = [{ error: "Busy", action: "retry", limit: 1, backoff: [60_000] }] as const;
    const { report, waiting } = await run(job({ retry: { limit: 0, rules } }));
    expect(report).toMatchObject({ retried: 1, failed: 0 });
    expect(JSON.parse(waiting?.[0] ?? "")).toMatchObject({ attempt: 2, exception: "Busy", error: "later" });
  });

  test.each([
    ['{"errorMessage":"2026-11-20T18:50:57Z 4711 Task timed out after 3.00 seconds"}', "Sandbox.Timedout"],
    [
      '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out after 3.00 seconds"}',
      "Sandbox.Timedout",
    ],
    [
      '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited with error: signal: killed"}',
      "Runtime.ExitError",
    ],
    ['{"errorMessage":"what"}', "Lambda.Unhandled"],
    ["what", "Lambda.Unhandled"],
  ])("runs out of time or memory, %s: failed", async (text, exception) => {
    aws.behave({ kind: "answers", functionError: "Unhandled", payload: text });
    const { failed } = await run(job());
    expect(failed?.exception).toBe(exception);
    expect(failed?.error).toMatch(/Task timed out after 3.00|signal: killed|what/);
  });

  test.each([
    [429, "TooManyRequestsException:http://internal.amazon.com/coral/com.amazonaws.awsgirapi/"],
    [429, undefined],
    [500, "ServiceException"],
    [502, "EC2ThrottledException"],
    [502, "ENILimitReachedException"],
    [503, undefined],
    [409, "ResourceConflictException"],
    [409, "SnapStartNotReadyException"],
    [408, "EFSMountTimeoutException"],
    [403, "RequestTimeTooSkewed"],
    [400, "RecursiveInvocationException"],
  ])("is refused for a while, %s %s: again in some seconds, no attempt counted", async (status, type) => {
    aws.behave({ kind: "refuses", status, ...(type !== undefined && { type }), message: "Rate Exceeded." });
    const beforeMs = Date.now();
    const raw = payload("secret-4711");
    const { report, waiting, processed } = await run(job(), raw);
    expect(report).toMatchObject({ released: 1, failed: 0, retried: 0 });
    expect(processed).toBe(0);
    expect(waiting?.[0]).toContain(`"attempt":1,"payload":${raw}}`);
    const waitMs = Number(waiting?.[1]) - beforeMs;
    expect(waitMs).toBeGreaterThanOrEqual(2_500);
    expect(waitMs).toBeLessThan(10_000);
    expect(aws.calls).toHaveLength(1);
  });

  test("is throttled with Retry-After: waits as long as that", async () => {
    aws.behave({ kind: "refuses", status: 429, type: "TooManyRequestsException", headers: { "retry-after": "45" } });
    const beforeMs = Date.now();
    const { report } = await run(job());
    expect((report.nextDueMs ?? 0) - beforeMs).toBeGreaterThan(44_000);
    expect((report.nextDueMs ?? 0) - Date.now()).toBeLessThanOrEqual(45_000);
  });

  test.each([
    [404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:eu-west-1:1:function:worker"],
    [403, "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: lambda:InvokeFunction"],
    [400, "InvalidParameterValueException", "bad qualifier"],
    [502, "KMSAccessDeniedException", "no access to the key"],
    [502, "InvalidZipFileException", "no zip"],
    [413, "RequestTooLargeException", "must be smaller"],
  ])("cannot be invoked, %s %s: failed, whatever the policy says", async (status, type, message) => {
    aws.behave({ kind: "refuses", status, type, message });
    const { report, failed } = await run(job({ retry: { limit: 3 } }));
    expect(report).toMatchObject({ failed: 1, retried: 0 });
    expect(failed?.exception).toBe("LambdaError");
    expect(failed?.error).toBe(`the Lambda function "worker" could not be invoked: ${type}: ${message}`);
  });

  test("quotes the request in its error: not passed on", async () => {
    aws.behave({ kind: "refuses", status: 400, type: "InvalidRequestContentException", message: 'near "secret-4711"' });
    const { failed } = await run(job());
    expect(failed?.error).toBe('the Lambda function "worker" could not be invoked: InvalidRequestContentException');
    expect(failed?.backtrace.join()).not.toContain("secret");
  });

  test.each(["cuts", "tears"] as const)(
    "%s the connection: it may have run, so it is tried again, counted",
    async (kind) => {
      aws.behave({ kind });
      const { report, waiting, processed } = await run(job());
      expect(report).toMatchObject({ retried: 1, failed: 0 });
      expect(processed).toBe(1);
      expect(JSON.parse(waiting?.[0] ?? "")).toMatchObject({ attempt: 2, exception: "Retry" });
      expect(waiting?.[0]).toContain('the Lambda function \\"worker\\" did not answer');
    },
  );

  test("cannot be reached: it has not run, so no attempt is counted", async () => {
    const { url } = aws;
    await aws[Symbol.asyncDispose]();
    const { report, processed } = await run(job({ perform: lambda("worker", { endpoint: url }) }));
    expect(report).toMatchObject({ released: 1, retried: 0, failed: 0 });
    expect(processed).toBe(0);
  });

  test("does not answer within the job's time limit: failed, and nobody waits on", async () => {
    aws.behave({ kind: "hangs" });
    using time = stopTime();
    const ended = run(job({ timeoutMs: 100 }));
    await until(() => aws.calls.length > 0);
    time.advance(100);
    const { failed } = await ended;
    expect(failed).toMatchObject({
      exception: "TimeoutError",
      error: "the job did not end within its time limit of 100 ms",
    });
    await until(() => aws.abandoned === 1);
  });

  test("has not answered when the drain's time is up: given back, and nobody waits on", async () => {
    aws.behave({ kind: "hangs" });
    await world.push("q", payload(1));
    const app = world.app({ jobs: [job()], marginMs: 0 });
    using time = stopTime();
    const drained = app.drain({ deadlineMs: Date.now() + 300 });
    await until(() => aws.calls.length > 0);
    time.advance(300);
    expect(await drained).toMatchObject({
      stopped: "deadline",
      released: 1,
      remaining: 1,
    });
    expect(await world.queued("q")).toEqual([payload(1)]);
    await until(() => aws.abandoned === 1);
  });

  test("is too small for the job: failed before anything is sent, whatever the policy says", async () => {
    const { failed, report } = await run(job({ retry: { limit: 3 } }), payload("x".repeat(3_200_000)));
    expect(report).toMatchObject({ failed: 1, retried: 0 });
    expect(failed?.exception).toBe("LambdaError");
    expect(failed?.error).toMatch(
      /^the message for the Lambda function "worker" has 64\d{5} bytes; it can be given less than 6291456,/,
    );
    expect(failed?.error.length).toBeLessThan(300);
    expect(aws.calls).toEqual([]);
  });

  test("takes a message of the largest size, counted in bytes", async () => {
    await run(job(), payload("ü"));
    const others = (aws.calls[0]?.bytes ?? 0) - 2 * "ü".length * 2;
    const most = Math.floor((6_291_455 - others) / 4);
    expect((await run(job(), payload("ü".repeat(most)))).report).toMatchObject({ succeeded: 1 });
    expect(aws.calls[1]?.bytes).toBeGreaterThan(6_291_450);
    expect((await run(job(), payload("ü".repeat(most + 1)))).report).toMatchObject({ failed: 1 });
    expect(aws.calls).toHaveLength(2);
  });

  describe("in a batch", () => {
    const batched = (size: number, rest: Partial<JobDefinition> = {}): JobDefinition =>
      job(rest, { batch: { size, maxWaitMs: 5_000 } });
    const runAll = async (definition: JobDefinition, count: number) => {
      await world.push("q", ...Array.from({ length: count }, (_, n) => payload(n)));
      const report = await world.app({ jobs: [definition] }).drain();
      const failed = (await world.failed()).map(({ payload: { args }, exception }) => [args[0], exception]);
      return { report, failed: failed.toSorted((a, b) => Number(a[0]) - Number(b[0])) };
    };

    test.each([
      ["null", []],
      ["{}", []],
      ['{"batchItemFailures":null}', []],
      ['{"batchItemFailures":[]}', []],
      ['{"batchItemFailures":[{"itemIdentifier":"1"}]}', [1]],
      ['{"batchItemFailures":[{"itemIdentifier":"0"},{"itemIdentifier":"2"},{"itemIdentifier":"2"}]}', [0, 2]],
      ['{"batchItemFailures":[{"itemIdentifier":""}]}', [0, 1, 2]],
      ['{"batchItemFailures":[{"itemIdentifier":null}]}', [0, 1, 2]],
      ['{"batchItemFailures":[{"id":"1"}]}', [0, 1, 2]],
      ['{"batchItemFailures":[{"itemIdentifier":"7"}]}', [0, 1, 2]],
    ])("a foreign function answers %s: fails those, as SQS would", async (text, expected) => {
      aws.behave({ kind: "answers", payload: text });
      const { report, failed } = await runAll(batched(3), 3);
      expect(failed).toEqual(expected.map((n) => [n, "BatchItemFailure"]));
      expect(report).toMatchObject({ succeeded: 3 - expected.length });
      expect(aws.calls).toHaveLength(1);
    });

    test("the function throws: all of it fail by that", async () => {
      aws.behave({ kind: "answers", functionError: "Unhandled", payload: '{"errorType":"E","errorMessage":"m"}' });
      expect((await runAll(batched(2), 2)).failed).toEqual([
        [0, "E"],
        [1, "E"],
      ]);
    });

    test("the function is throttled: all of it wait", async () => {
      aws.behave({ kind: "refuses", status: 429, type: "TooManyRequestsException" });
      expect((await runAll(batched(2), 2)).report).toMatchObject({ released: 2 });
    });

    test("one answer is missing in a reply of Airlift's: that job fails", async () => {
      aws.behave({ kind: "answers", payload: '{"airlift":1,"outcomes":{"0":{"kind":"ok"}}}' });
      expect((await runAll(batched(2), 2)).failed).toEqual([[1, "InvalidReply"]]);
    });

    test("jobs that are too large together go apart, and one that is too large by itself fails alone", async () => {
      await world.push("q", ...[0, 1, 2].map((n) => payload(n, "x".repeat(1_200_000))), payload("y".repeat(3_200_000)));
      const report = await world.app({ jobs: [job({}, { batch: { size: 4, maxWaitMs: 50 } })] }).drain();
      expect(report).toMatchObject({ succeeded: 3, failed: 1 });
      expect((await world.failed())[0]?.exception).toBe("LambdaError");
      const sizes = aws.calls.map(({ event }) => (event as { jobs: unknown[] }).jobs.length);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(3);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(2);
    });
  });

  test("is asked by a client of the caller's, which stays open", async () => {
    const { LambdaClient } = await import("@aws-sdk/client-lambda");
    const client = new LambdaClient({ endpoint: aws.url, region: "eu-west-1", maxAttempts: 1 });
    const destroy = vi.spyOn(client, "destroy");
    const app = world.app({ jobs: [job({ perform: lambda("worker", { client }) })] });
    await world.push("q", payload(1));
    expect(await app.drain()).toMatchObject({ succeeded: 1 });
    expect(destroy).not.toHaveBeenCalled();
    client.destroy();
  });

  test("needs credentials and a region: without, the job fails and says so", async () => {
    vi.stubEnv("AWS_REGION", undefined);
    vi.stubEnv("AWS_CONFIG_FILE", "/dev/null");
    const { failed } = await run(job());
    expect(failed).toMatchObject({ exception: "LambdaError", error: expect.stringContaining("Region is missing") });
    expect(aws.calls).toEqual([]);
    vi.stubEnv("AWS_REGION", "eu-west-1");
  });

  test("needs a package that is not installed: the job fails and says which", async () => {
    vi.doMock("@aws-sdk/client-lambda", () => {
      throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    });
    const { failed } = await run(job());
    vi.doUnmock("@aws-sdk/client-lambda");
    expect(failed).toMatchObject({
      exception: "UsageError",
      error: 'airlift/target/lambda: the package "@aws-sdk/client-lambda" cannot be loaded: install it',
    });
  });

  test.each<[unknown, unknown, string]>([
    ["", {}, "lambda: expected the function's name or ARN"],
    ["f", { invocation: "later" }, 'invocation: expected "sync" or "async", got later'],
    ["f", { leaseMs: 60_000 }, 'leaseMs: expected only with invocation: "async"'],
    ["f", { invocation: "async", leaseMs: 5 }, "leaseMs: expected an integer from 1000 to a day, got 5"],
    ["f", { endpoint: "localhost" }, "endpoint: expected a URL, got localhost"],
    ["f", { client: {} }, "client: expected a LambdaClient"],
    ["f", { batch: { size: 0, maxWaitMs: 1 } }, "batch.size: expected an integer from 1"],
    ["f", { timeoutMs: 5 }, "timeoutMs: unknown option; known: invocation,"],
  ])("a wrong name or option, %j %j, is refused when it is given", (name, options, expected) => {
    expect(() => lambda(name as string, options as LambdaOptions)).toThrow(expected);
  });

  test("is told of a job that middleware turns away: it is not", async () => {
    const away = (_job: JobContext) => discard("not here");
    const { report } = await run(job({ middleware: [away] }));
    expect(report).toMatchObject({ discarded: 1 });
    expect(aws.calls).toEqual([]);
  });
});
