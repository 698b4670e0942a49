import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { AirliftOptions } from "../../src/airlift.ts";
import { discard, release, retry } from "../../src/core/directive.ts";
import { StoreError } from "../../src/core/errors.ts";
import { defineJob, type JobDefinition, type Logger } from "../../src/core/job.ts";
import { runOn } from "../../src/core/run-on.ts";
import { createJobFunction, type JobFunctionOptions } from "../../src/job-function/job-function.ts";
import { toLambdaJobHandler } from "../../src/platform/aws-lambda.ts";
import { type LambdaOptions, lambda } from "../../src/target/lambda.ts";
import { payload } from "../conformance/world.ts";
import { type AppWorld, createGate, openAppWorld } from "../core/app-world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type LambdaEndpoint, startLambda } from "./lambda-endpoint.ts";

let aws: LambdaEndpoint;
beforeAll(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIATEST");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_REGION", "eu-west-1");
});
afterAll(() => void vi.unstubAllEnvs());
beforeEach(async () => {
  aws = await startLambda();
});
afterEach(() => aws[Symbol.asyncDispose]());

describe.each(setups())("jobs that a Lambda function acknowledges over $name", (setup) => {
  let world: AppWorld;
  const warnings: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => void warnings.push(message),
    error: (message) => void warnings.push(message),
  };
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    warnings.length = 0;
    await world.flush();
  });

  const target = (options: LambdaOptions = {}) =>
    lambda("worker", { endpoint: aws.url, invocation: "async", leaseMs: 60_000, ...options });
  const app = (jobs: readonly JobDefinition[], options: Partial<AirliftOptions> = {}) =>
    world.app({ jobs: runOn(target(), jobs), logger, ...options });
  /** The function's code. */
  const deploy = (jobs: readonly JobDefinition[], options: Partial<JobFunctionOptions> = {}, timeoutMs = 900_000) => {
    const jobFunction = createJobFunction({ jobs, redis: world.client, logger, ...options });
    const handler = toLambdaJobHandler(jobFunction);
    aws.behave({ kind: "runs", handler, timeoutMs });
    return handler;
  };
  const noop = (
    perform: JobDefinition["perform"] = () => undefined,
    rest: Partial<JobDefinition> = {},
  ): JobDefinition => defineJob({ class: "Noop", ...rest, perform });
  const waiting = async () =>
    Object.entries(((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>);
  /** As if the time had come for all that waits. */
  const makeDue = async (): Promise<void> => {
    for (const [member] of await waiting()) await world.send(["ZADD", world.keys.retries, 1, member]);
  };
  const counters = async () => [
    Number(await world.get(world.keys.processed)),
    Number(await world.get(world.keys.failures)),
  ];

  test("the drain does not wait: it ends, and the job when its function does", async () => {
    const gate = createGate();
    const jobs = [noop(() => gate.passed)];
    deploy(jobs);
    const raw = '{"class":"Noop","args":[1.0,12345678901234567890]}';
    await world.push("q", raw);
    const beforeMs = Date.now();
    const report = await app(jobs).drain();
    expect(report).toMatchObject({
      stopped: "empty",
      claimed: 1,
      detached: 1,
      succeeded: 0,
      released: 0,
      remaining: 0,
    });
    const [[member, due] = []] = await waiting();
    expect(member).toMatch(/^\{"id":"[^"]+","queue":"q","attempt":2,"detached":true,"payload":\{"class":"Noop",/);
    expect(member).toContain(`"payload":${raw.slice(0, -1)},"airlift":{"crashes":1}}}`);
    expect(Number(due)).toBeGreaterThanOrEqual(beforeMs + 60_000);
    expect(report.nextDueMs).toBeGreaterThanOrEqual(beforeMs + 59_000);
    expect(await counters()).toEqual([0, 0]);
    gate.open();
    await aws.settled();
    expect(await counters()).toEqual([1, 0]);
    await world.expectNoTraces();
    expect(aws.calls).toMatchObject([{ invocationType: "Event", event: { job: { payload: raw, attempt: 1 } } }]);
  });

  test("many at once, each once", async () => {
    const seen: unknown[] = [];
    const jobs = [noop(([n]) => void seen.push(n))];
    deploy(jobs);
    await world.push("q", ...Array.from({ length: 60 }, (_, n) => payload(n)));
    expect(await app(jobs, { concurrency: 7 }).drain()).toMatchObject({ claimed: 60, detached: 60, stopped: "empty" });
    await aws.settled();
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(await counters()).toEqual([60, 0]);
    await world.expectNoTraces();
  });

  test("one that fails there goes to failed, its producer's bytes unchanged", async () => {
    const jobs = [noop(() => Promise.reject(new RangeError("too far")))];
    deploy(jobs);
    const raw = '{"class":"Noop","args":[1.0],"airlift":{"crashes":1}}';
    await world.push("q", raw);
    await app(jobs).drain();
    await aws.settled();
    const [entry] = (await world.everything())[world.keys.failed] as string[];
    expect(entry).toContain('"payload":{"class":"Noop","args":[1.0]},"exception":"RangeError","error":"too far"');
    const [failed] = await world.failed();
    expect(failed).toMatchObject({ queue: "q", worker: expect.stringMatching(/^airlift-function-\w{12}:1:q$/) });
    expect(failed?.backtrace[0]).toContain("lambda-async.test.ts");
    expect(await counters()).toEqual([1, 1]);
    await world.expectNoTraces();
  });

  test("one of a class that the function does not know fails, and says what it knows", async () => {
    deploy([noop(undefined, { class: "Other" })]);
    await world.push("q", payload(1));
    await app([noop()]).drain();
    await aws.settled();
    expect(await world.failed()).toMatchObject([
      { exception: "UnknownJobClass", error: 'this app has no job for the class "Noop"; it knows Other' },
    ]);
  });

  test("one that its policy retries waits like any, and runs again there", async () => {
    const attempts: number[] = [];
    const jobs = [
      noop(
        (_args, { attempt }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error("not yet");
        },
        { retry: { backoff: [60_000] } },
      ),
    ];
    deploy(jobs);
    await world.push("q", payload(1));
    await app(jobs).drain();
    await aws.settled();
    const [[member, due] = []] = await waiting();
    expect(member).toContain('"attempt":2,"failed_at":');
    expect(member).toContain(
      `"exception":"Error","error":"not yet","payload":${payload(1).slice(0, -1)},"airlift":{"retries":1}}}`,
    );
    expect(Number(due) - Date.now()).toBeGreaterThan(55_000);
    await makeDue();
    expect(await app(jobs).drain()).toMatchObject({ promoted: 1, detached: 1 });
    await aws.settled();
    expect(attempts).toEqual([1, 2]);
    expect(await counters()).toEqual([2, 1]);
    await world.expectNoTraces();
  });

  test.each<[string, () => unknown, string | undefined, number]>([
    ["discards its job", () => discard("gone"), undefined, 1],
    ["releases it", () => release({ afterMs: 60_000 }), `"attempt":1,"payload":${payload(1)}}`, 0],
    ["asks for a retry", () => retry({ afterMs: 60_000, reason: "later" }), '"error":"later","payload"', 1],
  ])("a handler that %s is understood", async (_name, perform, member, processed) => {
    const jobs = [noop(perform)];
    deploy(jobs);
    await world.push("q", payload(1));
    await app(jobs).drain();
    await aws.settled();
    expect((await waiting()).map(([text]) => text)).toEqual(
      member === undefined ? [] : [expect.stringContaining(member)],
    );
    expect((await counters())[0]).toBe(processed);
  });

  test("one whose function is not heard of runs again after its lease, a crash counted; and fails after three", async () => {
    const attempts: unknown[] = [];
    aws.behave({ kind: "runs", handler: ({ job }: { job: { attempt: number } }) => void attempts.push(job.attempt) });
    await world.push("q", payload(1));
    const lost = app([noop()]);
    for (let i = 0; i < 3; i++) {
      expect(await lost.drain()).toMatchObject({ claimed: 1, detached: 1 });
      expect(await lost.drain()).toMatchObject({ claimed: 0 });
      await makeDue();
    }
    expect(await lost.drain()).toMatchObject({ promoted: 1, claimed: 1, failed: 1, detached: 0 });
    expect(attempts).toEqual([1, 2, 3]);
    expect(await world.failed()).toMatchObject([
      { exception: "Resque::DirtyExit", error: expect.stringContaining("3"), payload: { class: "Noop", args: [1] } },
    ]);
    const [entry] = (await world.everything())[world.keys.failed] as string[];
    expect(entry).toContain(`"payload":${payload(1)},`);
    expect(await counters()).toEqual([1, 1]);
    await world.expectNoTraces();
  });

  test("one that ends after its lease is not counted, and runs again", async () => {
    const gate = createGate();
    let runs = 0;
    const jobs = [noop(() => (runs++ === 0 ? gate.passed : undefined))];
    deploy(jobs);
    await world.push("q", payload(1));
    await app(jobs).drain();
    await makeDue();
    expect(await app(jobs).drain()).toMatchObject({ promoted: 1, detached: 1 });
    await until(async () => (await counters())[0] === 1);
    expect(await counters()).toEqual([1, 0]);
    gate.open();
    await aws.settled();
    expect(runs).toBe(2);
    expect(await counters()).toEqual([1, 0]);
    expect(warnings).toEqual(["a job's end came too late to be acknowledged: it runs again"]);
    await world.expectNoTraces();
  });

  test("a delivery that comes twice, or after the lease, is not run", async () => {
    let runs = 0;
    const jobs = [noop(() => void runs++)];
    const handler = deploy(jobs);
    await world.push("q", payload(1));
    await app(jobs).drain();
    await aws.settled();
    const event = aws.calls[0]?.event;
    const reply = await handler(event, { awsRequestId: "r", getRemainingTimeInMillis: () => 60_000 });
    expect(reply).toEqual({ airlift: 1, outcome: { kind: "release" } });
    expect(runs).toBe(1);
    expect(warnings).toEqual(["a job came that is not waiting to be acknowledged any more; it was not run"]);
    expect(await counters()).toEqual([1, 0]);
  });

  test("one that comes when its time is nearly over goes back, and no attempt is counted", async () => {
    let runs = 0;
    const jobs = [noop(() => void runs++)];
    const handler = deploy(jobs);
    aws.behave({ kind: "answers", payload: "" });
    await world.push("q", payload(1));
    await app(jobs).drain();
    for (const [member] of await waiting()) await world.send(["ZADD", world.keys.retries, Date.now() + 10_000, member]);
    await handler(aws.calls[0]?.event, { awsRequestId: "r", getRemainingTimeInMillis: () => 900_000 });
    expect(runs).toBe(0);
    expect((await waiting()).map(([text]) => text)).toEqual([
      expect.stringContaining(`"attempt":1,"payload":${payload(1)}}`),
    ]);
    expect(await counters()).toEqual([0, 0]);
  });

  test("one that comes when its function has no time left goes back, and is not failed by that", async () => {
    let runs = 0;
    const jobs = [noop(() => new Promise(() => void runs++))];
    const handler = deploy(jobs);
    aws.behave({ kind: "answers", payload: "" });
    await world.push("q", payload(1));
    await app(jobs).drain();
    await handler(aws.calls[0]?.event, { awsRequestId: "r", getRemainingTimeInMillis: () => 900 });
    expect(runs).toBe(0);
    expect((await waiting()).map(([text]) => text)).toEqual([
      expect.stringContaining(`"attempt":1,"payload":${payload(1)}}`),
    ]);
    expect(await counters()).toEqual([0, 0]);
  });

  test("of a batch one that Redis tells nothing of does not end the invocation before the others have ended", async () => {
    let isEnded = false;
    let looks = 0;
    const gate = createGate();
    const jobs = [noop(() => gate.passed)];
    const redis = carriedClient(world.client, async ({ names, deliver }) => {
      if (names.includes("ZSCORE") && ++looks === 2) throw new StoreError("rejected", "NOPERM");
      return deliver();
    });
    const handler = deploy(jobs, { redis });
    aws.behave({ kind: "answers", payload: "" });
    await world.push("q", payload(1), payload(2));
    const batched = target({ batch: { size: 2, maxWaitMs: 10_000 } });
    await world.app({ jobs: runOn(batched, jobs), logger }).drain();
    const run = handler(aws.calls[0]?.event, { awsRequestId: "r", getRemainingTimeInMillis: () => 60_000 });
    const ended = run.then(
      () => "well",
      (error: Error) => error.message,
    );
    void ended.then(() => {
      isEnded = true;
    });
    await until(() => looks === 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isEnded).toBe(false);
    gate.open();
    expect(await ended).toBe("NOPERM");
    expect(await counters()).toEqual([1, 0]);
    expect(await waiting()).toHaveLength(1);
  });

  test.each([-3_600_000, 3_600_000])(
    "a drain whose clock is wrong by %i ms changes nothing of that",
    async (wrongMs) => {
      const seen: number[] = [];
      const jobs = [noop((_, { deadlineMs }) => void seen.push(deadlineMs - Date.now()), { timeoutMs: 300_000 })];
      const handler = deploy(jobs);
      aws.behave({ kind: "answers", payload: "" });
      await world.push("q", payload(1));
      await app(jobs).drain();
      const event = { ...(aws.calls[0]?.event as object), deadlineMs: Date.now() + 60_000 + wrongMs };
      await handler(event, { awsRequestId: "r", getRemainingTimeInMillis: () => 900_000 });
      expect(await counters()).toEqual([1, 0]);
      // As long as its lease lasts, less the margin.
      expect(seen[0]).toBeLessThan(60_000);
      expect(seen[0]).toBeGreaterThan(30_000);
    },
  );

  test("one that does not end in its function's time fails by that, before the host ends it", async () => {
    let runs = 0;
    const jobs = [noop(() => new Promise(() => void runs++))];
    deploy(jobs, { marginMs: 100 }, 400);
    await world.push("q", payload(1));
    using time = stopTime();
    await app(jobs).drain();
    await until(() => runs === 1);
    time.advance(300);
    await aws.settled();
    expect(await world.failed()).toMatchObject([
      { exception: "TimeoutError", error: expect.stringContaining("time limit") },
    ]);
  });

  describe("when a job cannot be dispatched", () => {
    test.each([
      ["is throttled", { status: 429, type: "TooManyRequestsException" }],
      ["meets an error of Lambda's", { status: 500, type: "ServiceException" }],
    ])("as it %s, it waits for some seconds, unchanged, no attempt counted", async (_name, refusal) => {
      aws.behave({ kind: "refuses", ...refusal });
      await world.push("q", payload(1));
      const jobs = [noop()];
      expect(await app(jobs).drain()).toMatchObject({ claimed: 1, detached: 0, released: 1, failed: 0, lost: 0 });
      const [[member, due] = []] = await waiting();
      expect(member).toContain(`"attempt":1,"payload":${payload(1)}}`);
      expect(Number(due) - Date.now()).toBeLessThan(8_000);
      expect(await counters()).toEqual([0, 0]);
    });

    test("as there is no such function, it fails", async () => {
      aws.behave({ kind: "refuses", status: 404, type: "ResourceNotFoundException", message: "none" });
      const told: unknown[] = [];
      const jobs = [noop(undefined, { hooks: { onFailure: (_job, error) => void told.push(error) } })];
      await world.push("q", payload(1));
      expect(await app(jobs).drain()).toMatchObject({ claimed: 1, failed: 1, detached: 0 });
      expect(await world.failed()).toMatchObject([{ exception: "LambdaError", payload: { args: [1] } }]);
      expect(told).toMatchObject([{ name: "LambdaError", status: 404 }]);
      expect(await counters()).toEqual([1, 1]);
      await world.expectNoTraces();
    });

    test("as the answer was lost, it is tried again, counted", async () => {
      aws.behave({ kind: "cuts" });
      await world.push("q", payload(1));
      expect(await app([noop()]).drain()).toMatchObject({ retried: 1, detached: 0 });
      expect((await waiting())[0]?.[0]).toContain(`,"airlift":{"retries":1}}}`);
      expect(await counters()).toEqual([1, 1]);
    });

    test("as it is too large, it fails before it is sent", async () => {
      await world.push("q", payload("x".repeat(530_000)));
      expect(await app([noop()]).drain()).toMatchObject({ failed: 1, detached: 0 });
      expect((await world.failed())[0]?.error).toMatch(/it can be given less than 1048576 asynchronously/);
      expect(aws.calls).toEqual([]);
    });

    test("before the drain's time is up, it is left to its lease", async () => {
      aws.behave({ kind: "hangs" });
      await world.push("q", payload(1));
      using time = stopTime();
      const drained = app([noop()], { marginMs: 0 }).drain({ deadlineMs: Date.now() + 400 });
      await until(() => aws.calls.length > 0);
      time.advance(400);
      expect(await drained).toMatchObject({ detached: 1, released: 0, remaining: 0 });
      expect((await waiting())[0]?.[0]).toContain('"detached":true');
    });
  });

  test("its failures go where the drain keeps its own", async () => {
    const jobs = [noop(([n]) => Promise.reject(new Error(`no ${n}`)))];
    deploy(jobs);
    await world.push("q", payload(1), payload(2), payload(3));
    await app(jobs, { failedQueues: true, maxFailed: 2, concurrency: 1 }).drain();
    await aws.settled();
    const everything = await world.everything();
    expect((everything[world.keys.failedOf("q")] as string[]).length).toBe(2);
    expect(everything[world.keys.failedQueues]).toEqual({ q_failed: true });
    expect(everything[world.keys.failed]).toBeUndefined();
  });

  test("its status is kept: running, then how it ended, with what the handler returned", async () => {
    const gate = createGate();
    const completed: unknown[] = [];
    const hooks = { onComplete: (job: { id?: string; state: string }) => void completed.push([job.id, job.state]) };
    const jobs = [noop(() => gate.passed.then(() => ({ pages: 3 })), { queue: "q", hooks })];
    deploy(jobs);
    const airlift = app(jobs, { status: { ttlMs: 60_000, results: true } });
    await airlift.enqueue({ queue: "q", class: "Noop", args: [1] });
    await airlift.drain();
    const id = JSON.parse((await waiting())[0]?.[0] ?? "").payload.airlift.id as string;
    expect(await airlift.job(id)).toMatchObject({ state: "running", attempt: 1 });
    expect(completed).toEqual([]);
    gate.open();
    await aws.settled();
    expect(await airlift.job(id)).toMatchObject({
      ...{ state: "done", attempt: 1, result: { pages: 3 }, enqueuedMs: expect.any(Number) },
      ...{ worker: expect.stringContaining("airlift-function-"), durationMs: expect.any(Number) },
    });
    expect(completed).toEqual([[id, "done"]]);
  });

  test("its unique lock is held until it has ended there", async () => {
    const gate = createGate();
    const jobs = [noop(() => gate.passed, { queue: "q", unique: { until: "done" } })];
    deploy(jobs);
    const airlift = app(jobs);
    expect(await airlift.enqueue({ queue: "q", class: "Noop", args: [1] })).toMatchObject({ kind: "queued" });
    await airlift.drain();
    expect(await airlift.enqueue({ queue: "q", class: "Noop", args: [1] })).toMatchObject({ kind: "dropped" });
    gate.open();
    await aws.settled();
    expect(await airlift.enqueue({ queue: "q", class: "Noop", args: [1] })).toMatchObject({ kind: "queued" });
  });

  test.runIf(setup.server === "redis-server")(
    "it costs 6 commands in the function, and none more in the drain",
    async () => {
      const jobs = [noop()];
      deploy(jobs);
      await world.push("q", payload(1));
      const local = await world.app({ jobs }).drain();
      await world.push("q", payload(2));
      const gate = createGate();
      const event = aws.calls;
      aws.behave({ kind: "runs", handler: () => gate.passed });
      await world.countCommands();
      const report = await app(jobs).drain();
      const { commands } = report;
      expect(await world.countCommands()).toBe(commands);
      // The ZADD that lets it wait.
      expect(commands).toBe(local.commands + 1);
      const handler = deploy(jobs);
      await handler(event[0]?.event, { awsRequestId: "r", getRemainingTimeInMillis: () => 60_000 });
      expect(await world.countCommands()).toBe(6);
      gate.open();
    },
  );

  test("several are handed over in one invocation, each with an acknowledgement of its own", async () => {
    const jobs = [noop(([n]) => (n === 2 ? Promise.reject(new Error("two")) : undefined))];
    deploy(jobs);
    await world.push("q", payload(1), payload(2), payload(3));
    const batch = { size: 3, maxWaitMs: 5_000 };
    const airlift = world.app({ jobs: runOn(target({ batch }), jobs) });
    expect(await airlift.drain()).toMatchObject({ detached: 3, claimed: 3 });
    await aws.settled();
    expect(aws.calls).toHaveLength(1);
    expect(await counters()).toEqual([3, 1]);
    expect((await world.failed()).map(({ error }) => error)).toEqual(["two"]);
    await world.expectNoTraces();
  });
});
