import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release, retry } from "../../src/core/directive.ts";
import { defineJob } from "../../src/core/job.ts";
import type { RetryOptions } from "../../src/core/retry.ts";
import { payload } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";

class Declined extends Error {}

describe.each(setups())("failed attempts over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** A job that fails until its attempt `succeedsAt`. */
  const flaky = (retryOptions: RetryOptions, { succeedsAt = Number.POSITIVE_INFINITY } = {}) => {
    const attempts: number[] = [];
    const job = defineJob({
      class: "Noop",
      retry: retryOptions,
      perform: (_args, { attempt }) => {
        attempts.push(attempt);
        if (attempt < succeedsAt) throw new Declined(`attempt ${attempt}`);
      },
    });
    return { job, attempts };
  };
  /** As if the time had come for all that waits. */
  const makeDue = async (): Promise<void> => {
    for (const member of Object.keys(await waiting())) await world.send(["ZADD", world.keys.retries, 1, member]);
  };
  const waiting = async (): Promise<Record<string, string>> =>
    ((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>;
  const counters = async () => [
    Number(await world.get(world.keys.processed)),
    Number(await world.get(world.keys.failures)),
  ];

  test("wait for their time, and the drain tells when that is", async () => {
    const { job, attempts } = flaky({ backoff: [60_000] });
    await world.push("q", payload(1));
    const beforeMs = Date.now();
    const report = await world.app({ jobs: [job] }).drain();
    expect(report).toMatchObject({ stopped: "empty", claimed: 1, retried: 1, failed: 0, remaining: 0 });
    expect(report.nextDueMs).toBeGreaterThanOrEqual(beforeMs + 60_000);
    expect(report.nextDueMs).toBeLessThan(Date.now() + 61_000);
    expect(attempts).toEqual([1]);
    expect(await counters()).toEqual([1, 1]);
    expect(await world.failed()).toEqual([]);
  });

  test("are followed by others as they fall due, until one succeeds", async () => {
    const { job, attempts } = flaky({ backoff: [60_000] }, { succeedsAt: 3 });
    await world.push("q", '{"class":"Noop","args":[1.0,[]]}');
    const app = world.app({ jobs: [job] });
    await app.drain();
    expect(await app.drain()).toMatchObject({ claimed: 0, promoted: 0 });
    await makeDue();
    expect(await app.drain()).toMatchObject({ claimed: 1, promoted: 1, retried: 1 });
    await makeDue();
    expect(await app.drain()).toMatchObject({ claimed: 1, promoted: 1, succeeded: 1, nextDueMs: undefined });
    expect(attempts).toEqual([1, 2, 3]);
    expect(await counters()).toEqual([3, 2]);
    await world.expectNoTraces();
  });

  test("with no wait are followed at once, in the same drain, and end in failed with the producer's bytes", async () => {
    const { job, attempts } = flaky({ limit: 3, backoff: [0] });
    const raw = '{"class":"Noop","args":[1.0,12345678901234567890,{}]}';
    await world.push("q", raw);
    const report = await world.app({ jobs: [job] }).drain();
    expect(report).toMatchObject({ stopped: "empty", claimed: 4, retried: 3, failed: 1, promoted: 3 });
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(await counters()).toEqual([4, 4]);
    const [entry] = (await world.everything())[world.keys.failed] as string[];
    expect(entry).toContain(`"payload":${raw},"exception":"Declined","error":"attempt 4"`);
    await world.expectNoTraces();
  });

  test.each(["request", "reply"])(
    "with no wait are so too where it is not known what Redis' clock shows: the %s that told was slow",
    async (slow) => {
      const pause = () => new Promise((resolve) => setTimeout(resolve, 600));
      const redis = carriedClient(world.client, async ({ names, deliver }) => {
        if (names[0] === "TIME" && slow === "request") await pause();
        const reply = await deliver();
        if (names[0] === "TIME" && slow === "reply") await pause();
        return reply;
      });
      const { job, attempts } = flaky({ backoff: [0] }, { succeedsAt: 2 });
      await world.push("q", payload(1));
      expect(await world.app({ redis, jobs: [job] }).drain()).toMatchObject({ claimed: 2, retried: 1, succeeded: 1 });
      expect(attempts).toEqual([1, 2]);
    },
  );

  test("of a job that is enqueued anew begin at 1 again", async () => {
    const { job, attempts } = flaky({ limit: 1, backoff: [0] });
    const app = world.app({ jobs: [job] });
    await world.push("q", payload(1));
    await app.drain();
    const [entry] = await world.failed();
    await world.push("q", JSON.stringify(entry?.payload));
    await app.drain();
    expect(attempts).toEqual([1, 2, 1, 2]);
  });

  test("are told to onExhausted once, whatever it does", async () => {
    const told: unknown[] = [];
    const onExhausted = (job: unknown, error: unknown): never => {
      told.push(job, (error as Error).message);
      throw new Error("from the hook");
    };
    const { job } = flaky({ limit: 1, backoff: [0], onExhausted });
    await world.push("q", payload(7));
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ retried: 1, failed: 1 });
    expect(told).toEqual([{ queue: "q", class: "Noop", args: [7] }, "attempt 2"]);
  });

  test("keep the drain until onExhausted has ended, as a frozen function would never end it", async () => {
    let hasEnded = false;
    const onExhausted = async (): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      hasEnded = true;
      throw new Error("from the hook");
    };
    const { job } = flaky({ limit: 0, onExhausted });
    await world.push("q", payload(1));
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ failed: 1 });
    expect(hasEnded).toBe(true);
  });

  test("may be dropped when there are no more, and are counted", async () => {
    const { job } = flaky({ limit: 0, exhausted: "drop" });
    await world.push("q", payload(1));
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ failed: 1 });
    expect(await world.failed()).toEqual([]);
    expect(await counters()).toEqual([1, 1]);
    await world.expectNoTraces();
  });

  test.each([
    ["fail", { failed: 1, discarded: 0, retried: 0 }],
    ["discard", { failed: 0, discarded: 1, retried: 0 }],
    ["retry", { failed: 0, discarded: 0, retried: 1 }],
  ] as const)("of an error class with a rule: %s", async (action, expected) => {
    const { job } = flaky({ rules: [{ error: Declined, action }] });
    await world.push("q", payload(1));
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject(expected);
  });

  test("whose backoff throws wait as long as by default", async () => {
    const broken = (): never => {
      throw new Error("from the backoff");
    };
    const { job } = flaky({ backoff: broken });
    await world.push("q", payload(1));
    const beforeMs = Date.now();
    const { nextDueMs = 0 } = await world.app({ jobs: [job] }).drain();
    expect(nextDueMs - beforeMs).toBeGreaterThan(2_000);
    expect(nextDueMs - Date.now()).toBeLessThanOrEqual(5_000);
  });

  test("by a time limit are followed by others, too", async () => {
    const slow = defineJob({
      class: "Noop",
      timeoutMs: 20,
      retry: { backoff: [60_000] },
      perform: () => new Promise(() => undefined),
    });
    await world.push("q", payload(1));
    expect(await world.app({ jobs: [slow] }).drain()).toMatchObject({ retried: 1, failed: 0 });
    expect(Object.keys(await waiting())[0]).toContain('"exception":"TimeoutError"');
  });

  describe("a handler that returns", () => {
    test("retry() waits, as its class's policy or itself says", async () => {
      const job = defineJob({
        class: "Noop",
        retry: { limit: 2, backoff: [60_000] },
        perform: ([afterMs]) => retry({ reason: "busy", ...(typeof afterMs === "number" && { afterMs }) }),
      });
      await world.push("q", payload(), payload(5_000_000));
      expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ retried: 2 });
      const waits = Object.entries(await waiting()).map(([member, dueMs]) => [JSON.parse(member), Number(dueMs)]);
      expect(waits).toMatchObject([
        [{ attempt: 2, exception: "Retry", error: "busy" }, expect.any(Number)],
        [{ attempt: 2, exception: "Retry", error: "busy" }, expect.any(Number)],
      ]);
      expect((waits[1]?.[1] as number) - (waits[0]?.[1] as number)).toBeGreaterThan(4_900_000);
    });

    test("retry() without a policy may try 5 times more", async () => {
      const job = defineJob({ class: "Noop", perform: () => retry({ afterMs: 0 }) });
      await world.push("q", payload(1));
      expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ claimed: 6, retried: 5, failed: 1 });
      expect(await world.failed()).toMatchObject([{ exception: "Retry", error: expect.stringContaining("another") }]);
    });

    test("discard() is done", async () => {
      const job = defineJob({ class: "Noop", perform: async () => discard("nothing to do") });
      await world.push("q", payload(1));
      expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ discarded: 1, succeeded: 0, failed: 0 });
      expect(await counters()).toEqual([1, 0]);
      await world.expectNoTraces();
    });

    test("release() comes again unchanged, no attempt counted", async () => {
      const attempts: number[] = [];
      const job = defineJob({
        class: "Noop",
        perform: (_args, { attempt, raw }) => {
          attempts.push(attempt);
          expect(raw).toBe(payload(1));
          return attempts.length < 3 ? release({ afterMs: 0 }) : undefined;
        },
      });
      await world.push("q", payload(1));
      const report = await world.app({ jobs: [job] }).drain();
      expect(report).toMatchObject({ claimed: 3, released: 2, succeeded: 1, promoted: 2 });
      expect(attempts).toEqual([1, 1, 1]);
      expect(await counters()).toEqual([1, 0]);
    });

    test("release() without a time is not claimed again at once", async () => {
      const startsMs: number[] = [];
      const job = defineJob({
        class: "Noop",
        perform() {
          startsMs.push(performance.now());
          return release();
        },
      });
      await world.push("q", payload(1));
      const { stopped, claimed, released } = await world.app({ jobs: [job] }).drain();
      // Once, if the machine did not stand still meanwhile.
      expect([stopped, claimed, released]).toEqual(["empty", startsMs.length, startsMs.length]);
      for (const [n, startMs] of startsMs.slice(1).entries())
        expect(startMs - (startsMs[n] as number)).toBeGreaterThan(900);
      expect(Object.keys(await waiting())).toHaveLength(1);
    });
  });

  test("wait for no queue in particular: another app's retries come to their queues, too", async () => {
    const { job } = flaky({ backoff: [0] });
    const other = `{"id":"x-0","queue":"other","attempt":2,"payload":${payload("other")}}`;
    await world.send(["ZADD", world.keys.retries, 1, other]);
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ claimed: 0, promoted: 1 });
    expect(await world.queued("other")).toEqual([payload("other")]);
  });

  test("that wait alone keep a tick short", async () => {
    const member = `{"id":"x-0","queue":"q","attempt":2,"payload":${payload(1)}}`;
    await world.send(["ZADD", world.keys.retries, Date.now() + 60_000, member]);
    const report = await world.app({ jobs: [] }).drain();
    // EXISTS; TIME and three ZRANGE; EXISTS over the queues.
    expect(report).toMatchObject({ stopped: "empty", commands: 6, requests: 3, remaining: 0 });
    expect(report.nextDueMs).toBeGreaterThan(Date.now() + 50_000);
  });
});
