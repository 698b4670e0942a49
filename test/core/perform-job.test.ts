import * as v from "valibot";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createAirlift } from "../../src/airlift.ts";
import { createHooks } from "../../src/core/call-hooks.ts";
import { release, retry } from "../../src/core/directive.ts";
import { toFailure } from "../../src/core/failure.ts";
import type { JobHooks } from "../../src/core/hooks.ts";
import { type AnyJobDefinition, defineJob } from "../../src/core/job.ts";
import type { JobContext, Logger } from "../../src/core/job-context.ts";
import { defineMiddleware } from "../../src/core/middleware.ts";
import { createPerformer, type PerformerOptions } from "../../src/core/perform-job.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";
import { createManualClock } from "./manual-clock.ts";

const silent: Logger = { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 };
const createJob = (args: readonly unknown[] = []) =>
  ({
    ...{ queue: "q", class: "Job", args, raw: "{}", attempt: 1, signal: new AbortController().signal, log: silent },
    ...{ context: {}, resources: {} },
  }) as unknown as JobContext;
const hooksOf = (app: JobHooks) =>
  createHooks({ app, find: () => undefined, clock: createManualClock(), logger: silent });
const pass = defineMiddleware(function passing(_job, next) {
  return next();
});
const passLater = defineMiddleware(async function passingLater(_job, next) {
  await Promise.resolve();
  return await next();
});
const schema = z.tuple([z.string()]);
const asyncSchema = v.tupleAsync([
  v.pipeAsync(
    v.string(),
    v.checkAsync(async () => true),
  ),
]);

/** Calls a performer from a frame of the name that core/job-runner.ts has there. */
function runAsJob(options: PerformerOptions, definition: AnyJobDefinition, job = createJob(["x"])): unknown {
  const perform = createPerformer(options);
  const performJob = (): unknown => perform(definition, job.args, job);
  return performJob();
}

describe("a job with nothing around its handler", () => {
  test("is one call: same arguments, same job, what the handler returns", () => {
    const job = createJob([1]);
    const seen: unknown[] = [];
    const promise = Promise.resolve();
    const perform = (args: unknown, given: JobContext) => {
      seen.push(args, given);
      return promise;
    };
    expect(runAsJob({}, { class: "Job", perform }, job)).toBe(promise);
    expect(seen[0]).toBe(job.args);
    expect(seen[1]).toBe(job);
  });

  test("stays synchronous, also beside hooks for other moments, and with a schema that is", () => {
    const hooks = hooksOf({ afterPerform: () => undefined, beforePerform: () => "not a promise" });
    expect(runAsJob({ hooks }, { class: "Job", perform: () => "done" })).toBe("done");
    expect(runAsJob({ hooks }, defineJob({ class: "Job", args: schema, perform: ([text]) => text }))).toBe("x");
    expect(() => runAsJob({}, { class: "Job", perform: () => JSON.parse("{") })).toThrow(SyntaxError);
  });

  test("has no context and no resources", () => {
    const seen: unknown[] = [];
    runAsJob({}, { class: "Job", perform: (_args: unknown, job: JobContext) => seen.push(job.context, job.resources) });
    expect(seen).toEqual([{}, {}]);
  });
});

test("arguments are read, then hooks called, then middleware entered, then the handler called", async () => {
  const seen: string[] = [];
  const see = (what: string) => () => void seen.push(what);
  const definition = defineJob({
    class: "Job",
    decode: async () => {
      seen.push("decode");
      return ["x"];
    },
    args: v.pipeAsync(
      v.tuple([v.string()]),
      v.checkAsync(async () => seen.push("schema") > 0),
    ),
    hooks: { beforePerform: see("hook of the class") },
    middleware: [
      (_job, next) => {
        seen.push("middleware of the class");
        return next();
      },
    ],
    perform: see("handler"),
  });
  const middleware = [
    defineMiddleware((_job, next) => {
      seen.push("middleware of the app");
      return next();
    }),
  ];
  await runAsJob({ middleware, hooks: hooksOf({ beforePerform: see("hook of the app") }) }, definition);
  expect(seen).toEqual([
    ...["decode", "schema", "hook of the app", "hook of the class"],
    ...["middleware of the app", "middleware of the class", "handler"],
  ]);
});

test("nothing of a job runs whose arguments are refused", async () => {
  const seen: string[] = [];
  const see = (what: string) => () => void seen.push(what);
  const around = { middleware: [see("middleware")], hooks: hooksOf({ beforePerform: see("hook") }) };
  const later = defineJob({ class: "Job", args: asyncSchema, perform: see("handler") });
  const now = defineJob({ class: "Job", args: schema, perform: see("handler") });
  await expect(runAsJob(around, now, createJob([5]))).rejects.toThrow("args[0]: Invalid input");
  await expect(runAsJob(around, later, createJob([5]))).rejects.toMatchObject({
    ...{ name: "InvalidArgumentsError", code: "ERR_INVALID_ARGUMENTS", path: "[0]" },
  });
  expect(seen).toEqual([]);
});

describe("a failure's backtrace shows the handler's frames, and nothing between them and Airlift", () => {
  const failing = function failingHandler(): never {
    throw new Error("boom");
  };
  const failingLater = async function failingHandlerLater(): Promise<never> {
    await Promise.resolve();
    throw new Error("boom");
  };
  const waiting = { hooks: hooksOf({ beforePerform: () => Promise.resolve() }) };
  const around: [name: string, options: PerformerOptions, parts: Partial<AnyJobDefinition>][] = [
    ["nothing", {}, {}],
    ["a schema", {}, { args: schema }],
    ["an asynchronous schema", {}, { args: asyncSchema }],
    ["a hook that it waits for", waiting, {}],
    ["middleware", { middleware: [pass, pass] }, {}],
    ["middleware that pauses", { middleware: [passLater] }, { middleware: [passLater] }],
    ["all of them", { ...waiting, middleware: [passLater, pass] }, { args: asyncSchema }],
  ];
  test.each(around)("inside %s", async (_name, options, parts) => {
    for (const perform of [failing, failingLater]) {
      const definition: AnyJobDefinition = { class: "Job", perform, ...parts };
      const error = await (async () => runAsJob(options, definition))().catch((thrown: unknown) => thrown);
      const frames = toFailure(error).backtrace.filter((line) => !line.includes("processTicksAndRejections"));
      expect(frames).toEqual([expect.stringContaining(perform.name)]);
    }
  });

  test.each<[name: string, parts: Partial<AnyJobDefinition>, frames: string[]]>([
    ["a decoder", { decode: failing }, ["caused by Error: boom", "failingHandler"]],
    ["an asynchronous decoder", { decode: failingLater }, ["caused by Error: boom", "failingHandlerLater"]],
    [
      "a schema that throws",
      { args: { "~standard": { version: 1, vendor: "", validate: failing } } },
      ["failingHandler"],
    ],
    ["a schema that refuses", { args: z.never() }, []],
    ["an asynchronous schema that refuses", { args: asyncSchema }, []],
  ])("or those of %s", async (_name, parts, frames) => {
    const definition: AnyJobDefinition = { class: "Job", perform: () => undefined, ...parts };
    const error = await (async () => runAsJob({}, definition, createJob([5])))().catch((thrown: unknown) => thrown);
    const { backtrace } = toFailure(error);
    expect(backtrace.filter((line) => !line.includes("processTicksAndRejections"))).toEqual(
      frames.map((frame) => expect.stringContaining(frame)),
    );
  });

  test("or those of the middleware that failed", async () => {
    const failingMiddleware = defineMiddleware(async function failingMiddleware(_job, next) {
      await next();
      throw new Error("boom");
    });
    const run = runAsJob({ middleware: [pass, failingMiddleware] }, { class: "Job", perform: () => undefined });
    const error = await (run as Promise<unknown>).catch((thrown: unknown) => thrown);
    expect(toFailure(error).backtrace).toEqual([expect.stringContaining("failingMiddleware")]);
  });
});

test.each<
  [
    waiting: string,
    options: (passed: Promise<void>) => PerformerOptions,
    parts: (passed: Promise<void>) => Partial<AnyJobDefinition>,
  ]
>([
  ["its decoder", () => ({}), (passed) => ({ decode: () => passed.then(() => []) })],
  ["a hook before it", (passed) => ({ hooks: hooksOf({ beforePerform: () => passed }) }), () => ({})],
  ["its middleware", () => ({}), (passed) => ({ middleware: [(_job, next) => passed.then(() => next())] })],
])("a job that is aborted while it waits for %s does not begin", async (_waiting, options, parts) => {
  const gate = createGate();
  const controller = new AbortController();
  const job = { ...createJob(), signal: controller.signal };
  let runs = 0;
  const definition: AnyJobDefinition = { class: "Job", perform: () => runs++, ...parts(gate.passed) };
  const run = runAsJob(options(gate.passed), definition, job);
  const reason = new Error("time is up");
  controller.abort(reason);
  gate.open();
  await expect(run).rejects.toBe(reason);
  expect(runs).toBe(0);
});

describe("a wrong option is told by its name", () => {
  const redis = { command: fail, pipeline: fail, transaction: fail, script: fail } as unknown as RedisClient;
  const create = (options: object, job: object = {}) =>
    createAirlift({ redis, queues: ["q"], jobs: [{ class: "Job", perform: () => undefined, ...job }], ...options });

  test.each([
    [{ middleware: [1] }, /middleware\.0: expected a function, got 1/],
    [{ middleware: {} }, /middleware: expected an array of functions/],
    [{ hooks: { beforePerform: 1 } }, /hooks\.beforePerform: expected a function, got 1/],
    [{ hooks: { befourPerform: () => 1 } }, /hooks\.befourPerform: unknown option/],
    [{ resources: { db: "db" } }, /resources: expected an object of functions that open something/],
  ])("of the app: %o", (options, message) => expect(() => create(options)).toThrow(message));

  test.each([
    [{ args: {} }, /jobs\.0\.args: expected a schema of Standard Schema/],
    [{ args: null }, /jobs\.0\.args: expected a schema of Standard Schema, got null/],
    [{ decode: "json" }, /jobs\.0\.decode: expected a function, got "json"/],
    [{ middleware: [null] }, /jobs\.0\.middleware\.0: expected a function, got null/],
    [{ hooks: { drainEnd: () => 1 } }, /jobs\.0\.hooks\.drainEnd: unknown option/],
  ])("of a job: %o", (job, message) => expect(() => create({}, job)).toThrow(message));

  test("but a schema that is a function is one", () => {
    const callable = Object.assign(() => undefined, { "~standard": schema["~standard"] });
    expect(() => create({}, { args: callable })).not.toThrow();
  });
});

function fail(): never {
  throw new Error("nothing should be sent");
}

describe.each(setups())("directives over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("pass schema, hooks and middleware unchanged", async () => {
    await world.push("q", '{"class":"Retries","args":["x"]}', '{"class":"Releases","args":["x"]}');
    const parts = { args: schema, middleware: [passLater, pass] } as const;
    const jobs = [
      defineJob({ class: "Retries", ...parts, perform: () => retry({ afterMs: 3_600_000 }) }),
      defineJob({ class: "Releases", ...parts, perform: async () => release({ afterMs: 3_600_000 }) }),
    ];
    const hooks = { beforePerform: async () => undefined };
    const report = await world.app({ jobs, hooks, middleware: [pass] }).drain();
    expect(report).toMatchObject({ claimed: 2, retried: 1, released: 1, succeeded: 0, failed: 0 });
    await world.send(["DEL", world.keys.retries]);
  });
});
