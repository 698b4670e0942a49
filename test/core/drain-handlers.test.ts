import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunHandler } from "../../src/core/job-runner.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

class PaymentDeclined extends Error {}

const busy = (ms: number): void => {
  for (const endMs = Date.now() + ms; Date.now() < endMs; );
};
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error("hands off");
    },
    has: () => {
      throw new Error("hands off");
    },
  },
);
const thenable = (then: (resolve: (value?: unknown) => void, reject: (error: unknown) => void) => void): unknown => {
  const object: Record<string, unknown> = {};
  // biome-ignore lint/suspicious/noThenProperty: what a handler returns may be one
  object["then"] = then;
  return object;
};

/** Handlers that end well. */
const GOOD = {
  ReturnsNothing: () => undefined,
  ReturnsAnything: () => ({ ignored: true }),
  IsAsync: async () => "ignored",
  IsAsyncLater: macrotask,
  ReturnsAnErrorThatNobodyThrew: () => new Error("only a value"),
  ReturnsAThenable: () => thenable((resolve) => resolve()),
  ResolvesTwice: () =>
    thenable((resolve) => {
      resolve();
      resolve();
    }),
  RejectsAfterResolving: () =>
    thenable((resolve, reject) => {
      resolve();
      reject(new Error("too late"));
    }),
  ThrowsAfterResolving: () =>
    thenable((resolve) => {
      resolve();
      throw new Error("too late");
    }),
  ChangesItsArguments: (args: unknown[]) => {
    args.length = 0;
  },
} as const;

/** Handlers that end badly, and the exception and message in their failed entries. */
const BAD: Record<string, [perform: () => unknown, exception: string, message: string | RegExp]> = {
  ThrowsAnError: [() => throwIt(new TypeError("boom")), "TypeError", "boom"],
  ThrowsASubclass: [() => throwIt(new PaymentDeclined("no funds")), "PaymentDeclined", "no funds"],
  ThrowsAText: [() => throwIt("oops"), "NonError", 'the handler threw "oops"'],
  ThrowsUndefined: [() => throwIt(undefined), "NonError", "the handler threw undefined"],
  ThrowsNull: [() => throwIt(null), "NonError", "the handler threw null"],
  ThrowsAFrozenObject: [() => throwIt(Object.freeze({ code: 1 })), "NonError", 'the handler threw {"code":1}'],
  ThrowsAProxy: [() => throwIt(hostile), "Error", /cannot be read/],
  Rejects: [() => Promise.reject(new RangeError("far")), "RangeError", "far"],
  RejectsWithNothing: [() => Promise.reject(), "NonError", "the handler threw undefined"],
  RejectsLater: [() => macrotask().then(() => throwIt(new Error("later"))), "Error", "later"],
  ReturnsAThenableThatRejects: [() => thenable((_, reject) => reject(new Error("no"))), "Error", "no"],
  ReturnsAThenableThatThrows: [() => thenable(() => throwIt(new Error("at once"))), "Error", "at once"],
  ReturnsAProxy: [() => hostile, "Error", "hands off"],
  NeverSettles: [() => new Promise(() => undefined), "TimeoutError", /did not end within its time limit of 40 ms/],
  NeverSettlesAThenable: [() => thenable(() => undefined), "TimeoutError", /time limit of 40 ms/],
  BlocksTheLoop: [
    () => busy(60),
    "TimeoutError",
    /took \d+ ms, its time limit being 40 ms; it kept the event loop busy/,
  ],
  BlocksTheLoopLater: [() => macrotask().then(() => busy(60)), "TimeoutError", /time limit/],
};

function throwIt(value: unknown): never {
  throw value;
}

describe.each(setups())("handlers over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("that end well are done", async () => {
    const jobs = Object.entries(GOOD).map(([name, perform]) => ({ class: name, perform }));
    for (const { class: name } of jobs) await world.push("q", `{"class":"${name}","args":[1]}`);
    const report = await world.app({ jobs, concurrency: 3 }).drain();
    const count = jobs.length;
    expect(report).toMatchObject({ stopped: "empty", claimed: count, succeeded: count, failed: 0, remaining: 0 });
    expect(await world.get(world.keys.processed)).toBe(String(count));
    expect(await world.failed()).toEqual([]);
  });

  test("that end badly end in failed, each as what it threw, and the drain goes on", async () => {
    const names = Object.keys(BAD);
    const jobs = Object.entries(BAD).map(([name, [perform, exception]]) => ({
      ...{ class: name, perform },
      ...(exception === "TimeoutError" ? { timeoutMs: 40 } : {}),
    }));
    let noops = 0;
    for (const name of names) await world.push("q", `{"class":"${name}","args":[]}`, payload("between"));
    const report = await world.app({ jobs: [...jobs, { class: "Noop", perform: () => noops++ }] }).drain();
    expect(report).toMatchObject({ stopped: "empty", failed: names.length, succeeded: names.length, lost: 0 });
    expect(noops).toBe(names.length);
    const entries = await world.failed();
    expect(entries.map(({ payload: job }) => job.class).toSorted()).toEqual(names.toSorted());
    for (const { payload: job, exception, error, backtrace, queue, worker, failed_at } of entries) {
      const [, expectedException, message] = BAD[job.class] as (typeof BAD)[string];
      expect([job.class, exception]).toEqual([job.class, expectedException]);
      expect(error).toMatch(message);
      expect(backtrace).toBeInstanceOf(Array);
      expect(queue).toBe("q");
      expect(worker).toMatch(/^airlift-[a-z]+-[0-9a-f]+:\d+-\d+:q$/);
      expect(failed_at).toMatch(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC$/);
    }
    expect(await world.get(world.keys.processed)).toBe(String(2 * names.length));
    expect(await world.get(world.keys.failures)).toBe(String(names.length));
  });

  test("are told everything about their job", async () => {
    const lines: unknown[][] = [];
    const log = (...line: unknown[]) => void lines.push(line);
    const raw = '{ "class":"Tell","args":[12345678901234567890,{"x":[]}],"queue":"elsewhere" }';
    await world.push("q", raw);
    let told: unknown;
    const perform = (args: readonly unknown[], job: import("../../src/core/job.ts").JobContext) => {
      const { queue, class: name, raw: text, attempt } = job;
      told = { args, same: job.args === args, queue, name, text, attempt, aborted: job.signal.aborted };
      job.log.info("hello", { n: 1 });
    };
    const logger = { debug: log, info: log, warn: log, error: log };
    await world.app({ jobs: [{ class: "Tell", perform }], logger }).drain();
    expect(told).toEqual({
      ...{ args: [12345678901234567890n, { x: [] }], same: true, queue: "q", name: "Tell", text: raw },
      ...{ attempt: 1, aborted: false },
    });
    expect(lines).toEqual([["hello", { queue: "q", class: "Tell", n: 1 }]]);
  });

  test("beyond their time limit are aborted, and what they do then counts no more", async () => {
    await world.push("q", '{"class":"Slow","args":[]}');
    const reasons: unknown[] = [];
    const perform = (_args: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as Error).name);
          resolve("done after all");
        });
      });
    const report = await world.app({ jobs: [{ class: "Slow", perform, timeoutMs: 20 }] }).drain();
    expect(reasons).toEqual(["TimeoutError"]);
    expect(report).toMatchObject({ failed: 1, succeeded: 0 });
    expect(await world.failed()).toMatchObject([{ exception: "TimeoutError" }]);
    expect(await world.get(world.keys.processed)).toBe("1");
  });
});

const [anySetup] = setups();

describe("around handlers", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("the app's time limit holds for a class without one", async () => {
    await world.push("q", payload(1));
    const jobs = [{ class: "Noop", perform: () => new Promise(() => undefined) }];
    await world.app({ jobs, timeoutMs: 20 }).drain();
    expect(await world.failed()).toMatchObject([
      { exception: "TimeoutError", error: expect.stringContaining("20 ms") },
    ]);
  });

  test("no more jobs run at the same time than the concurrency", async () => {
    await world.push("q", ...payloads(100));
    let running = 0;
    let most = 0;
    const all = createGate();
    const perform = async () => {
      most = Math.max(most, ++running);
      if (running === 7) all.open();
      await all.passed;
      await macrotask();
      running--;
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 7 }).drain();
    expect(report.succeeded).toBe(100);
    expect(most).toBe(7);
  });

  const hostileCall = () => throwIt(new Error("hostile"));
  const hostileLogger = { debug: hostileCall, info: hostileCall, warn: hostileCall, error: hostileCall };
  const logging = {
    class: "Noop",
    perform: (_args: unknown, { log }: { log: { info(m: string): void } }) => log.info("x"),
  };

  test("a logger that throws breaks nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [logging], logger: hostileLogger });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 3 });
  });

  test("a listener that throws breaks nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [logging], onEvent: hostileCall });
    expect(await app.drain({ onEvent: hostileCall })).toMatchObject({ stopped: "empty", succeeded: 3 });
  });

  test("a logger and a listener that throw break nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [logging], logger: hostileLogger, onEvent: hostileCall });
    const drain = app.drain();
    await drain.catch(() => world.flush());
    expect(await drain).toMatchObject({ stopped: "empty", succeeded: 3 });
  });

  test("every claimed job is told once as claimed and once as ended", async () => {
    await world.push("q", ...payloads(5), '{"class":"Boom","args":[]}', "not json");
    const kinds: string[] = [];
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }] });
    const report = await app.drain({
      onEvent: (event) => kinds.push(event.kind === "job-ended" ? `${event.class} ${event.outcome.kind}` : event.kind),
    });
    expect([kinds[0], kinds.at(-1)]).toEqual(["drain-started", "drain-ended"]);
    expect(kinds.slice(1, -1).toSorted()).toEqual(
      [...Array(7).fill("job-claimed"), ...Array(5).fill("Noop ok"), "Boom failed", "undefined failed"].toSorted(),
    );
    expect(report).toMatchObject({ claimed: 7, succeeded: 5, failed: 2 });
  });

  test("a host may fail a running job; after the job's end that does nothing", async () => {
    await world.push("q", '{"class":"Waits","args":[]}', '{"class":"Ends","args":[]}');
    const fails: ((error: unknown) => void)[] = [];
    const runHandler: RunHandler = (run, fail) => {
      fails.push(fail);
      return run();
    };
    const jobs = [
      { class: "Waits", perform: () => new Promise(() => undefined) },
      {
        class: "Ends",
        perform: async () => {
          await macrotask();
          for (const fail of fails.toReversed()) setImmediate(fail, new PaymentDeclined("out of the blue"));
        },
      },
    ];
    expect(await world.app({ jobs }).drain({ runHandler })).toMatchObject({ succeeded: 1, failed: 1 });
    expect(await world.failed()).toMatchObject([{ payload: { class: "Waits" }, exception: "PaymentDeclined" }]);
  });
});
