import { randomUUID } from "node:crypto";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { type ServerKind, startRedis, type TestRedis } from "../support/redis.ts";
import { setups } from "../support/setups.ts";

const kinds = [...new Set(setups().map(({ server }) => server))];

describe.each<ServerKind>(kinds)("@upstash/redis in its default settings, in front of %s", (kind) => {
  let redis: TestRedis;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  let sdk: Redis;
  let key: string;

  beforeAll(async () => {
    redis = await startRedis({ kind });
    gateway = await startGateway(redis.url);
    sdk = new Redis({ url: gateway.url, token: gateway.token });
  });
  afterAll(async () => {
    await gateway.close();
    await redis.close();
  });
  beforeEach(() => {
    key = randomUUID();
  });

  test("stores and reads values of every kind", async () => {
    const value = { text: "é ✓ 漢字", list: [1, null, { a: [] }], number: 1.5 };
    expect(await sdk.set(key, value, { ex: 100 })).toBe("OK");
    expect(await sdk.get(key)).toEqual(value);
    expect(await sdk.ttl(key)).toBeGreaterThan(90);
    await sdk.set(key, "OK");
    expect(await sdk.get(key)).toBe("OK");
  });

  test("gathers calls made at once, writes and reads apart", async () => {
    await sdk.mset({ [`${key}:a`]: "a", [`${key}:b`]: { b: 1 } });
    const [a, first, b, second, both] = await Promise.all([
      sdk.get(`${key}:a`),
      sdk.incr(key),
      sdk.get(`${key}:b`),
      sdk.incr(key),
      sdk.mget(`${key}:a`, `${key}:none`),
    ]);
    expect([a, first, b, second, both]).toEqual(["a", 1, { b: 1 }, 2, ["a", null]]);
  });

  test("reads lists, hashes, sorted sets and scans", async () => {
    await sdk.rpush<unknown>(key, "a", "OK", { b: 1 });
    expect(await sdk.lrange(key, 0, -1)).toEqual(["a", "OK", { b: 1 }]);
    await sdk.hset(`${key}:h`, { f: "v", n: 1 });
    expect(await sdk.hgetall(`${key}:h`)).toEqual({ f: "v", n: 1 });
    await sdk.zadd(`${key}:z`, { score: 1.5, member: "m" }, { score: 2, member: "n" });
    expect(await sdk.zrange(`${key}:z`, 0, -1, { withScores: true })).toEqual(["m", 1.5, "n", 2]);
    const [, found] = await sdk.scan(0, { match: `${key}*`, count: 10_000 });
    expect(found.toSorted()).toEqual([key, `${key}:h`, `${key}:z`]);
  });

  test("runs pipelines and transactions", async () => {
    expect(await sdk.pipeline().set(key, "1").incr(key).get(key).exec()).toEqual(["OK", 2, 2]);
    expect(await sdk.multi().set(key, "1").incr(key).get(key).exec()).toEqual(["OK", 2, 2]);
    const kept = await sdk.pipeline().set(key, "x").incr(key).exec({ keepErrors: true });
    expect(kept[1]?.error).toBe("ERR value is not an integer or out of range");
  });

  test("runs scripts, by text and by SHA-1", async () => {
    const source = "return {KEYS[1], ARGV[1], 7}";
    expect(await sdk.eval(source, ["k"], ["a"])).toEqual(["k", "a", 7]);
    expect(await sdk.evalsha(await sdk.scriptLoad(source), ["k"], ["a"])).toEqual(["k", "a", 7]);
    expect(await sdk.createScript(source).exec(["k"], ["a"])).toEqual(["k", "a", 7]);
  });

  test("is told of errors and of a wrong token", async () => {
    await sdk.set(key, "x");
    await expect(sdk.lpush(key, "y")).rejects.toThrow(/WRONGTYPE/);
    const stranger = new Redis({ url: gateway.url, token: "wrong" });
    await expect(stranger.get(key)).rejects.toThrow(/WRONGPASS invalid or missing auth token/);
  });
});
