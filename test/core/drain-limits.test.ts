import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const never = (): Promise<never> => new Promise(() => undefined);

describe.each(setups())("pauses and limits over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test.each([
    ["pause-all-workers", () => world.keys.pauseAll],
    ["pause:queue:q", () => world.keys.queuePause("q")],
  ])("%s is honoured within one exchange", async (_name, key) => {
    await world.push("q", ...payloads(50));
    let claimed = 0;
    let claimedThen = 0;
    const perform = async ([n]: readonly unknown[]) => {
      if (n !== 10) return;
      await world.send(["SET", key(), "true"]);
      claimedThen = claimed;
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1 });
    const report = await app.drain({ onEvent: ({ kind: event }) => event === "job-claimed" && claimed++ });
    // What an exchange that was under way at that moment has taken, and no more: there are two slots.
    expect(report.claimed).toBeLessThanOrEqual(claimedThen + 2);
    expect(report).toMatchObject({ stopped: "paused", succeeded: report.claimed, remaining: 50 - report.claimed });
    expect(await world.queued("q")).toEqual(payloads(50).slice(report.claimed));
    await world.send(["DEL", key()]);
    await world.expectNoTraces();
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 50 - report.claimed });
  });

  test("a paused queue is passed over, the others are drained", async () => {
    await world.push("a", ...payloads(3));
    await world.push("b", ...payloads(3, 3));
    await world.send(["SET", world.keys.queuePause("a"), "1"]);
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }], queues: ["a", "b"] });
    expect(await app.drain()).toMatchObject({ stopped: "paused", succeeded: 3, remaining: 3 });
    expect(await world.queued("a")).toEqual(payloads(3));
  });

  test("a pause of a queue that is empty leaves nothing to be told as paused", async () => {
    await world.push("a", ...payloads(3));
    await world.send(["SET", world.keys.queuePause("b"), "1"]);
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }], queues: ["a", "b"] });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 3, remaining: 0 });
  });

  test("maxJobs claims as many and no more", async () => {
    await world.push("q", ...payloads(12));
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }], concurrency: 2 });
    expect(await app.drain({ maxJobs: 5 })).toMatchObject({
      stopped: "budget",
      claimed: 5,
      succeeded: 5,
      remaining: 7,
    });
    expect(await world.queued("q")).toEqual(payloads(7, 5));
    expect(await app.drain({ maxJobs: 7 })).toMatchObject({ stopped: "empty", claimed: 7, remaining: 0 });
    await world.expectNoTraces();
  });

  test("an abort stops the claiming, running jobs may end, the others go back", async () => {
    await world.push("q", ...payloads(30));
    const controller = new AbortController();
    const gate = createGate();
    const started: unknown[] = [];
    const perform = async ([n]: readonly unknown[]) => {
      started.push(n);
      if (started.length === 4) {
        controller.abort();
        setImmediate(gate.open);
      }
      await gate.passed;
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 4 });
    const report = await app.drain({ signal: controller.signal });
    expect(report).toMatchObject({ stopped: "aborted", succeeded: 4, failed: 0, remaining: 26 });
    expect(started).toEqual([0, 1, 2, 3]);
    expect(await world.queued("q")).toEqual(payloads(26, 4));
    await world.expectNoTraces();
  });

  test("an abort releases what does not end within graceMs, unchanged, at the head", async () => {
    const raw = '{ "class":"Noop","args":[1.0,{}] }';
    await world.push("q", raw, ...payloads(3));
    const controller = new AbortController();
    const reasons: unknown[] = [];
    let started = 0;
    const perform = (_args: unknown, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as Error).name));
      if (++started === 2) controller.abort();
      return never();
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 2, graceMs: 20 });
    const report = await app.drain({ signal: controller.signal });
    expect(report).toMatchObject({
      stopped: "aborted",
      claimed: 2,
      released: 2,
      succeeded: 0,
      failed: 0,
      remaining: 4,
    });
    expect(reasons).toEqual(["AbortError", "AbortError"]);
    expect(await world.queued("q")).toEqual([raw, ...payloads(3)]);
    expect(await world.get(world.keys.processed)).toBe("0");
    await world.expectNoTraces();
  });

  test("a drain that is aborted before it begins takes nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [{ class: "Noop", perform: never }] });
    const report = await app.drain({ signal: AbortSignal.abort() });
    expect(report).toMatchObject({ stopped: "aborted", claimed: 0, remaining: 3 });
    await world.expectNoTraces();
  });

  test("a drain of a pattern that is aborted before it begins counts what is left, too", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [{ class: "Noop", perform: never }], queues: ["*"] });
    expect(await app.drain({ signal: AbortSignal.abort() })).toMatchObject({ stopped: "aborted", remaining: 3 });
  });
});

const [anySetup] = setups();

describe("a deadline", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(anySetup as NonNullable<typeof anySetup>);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("of almost twice the jobs' limit lets two waves run, and leaves the rest untouched", async () => {
    await world.push("q", ...payloads(20));
    const perform = () => sleep(1_000);
    const app = world.app({ jobs: [{ class: "Noop", perform, timeoutMs: 2_000 }], concurrency: 3, marginMs: 0 });
    const report = await app.drain({ deadlineMs: Date.now() + 3_950 });
    expect(report).toMatchObject({ stopped: "deadline", succeeded: 6, failed: 0, remaining: 14 });
    expect(await world.queued("q")).toEqual(payloads(14, 6));
    expect(await world.get(world.keys.processed)).toBe("6");
  });

  test("releases at the budget's end what still runs, unchanged, at the head, its signal aborted", async () => {
    const raw = '{ "class":"Hangs","args":[12345678901234567890,[],{}] }';
    await world.push("q", payload(0), raw, payload(1));
    const reasons: unknown[] = [];
    const hangs = (_args: unknown, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as Error).name));
      return never();
    };
    const jobs = [
      { class: "Noop", perform: () => sleep(20) },
      { class: "Hangs", perform: hangs },
    ];
    const app = world.app({ jobs, concurrency: 1, marginMs: 100 });
    const report = await app.drain({ deadlineMs: Date.now() + 1_500 });
    expect(report).toMatchObject({ stopped: "deadline", succeeded: 1, failed: 0, remaining: 2 });
    expect(reasons).toEqual(["AbortError"]);
    expect(await world.queued("q")).toEqual([raw, payload(1)]);
    expect(await world.get(world.keys.processed)).toBe("1");
  });

  test("gives running jobs and those in hand back in the order in which they were queued", async () => {
    await world.push("q", ...payloads(12));
    const perform = ([n]: readonly unknown[]) => ((n as number) % 3 === 1 ? sleep(20) : never());
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 5, marginMs: 0 });
    const report = await app.drain({ deadlineMs: Date.now() + 1_500 });
    expect(report).toMatchObject({ stopped: "deadline", failed: 0 });
    expect(report.released).toBeGreaterThan(4);
    const left = (await world.queued("q")).map((raw) => JSON.parse(raw).args[0] as number);
    expect(left).toEqual(left.toSorted((a, b) => a - b));
    expect(left).toHaveLength(12 - report.succeeded);
  });

  test("far away changes nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined, timeoutMs: 60_000 }] });
    expect(await app.drain({ deadlineMs: Date.now() + 900_000 })).toMatchObject({ stopped: "empty", succeeded: 3 });
  });

  test("that leaves no time claims nothing", async () => {
    await world.push("q", ...payloads(3));
    const app = world.app({ jobs: [{ class: "Noop", perform: never }], marginMs: 2_000 });
    const report = await app.drain({ deadlineMs: Date.now() + 2_000 });
    expect(report).toMatchObject({ stopped: "deadline", claimed: 0, remaining: 3 });
    expect(await world.queued("q")).toEqual(payloads(3));
  });

  test("gives a job in hand back that would not fit any more", async () => {
    await world.push("q", ...payloads(9));
    const app = world.app({
      jobs: [{ class: "Noop", perform: () => sleep(150), timeoutMs: 2_000 }],
      concurrency: 2,
      marginMs: 0,
    });
    const report = await app.drain({ deadlineMs: Date.now() + 2_500 });
    expect(report).toMatchObject({ stopped: "deadline", failed: 0 });
    expect(report.succeeded + report.remaining).toBe(9);
    expect(await world.queued("q")).toEqual(payloads(9).slice(report.succeeded));
  });
});
