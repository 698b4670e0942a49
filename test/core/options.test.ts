import { describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { type AirliftOptions, DEFAULT_AIRLIFT_OPTIONS } from "../../src/options.ts";
import type { RedisClient, RedisCommand } from "../../src/resque/client.ts";

const sent: RedisCommand[] = [];
/** Takes nothing: what is tested here is refused before anything is sent. */
const redis: RedisClient = {
  description: "no Redis",
  command: (command) => refuse(command),
  pipeline: () => refuse(["PIPELINE"]),
  transaction: (commands) => refuse(commands[0] ?? []),
  script: () => refuse(["SCRIPT"]),
  close: async () => undefined,
};
const refuse = async (command: RedisCommand): Promise<never> => {
  sent.push(command);
  throw new Error("nothing should be sent");
};
const noop = { class: "Noop", perform: () => undefined };
const good: AirliftOptions = { redis, queues: ["q"], jobs: [noop] };

describe("a wrong option of createAirlift is told by its name, what was given and what was expected", () => {
  test.each([
    ["redis", undefined, /redis: missing, expected a Redis client/],
    ["redis", "redis://localhost", /redis: expected a Redis client: upstash\(\).*got "redis:\/\/localhost"/],
    ["redis", {}, /redis\.command: missing|redis: expected a Redis client/],
    ["queues", undefined, /queues: missing, expected an array of queues/],
    ["queues", "mail", /queues: expected an array of queues, got "mail"/],
    ["queues", [1], /queues\.0: expected a queue's name or pattern, got 1/],
    ["queues", [], /queues: expected at least one queue/],
    ["queues", ["a=0"], /weight above 0 after "=" in "a=0"/],
    ["jobs", undefined, /jobs: missing, expected an array of job definitions/],
    ["jobs", {}, /jobs: expected an array of job definitions/],
    ["jobs", [null], /jobs\.0: expected an object with class and perform, got null/],
    ["jobs", [{ class: "A" }], /jobs\.0\.perform: missing, expected a function/],
    ["jobs", [{ ...noop, timeoutMs: 0 }], /jobs\.0\.timeoutMs: expected an integer from 1 to 86400000, got 0/],
    ["jobs", [{ ...noop, timeout: 5 }], /jobs\.0\.timeout: unknown option/],
    ["jobs", [noop, noop], /jobs: the class "Noop" is defined twice/],
    [
      "jobs",
      [{ ...noop, limit: { running: 0 } }],
      /jobs\.0\.limit: running: expected an integer .*, got \{"running":0\}/,
    ],
    ["jobs", [{ ...noop, unique: { until: "end" } }], /jobs\.0\.unique: until: expected .*, got \{"until":"end"\}/],
    ["jobs", [{ ...noop, retry: { backoff: [-1] } }], /jobs\.0\.retry\.backoff: expected .*, got \[-1\]/],
    ["redis", { token: "secret" }, /^(?!.*secret).*redis: expected a Redis client/],
    ["concurrency", 0, /concurrency: expected an integer from 1 to 1000, got 0/],
    ["concurrency", 1_001, /concurrency: .* got 1001/],
    ["concurrency", 2.5, /concurrency: .* got 2.5/],
    ["concurrency", "25", /concurrency: .* got "25"/],
    ["concurrency", Number.NaN, /concurrency: .* got NaN/],
    ["namespace", 1, /namespace: expected a text, got 1/],
    ["timeoutMs", -1, /timeoutMs: expected an integer from 1 to 86400000, got -1/],
    ["leaseMs", 999, /leaseMs: expected an integer from 1000 to 240000, got 999/],
    ["leaseMs", 300_000, /leaseMs: .* got 300000/],
    ["crashLimit", 0, /crashLimit: expected an integer from 1 to 1000, got 0/],
    ["marginMs", -1, /marginMs: .* got -1/],
    ["graceMs", Number.POSITIVE_INFINITY, /graceMs: .* got Infinity/],
    ["unknownClass", "ignore", /unknownClass: expected one of "fail", "leave", "requeue", got "ignore"/],
    ["bigIntegers", true, /bigIntegers: expected one of "bigint", "text", got true/],
    ["platform", "My:Host", /platform: expected lower-case letters, digits and hyphens, got "My:Host"/],
    ["logger", { info: () => 1 }, /logger\.debug: missing|logger: expected an object with debug/],
    ["onEvent", "x", /onEvent: expected a function, got "x"/],
    ["concurency", 5, /concurency: unknown option/],
  ])("%s: %o", (name, value, message) => {
    const create = () => createAirlift({ ...good, [name]: value } as AirliftOptions);
    expect(create).toThrow(message);
    expect(create).toThrow(expect.objectContaining({ name: "UsageError", code: "ERR_USAGE" }));
  });

  test("all of them in one message", () => {
    const create = () => createAirlift({ ...good, concurrency: 0, leaseMs: 1, oops: 1 } as AirliftOptions);
    expect(create).toThrow(/concurrency: .*; leaseMs: .*; oops: unknown option|oops: unknown option/);
    expect(create).toThrow(/concurrency/);
    expect(create).toThrow(/leaseMs/);
  });

  test.each([undefined, null, "x"])("options that are none: %o", (options) => {
    const create = () => createAirlift(options as unknown as AirliftOptions);
    expect(create).toThrow(/createAirlift: .*expected an object/);
    expect(create).toThrow(expect.objectContaining({ name: "UsageError" }));
  });

  test("an option that is not there at all", () => {
    const { queues: _queues, ...rest } = good;
    expect(() => createAirlift(rest as AirliftOptions)).toThrow(/queues: missing, expected an array of queues/);
  });
  test("an empty text", () => {
    const create = () => createAirlift({ ...good, jobs: [{ ...noop, class: "" }] });
    expect(create).toThrow(/jobs\.0\.class: expected a text that is not empty, got ""/);
  });
});

describe("the options in force", () => {
  test("are the defaults where nothing is given, and never written into the caller's object", () => {
    const given = Object.freeze({ ...good });
    expect(createAirlift(given).options).toEqual({ ...DEFAULT_AIRLIFT_OPTIONS, ...given });
    expect(Object.keys(given)).toEqual(["redis", "queues", "jobs"]);
  });

  test("make the same app, changed", () => {
    const { options } = createAirlift({ ...good, timeoutMs: 5 });
    expect(createAirlift({ ...options, concurrency: 1 }).options).toMatchObject({ timeoutMs: 5, concurrency: 1 });
  });
});

describe("a wrong option of drain is told before anything is sent", () => {
  test.each([
    [{ deadlineMs: 25_000 }, /deadlineMs: expected an instant .* got 25000; for a duration use Date.now\(\) \+ 25000/],
    [{ deadlineMs: "tomorrow" }, /deadlineMs: expected an instant .* got "tomorrow"/],
    [{ deadlineMs: Number.NaN }, /deadlineMs: .* got NaN/],
    [{ deadlineMs: new Date() }, /deadlineMs: expected an instant/],
    [{ signal: "x" }, /signal: expected an AbortSignal, got "x"/],
    [{ signal: {} }, /signal: expected an AbortSignal/],
    [{ maxJobs: 0 }, /maxJobs: expected an integer from 1 .* got 0/],
    [{ maxJobs: 1.5 }, /maxJobs: .* got 1.5/],
    [{ onEvent: 1 }, /onEvent: expected a function, got 1/],
    [{ deadline: 1 }, /deadline: unknown option/],
    [null, /drain: options: expected an object, got null/],
  ])("%o", async (options, message) => {
    sent.length = 0;
    const drain = createAirlift(good).drain(options as never);
    await expect(drain).rejects.toThrow(message);
    await expect(drain).rejects.toMatchObject({ name: "UsageError" });
    expect(sent).toEqual([]);
  });

  test("a time limit that never fits is told with class, limit and what is left", async () => {
    const airlift = createAirlift({ ...good, jobs: [{ ...noop, timeoutMs: 30_000 }] });
    const drain = airlift.drain({ deadlineMs: Date.now() + 25_000 });
    await expect(drain).rejects.toThrow(
      /class "Noop" \(timeoutMs: 30000\) does not fit .* 2\d{4} ms .* margin of 2000 ms/,
    );
    expect(sent).toEqual([]);
  });
});

describe("a wrong job is told before anything is sent", () => {
  test.each([
    [undefined, /enqueue: expected \{ queue, class, args \} or what defineJob returns, got undefined/],
    ["mail", /enqueue: expected \{ queue, class, args \} or what defineJob returns, got "mail"/],
    [{ class: "A" }, /enqueue: class "A" has no queue/],
    [{ queue: "", class: "A" }, /enqueue: class "A" has no queue/],
    [{ queue: "q", class: "" }, /class: expected a non-empty string/],
    [{ queue: "q", class: "A", args: "x" }, /args: expected an array, got a string/],
    [{ queue: "q", class: "A", args: [Number.NaN] }, /NaN .* no JSON form/],
  ])("by enqueue: %o", async (job, message) => {
    sent.length = 0;
    await expect(createAirlift(good).enqueue(job as never)).rejects.toThrow(message);
    expect(sent).toEqual([]);
  });

  test.each([
    [{ queue: "q", class: "A" }, /enqueueAll: expected an array of jobs, got object/],
    [["mail", "A"], /enqueueAll: 0: expected \{ queue, class, args \} .*, got "mail"/],
  ])("by enqueueAll, if it is no list of jobs: %o", async (jobs, message) => {
    await expect(createAirlift(good).enqueueAll(jobs as never)).rejects.toThrow(message);
  });

  test("by enqueueAll, wherever in the list it is", async () => {
    sent.length = 0;
    const jobs = [
      ...Array.from({ length: 9_999 }, (_, i) => ({ queue: "q", class: "A", args: [i] })),
      { queue: "q", class: "" },
    ];
    await expect(createAirlift(good).enqueueAll(jobs)).rejects.toThrow(/class: expected a non-empty string/);
    expect(sent).toEqual([]);
  });

  test.each([{ queue: "", class: "A" }, { class: "A" }])("by enqueueAll without a queue: %o", async (job) => {
    sent.length = 0;
    await expect(createAirlift(good).enqueueAll([job as never])).rejects.toMatchObject({ name: "UsageError" });
    expect(sent).toEqual([]);
  });
});
