import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasRedisServer } from "../../support/redis.ts";
import { until } from "../../support/until.ts";
import { type DurableRedis, startDurableRedis } from "./durable-redis.ts";

describe.skipIf(!hasRedisServer())("a durable Redis (which needs a redis-server)", () => {
  let redis: DurableRedis;
  beforeAll(async () => {
    redis = await startDurableRedis();
  });
  beforeEach(() => redis.client.flushall());
  afterAll(() => redis.close());

  test.each(["SIGTERM", "SIGKILL"] as const)(
    "still has what it acknowledged when it was ended by %s",
    async (signal) => {
      const { client } = redis;
      const before = /process_id:(\d+)/.exec(await client.info("server"))?.[1];
      for (let n = 0; n < 50; n++) await client.rpush("list", n);
      await client.eval('redis.call("SET", "a", "1") redis.call("SET", "b", "2")', 0);
      await redis.restart(signal);
      expect(/process_id:(\d+)/.exec(await client.info("server"))?.[1]).not.toBe(before);
      expect(await client.lrange("list", 0, -1)).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
      expect(await client.mget("a", "b")).toEqual(["1", "2"]);
    },
  );

  test("answers what it was asked while it was restarted, once it is there again", async () => {
    const { client } = redis;
    await client.set("a", "1");
    const asked: Promise<string | null>[] = [];
    let isBack = false;
    const restarted = redis.restart("SIGKILL").then(() => {
      isBack = true;
    });
    while (!isBack) {
      asked.push(client.get("a"));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await restarted;
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["1"]));
  });

  test("refuses writes when it is full, and takes them again when there is room", async () => {
    const { client } = redis;
    await client.set("a", "1");
    await redis.fill();
    await expect(client.set("a", "2")).rejects.toThrow(/^OOM/);
    await expect(client.eval('return redis.call("SET", "a", "2")', 0)).rejects.toThrow(/OOM/);
    expect(await client.get("a")).toBe("1");
    await redis.makeRoom();
    expect(await client.set("a", "2")).toBe("OK");
  });

  test("forgets scripts", async () => {
    const sha = (await redis.client.script("LOAD", "return 1")) as string;
    expect(await redis.client.evalsha(sha, 0)).toBe(1);
    await redis.flushScripts();
    await expect(redis.client.evalsha(sha, 0)).rejects.toThrow("NOSCRIPT");
  });

  test("answers nothing while it is frozen, and everything after", async () => {
    redis.freeze();
    let answer: string | undefined;
    const asked = redis.client.ping().then((pong) => {
      answer = pong;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answer).toBeUndefined();
    redis.thaw();
    await asked;
    expect(answer).toBe("PONG");
  });

  test("tells when it ends without being asked to, and only then", async () => {
    await using other = await startDurableRedis();
    let hasDied = false;
    const death = other.died.catch((error: Error) => {
      hasDied = true;
      return error.message;
    });
    await other.restart("SIGKILL");
    expect(await other.client.ping()).toBe("PONG");
    expect(hasDied).toBe(false);
    other.client.shutdown("NOSAVE").catch(() => undefined);
    expect(await death).toBe("redis-server ended by itself with 0");
  });

  test("counts what it carried out, over its restarts", async () => {
    const before = await redis.countCommands();
    for (let n = 0; n < 10; n++) await redis.client.eval('redis.call("INCR", "n") redis.call("INCR", "n")', 0);
    await redis.restart("SIGKILL");
    await redis.client.incr("n");
    expect(await redis.client.get("n")).toBe("21");
    expect(await redis.countCommands()).toBeGreaterThanOrEqual(before + 31);
    await until(async () => (await redis.countCommands()) < before + 100);
  });
});
