import { setImmediate as macrotask } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import type { JobContext } from "../../src/core/job-context.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { RETURNED, TAMPERINGS, THROWN } from "./misbehaviour.ts";
import { fuzzing } from "./settings.ts";

/** One handler that misbehaves. */
interface Misdeed {
  readonly tampering: string;
  /** At once, or after a while. */
  readonly isAsync: boolean;
  readonly ending: { readonly kind: "throws" | "returns"; readonly what: string };
}

const ending = fc.oneof(
  fc.constantFrom(...Object.keys(THROWN)).map((what) => ({ kind: "throws" as const, what })),
  fc.constantFrom(...Object.keys(RETURNED)).map((what) => ({ kind: "returns" as const, what })),
);
const misdeed: fc.Arbitrary<Misdeed> = fc.record({
  tampering: fc.constantFrom(...Object.keys(TAMPERINGS)),
  isAsync: fc.boolean(),
  ending,
});

const silent = () => undefined;

describe("a drain whose handlers misbehave", () => {
  let setup: RunningSetup;
  let raw: ReturnType<typeof connectRaw>;
  let worlds = 0;
  beforeAll(async () => {
    const [kind] = setups()
      .toReversed()
      .filter(({ transport }) => transport === "tcp");
    setup = await (kind as NonNullable<typeof kind>).start();
    raw = connectRaw(setup.redis.url);
  });
  afterAll(async () => {
    await raw.close();
    await setup.close();
  });

  /** Fails unless each of them ends exactly once, and each of the jobs between them runs once, as if it were alone. */
  const check = async (misdeeds: readonly Misdeed[], retry: AnyJobDefinition["retry"] | undefined): Promise<void> => {
    const namespace = `h${++worlds}`;
    const keys = createKeys(namespace);
    /** What handlers have kept of their jobs, and which of these have ended. */
    const kept = new Map<string, JobContext>();
    const ended: string[] = [];
    const events: DrainEvent[] = [];
    const seen: unknown[] = [];
    const bother = (job: JobContext): void => {
      const calls = [
        () => job.checkin("late"),
        () => job.progress(1, 2),
        () => job.used({ requests: 1e9 }),
        () => job.signal,
      ];
      for (const call of [...calls, () => Object.assign(job, { isOver: false }), () => job.checkin("late")]) {
        try {
          void call();
        } catch {
          // Its own methods may be what throws.
        }
      }
    };
    const neighbour: AnyJobDefinition = {
      ...{ class: "Good", timeoutMs: 15_000, limit: { running: 2 } },
      perform: async (args: readonly unknown[], job: JobContext) => {
        for (const name of ended) bother(kept.get(name) as JobContext);
        await macrotask();
        seen.push(args[0]);
        expect(args).toEqual([args[0], { of: args[0] }]);
        expect(job).toMatchObject({ class: "Good", queue: "q", attempt: 1, args });
        expect(JSON.parse(job.raw)).toMatchObject({ class: "Good", args });
        expect(job.signal.aborted).toBe(false);
        await job.checkin(`good ${args[0]}`);
        await macrotask();
        return { of: args[0] };
      },
    };
    const bad = misdeeds.map(({ tampering, isAsync, ending }, n): AnyJobDefinition => {
      const end = (): unknown => {
        if (ending.kind === "returns") return RETURNED[ending.what]?.();
        throw THROWN[ending.what]?.() as Error;
      };
      const perform = (args: readonly unknown[], job: JobContext): unknown => {
        kept.set(`Bad${n}`, job);
        TAMPERINGS[tampering]?.(job as never, args as unknown[]);
        return isAsync ? macrotask().then(end) : end();
      };
      return { class: `Bad${n}`, timeoutMs: 50, perform, ...(retry && { retry }) };
    });
    const app = createAirlift({
      ...{ redis: setup.client, namespace, queues: ["q"], jobs: [neighbour, ...bad], concurrency: 2, marginMs: 1_000 },
      ...{
        status: { ttlMs: 60_000, results: true },
        hooks: { onComplete: silent, afterPerform: silent, onFailure: silent },
      },
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      onEvent: (event) => {
        events.push(event);
        if (event.kind === "job-ended" && event.class?.startsWith("Bad")) ended.push(event.class);
      },
    });
    const jobs = [...misdeeds.keys(), misdeeds.length].flatMap((n) => [
      { queue: "q", class: "Good", args: [n, { of: n }], id: `good${n}` },
      ...(n < misdeeds.length ? [{ queue: "q", class: `Bad${n}`, args: [{ of: "bad" }], id: `bad${n}` }] : []),
    ]);
    await app.enqueueAll(jobs);
    const report = await app.drain({ deadlineMs: Date.now() + 20_000, maxRequests: 1_000_000 });

    const numbers = [...misdeeds.keys(), misdeeds.length];
    expect(report).toMatchObject({ stopped: "empty", remaining: 0, lost: 0, claimed: jobs.length });
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(numbers);
    expect(ended.toSorted()).toEqual(misdeeds.map((_, n) => `Bad${n}`).toSorted());
    const { succeeded, failed, retried, discarded, released, detached } = report;
    expect(succeeded + failed + retried + discarded + released + detached).toBe(jobs.length);
    for (const event of events) {
      if (event.kind !== "job-checkin") continue;
      expect(event.message).not.toBe("late");
      if (event.class === "Good") expect(event.message).toMatch(/^good \d+$/);
    }
    for (const n of numbers) expect(await app.job(`good${n}`)).toMatchObject({ state: "done", result: { of: n } });
    const waiting = (await app.retries.list({ limit: 1_000 })).total;
    expect(waiting).toBe(retried + released + detached);
    const [entries, names] = await raw.send([
      ["LRANGE", keys.failed, 0, -1],
      ["KEYS", `${namespace}:*`],
    ]);
    const failures = (entries as Uint8Array[]).map((entry) => JSON.parse(Buffer.from(entry).toString("utf8")));
    expect(failures).toHaveLength(failed);
    for (const { exception, error, backtrace } of failures) {
      expect([typeof exception, typeof error]).toEqual(["string", "string"]);
      for (const text of [exception, error, ...backtrace]) {
        expect(text.isWellFormed()).toBe(true);
        expect(text.length).toBeLessThan(5_000);
      }
    }
    const lasting = [keys.queues, keys.failed, keys.processed, keys.failures, keys.retries];
    const left = (names as Uint8Array[]).map((name) => Buffer.from(name).toString());
    expect(left.filter((name) => !lasting.includes(name) && !name.startsWith(keys.job("")))).toEqual([]);
    if (left.length > 0) await raw.send([["DEL", ...left]]);
  };

  test("gives back the lock of a job that has changed its arguments into another's", async () => {
    const namespace = `h${++worlds}`;
    const keys = createKeys(namespace);
    // As node-resque's QueueLock writes them: without anything that tells whose they are.
    const [own, others] = ["a", "b"].map((arg) => keys.lock("Unique", "q", `["${arg}"]`)) as [string, string];
    await raw.send([
      ["MSET", own, 9_999_999_999, others, 9_999_999_999],
      ["RPUSH", keys.queue("q"), '{"class":"Unique","args":["a"]}'],
    ]);
    const perform = (args: readonly unknown[]) => void Object.assign(args, ["b"]);
    const jobs = [{ class: "Unique", unique: { until: "done" as const }, perform }];
    const app = createAirlift({ redis: setup.client, namespace, queues: ["q"], jobs });
    expect(await app.drain()).toMatchObject({ succeeded: 1 });
    const exist = await raw.send([
      ["EXISTS", own],
      ["EXISTS", others],
    ]);
    expect(exist.map(Number)).toEqual([0, 1]);
  });

  const policy = fc.constantFrom<AnyJobDefinition["retry"]>(undefined, { limit: 3, backoff: [3_600_000] });
  test("gets all of them done, and their neighbours too", async () => {
    await fc.assert(fc.asyncProperty(fc.array(misdeed, { minLength: 1, maxLength: 10 }), policy, check), fuzzing(60));
  });

  const all = [
    ...Object.keys(TAMPERINGS).map((tampering) => ({
      tampering,
      ending: { kind: "throws" as const, what: "a symbol" },
    })),
    ...Object.keys(TAMPERINGS).map((tampering) => ({
      tampering,
      ending: { kind: "returns" as const, what: "nothing" },
    })),
    ...Object.keys(THROWN).map((what) => ({ tampering: "does nothing", ending: { kind: "throws" as const, what } })),
    ...Object.keys(RETURNED).map((what) => ({ tampering: "does nothing", ending: { kind: "returns" as const, what } })),
  ];
  test.each(all)("$tampering, $ending.kind $ending.what", async (one) => {
    await check(
      [
        { ...one, isAsync: false },
        { ...one, isAsync: true },
      ],
      undefined,
    );
    await check([{ ...one, isAsync: true }], { limit: 3, backoff: [3_600_000] });
  });
});
