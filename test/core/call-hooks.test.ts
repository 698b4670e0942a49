import { describe, expect, test } from "vitest";
import { createHooks } from "../../src/core/call-hooks.ts";
import type { AppHooks, HookOwner, JobHooks } from "../../src/core/hooks.ts";
import type { JobContext } from "../../src/core/job-context.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { DrainReport } from "../../src/core/report.ts";
import type { Claim, Settlement } from "../../src/core/store.ts";
import { createManualClock } from "./manual-clock.ts";

const failure = { exception: "E", message: "", backtrace: [] };
const job = { queue: "q", class: "Job", args: [] } as unknown as JobContext;

function createBench(app: AppHooks | undefined, own: JobHooks = {}) {
  const clock = createManualClock();
  const logged: unknown[] = [];
  const events: unknown[] = [];
  const line = (message: string, fields?: object) => void logged.push({ message, ...fields });
  const definition: HookOwner = { hooks: own };
  const hooks = createHooks({
    ...{ app, clock, logger: { debug: line, info: line, warn: line, error: line } },
    find: (name) => (name === "Job" ? definition : undefined),
    emit: (event) => void events.push(event),
  });
  return { clock, hooks, definition, logged, events };
}

function ended(outcome: Outcome, kind: "job" | "malformed" = "job"): Settlement {
  const claimed: Claim["job"] =
    kind === "job"
      ? { kind, class: "Job", args: [1], raw: "{}", attempt: 2, retries: 1 }
      : { kind, raw: "x", reason: "", isBinary: false };
  return { claim: { slot: 0, token: "t", queue: "q", job: claimed }, outcome, durationMs: 5 };
}

describe("around enqueueing", () => {
  const refuse = (names: readonly string[]) => (each: { readonly class: string }) =>
    names.includes(each.class) ? false : undefined;
  const other = { ...job, class: "Other" } as JobContext;

  test("nothing is called, and nothing waited for, where there are no hooks", () => {
    const { hooks } = createBench(undefined);
    const jobs = [job, other];
    expect([hooks.beforeEnqueue(jobs), hooks.afterEnqueue(jobs)]).toEqual([jobs, undefined]);
    expect(hooks.beforeEnqueue(jobs)).toBe(jobs);
  });

  test("a class's hook is asked of its own jobs alone, and the others pass", () => {
    const { hooks } = createBench(undefined, { beforeEnqueue: () => false });
    expect(hooks.beforeEnqueue([other, job, other])).toEqual([other, other]);
  });

  test("either may refuse, asynchronously or not, each job by itself", async () => {
    const app = { beforeEnqueue: refuse(["Other"]) };
    expect(createBench(app).hooks.beforeEnqueue([job, other])).toEqual([job]);
    const later = createBench(app, { beforeEnqueue: async () => false });
    expect(await later.hooks.beforeEnqueue([job, other])).toEqual([]);
    expect(await later.hooks.beforeEnqueue([job, { ...other, class: "Third" }])).toMatchObject([{ class: "Third" }]);
  });

  test("it is told of those that were enqueued, to the class's hook of its own", () => {
    const told: string[] = [];
    const { hooks } = createBench(undefined, { afterEnqueue: ({ class: name }) => void told.push(name) });
    void hooks.afterEnqueue([other, job]);
    expect(told).toEqual(["Job"]);
  });
});

describe("after a job", () => {
  test.each<[Outcome, string[]]>([
    [{ kind: "ok" }, ["afterPerform"]],
    [{ kind: "failed", failure }, ["onFailure"]],
    [{ kind: "dropped", failure }, ["onFailure"]],
    [{ kind: "retrying", failure, afterMs: 1 }, ["onFailure"]],
    [{ kind: "discarded", reason: undefined }, []],
    [{ kind: "released" }, []],
    [{ kind: "postponed", afterMs: 1 }, []],
  ])("that ended as %o: %o", (outcome, names) => {
    const told: unknown[] = [];
    const { hooks, definition } = createBench({
      afterPerform: (_job, result) => void told.push(["afterPerform", result]),
      onFailure: (_job, error, end) => void told.push(["onFailure", error, end]),
    });
    hooks.openDrain().afterJob(definition, job, outcome, "told");
    expect(told).toEqual(names.map((name) => (name === "onFailure" ? [name, "told", outcome] : [name, "told"])));
  });

  test("it is told when it is over for good and that is written, with what it returned", () => {
    const told: unknown[] = [];
    const { hooks } = createBench(undefined, { onComplete: (completed) => void told.push(completed) });
    const drain = hooks.openDrain();
    const lost = ended({ kind: "ok" });
    drain.completed(
      [
        ...[lost, ended({ kind: "ok", result: 7 }), ended({ kind: "released" })],
        ...[ended({ kind: "retrying", failure, afterMs: 1 }), ended({ kind: "failed", failure }, "malformed")],
      ],
      [lost],
    );
    expect(told).toEqual([
      { state: "done", queue: "q", class: "Job", args: [1], attempt: 2, durationMs: 5, result: 7 },
    ]);
  });

  test("results are kept where somebody is told of them", () => {
    const onComplete = () => undefined;
    const keeps = (app: AppHooks | undefined, own: JobHooks) => {
      const { hooks, definition } = createBench(app, own);
      return hooks.openDrain().keepsResult(definition as never);
    };
    expect([keeps({ onComplete }, {}), keeps(undefined, { onComplete }), keeps({}, {})]).toEqual([true, true, false]);
  });
});

describe("at a drain's end", () => {
  const calls = async (report: Partial<DrainReport> | undefined, app: AppHooks = {}) => {
    const told: string[] = [];
    const { hooks } = createBench({
      queueEmpty: () => void told.push("queueEmpty"),
      drainEnd: () => void told.push("drainEnd"),
      ...app,
    });
    await hooks.openDrain().end(report as DrainReport | undefined, undefined);
    return told;
  };

  test("its hooks are called, and that of empty queues if it has emptied them", async () => {
    expect(await calls({ stopped: "empty", claimed: 1 })).toEqual(["queueEmpty", "drainEnd"]);
    expect(await calls({ stopped: "empty", claimed: 0 })).toEqual(["drainEnd"]);
    expect(await calls({ stopped: "paused", claimed: 1 })).toEqual(["drainEnd"]);
    expect(await calls(undefined)).toEqual([]);
  });

  test("one of the two may be missing, or both", async () => {
    const without = async (app: AppHooks) => {
      const { hooks, logged } = createBench(app);
      await hooks.openDrain().end({ stopped: "empty", claimed: 1 } as DrainReport, undefined);
      return logged;
    };
    const called = () => undefined;
    expect([await without({ queueEmpty: called }), await without({ drainEnd: called }), await without({})]).toEqual([
      ...[[], [], []],
    ]);
  });

  test("what its jobs still do is waited for, and what has ended before is not", async () => {
    const { hooks, clock } = createBench(undefined);
    const drain = hooks.openDrain();
    drain.waitFor(Promise.resolve());
    await Promise.resolve();
    await Promise.resolve();
    let isOver = false;
    await drain.end(undefined, undefined);
    expect(clock.pendingMs).toEqual([]);
    drain.waitFor(new Promise<void>((resolve) => clock.setTimer(300, resolve)));
    void drain.end(undefined, undefined).then(() => {
      isOver = true;
    });
    await clock.advance(299);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect([isOver, clock.pendingMs]).toEqual([true, []]);
  });
});

describe("a hook that goes wrong", () => {
  const error = new Error("the hook's own");

  test("is told as an event, too, with its job", async () => {
    const { hooks, definition, events, logged } = createBench(undefined, {
      beforePerform: () => Promise.reject(error),
    });
    await hooks.beforePerform(definition, job);
    expect(events).toEqual([{ kind: "hook-failed", hook: "beforePerform", queue: "q", class: "Job", error }]);
    expect(logged).toEqual([{ message: "the hook beforePerform failed", queue: "q", class: "Job", error }]);
  });

  test("so is one that does not end", async () => {
    const { hooks, definition, events, logged, clock } = createBench(undefined, {
      beforePerform: () => new Promise(() => undefined),
    });
    const calling = hooks.beforePerform(definition, job);
    await clock.advance(5_000);
    await calling;
    const message = "the hook beforePerform did not end within 5000 ms";
    expect(events).toMatchObject([{ hook: "beforePerform", class: "Job", error: { message } }]);
    expect(logged).toEqual([{ message, queue: "q", class: "Job" }]);
  });

  test("one that ends in time is no event", async () => {
    const { hooks, definition, events, logged } = createBench(undefined, { beforePerform: async () => 1 });
    await hooks.beforePerform(definition, job);
    expect([events, logged]).toEqual([[], []]);
  });

  test("is told without its job if nothing can be read of that", () => {
    const { hooks, definition, events } = createBench({
      afterPerform() {
        throw error;
      },
    });
    const refuse = (): never => {
      throw new Error("hands off");
    };
    hooks.openDrain().afterJob(definition, new Proxy(job, { get: refuse }), { kind: "ok" }, undefined);
    expect(events).toEqual([{ kind: "hook-failed", hook: "afterPerform", error }]);
  });
});
