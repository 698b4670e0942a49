import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createHooks } from "../../src/core/call-hooks.ts";
import { discard, release, retry } from "../../src/core/directive.ts";
import type { AppHooks, JobHooks } from "../../src/core/hooks.ts";
import { defineJob } from "../../src/core/job.ts";
import type { JobContext, Logger } from "../../src/core/job-context.ts";
import { defineMiddleware } from "../../src/core/middleware.ts";
import { OK } from "../../src/core/outcome.ts";
import type { DrainReport } from "../../src/core/report.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";
import { createManualClock } from "./manual-clock.ts";

const never = (): Promise<never> => new Promise(() => undefined);
const failing = (): never => {
  throw new Error("the hook's own");
};
const rejecting = () => Promise.reject(new Error("the hook's own"));
const hostile = () =>
  new Proxy(
    {},
    {
      get: () => {
        throw new Error("hands off");
      },
    },
  );

function createBench(app: AppHooks, own: JobHooks = {}) {
  const clock = createManualClock();
  const lines: { message: string; class: unknown }[] = [];
  const line = (message: string, fields?: Record<string, unknown>) => {
    lines.push({ message, class: fields?.["class"] });
  };
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const definition = { hooks: own };
  const hooks = createHooks({ app, find: (name) => (name === "Job" ? definition : undefined), clock, logger });
  return { clock, lines, hooks, definition };
}

const job = { queue: "q", class: "Job", args: [] } as unknown as JobContext;
const report = { stopped: "empty", claimed: 1 } as DrainReport;

/** Whether a promise ends before a clock is moved on. */
async function endsWithout(promise: PromiseLike<unknown> | undefined): Promise<boolean> {
  let hasEnded = false;
  void promise?.then(() => {
    hasEnded = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return hasEnded || promise === undefined;
}

describe("a hook that fails is logged with its name, its job's class, and breaks nothing", () => {
  test.each<[name: string, hook: () => unknown]>([
    ["throws", failing],
    ["rejects", rejecting],
    ["returns what cannot be touched", hostile],
  ])("when it %s", async (_how, hook) => {
    const all = { beforePerform: hook, afterPerform: hook, onFailure: hook, beforeEnqueue: hook, afterEnqueue: hook };
    const { hooks, definition, lines } = createBench({ ...all, queueEmpty: hook, drainEnd: hook }, all);
    await hooks.beforePerform(definition, job);
    expect(await hooks.beforeEnqueue([job])).toEqual([job]);
    await hooks.afterEnqueue([job]);
    const drain = hooks.openDrain();
    drain.afterJob(definition, job, OK, undefined);
    drain.afterJob(
      definition,
      job,
      { kind: "failed", failure: { exception: "E", message: "", backtrace: [] } },
      "error",
    );
    await drain.end(report, undefined);
    const of = (name: string, count = 2) => Array(count).fill({ message: `the hook ${name} failed`, class: "Job" });
    const ofDrain = (name: string) => ({ message: `the hook ${name} failed`, class: undefined });
    expect(lines).toEqual([
      ...["beforePerform", "beforeEnqueue", "afterEnqueue", "afterPerform", "onFailure"].flatMap((name) => of(name)),
      ...[ofDrain("queueEmpty"), ofDrain("drainEnd")],
    ]);
  });
});

describe("what is asynchronous is waited for", () => {
  test("before a job is performed or enqueued, and after it is enqueued, for 5 seconds each", async () => {
    const hung = { beforePerform: never, beforeEnqueue: never, afterEnqueue: never };
    const { hooks, definition, clock, lines } = createBench(hung, hung);
    const waits = [
      () => hooks.beforePerform(definition, job),
      () => Promise.resolve(hooks.beforeEnqueue([job, job])),
      () => hooks.afterEnqueue([job, job]),
    ];
    for (const wait of waits) {
      const promise = wait();
      await clock.advance(4_999);
      expect(await endsWithout(promise)).toBe(false);
      await clock.advance(1);
      expect(await endsWithout(promise)).toBe(true);
    }
    expect(new Set(lines.map(({ message }) => message))).toEqual(
      new Set(Object.keys(hung).map((name) => `the hook ${name} did not end within 5000 ms`)),
    );
    expect(clock.pendingMs).toEqual([]);
  });

  test("and leaves no timer behind", async () => {
    const { hooks, definition, clock } = createBench({ beforePerform: async () => undefined });
    await hooks.beforePerform(definition, job);
    expect(clock.pendingMs).toEqual([]);
  });

  test("at a drain's end: those of its jobs first, all of them together for 5 seconds", async () => {
    const seen: string[] = [];
    const { hooks, definition, clock } = createBench({
      afterPerform: never,
      queueEmpty: () => seen.push("queueEmpty"),
      drainEnd: () => seen.push("drainEnd"),
    });
    const drain = hooks.openDrain();
    drain.afterJob(definition, job, OK, undefined);
    const ending = drain.end(report, undefined);
    await clock.advance(4_999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(await endsWithout(ending)).toBe(true);
    expect(seen).toEqual(["queueEmpty", "drainEnd"]);
  });

  test("but not beyond the drain's deadline", async () => {
    const { hooks, clock } = createBench({ drainEnd: never });
    const ending = hooks.openDrain().end(report, clock.nowMs() + 200);
    await clock.advance(199);
    expect(await endsWithout(ending)).toBe(false);
    await clock.advance(1);
    expect(await endsWithout(ending)).toBe(true);
    expect(await endsWithout(hooks.openDrain().end(report, clock.nowMs() - 1))).toBe(true);
  });

  test("of one drain only", async () => {
    const { hooks, definition } = createBench({ afterPerform: never });
    hooks.openDrain().afterJob(definition, job, OK, undefined);
    expect(await endsWithout(hooks.openDrain().end(report, undefined))).toBe(true);
  });

  test("by a drain that throws, too", async () => {
    const seen: string[] = [];
    const { hooks, definition, clock } = createBench({ afterPerform: never, drainEnd: () => seen.push("drainEnd") });
    const drain = hooks.openDrain();
    drain.afterJob(definition, job, OK, undefined);
    const ending = drain.end(undefined, undefined);
    expect(await endsWithout(ending)).toBe(false);
    await clock.advance(5_000);
    expect(await endsWithout(ending)).toBe(true);
    expect(seen).toEqual([]);
  });
});

describe("where nothing is asynchronous nothing is waited for", () => {
  test("and where there are no hooks the list of jobs is the same", () => {
    const { hooks, definition } = createBench({ drainEnd: () => undefined });
    const jobs = [job];
    expect(hooks.beforePerform(definition, job)).toBeUndefined();
    expect(hooks.beforeEnqueue(jobs)).toBe(jobs);
    expect(hooks.afterEnqueue(jobs)).toBeUndefined();
  });

  test("hooks that answer at once included", () => {
    const at = { beforePerform: () => 1, beforeEnqueue: () => true, afterEnqueue: () => 1 };
    const { hooks, definition } = createBench(at, at);
    expect(hooks.beforePerform(definition, job)).toBeUndefined();
    expect(hooks.beforeEnqueue([job])).toEqual([job]);
    expect(hooks.afterEnqueue([job])).toBeUndefined();
  });
});

describe("beforeEnqueue", () => {
  const jobs = [1, 2, 3].map((n) => ({ queue: "q", class: n === 3 ? "Other" : "Job", args: [n] }));

  test("keeps out what any hook answers with false, and nothing else", () => {
    const { hooks } = createBench({ beforeEnqueue: ({ args }) => args?.[0] !== 1 });
    expect(hooks.beforeEnqueue(jobs)).toEqual(jobs.slice(1));
    const { hooks: odd } = createBench({ beforeEnqueue: () => 0 }, { beforeEnqueue: () => null });
    expect(odd.beforeEnqueue(jobs)).toEqual(jobs);
  });

  test("of a class sees jobs of that class only, or of the definition that was given", async () => {
    const { hooks } = createBench({}, { beforeEnqueue: async () => false });
    expect(await hooks.beforeEnqueue(jobs)).toEqual(jobs.slice(2));
    expect(await hooks.beforeEnqueue(jobs, { hooks: { beforeEnqueue: () => false } })).toEqual([]);
    expect(await hooks.beforeEnqueue(jobs, {})).toEqual(jobs);
  });
});

describe.each(setups())("hooks over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("are called at Ruby's moments, the app's before the class's, around middleware", async () => {
    const seen: string[] = [];
    const at = (whose: string): JobHooks => ({
      beforePerform: async (job) => {
        await Promise.resolve();
        seen.push(`${whose} beforePerform ${job.args[0]}`);
      },
      afterPerform: (_job, result) => seen.push(`${whose} afterPerform ${result}`),
      onFailure: (_job, error, { kind: outcome }) => seen.push(`${whose} onFailure ${error} ${outcome}`),
      beforeEnqueue: ({ queue, class: name, args }) => seen.push(`${whose} beforeEnqueue ${queue} ${name} ${args}`),
      afterEnqueue: ({ args }) => seen.push(`${whose} afterEnqueue ${args}`),
    });
    const job = defineJob({
      class: "Job",
      queue: "q",
      hooks: at("class"),
      middleware: [
        (_job, next) => {
          seen.push("middleware");
          return next();
        },
      ],
      perform: ([what]) => {
        seen.push("perform");
        if (what === "bad") throw new RangeError("boom");
        return `${what} is done`;
      },
    });
    const drainHooks: AppHooks = {
      queueEmpty: ({ claimed }) => seen.push(`queueEmpty ${claimed}`),
      drainEnd: ({ stopped }) => seen.push(`drainEnd ${stopped}`),
    };
    const airlift = world.app({ jobs: [job], hooks: { ...at("app"), ...drainHooks } });
    await airlift.enqueue(job, ["good"]);
    await airlift.enqueueAll([{ queue: "q", class: "Job", args: ["bad"] }]);
    expect(seen.splice(0)).toEqual(
      ["good", "bad"].flatMap((what) => [
        `app beforeEnqueue q Job ${what}`,
        `class beforeEnqueue q Job ${what}`,
        `app afterEnqueue ${what}`,
        `class afterEnqueue ${what}`,
      ]),
    );
    await airlift.drain({ maxJobs: 1 });
    expect(seen.splice(0)).toEqual([
      ...["app beforePerform good", "class beforePerform good", "middleware", "perform"],
      ...["app afterPerform good is done", "class afterPerform good is done", "drainEnd budget"],
    ]);
    await airlift.drain();
    expect(seen.splice(0)).toEqual([
      ...["app beforePerform bad", "class beforePerform bad", "middleware", "perform"],
      ...["app onFailure RangeError: boom failed", "class onFailure RangeError: boom failed"],
      ...["queueEmpty 1", "drainEnd empty"],
    ]);
    await airlift.drain();
    expect(seen).toEqual(["drainEnd empty"]);
  });

  test("tell of every failure with what becomes of it, and of no ending that was asked for", async () => {
    const seen: unknown[][] = [];
    const wait = [3_600_000];
    const hooks: AppHooks = {
      afterPerform: (job, result) => seen.push([job.class, "after", result]),
      onFailure: (job, error, outcome) =>
        seen.push([job.class, outcome.kind, error === undefined ? "-" : String(error)]),
    };
    const boom = () => {
      throw new Error("boom");
    };
    const jobs = [
      defineJob({ class: "Fails", perform: boom }),
      defineJob({ class: "Retries", retry: { backoff: wait }, perform: boom }),
      defineJob({ class: "Dropped", retry: { limit: 0, exhausted: "drop" }, perform: boom }),
      defineJob<[string]>({ class: "Invalid", decode: boom, perform: () => undefined }),
      defineJob({ class: "TimesOut", timeoutMs: 20, perform: never }),
      defineJob({ class: "AsksAgain", retry: { backoff: wait }, perform: () => retry() }),
      defineJob({ class: "Discards", perform: () => discard("gone") }),
      defineJob({ class: "Releases", perform: () => release({ afterMs: 3_600_000 }) }),
      defineJob({ class: "Good", perform: async () => 42 }),
    ];
    for (const { class: name } of jobs) await world.push("q", `{"class":"${name}","args":[]}`);
    await world.app({ jobs, hooks }).drain();
    expect(seen.toSorted()).toEqual([
      ["AsksAgain", "retrying", "-"],
      ["Dropped", "dropped", "Error: boom"],
      ["Fails", "failed", "Error: boom"],
      ["Good", "after", 42],
      ["Invalid", "failed", "InvalidArgumentsError: the payload cannot be decoded: Error: boom"],
      ["Retries", "retrying", "Error: boom"],
      ["TimesOut", "failed", "TimeoutError: the job did not end within its time limit of 20 ms"],
    ]);
    await world.send(["DEL", world.keys.retries]);
  });

  test("that fail, all of them, change neither jobs nor queues nor the drain", async () => {
    for (const hook of [failing, rejecting, hostile]) {
      await world.flush();
      const own = { beforePerform: hook, afterPerform: hook, onFailure: hook, beforeEnqueue: hook, afterEnqueue: hook };
      const job = defineJob({
        class: "Job",
        queue: "q",
        hooks: own,
        perform: ([what]) => {
          if (what === "bad") throw new Error("boom");
        },
      });
      const airlift = world.app({ jobs: [job], hooks: { ...own, queueEmpty: hook, drainEnd: hook } });
      expect(await airlift.enqueue(job, ["good"])).toMatchObject({ queue: "q", length: 1 });
      await airlift.enqueue(job, ["bad"]);
      expect(await airlift.drain()).toMatchObject({ claimed: 2, succeeded: 1, failed: 1, stopped: "empty" });
      expect(await world.failed()).toMatchObject([{ exception: "Error", error: "boom" }]);
    }
  });

  test("may keep jobs from being enqueued", async () => {
    const hooks: AppHooks = { beforeEnqueue: async ({ args }) => args?.[0] !== "no" };
    const airlift = world.app({ jobs: [], hooks });
    await airlift.enqueue({ queue: "q", class: "Job", args: ["no"] });
    expect(await world.keyNames()).toEqual([]);
    await airlift.enqueueAll(["yes", "no", "yes"].map((what) => ({ queue: "q", class: "Job", args: [what] })));
    expect(await world.queued("q")).toEqual(Array(2).fill('{"class":"Job","args":["yes"]}'));
  });

  test("of a class that the app does not run hold for what it enqueues of it", async () => {
    const seen: unknown[] = [];
    const hooks: JobHooks = {
      beforeEnqueue: ({ args }) => args?.[0] !== "no",
      afterEnqueue: ({ args }) => seen.push(args),
    };
    const job = defineJob({ class: "Elsewhere", queue: "q", hooks, perform: () => undefined });
    const airlift = world.app({ jobs: [] });
    await airlift.enqueue(job, ["no"]);
    await airlift.enqueue(job, ["yes"]);
    expect(seen).toEqual([["yes"]]);
    expect(await world.queued("q")).toEqual(['{"class":"Elsewhere","args":["yes"]}']);
  });

  test("see the context that middleware gave", async () => {
    const seen: object[] = [];
    const hooks: AppHooks = { afterPerform: ({ context }) => seen.push(context) };
    await world.push("q", '{"class":"Job","args":[]}');
    const middleware = [defineMiddleware((_job, next) => next({ tenant: "t" }))];
    await world.app({ jobs: [{ class: "Job", perform: () => undefined }], hooks, middleware }).drain();
    expect(seen).toEqual([{ tenant: "t" }]);
  });
});
