import { describe, expect, test } from "vitest";
import { z } from "zod";
import { activeJob } from "../../src/active-job/active-job.ts";
import { detach, discard, release, retry } from "../../src/core/directive.ts";
import { UsageError } from "../../src/core/errors.ts";
import { defineJob, type JobContext, type JobDefinition, type Logger } from "../../src/core/job.ts";
import type { JobBatchReply, JobReply } from "../../src/core/job-message.ts";
import { defineMiddleware } from "../../src/core/middleware.ts";
import { runOn } from "../../src/core/run-on.ts";
import { createJobFunction, type JobFunctionOptions } from "../../src/job-function/job-function.ts";
import { createGate } from "../core/app-world.ts";

const silent: Logger = { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 };
const noop = (perform: JobDefinition["perform"], rest: Partial<JobDefinition> = {}): JobDefinition =>
  defineJob({ class: "Noop", ...rest, perform });
const worker = (jobs: readonly JobDefinition[], options: Partial<JobFunctionOptions> = {}) =>
  createJobFunction({ jobs, logger: silent, ...options });
const message = (payload: string, rest: object = {}) => ({
  ...{ airlift: 1, job: { queue: "q", class: "?", args: [], payload, attempt: 1, retries: 0 } },
  ...rest,
});
const NOOP = '{"class":"Noop","args":[1]}';
/** How the handler's end is told. */
const outcomeOf = async (perform: JobDefinition["perform"], rest: Partial<JobDefinition> = {}) =>
  ((await worker([noop(perform, rest)]).run(message(NOOP))) as JobReply).outcome;

describe("a message", () => {
  test("is run with the payload's own class and arguments, and what the sender counts", async () => {
    const seen: unknown[] = [];
    const jobs = [
      noop((args, job) => {
        const { queue, class: name, raw, attempt, retries, id } = job;
        seen.push(args, { queue, class: name, raw, attempt, retries, id });
      }),
    ];
    const raw = '{"class":"Noop","args":[1.0,12345678901234567890],"airlift":{"retries":1,"id":"job-1"}}';
    const sent = { queue: "q", class: "Other", args: [2], payload: raw, attempt: 4, retries: 3 };
    expect(await worker(jobs).run({ airlift: 1, job: sent })).toEqual({ airlift: 1, outcome: { kind: "ok" } });
    expect(seen).toEqual([
      [1, 12345678901234567890n],
      { queue: "q", class: "Noop", raw, attempt: 4, retries: 3, id: "job-1" },
    ]);
  });

  test("that somebody wrote by hand needs a class alone", async () => {
    const seen: unknown[] = [];
    const jobs = [noop((args, { queue, raw, attempt }) => void seen.push([args, queue, raw, attempt]))];
    await worker(jobs).run({ airlift: 1, job: { class: "Noop" } });
    await worker(jobs).run({ airlift: 1, job: { class: "Noop", args: ["a"], queue: "q" } });
    expect(seen).toEqual([
      [[], "", '{"class":"Noop","args":[]}', 1],
      [["a"], "q", '{"class":"Noop","args":["a"]}', 1],
    ]);
  });

  test.each([
    [undefined, "got none"],
    [null, "got none"],
    ["{}", "got none"],
    [[], "got none"],
    [{ airlift: 2, job: { class: "Noop" } }, "got version 2"],
    [{ Records: [] }, "got none"],
    [{ airlift: 1 }, "class: expected a non-empty string"],
    [{ airlift: 1, job: { class: "Noop", args: 7 } }, "args: expected an array"],
    [{ airlift: 1, jobs: {} }, "jobs: expected a list"],
  ])("is %j: refused, as nobody can have meant it", async (value, expected) => {
    const run = worker([noop(() => undefined)]).run(value);
    await expect(run).rejects.toThrow(UsageError);
    await expect(run).rejects.toThrow(expected);
  });

  test("that wants an acknowledgement which cannot be given is refused before anything runs", async () => {
    let runs = 0;
    const jobFunction = worker([noop(() => void runs++)]);
    expect(jobFunction.acknowledges).toBe(false);
    await expect(jobFunction.run(message(NOOP, { ack: { head: "x" } }))).rejects.toThrow(
      "give createJobFunction the drain's Redis",
    );
    const jobs = [
      { id: "0", payload: NOOP },
      { id: "1", payload: NOOP, ack: { head: "x" } },
    ];
    await expect(jobFunction.run({ airlift: 1, jobs })).rejects.toThrow(UsageError);
    expect(runs).toBe(0);
  });

  test("of a payload that is no job fails, as in a drain", async () => {
    const reply = await worker([]).run(message("[1]"));
    expect(reply).toMatchObject({ outcome: { kind: "failed", failure: { exception: "MalformedPayload" } } });
  });

  test("of a class that is not known fails, and says which are", async () => {
    const reply = await worker([noop(() => undefined)]).run(message('{"class":"Nope","args":[]}'));
    const text = 'this app has no job for the class "Nope"; it knows Noop';
    expect(reply).toMatchObject({
      outcome: { kind: "failed", failure: { exception: "UnknownJobClass", message: text } },
    });
  });

  test("of an Active Job is run by its own class", async () => {
    const seen: unknown[] = [];
    const resize = activeJob({ class: "ResizeJob", perform: (args) => void seen.push(args) });
    const data = {
      job_class: "ResizeJob",
      job_id: "1",
      queue_name: "q",
      arguments: [7, { _aj_symbol_keys: [], a: 1 }],
    };
    const wrapper = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper";
    const raw = JSON.stringify({ class: wrapper, args: [data] });
    expect(await worker([resize as JobDefinition]).run(message(raw))).toMatchObject({ outcome: { kind: "ok" } });
    expect(seen).toEqual([[7, { a: 1 }]]);
    const plain = worker([noop(() => undefined, { class: "ResizeJob" })]);
    expect(await plain.run(message(raw))).toMatchObject({ outcome: { failure: { exception: "UnknownJobClass" } } });
  });
});

describe("the answer", () => {
  test.each<[string, () => unknown, object]>([
    ["returns nothing", () => undefined, { kind: "ok" }],
    ["returns null", () => null, { kind: "ok", result: null }],
    ["returns a result", async () => ({ pages: 3 }), { kind: "ok", result: { pages: 3 } }],
    ["returns what has no JSON form", () => ({ id: 1n }), { kind: "ok" }],
    ["returns a function", () => () => undefined, { kind: "ok" }],
    ["returns a circle", () => CIRCLE, { kind: "ok" }],
    ["returns more than a reply carries", () => "x".repeat(1_000_001), { kind: "ok" }],
    ["asks for a retry", () => retry(), { kind: "retry" }],
    [
      "asks for a retry at a time",
      async () => retry({ afterMs: 5, reason: "r" }),
      { kind: "retry", afterMs: 5, reason: "r" },
    ],
    ["discards", () => discard("r"), { kind: "discard", reason: "r" }],
    ["discards without a word", () => discard(), { kind: "discard" }],
    ["releases", () => release({ afterMs: 5 }), { kind: "release", afterMs: 5 }],
  ])("of a handler that %s says so", async (_name, perform, expected) => {
    const outcome = await outcomeOf(perform);
    expect(outcome).toEqual(expected);
    expect(JSON.parse(JSON.stringify(outcome))).toEqual(expected);
  });

  test.each<[string, () => unknown, object]>([
    ["an error", () => new RangeError("too far"), { failure: { exception: "RangeError", message: "too far" } }],
    ["no error at all", () => "what", { failure: { exception: "NonError" } }],
    ["one that asks to wait", () => Object.assign(new Error("m"), { retryAfterMs: 7_000 }), { retryAfterMs: 7_000 }],
    [
      "an HTTP answer with Retry-After",
      () => Object.assign(new Error("m"), { response: { headers: new Headers({ "retry-after": "3" }) } }),
      { retryAfterMs: 3_000 },
    ],
    ["one that is final", () => Object.assign(new Error("m"), { isFinal: true }), { isFinal: true }],
  ])(
    "of a handler that throws %s tells it, and what becomes of it is not decided here",
    async (_name, make, expected) => {
      const perform = (): never => {
        throw make();
      };
      for (const rest of [{}, { retry: { limit: 3, exhausted: "drop" } as const }]) {
        const outcome = await outcomeOf(perform, rest);
        expect(outcome).toMatchObject({ kind: "failed", ...expected });
        expect(outcome).toEqual(
          await outcomeOf(() => Promise.reject(make()), rest).then((other) => withoutFrames(outcome, other)),
        );
      }
    },
  );

  test("bears the handler's frames, and none of Airlift's", async () => {
    const outcome = await outcomeOf(function resize() {
      throw new Error("m");
    });
    const { backtrace } = (outcome as { failure: { backtrace: readonly string[] } }).failure;
    expect(backtrace[0]).toContain("resize");
    expect(backtrace.join()).not.toContain("job-runner");
  });

  test("of arguments that the schema refuses is final there, too", async () => {
    const schema = z.tuple([z.string()]);
    const outcome = await outcomeOf(() => undefined, { args: schema } as never);
    expect(outcome).toMatchObject({ kind: "failed", failure: { exception: "InvalidArgumentsError" } });
  });

  test("of a batch tells each job's end by its id, and those that are not done as SQS wants them", async () => {
    const ends: Record<string, () => unknown> = {
      a: () => "done",
      b: () => Promise.reject(new Error("no")),
      c: () => discard(),
      d: () => release(),
    };
    const jobs = [noop(([name]) => ends[String(name)]?.())];
    const sent = Object.keys(ends).map((id) => ({ id, queue: "q", payload: `{"class":"Noop","args":["${id}"]}` }));
    expect(await worker(jobs).run({ airlift: 1, jobs: sent })).toEqual({
      airlift: 1,
      outcomes: {
        a: { kind: "ok", result: "done" },
        b: { kind: "failed", failure: expect.objectContaining({ message: "no" }) },
        c: { kind: "discard" },
        d: { kind: "release", afterMs: 1_000 },
      },
      batchItemFailures: [{ itemIdentifier: "b" }, { itemIdentifier: "d" }],
    });
  });

  test("of a handler that hands its job on is a failure: nobody would acknowledge it", async () => {
    const outcome = await outcomeOf(() => detach({ leaseMs: 60_000, dispatch: () => undefined }));
    expect(outcome).toMatchObject({
      kind: "failed",
      failure: { message: expect.stringContaining("cannot hand its job on") },
    });
  });
});

describe("time", () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const limitOf = async (
    definition: Partial<JobDefinition>,
    options: Partial<JobFunctionOptions>,
    hostAt: (nowMs: number) => object,
    restAt: (nowMs: number) => object,
  ) => {
    const signals: boolean[] = [];
    const perform = (_args: unknown, { signal }: JobContext): Promise<never> => {
      signal.addEventListener("abort", () => signals.push(true));
      return never();
    };
    const startedMs = Date.now();
    const [host, rest] = [hostAt(startedMs), restAt(startedMs)];
    const reply = await worker([noop(perform, definition)], { marginMs: 0, ...options }).run(message(NOOP, rest), host);
    expect(reply).toMatchObject({ outcome: { kind: "failed", failure: { exception: "TimeoutError" } } });
    // Only by the sender's time it is the sender who says what becomes of it.
    expect("isOverdue" in (reply as JobReply).outcome).toBe("deadlineMs" in rest);
    expect(signals).toEqual([true]);
    return Date.now() - startedMs;
  };

  // A deadline must not be over before the job begins; without its limit, each would take a minute and more.
  test.concurrent.each<
    [string, Partial<JobDefinition>, Partial<JobFunctionOptions>, (nowMs: number) => object, (nowMs: number) => object]
  >([
    ["its class's limit", { timeoutMs: 50 }, { timeoutMs: 120_000 }, () => ({}), () => ({})],
    ["the function's limit", {}, { timeoutMs: 50 }, () => ({}), () => ({})],
    ["the host's deadline", {}, {}, (nowMs) => ({ deadlineMs: nowMs + 1_500 }), () => ({})],
    [
      "the host's deadline less the margin",
      {},
      { marginMs: 300_000, timeoutMs: 120_000 },
      (nowMs) => ({ deadlineMs: nowMs + 301_500 }),
      () => ({}),
    ],
    ["the sender's deadline", {}, {}, () => ({}), (nowMs) => ({ deadlineMs: nowMs + 1_500 })],
  ])("a job that does not end by %s is failed by it", async (_name, definition, options, host, rest) => {
    const tookMs = await limitOf(definition, options, host, rest);
    expect(tookMs).toBeGreaterThanOrEqual(40);
    expect(tookMs).toBeLessThan(30_000);
  });

  test("a job whose time is over when it comes is not begun", async () => {
    let runs = 0;
    const lines: string[] = [];
    const logger = { ...silent, warn: (line: string) => void lines.push(line) };
    const jobFunction = worker([noop(() => void runs++)], { logger });
    const release = { airlift: 1, outcome: { kind: "release" } };
    expect(await jobFunction.run(message(NOOP, { deadlineMs: Date.now() - 1 }))).toEqual(release);
    expect(await jobFunction.run(message(NOOP), { deadlineMs: Date.now() + 500 })).toEqual(release);
    expect(runs).toBe(0);
    // Where clocks differ it would always be so, and nobody would know why.
    expect(lines).toEqual(Array(2).fill(expect.stringContaining("by this clock")));
  });

  test("a batch's results share what a reply can carry: those that do not fit are left out, and the jobs are done", async () => {
    const jobFunction = worker([noop(() => "x".repeat(900_000))]);
    const jobs = Array.from({ length: 8 }, (_, id) => ({ id: String(id), payload: NOOP }));
    const reply = (await jobFunction.run({ airlift: 1, jobs })) as JobBatchReply;
    expect(Object.values(reply.outcomes).map(({ kind }) => kind)).toEqual(Array(8).fill("ok"));
    expect(JSON.stringify(reply).length).toBeLessThan(4_000_000);
  });

  test("a job that its host aborts is given back, whether it has begun or not", async () => {
    const begun = createGate();
    const controller = new AbortController();
    let runs = 0;
    const jobFunction = worker([
      noop(() => {
        runs++;
        begun.open();
        return never();
      }),
    ]);
    const running = jobFunction.run(message(NOOP), { signal: controller.signal });
    await begun.passed;
    controller.abort(new Error("gone"));
    expect(await running).toEqual({ airlift: 1, outcome: { kind: "release", afterMs: 0 } });
    expect(await jobFunction.run(message(NOOP), { signal: controller.signal })).toMatchObject({
      outcome: { kind: "release" },
    });
    expect(runs).toBe(1);
  });

  test.each([-3_600_000, 3_600_000])(
    "a clock that is set by %i ms while a job runs changes nothing of that",
    async (aheadMs) => {
      const now = Date.now;
      const perform = async () => {
        Date.now = () => now() + aheadMs;
        await new Promise((resolve) => setTimeout(resolve, 5));
      };
      try {
        expect(await outcomeOf(perform)).toEqual({ kind: "ok" });
      } finally {
        Date.now = now;
      }
    },
  );

  test("a job is told when it has to end", async () => {
    const seen: number[] = [];
    const jobs = [noop((_args, { deadlineMs }) => void seen.push(deadlineMs), { timeoutMs: 30_000 })];
    const beforeMs = Date.now();
    await worker(jobs).run(message(NOOP));
    await worker(jobs).run(message(NOOP), { deadlineMs: beforeMs + 11_000 });
    expect(seen[0]).toBeGreaterThanOrEqual(beforeMs + 30_000);
    expect(seen[1]).toBeLessThanOrEqual(beforeMs + 10_000);
  });
});

describe("what stands around a handler", () => {
  test("is called here: the app's middleware, the class's, and the hooks before", async () => {
    const seen: string[] = [];
    const around = (name: string) =>
      defineMiddleware((_job, next) => {
        seen.push(name);
        return next();
      });
    const hooks = {
      beforePerform: () => void seen.push("before"),
      afterPerform: () => void seen.push("after"),
      onFailure: () => void seen.push("failure"),
      onComplete: () => void seen.push("complete"),
    };
    const jobs = [noop(() => void seen.push("handler"), { middleware: [around("class")], hooks })];
    await createJobFunction({ jobs: jobs as never[], middleware: [around("app")], hooks, logger: silent }).run(
      message(NOOP),
    );
    expect(seen).toEqual(["before", "before", "app", "class", "handler"]);
  });

  test("is not called twice: runOn leaves it to the function, and all else to the drain", () => {
    const hooks = { beforePerform: () => 1, afterPerform: () => 2, beforeEnqueue: () => 3 };
    const schema = z.tuple([z.string()]);
    const rest = { queue: "q", retry: { limit: 1 }, timeoutMs: 5, unique: { until: "done" }, args: schema } as const;
    const job = defineJob({
      class: "A",
      ...rest,
      hooks,
      middleware: [defineMiddleware((_job, next) => next())],
      perform: () => 4,
    });
    const target = (): number => 5;
    const { beforePerform: _, ...others } = hooks;
    expect(runOn(target, [job])).toEqual([{ class: "A", ...rest, hooks: others, perform: target }]);
    expect(runOn(target, [defineJob({ class: "B", perform: () => 6 })])).toEqual([{ class: "B", perform: target }]);
  });

  test("resources are opened once for all calls, and closed with the function", async () => {
    const seen: string[] = [];
    const db = { [Symbol.asyncDispose]: async () => void seen.push("closed") };
    const jobs = [noop(async (_args, { resources }) => void (await (resources as { db: unknown }).db))];
    const options = {
      jobs: jobs as never[],
      resources: {
        db: () => {
          seen.push("opened");
          return db;
        },
      },
      logger: silent,
    };
    {
      await using jobFunction = createJobFunction(options);
      await jobFunction.run(message(NOOP));
      await jobFunction.run(message(NOOP));
      expect(seen).toEqual(["opened"]);
    }
    expect(seen).toEqual(["opened", "closed"]);
  });

  test("the host may wrap each run", async () => {
    const seen: string[] = [];
    const runHandler = <T>(run: () => T): T => {
      seen.push("wrapped");
      return run();
    };
    await worker([noop(() => void seen.push("handler"))]).run(message(NOOP), { runHandler });
    expect(seen).toEqual(["wrapped", "handler"]);
  });
});

describe("options", () => {
  test.each<[object, string]>([
    [{}, "jobs: missing"],
    [{ jobs: [{ class: "A" }] }, "jobs.0.perform: missing"],
    [{ jobs: [], queues: ["q"] }, "queues: unknown option"],
    [{ jobs: [], marginMs: -1 }, "marginMs: expected an integer from 0 to 86400000, got -1"],
    [{ jobs: [], redis: {} }, "redis: expected a Redis client"],
    [{ jobs: [noop(() => 1), noop(() => 2)] }, 'the class "Noop" is defined twice'],
  ])("%j are refused, and the message says why", (options, expected) => {
    expect(() => createJobFunction(options as never)).toThrow(UsageError);
    expect(() => createJobFunction(options as never)).toThrow(expected);
  });
});

const CIRCLE: { self?: unknown } = {};
CIRCLE.self = CIRCLE;

/** The second outcome, with the first one's backtrace: where it was thrown differs. */
function withoutFrames(one: unknown, other: unknown): unknown {
  const { failure } = one as { failure: { backtrace: unknown } };
  const told = other as { failure: object };
  return { ...told, failure: { ...told.failure, backtrace: failure.backtrace } };
}
