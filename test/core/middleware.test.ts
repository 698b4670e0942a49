import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, isDirective, retry } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import type { JobContext } from "../../src/core/job-context.ts";
import { type AnyMiddleware, defineMiddleware, performJob } from "../../src/core/middleware.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

function createJob(lines: unknown[] = []): JobContext {
  const line = (message: string, fields?: Record<string, unknown>) => void lines.push([message, fields]);
  return {
    ...{ queue: "q", class: "Job", args: [], raw: "{}", attempt: 1, signal: new AbortController().signal },
    log: { debug: line, info: line, warn: line, error: line },
    ...{ context: {}, resources: {} },
  } as unknown as JobContext;
}

/** Runs a handler in a chain, as core/job-runner.ts does. */
const run = (
  chain: readonly AnyMiddleware[],
  perform: (job: JobContext) => unknown = () => "done",
  job = createJob(),
) => performJob(chain, job, () => perform(job));

test("middleware stands around the handler as an onion does, each layer seeing what is inside end", async () => {
  const seen: string[] = [];
  const layer = (name: string): AnyMiddleware =>
    defineMiddleware(async (_job, next) => {
      seen.push(`${name} in`);
      await Promise.resolve();
      const result = await next();
      seen.push(`${name} out`);
      return result;
    });
  const result = await run([layer("a"), layer("b")], () => {
    seen.push("handler");
    return "done";
  });
  expect(result).toBe("done");
  expect(seen).toEqual(["a in", "b in", "handler", "b out", "a out"]);
});

describe("what a middleware returns", () => {
  test("is the job's result in the place of the handler's", async () => {
    expect(await run([async (_job, next) => [await next(), "wrapped"]])).toEqual(["done", "wrapped"]);
  });

  test("is nothing: the inside's result stands, a directive too", async () => {
    const silent: AnyMiddleware = async (_job, next) => {
      await next();
    };
    const asked = retry({ afterMs: 5 });
    expect(await run([silent, silent], () => asked)).toBe(asked);
    expect(await run([(_job, next) => void next()])).toBe("done");
  });

  test("is nothing: the inside's error stands, as a middleware that only tells of it must not swallow it", async () => {
    const seen: unknown[] = [];
    const telling: AnyMiddleware = async (_job, next) => {
      try {
        await next();
      } catch (error) {
        seen.push(error);
      }
    };
    const error = new Error("boom");
    await expect(run([telling, telling], () => Promise.reject(error))).rejects.toBe(error);
    expect(seen).toEqual([error, error]);
  });

  test("ends a job well that has failed inside, if it is something", async () => {
    const forgiving: AnyMiddleware = async (_job, next) => {
      try {
        return await next();
      } catch (error) {
        return discard((error as Error).message);
      }
    };
    expect(isDirective(await run([forgiving], () => Promise.reject(new Error("gone"))))).toBe(true);
  });

  test("ends the job without a call of next, and the handler does not run", async () => {
    let runs = 0;
    const closed: AnyMiddleware = () => "closed";
    expect(await run([closed, (_job, next) => next()], () => runs++)).toBe("closed");
    expect(await run([() => undefined], () => runs++)).toBeUndefined();
    expect(runs).toBe(0);
  });
});

test("an error of a middleware is the job's, before and after the handler, instead of the inside's", async () => {
  const before: AnyMiddleware = () => {
    throw new Error("before");
  };
  const after: AnyMiddleware = async (_job, next) => {
    await next().catch(() => undefined);
    throw new Error("after");
  };
  await expect(run([before])).rejects.toThrow("before");
  await expect(run([after])).rejects.toThrow("after");
  await expect(run([after], () => Promise.reject(new Error("inside")))).rejects.toThrow("after");
});

test("a second call of next rejects, naming class and middleware, and the handler runs once", async () => {
  let runs = 0;
  const twice: AnyMiddleware = async (_job, next) => {
    await next();
    return await next();
  };
  const chain: AnyMiddleware[] = [(_job, next) => next(), twice];
  await expect(run(chain, () => runs++)).rejects.toThrow('next: called twice (class "Job", middleware 2 of 2)');
  await expect(run(chain, () => runs++)).rejects.toMatchObject({ name: "UsageError" });
  expect(runs).toBe(2);
});

test("what fails inside after its middleware has ended is logged, and ends no process", async () => {
  const lines: unknown[] = [];
  const gate = createGate();
  const hasty: AnyMiddleware = (_job, next) => {
    void next();
    return "done already";
  };
  const error = new Error("late");
  const failing = async () => {
    await gate.passed;
    throw error;
  };
  expect(await run([hasty], failing, createJob(lines))).toBe("done already");
  gate.open();
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual([["a job failed after the middleware around it had ended", { error }]]);
});

describe("the context", () => {
  test("grows inwards, each member seen by those inside", async () => {
    const seen: object[] = [];
    const see = ({ context }: JobContext) => void seen.push(context);
    const withDb = defineMiddleware((job, next) => {
      see(job);
      return next({ db: "db" });
    });
    const withUser = defineMiddleware((job: JobContext<{ db: string }>, next) => {
      see(job);
      return next({ user: `${job.context.db}'s user` });
    });
    await run([withDb, withUser], see);
    expect(seen).toEqual([{}, { db: "db" }, { db: "db", user: "db's user" }]);
  });

  test("may have a member replaced for those inside, who was given the earlier one keeping it", async () => {
    let kept: object = {};
    const give = (n: number) => defineMiddleware((_job, next) => next({ n }));
    const keep: AnyMiddleware = defineMiddleware((job, next) => {
      kept = job.context;
      return next();
    });
    let inside: object = {};
    await run([give(1), keep, give(2)], ({ context }) => {
      inside = context;
    });
    expect([kept, inside]).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe.each(setups())("middleware over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("of the app stands around that of the class, and each job has a context of its own", async () => {
    const seen: string[] = [];
    const tagged = (tag: string) =>
      defineMiddleware(async (job, next) => {
        seen.push(`${tag} ${job.args[0]}`);
        return await next({ [tag]: job.args[0] });
      });
    const job = defineJob({
      class: "Job",
      middleware: [tagged("class")],
      perform: async ([n], { context }) => {
        await Promise.resolve();
        seen.push(`handler ${n} ${JSON.stringify(context)}`);
      },
    });
    for (const n of [1, 2]) await world.push("q", `{"class":"Job","args":[${n}]}`);
    const report = await world.app({ jobs: [job], middleware: [tagged("app")] }).drain();
    expect(report).toMatchObject({ succeeded: 2 });
    for (const n of [1, 2]) {
      expect(seen.filter((line) => line.includes(` ${n}`))).toEqual([
        `app ${n}`,
        `class ${n}`,
        `handler ${n} {"app":${n},"class":${n}}`,
      ]);
    }
  });

  test("may end the job, fail it, discard it; the drain goes on", async () => {
    let runs = 0;
    const door = defineMiddleware((job, next) => {
      if (job.args[0] === "close") return "not today";
      if (job.args[0] === "discard") return discard("not today");
      if (job.args[0] === "throw") throw new RangeError("not today");
      return next();
    });
    for (const what of ["close", "discard", "throw", "run"])
      await world.push("q", `{"class":"Job","args":["${what}"]}`);
    const jobs = [{ class: "Job", perform: () => void runs++ }];
    const report = await world.app({ jobs, middleware: [door] }).drain();
    expect(report).toMatchObject({ claimed: 4, succeeded: 2, discarded: 1, failed: 1, stopped: "empty" });
    expect(runs).toBe(1);
    expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "not today" }]);
  });

  test("is within the job's time limit", async () => {
    await world.push("q", '{"class":"Job","args":[]}');
    const stuck = defineMiddleware(() => new Promise(() => undefined));
    const jobs = [{ class: "Job", timeoutMs: 20, perform: () => undefined }];
    expect(await world.app({ jobs, middleware: [stuck] }).drain()).toMatchObject({ failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "TimeoutError" }]);
  });
});
