import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AirliftOptions } from "../../src/airlift.ts";
import { StoreError } from "../../src/core/errors.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const spin = (ms: number): void => {
  const endMs = Date.now() + ms;
  while (Date.now() < endMs);
};
/** Jobs that compute here would keep a gateway of this process busy, too. */
const anySetup = setups()
  .filter(({ transport }) => transport === "tcp")
  .at(-1) as NonNullable<ReturnType<typeof setups>[number]>;

describe("what one job does to the others, and the host to all", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(anySetup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test.each([
    ["asynchronous", async () => spin(50)],
    ["synchronous", () => spin(50)],
  ])("%s jobs that compute are measured one by one, and the lease is kept meanwhile", async (_kind, perform) => {
    // Together they take longer than the time limit of each, and than the lease.
    await world.push("q", ...payloads(60));
    const jobs = [{ class: "Noop", perform, timeoutMs: 2_500 }];
    const app = world.app({ jobs, concurrency: 60, leaseMs: 2_500 });
    const other = world.app({ jobs, redis: world.setup.newClient(), leaseMs: 2_500 });
    let isOver = false;
    const ticks = (async () => {
      let recovered = 0;
      while (!isOver) {
        recovered += (await other.drain()).recovered;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return recovered;
    })();
    const draining = app.drain().finally(() => {
      isOver = true;
    });
    const [report, recovered] = await Promise.all([draining, ticks]);
    expect(recovered).toBe(0);
    expect(report).toMatchObject({ stopped: "empty", failed: 0, lost: 0, claimed: report.succeeded });
    expect(await world.get(world.keys.processed)).toBe("60");
  });

  test("a job that ended in its time is not failed for a neighbour that kept the loop busy", async () => {
    await world.push("q", '{"class":"Good","args":[]}', '{"class":"Busy","args":[]}');
    const app = world.app({
      jobs: [
        { class: "Good", perform: () => new Promise((resolve) => setTimeout(resolve, 20)), timeoutMs: 150 },
        { class: "Busy", perform: () => spin(300), timeoutMs: 200 },
      ],
    });
    const failed: unknown[] = [];
    await app.drain({
      onEvent: (event) => event.kind === "job-ended" && event.outcome.kind === "failed" && failed.push(event.class),
    });
    expect(failed).toEqual(["Busy"]);
  });

  test("no answer from Redis: the drain ends at its deadline, whatever the client's own patience", async () => {
    await world.push("q", ...payloads(2));
    const claimed = createGate();
    let isSilent = false;
    const redis = fatedClient(world.client, () => (isSilent ? { carriedOut: false } : "ok"));
    const deadlineMs = Date.now() + 2_500;
    const jobs = [{ class: "Noop", perform: () => claimed.passed.then(() => undefined) }];
    const drain = world.app({ redis, jobs, marginMs: 500 }).drain({
      deadlineMs,
      onEvent: ({ kind }) => {
        if (kind !== "job-claimed") return;
        isSilent = true;
        claimed.open();
      },
    });
    await expect(drain).rejects.toMatchObject({ name: "DrainError" });
    // Not after its lease of a minute.
    expect(Date.now() - deadlineMs).toBeLessThan(20_000);
    await world.endLeases();
    expect(await world.app({ jobs: [{ class: "Noop", perform: () => undefined }] }).drain()).toMatchObject({
      succeeded: 2,
    });
  });

  test("an abort while Redis is away ends the drain after its grace, not after its lease", async () => {
    await world.push("q", ...payloads(2));
    const controller = new AbortController();
    const error = new StoreError("unavailable", "no answer");
    let isAway = false;
    const redis = fatedClient(world.client, () => (isAway ? { carriedOut: false, error } : "ok"));
    const app = world.app({ redis, jobs: [{ class: "Noop", perform: () => undefined }], graceMs: 100 });
    const startedMs = Date.now();
    const drain = app.drain({
      signal: controller.signal,
      onEvent: ({ kind }) => {
        if (kind === "job-claimed") isAway = true;
        if (kind === "store-retry") controller.abort();
      },
    });
    await expect(drain).rejects.toMatchObject({ name: "DrainError" });
    expect(Date.now() - startedMs).toBeLessThan(20_000);
    await world.endLeases();
    expect(await world.app({ jobs: [{ class: "Noop", perform: () => undefined }] }).drain()).toMatchObject({
      succeeded: 2,
    });
  });

  test("a server that forgot its scripts in the middle costs no report its truth", async () => {
    await world.push("q", ...payloads(30));
    let ended = 0;
    const perform = async () => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      if (++ended % 5 === 0) await world.send(["SCRIPT", "FLUSH"]);
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform }], concurrency: 2, leaseMs: 1_000 }).drain();
    expect(report).toMatchObject({ stopped: "empty", claimed: 30, succeeded: 30, lost: 0 });
    expect(await world.get(world.keys.processed)).toBe("30");
  });

  test("an option that is undefined is one that is not given", async () => {
    await world.push("q", payload(1));
    const options = { marginMs: undefined, timeoutMs: undefined, concurrency: undefined, leaseMs: undefined };
    const app = world.app({
      ...(options as unknown as Partial<AirliftOptions>),
      jobs: [{ class: "Noop", perform: () => undefined }],
    });
    expect(app.options).toMatchObject({ marginMs: 2_000, timeoutMs: 60_000, concurrency: 25, leaseMs: 60_000 });
    expect(await app.drain({ deadlineMs: Date.now() + 30_000 })).toMatchObject({ stopped: "empty", succeeded: 1 });
  });

  test("listeners that reject, and those after one that throws, are all told", async () => {
    await world.push("q", payload(1));
    const kinds: string[] = [];
    const lines: string[] = [];
    const log = (message: string): void => void lines.push(message);
    const app = world.app({
      jobs: [{ class: "Noop", perform: () => undefined }],
      logger: { debug: log, info: log, warn: log, error: log },
      onEvent: (() => Promise.reject(new Error("rejected"))) as () => void,
    });
    await app.drain({ onEvent: ({ kind }) => kinds.push(kind) });
    expect(kinds).toEqual(["drain-started", "job-claimed", "job-ended", "drain-ended"]);
    expect(lines).toEqual(Array(4).fill("onEvent failed"));
  });

  test.each(["true\n", " TRUE "])("everything is paused by %j, as it is for Ruby", async (value) => {
    await world.push("q", payload(1));
    await world.send(["SET", world.keys.pauseAll, value]);
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }] });
    expect(await app.drain()).toMatchObject({ stopped: "paused", claimed: 0, remaining: 1 });
    await world.send(["DEL", world.keys.pauseAll]);
    await app.drain();
  });
});
