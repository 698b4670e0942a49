import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { changeOwn, forgetAttempts, parsePayload, readOwn } from "../../src/resque/payload.ts";
import { hasRedisServer } from "../support/redis.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { corpus, mutated } from "./corpus.ts";
import { hostilePayload } from "./hostile-payload.ts";
import { compareEssences, essenceOf, PayloadWorld } from "./payload-world.ts";
import { fuzzing } from "./settings.ts";

const anyPayload = fc.oneof({ arbitrary: hostilePayload, weight: 3 }, { arbitrary: mutated("payload"), weight: 1 });

describe("a payload, whatever it is", () => {
  test("is read as a job with a class and arguments, or told as none", () => {
    fc.assert(
      fc.property(anyPayload, (bytes) => {
        const raw = bytes.toString("utf8");
        const job = parsePayload(raw);
        expect(job.raw).toBe(raw);
        if (job.kind === "malformed") {
          expect(job.reason).toMatch(/^[\x20-\x7e]{1,120}$/);
        } else {
          expect(typeof job.class === "string" && job.class !== "" && Array.isArray(job.args)).toBe(true);
          expect(job.attempt).toBeGreaterThanOrEqual(1);
          expect(job.retries).toBeLessThan(job.attempt);
        }
      }),
      fuzzing(2_000),
    );
  });

  test("keeps its bytes when Airlift's own member is put to its end, changed there, and taken off", () => {
    const apply = (bytes: Buffer, { cutBytes, append }: { readonly cutBytes: number; readonly append: string }) =>
      Buffer.concat([bytes.subarray(0, bytes.length - cutBytes), Buffer.from(append)]);
    fc.assert(
      fc.property(anyPayload, (bytes) => {
        const raw = bytes.toString("utf8");
        const before = readOwn(raw);
        const change = changeOwn(raw, { ...before, retries: 7 });
        if (!change) return;
        const changed = apply(bytes, change);
        expect(essenceOf(changed)).toBe(essenceOf(bytes));
        expect(readOwn(changed.toString("utf8"))).toEqual({ ...before, retries: 7 });
        const forgotten = apply(changed, forgetAttempts(changed.toString("utf8")));
        expect(essenceOf(forgotten)).toBe(essenceOf(bytes));
        expect(readOwn(forgotten.toString("utf8")).retries).not.toBe(7);
        if (parsePayload(raw).kind === "job") expect(parsePayload(changed.toString("utf8")).kind).toBe("job");
      }),
      fuzzing(2_000),
    );
  });
});

/** The embedded Redis' Lua breaks on JSON that is nested some 550 deep; and where there is another it only gets a sample. */
const kinds = setups().map((kind) => ({
  kind,
  name: kind.name,
  runs: kind.name === "redis-server-tcp" || !hasRedisServer() ? 150 : 25,
  taken: kind.server === "embedded" ? anyPayload.filter((bytes) => bytes.length < 900) : anyPayload,
}));

describe.each(kinds)("a drain of hostile payloads over $name", ({ kind, runs, taken }) => {
  let setup: RunningSetup;
  let raw: ReturnType<typeof connectRaw>;
  let worlds = 0;
  beforeAll(async () => {
    setup = await kind.start();
    raw = connectRaw(setup.redis.url);
  });
  afterAll(async () => {
    await raw.close();
    await setup.close();
  });

  /** Fails unless each payload ends in failed or is run, its bytes kept, and each good neighbour runs exactly once. */
  const check = async (payloads: readonly Buffer[]): Promise<void> => {
    const world = new PayloadWorld(setup, raw, `w${++worlds}`);
    const { keys } = world;
    const good = [...payloads.keys(), payloads.length];
    const queued = good.flatMap((n) => [Buffer.from(`{"class":"Good","args":[${n}]}`), ...payloads.slice(n, n + 1)]);
    // Of a job that looks like one among the hostile, but whose id they do not know.
    const lock = keys.lock("Unique", "q", "[]");
    await world.send(
      ["SADD", keys.queues, "q"],
      ["RPUSH", keys.queue("q"), ...queued],
      ["SET", lock, "9999999999.dffffffffffff"],
    );
    const ending = await world.drain();
    const failed = await world.list(keys.failed);
    expect(ending.good.toSorted((a, b) => Number(a) - Number(b))).toEqual(good);
    expect(compareEssences(payloads, { ran: ending.ran, failed })).toEqual({ strange: [], missing: [] });
    const { report } = ending;
    expect(report).toMatchObject({ stopped: "empty", remaining: 0, released: 0, lost: 0, failed: failed.length });
    expect(await world.number(keys.processed)).toBe(report.succeeded + report.failed + report.retried);
    expect(await world.number(keys.failures)).toBe(report.failed + report.retried);
    expect(report.succeeded).toBe(good.length + ending.ran.length);
    expect(await world.number(lock)).toBeNaN();
    const lasting = [keys.queues, keys.failed, keys.processed, keys.failures, keys.starts, lock];
    const names = await world.keyNames();
    expect(names.filter((name) => !lasting.includes(name) && !name.startsWith(keys.job("")))).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await world.flush();
  };

  test("loses none of them and none between them, and changes none", async () => {
    await fc.assert(fc.asyncProperty(fc.array(taken, { maxLength: 12 }), check), fuzzing(runs));
  });

  test.each(corpus("payload"))("keeps $name", ({ bytes }) => check([bytes]));
});
