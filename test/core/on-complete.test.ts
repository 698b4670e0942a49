import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import type { CompletedJob } from "../../src/core/job-status.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

const fails = (): never => {
  throw new TypeError("declined");
};

describe.each(setups())("onComplete over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("is told of each job that is over, by the app's and the class's hook, with what its handler returned", async () => {
    const told: CompletedJob[] = [];
    const own: CompletedJob[] = [];
    const app = world.app({
      jobs: [
        defineJob({
          class: "Noop",
          perform: async ([n]) => ({ doubled: 2 * (n as number) }),
          hooks: { onComplete: (job) => own.push(job) },
        }),
        { class: "Quiet", perform: () => "anything" },
      ],
      hooks: { onComplete: (job) => told.push(job) },
      ...{ status: { ttlMs: 60_000 }, concurrency: 1 },
    });
    await app.enqueue({ queue: "q", class: "Noop", args: [4], id: "job-1" });
    await world.push("q", payload(5), '{"class":"Quiet","args":[]}');
    await app.drain();
    const base = { state: "done", queue: "q", class: "Noop", attempt: 1, durationMs: expect.any(Number) };
    expect(own).toEqual([
      { id: "job-1", ...base, args: [4], result: { doubled: 8 } },
      { ...base, args: [5], result: { doubled: 10 } },
    ]);
    expect(told).toEqual([...own, { ...base, class: "Quiet", args: [], result: "anything" }]);
  });

  test("is told when Redis has taken the end in, and not before", async () => {
    const seen: unknown[] = [];
    const onComplete = async ({ id = "" }: CompletedJob) => {
      const [status, entries] = await Promise.all([app.job(id), world.send(["KEYS", "resque:worker:*:q"])]);
      seen.push(status?.state, (entries[0] as unknown[]).length);
    };
    const app = world.app({
      jobs: [{ class: "Noop", perform: fails }],
      hooks: { onComplete },
      status: { ttlMs: 60_000 },
    });
    await app.enqueue({ queue: "q", class: "Noop", id: "job-1" });
    await app.drain();
    // drain() has waited for it.
    expect(seen).toEqual(["failed", 0]);
    expect(await world.failed()).toHaveLength(1);
  });

  test("is told of a job once, however many attempts it takes", async () => {
    const told: CompletedJob[] = [];
    let runs = 0;
    const perform = (_args: unknown, { attempt }: { attempt: number }) => {
      if (++runs === 1) return release({ afterMs: 0 });
      if (attempt < 3) throw new Error("again");
      return undefined;
    };
    const app = world.app({
      jobs: [{ class: "Noop", perform, retry: { limit: 5, backoff: [0] } }],
      hooks: { onComplete: (job) => told.push(job) },
    });
    await world.push("q", payload(1));
    await until(async () => {
      await app.drain();
      return runs === 4;
    });
    expect(told).toEqual([expect.objectContaining({ state: "done", attempt: 3 })]);
    expect(told[0]).not.toHaveProperty("result");
  });

  test("is told how else a job ended", async () => {
    const told: CompletedJob[] = [];
    const retry = { limit: 0, exhausted: "drop" } as const;
    const app = world.app({
      jobs: [
        { class: "Failing", perform: fails },
        { class: "Dropping", perform: fails, retry },
        { class: "Discarding", perform: () => discard("nothing to do") },
      ],
      hooks: { onComplete: (job) => told.push(job) },
      concurrency: 1,
    });
    const classes = ["Failing", "Dropping", "Discarding", "Unknown"];
    await world.push("q", ...classes.map((name) => `{"class":"${name}","args":[]}`), "no job at all");
    await app.drain();
    const failure = expect.objectContaining({ exception: "TypeError", message: "declined" });
    expect(told).toMatchObject([
      { class: "Failing", state: "failed", failure },
      { class: "Dropping", state: "dropped", failure },
      { class: "Discarding", state: "discarded", reason: "nothing to do" },
      { class: "Unknown", state: "failed", failure: { exception: "UnknownJobClass" } },
    ]);
  });

  test("is not told of a job that another drain has taken back", async () => {
    const told: CompletedJob[] = [];
    const gate = createGate();
    const started = createGate();
    const perform = async () => {
      started.open();
      await gate.passed;
    };
    await world.push("q", payload(1));
    const frozen = world.app({ jobs: [{ class: "Noop", perform }], hooks: { onComplete: (job) => told.push(job) } });
    const draining = frozen.drain();
    await started.passed;
    await world.endLeases();
    await world.app({ jobs: [{ class: "Noop", perform: () => undefined }] }).drain();
    gate.open();
    expect(await draining).toMatchObject({ lost: 1 });
    expect(told).toEqual([]);
  });

  test("that throws is logged, and breaks nothing", async () => {
    const lines: [string, unknown][] = [];
    const line = (message: string, fields?: Record<string, unknown>) => void lines.push([message, fields?.["class"]]);
    const logger = { debug: line, info: line, warn: line, error: line };
    await world.push("q", ...payloads(2));
    const app = world.app({
      ...{ jobs: [{ class: "Noop", perform: () => undefined, hooks: { onComplete: async () => fails() } }], logger },
      hooks: { onComplete: fails },
    });
    expect(await app.drain()).toMatchObject({ succeeded: 2, stopped: "empty" });
    expect(lines).toEqual(Array.from({ length: 4 }, () => ["the hook onComplete failed", "Noop"]));
  });
});
