import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release, retry } from "../src/core/directive.ts";
import { StoreError } from "../src/core/errors.ts";
import { defineJob, type JobContext, type Logger } from "../src/core/job.ts";
import { createIdempotency, type IdempotencyOptions, idempotent } from "../src/idempotency.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./core/app-world.ts";
import { carriedClient } from "./fault/carried-client.ts";
import { setups } from "./support/setups.ts";
import { until } from "./support/until.ts";

const HOUR_MS = 3_600_000;
const JOB = '{"class":"Charge","args":[17,"EUR"]}';

describe.each(setups())("the idempotency helper over $name", (kind) => {
  let world: AppWorld;
  let runs: unknown[];
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    runs = [];
    await world.flush();
  });

  const options = (more: Partial<IdempotencyOptions> = {}): IdempotencyOptions => ({
    redis: world.client,
    ttlMs: HOUR_MS,
    ...more,
  });
  const results: unknown[] = [];
  const hooks = { afterPerform: (_job: JobContext, result: unknown) => void results.push(result) };
  const marks = async (): Promise<string[]> =>
    (await world.keyNames()).filter((name) => name.startsWith("resque:airlift:idempotency:Charge:"));
  /** Delivers and runs jobs one after another. */
  const deliver = async (
    perform: (args: readonly unknown[]) => unknown,
    given: Partial<IdempotencyOptions>,
    ...raws: string[]
  ) => {
    results.length = 0;
    const job = defineJob({
      class: "Charge",
      middleware: [createIdempotency(options(given))],
      perform: (args: readonly unknown[]) => {
        runs.push(args);
        return perform(args);
      },
    });
    await world.push("q", ...raws);
    return world.app({ jobs: [job], hooks, concurrency: 1 }).drain();
  };

  test("a second delivery gets the result without running", async () => {
    const result = { id: 12345678901234567890n, lines: [] };
    const report = await deliver(() => result, {}, JOB, JOB);
    expect(report).toMatchObject({ succeeded: 2, failed: 0 });
    expect(runs).toEqual([[17, "EUR"]]);
    expect(results).toEqual([result, result]);
    const [key, ...rest] = (await marks()) as [string];
    expect(rest).toEqual([]);
    expect(await world.get(key)).toBe('done.{"id":12345678901234567890,"lines":[]}');
    expect(Number((await world.send(["PTTL", key]))[0])).toBeGreaterThan(HOUR_MS - 20_000);
  });

  test.each([
    ["other arguments", JOB, '{"class":"Charge","args":[18,"EUR"]}'],
    ["ids of their own", `${JOB.slice(0, -1)},"airlift":{"id":"a"}}`, `${JOB.slice(0, -1)},"airlift":{"id":"b"}}`],
  ])("jobs with %s run both", async (_what, first, second) => {
    await deliver(() => 1, {}, first, second);
    expect(runs).toHaveLength(2);
    expect(await marks()).toHaveLength(2);
  });

  test("the same job in another queue runs, too", async () => {
    const job = defineJob({
      class: "Charge",
      middleware: [createIdempotency(options())],
      perform: () => void runs.push(1),
    });
    await world.push("q", JOB);
    await world.push("other", JOB);
    await world.app({ jobs: [job], queues: ["q", "other"] }).drain();
    expect(runs).toHaveLength(2);
  });

  test("attempts and crashes do not make it another job", async () => {
    const counted = [`,"airlift":{"crashes":1}`, `,"airlift":{"retries":2,"crashes":1}`].map(
      (own) => JOB.slice(0, -1) + own,
    );
    await deliver(() => 1, {}, JOB, ...counted.map((raw) => `${raw}}`));
    expect(runs).toHaveLength(1);
    const marked = ['"crashes":1,', ""].map((own) => `${JOB.slice(0, -1)},"airlift":{${own}"unique":"s0123456789ab"}}`);
    await deliver(() => 1, {}, ...marked);
    expect(runs).toHaveLength(2);
  });

  test("by a key only that counts", async () => {
    await deliver(() => "paid", { key: ([order]) => `order ${order}` }, JOB, '{"args":[17],"class":"Charge"}');
    expect(runs).toHaveLength(1);
    expect(results).toEqual(["paid", "paid"]);
  });

  test("a failure leaves nothing, so that the next delivery runs", async () => {
    let isBroken = true;
    const perform = (): string => {
      if (!isBroken) return "paid";
      isBroken = false;
      throw new Error("declined");
    };
    expect(await deliver(perform, {}, JOB, JOB, JOB)).toMatchObject({ succeeded: 2, failed: 1 });
    expect(runs).toHaveLength(2);
  });

  test("what is asked for by a directive is no result", async () => {
    const asks = [() => retry({ afterMs: HOUR_MS }), () => discard("gone"), () => release({ afterMs: HOUR_MS })];
    for (const ask of asks) {
      await deliver(ask, {}, JOB);
      expect(await marks()).toEqual([]);
    }
    expect(runs).toHaveLength(3);
  });

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["false", false],
    ["an empty text", ""],
  ])("%s is a result", async (_what, result) => {
    await deliver(() => result, {}, JOB, JOB);
    expect(runs).toHaveLength(1);
    expect(results).toEqual([result, result]);
  });

  test.each([
    ["has no JSON form", () => [() => undefined]],
    [
      "is circular",
      () => {
        const loop: unknown[] = [];
        loop.push(loop);
        return loop;
      },
    ],
    ["is too long", () => "x".repeat(99)],
  ])("of a result that %s only that it is done is kept, and that is told", async (_what, result) => {
    const lines: string[] = [];
    const logger = { ...silent, warn: (line: string) => void lines.push(line) };
    const job = defineJob({
      class: "Charge",
      middleware: [createIdempotency(options({ maxResultChars: 100 }))],
      perform: () => {
        runs.push(1);
        return result();
      },
    });
    await world.push("q", JOB, JOB);
    expect(await world.app({ jobs: [job], logger, concurrency: 1 }).drain()).toMatchObject({ succeeded: 2 });
    expect(runs).toHaveLength(1);
    expect(lines).toEqual([expect.stringContaining("a result is not kept")]);
  });

  test("a result of the longest length is kept", async () => {
    await deliver(() => "x".repeat(98), { maxResultChars: 100 }, JOB, JOB);
    expect(results).toEqual(["x".repeat(98), "x".repeat(98)]);
  });

  test("while one runs, another delivery is released for a while and does not run", async () => {
    const gate = createGate();
    const entered = createGate();
    const job = defineJob({
      class: "Charge",
      middleware: [createIdempotency(options({ retryAfterMs: HOUR_MS }))],
      perform: async () => {
        runs.push(1);
        entered.open();
        await gate.passed;
      },
    });
    await world.push("q", JOB);
    const first = world.app({ jobs: [job], concurrency: 1 }).drain();
    await entered.passed;
    await world.push("q", JOB);
    expect(await world.app({ jobs: [job], concurrency: 1 }).drain()).toMatchObject({
      claimed: 1,
      succeeded: 0,
      failed: 0,
    });
    const [waiting] = Object.keys((await world.everything())[world.keys.retries] as object);
    expect(waiting).toContain(`"payload":${JOB}`);
    gate.open();
    expect(await first).toMatchObject({ succeeded: 1 });
    expect(runs).toHaveLength(1);
  });

  /** Lets the mark of the run that has just begun last, however late its first renewal comes. */
  const lengthenMark = async (): Promise<void> => {
    const [key] = (await marks()) as [string];
    await world.send(["PEXPIRE", key, String(HOUR_MS)]);
  };

  test("a run that goes on renews its mark", async () => {
    const renewed = createGate();
    let ttlMs: unknown;
    const redis = carriedClient(world.client, async ({ names, deliver }) => {
      if (!names.includes("renew-run")) return deliver();
      const [key] = (await marks()) as [string];
      await lengthenMark();
      const reply = await deliver();
      [ttlMs] = await world.send(["PTTL", key]);
      renewed.open();
      return reply;
    });
    const perform = async (): Promise<number> => {
      await lengthenMark();
      await renewed.passed;
      return 1;
    };
    expect(await deliver(perform, { redis, runningTtlMs: 1_000 }, JOB)).toMatchObject({ succeeded: 1 });
    expect(Number(ttlMs)).toBeLessThanOrEqual(1_000);
  });

  test("a run that thaws when another has done its job long since does not cut short how long that is kept", async () => {
    const renewed = createGate();
    const redis = carriedClient(world.client, async ({ names, deliver }) => {
      const isRenewal = names.includes("renew-run");
      const [key] = await marks();
      if (isRenewal && key !== undefined) await world.send(["SET", key, "done.1", "PX", String(HOUR_MS)]);
      const reply = await deliver();
      if (isRenewal) renewed.open();
      return reply;
    });
    const perform = async (): Promise<never> => {
      await lengthenMark();
      await renewed.passed;
      throw new Error("too late");
    };
    expect(await deliver(perform, { redis, runningTtlMs: 1_000 }, JOB)).toMatchObject({ failed: 1 });
    const [key] = (await marks()) as [string];
    expect(Number((await world.send(["PTTL", key]))[0])).toBeGreaterThan(HOUR_MS - 20_000);
  });

  test("the mark of a run that nobody hears of ends, and the job runs again", async () => {
    await deliver(() => 1, {}, JOB);
    const [key] = (await marks()) as [string];
    await world.send(["SET", key, "running.other", "PX", "1"]);
    await until(async () => (await world.get(key)) === null);
    await deliver(() => 1, {}, JOB);
    expect(runs).toHaveLength(2);
  });

  test("a failure does not take away the mark of another run", async () => {
    const perform = async (): Promise<never> => {
      const [key] = (await marks()) as [string];
      // Ours has ended meanwhile, and another began.
      await world.send(["SET", key, "running.other", "PX", "60000"]);
      throw new Error("declined");
    };
    await deliver(perform, {}, JOB);
    expect(await world.get(((await marks()) as [string])[0])).toBe("running.other");
  });

  test("lost replies are asked for again: one run, its result kept", async () => {
    for (const lost of [1, 2]) {
      await world.flush();
      runs = [];
      const error = new StoreError("unavailable", "lost");
      const redis = fatedClient(world.client, (call) => (call === lost ? { carriedOut: true, error } : "ok"));
      expect(await deliver(() => "paid", { redis }, JOB, JOB)).toMatchObject({ succeeded: 2 });
      expect(runs).toHaveLength(1);
    }
  });

  test("a Redis that refuses to begin fails the job, which has not run; one that refuses to complete does not", async () => {
    const error = new StoreError("rejected", "no");
    const refusing = (refused: number) =>
      fatedClient(world.client, (call) => (call === refused ? { carriedOut: false, error } : "ok"));
    expect(await deliver(() => 1, { redis: refusing(1) }, JOB)).toMatchObject({ failed: 1 });
    expect(runs).toEqual([]);
    expect(await deliver(() => 1, { redis: refusing(2) }, JOB)).toMatchObject({ succeeded: 1 });
    expect(runs).toHaveLength(1);
  });

  test("around one handler: it sees what the handler sees", async () => {
    const keys: unknown[] = [];
    const job = defineJob<readonly [number, string]>({
      class: "Charge",
      perform: idempotent(
        ([order, currency], { log }) => {
          log.debug(currency);
          runs.push(order);
          return order;
        },
        {
          ...options(),
          key: ([order, currency]: readonly [number, string], { queue }) => {
            keys.push([order, currency, queue]);
            return String(order);
          },
        },
      ),
    });
    results.length = 0;
    await world.push("q", JOB, JOB);
    await world.app({ jobs: [job], hooks, concurrency: 1 }).drain();
    expect({ keys, runs, results }).toEqual({
      keys: [
        [17, "EUR", "q"],
        [17, "EUR", "q"],
      ],
      runs: [17],
      results: [17, 17],
    });
  });

  test.runIf(kind.server === "redis-server")("costs are counted", async () => {
    const counted = async (perform: () => unknown, before?: () => Promise<unknown>): Promise<number> => {
      await before?.();
      const raw = `{"class":"Charge","args":[${Math.random()}]}`;
      const cost = async (given: Partial<IdempotencyOptions> | undefined): Promise<number> => {
        await world.push("q", raw);
        const job = defineJob({
          class: "Charge",
          ...(given && { middleware: [createIdempotency(options(given))] }),
          perform,
        });
        await world.countCommands();
        await world.app({ jobs: [job], concurrency: 1 }).drain();
        return world.countCommands();
      };
      const plain = await cost(undefined);
      return (await cost({})) - plain;
    };
    const boom = (): unknown => Promise.reject(new Error("boom"));
    await counted(boom);
    // SET, SET.
    expect(await counted(() => 1)).toBe(2);
    // SET; EVALSHA, MGET, DEL.
    expect(await counted(boom)).toBe(4);
  });
});

describe("a wrong option is told", () => {
  const redis = { script: () => undefined } as never;
  test.each([
    [{}, /redis: expected a Redis client, got undefined/],
    [{ redis }, /ttlMs: expected an integer from 1 on, got undefined/],
    [{ redis, ttlMs: 0 }, /ttlMs: expected an integer from 1 on, got 0/],
    [{ redis, ttlMs: 5, runningTtlMs: 10 }, /runningTtlMs: expected an integer from 1000 on, got 10/],
    [{ redis, ttlMs: 5, retryAfterMs: -1 }, /retryAfterMs: /],
    [{ redis, ttlMs: 5, key: "order" }, /key: expected a function, got order/],
    [{ redis, ttlMs: 5, maxResultChars: 1.5 }, /maxResultChars: /],
    [{ redis, ttlMs: 5, namespace: {} }, /namespace: expected a text, got an object/],
    [{ redis, ttlMs: 5, ttl: 5 }, /ttl: unknown option; known: redis, namespace, ttlMs/],
  ])("%o", (wrong, message) => {
    expect(() => createIdempotency(wrong as never)).toThrow(message);
    expect(() => idempotent(() => undefined, wrong as never)).toThrow(expect.objectContaining({ name: "UsageError" }));
  });

  test("one that is undefined is one that is not given", () => {
    expect(() =>
      createIdempotency({ redis, ttlMs: 5, key: undefined, runningTtlMs: undefined } as never),
    ).not.toThrow();
  });
});

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
