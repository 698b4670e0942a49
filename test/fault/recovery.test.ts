import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { toHeartbeat } from "../../src/resque/time-format.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";

const keys = createKeys();

/** A drain that died with one payload in its slot, its lease long over. */
async function leaveDead(redis: Redis, payload: Buffer): Promise<void> {
  const worker = "airlift-node-0badf00d:7-0:mail";
  const head = '{"claim":"0badf00d.1.1","queue":"mail","run_at":"2026-11-20T18:50:57Z","payload":';
  await redis.set(keys.worker(worker), Buffer.concat([Buffer.from(head), payload, Buffer.from("}")]));
  await redis.set(keys.started(worker), "2026-11-20 18:50:57 +0000");
  const description = { id: "0badf00d", host: "airlift-node-0badf00d", pid: 7, slots: 1, queues: "mail" };
  await redis.zadd(keys.drains, 1, JSON.stringify(description));
}

let server: TestRedis;
let redis: Redis;
let client: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  client = ioredis(server.url);
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await client.close();
  await server.close();
});

describe("a payload that has taken down its last drain", () => {
  /** The only failure, as its reader gets it. */
  const failureOf = async (payload: Buffer): Promise<{ exception: string; payload: { class: string } }> => {
    await leaveDead(redis, payload);
    await createAirlift({ redis: client, queues: ["mail"], jobs: [], crashLimit: 1 }).drain();
    const entries = await redis.lrangeBuffer(keys.failed, 0, -1);
    expect(entries).toHaveLength(1);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(entries[0]));
  };

  test("is a failure that bears it as its producer wrote it", async () => {
    const failure = await failureOf(Buffer.from('{"class":"Job","args":[1.0,[],"é"]}'));
    expect(failure).toMatchObject({ exception: "Resque::DirtyExit", payload: { class: "Job" } });
    expect(await redis.lindex(keys.failed, 0)).toContain('"payload":{"class":"Job","args":[1.0,[],"é"]},"exception":');
  });

  test("is a failure that can be read, if the payload is no JSON", async () => {
    expect(await failureOf(Buffer.from("{broken}"))).toMatchObject({ payload: { class: "MalformedPayload" } });
  });

  test("is a failure that can be read, if the payload is no UTF-8", async () => {
    const failure = await failureOf(Buffer.from('{"class":"Job","args":["\xff"]}', "latin1"));
    expect(failure).toMatchObject({ payload: { class: "MalformedPayload" } });
  });

  test("is a failure with its own class, if it holds half an emoji", async () => {
    const failure = await failureOf(Buffer.from('{"class":"Job","args":["\\ud83d"]}'));
    expect(failure).toMatchObject({ exception: "Resque::DirtyExit", payload: { class: "Job" } });
  });
});

describe("a dead drain", () => {
  const jobs = [{ class: "Job", perform: () => undefined }];

  test("whose job bears a member of Airlift's name that is none of Airlift's is recovered like any other", async () => {
    await leaveDead(redis, Buffer.from('{"class":"Job","args":[],"airlift":{oops}}'));
    await redis.rpush(keys.queue("mail"), '{"class":"Job","args":[]}');
    const report = await createAirlift({ redis: client, queues: ["mail"], jobs }).drain();
    expect(report).toMatchObject({ stopped: "empty", recovered: 1, succeeded: 1, failed: 1 });
    expect(await redis.keys("*airlift*")).toEqual([]);
  });

  test.each([
    ["Ruby prunes workers, and has not heard of this one for 300 s: it is Ruby's", true, 301, 0],
    ["Ruby prunes workers, but this one is none that it would", true, 290, 1],
    ["Ruby prunes workers, and has done with this one", true, undefined, 1],
    ["nobody prunes, however long nobody has heard of it", false, 10_000, 1],
  ])("is recovered at once, or not: %s", async (_name, isPruning, silentSeconds, recovered) => {
    const worker = "airlift-node-0badf00d:7-0:mail";
    await leaveDead(redis, Buffer.from('{"class":"Job","args":[]}'));
    if (isPruning) await redis.set(keys.pruning, "web1:1:mail", "EX", 60);
    const [seconds] = await redis.time();
    if (silentSeconds !== undefined) {
      await redis.hset(keys.heartbeats, worker, toHeartbeat((Number(seconds) - silentSeconds) * 1_000));
    }
    const airlift = createAirlift({ redis: client, queues: ["mail"], jobs });
    expect(await airlift.drain()).toMatchObject({ stopped: "empty", recovered, succeeded: recovered });
    expect(await redis.exists(keys.worker(worker))).toBe(1 - recovered);
    // What Ruby has left when its lock is gone is ours.
    await redis.del(keys.pruning);
    expect(await airlift.drain()).toMatchObject({ recovered: 1 - recovered });
    expect(await redis.keys("*airlift*")).toEqual([]);
  });

  test("one of whose slots holds what Airlift did not write is recovered, and that is kept in failed", async () => {
    await leaveDead(redis, Buffer.from('{"class":"Job","args":[]}'));
    const worker = "airlift-node-0badf00d:7-1:mail";
    await redis.set(keys.worker(worker), '{"someone":"é"}');
    const [member] = await redis.zrange(keys.drains, 0, 0);
    await redis.del(keys.drains);
    await redis.zadd(keys.drains, 1, (member as string).replace('"slots":1', '"slots":2'));
    const report = await createAirlift({ redis: client, queues: ["mail"], jobs }).drain();
    expect(report).toMatchObject({ stopped: "empty", recovered: 1, succeeded: 1 });
    const failure = JSON.parse((await redis.lindex(keys.failed, 0)) as string);
    expect(failure).toMatchObject({ worker, payload: { class: "MalformedPayload" } });
    expect(Buffer.from(failure.payload.args[0], "latin1").toString()).toBe('{"someone":"é"}');
    expect(await redis.keys("*airlift*")).toEqual([]);
  });
});
