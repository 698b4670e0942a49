import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { auditRedis, whatIsWrong } from "./audit.ts";
import type { SoakJob } from "./jobs.ts";
import { SOAK_BACKTRACE, SoakError } from "./soak-job.ts";

const job = (overrides: Partial<SoakJob> = {}): SoakJob => ({
  ...{ id: 7, queue: "img-größe", producer: "ruby", ending: "failed" },
  bytes: Buffer.from('{"class":"SoakJob","args":["#7#",1.0,[],"é"]} \n'),
  ...overrides,
});

/** As a drain writes it. */
function entryOf({ id, queue, bytes }: SoakJob, payload: string | Buffer = bytes, changed: object = {}): Buffer {
  const error = new SoakError(id);
  const failure = { exception: error.name, error: error.message, backtrace: SOAK_BACKTRACE };
  const rest = { ...failure, worker: "airlift-node-x:1-0:*", queue, ...changed };
  return Buffer.concat([
    Buffer.from('{"failed_at":"2026/11/20 18:50:57 UTC","payload":'),
    Buffer.from(payload as string),
    Buffer.from(`,${JSON.stringify(rest).slice(1)}`),
  ]);
}

describe("an entry of the failed list", () => {
  test("is right if it bears the payload's bytes, what stands behind them given way or not", () => {
    expect(whatIsWrong(entryOf(job()), job())).toBeUndefined();
    expect(whatIsWrong(entryOf(job(), job().bytes.toString().trimEnd()), job())).toBeUndefined();
  });

  test("is wrong in any other byte", () => {
    const text = job().bytes.toString();
    for (const changed of [
      text.replace("1.0", "1"),
      text.replace("[]", "{}"),
      text.replace("é", "\\u00e9"),
      `${text} `,
    ]) {
      expect(whatIsWrong(entryOf(job(), changed), job())).toBe("the payload has changed");
    }
    expect(whatIsWrong(entryOf(job(), text, { error: "other" }), job())).toBe("the failure is another");
    expect(whatIsWrong(entryOf(job(), text, { backtrace: [] }), job())).toBe("the failure is another");
    expect(whatIsWrong(entryOf(job(), text, { queue: "mail" }), job())).toBe("the queue is not img-größe");
    expect(whatIsWrong(Buffer.from("{}"), job())).toBe("the entry is none of Resque's");
  });

  test("of what is no job shows its bytes, also if they are no UTF-8", () => {
    const broken = job({
      ending: "malformed",
      bytes: Buffer.from('{"class":"SoakJob","args":["#7# \xff"]}', "latin1"),
    });
    const shown = (text: string): Buffer =>
      entryOf(broken, JSON.stringify({ class: "MalformedPayload", args: [text] }), { exception: "MalformedPayload" });
    expect(whatIsWrong(shown(broken.bytes.toString("latin1")), broken)).toBeUndefined();
    expect(whatIsWrong(shown(broken.bytes.toString("utf8")), broken)).toBe(
      "the entry does not show the payload's bytes",
    );
  });
});

describe("Redis after a soak", () => {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    await redis.flushall();
    await redis.sadd("resque:queues", "mail");
    await redis.mset("resque:stat:processed", 2, "resque:stat:failed", 1);
    await redis.rpush("resque:failed", entryOf(job()));
  });
  afterAll(async () => {
    redis.disconnect();
    await server.close();
  });

  const audit = async (): Promise<string[]> =>
    (await auditRedis(redis, [job(), job({ id: 8, ending: "done" })])).violations.map(({ text }) => text);

  test("is as it must be", async () => {
    expect(await audit()).toEqual([]);
  });

  test("holds nothing that a drain, or a job, left behind", async () => {
    await redis.zadd("resque:airlift:drains", 1, "drain");
    await redis.rpush("resque:queue:mail", "payload");
    expect(await audit()).toEqual([
      'left behind: resque:airlift:drains, zset ["drain","1"]',
      'left behind: resque:queue:mail, list ["payload"]',
    ]);
  });

  test("has counted each job once", async () => {
    await redis.mset("resque:stat:processed", 3, "resque:stat:failed", 0);
    expect(await audit()).toEqual(["stat:processed is 3, not 2", "stat:failed is 0, not 1"]);
  });

  test("has one entry for each job that fails, and none for another", async () => {
    await redis.rpush("resque:failed", entryOf(job()), entryOf(job({ id: 8 }), '{"class":"SoakJob","args":["#8#"]}'));
    expect(await audit()).toEqual([
      "job 7 is in failed twice",
      expect.stringContaining("an entry in failed for a job that does not fail"),
    ]);
    await redis.del("resque:failed");
    expect(await audit()).toEqual(["job 7 is not in failed"]);
  });
});
