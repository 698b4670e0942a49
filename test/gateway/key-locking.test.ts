import { createHash, randomUUID } from "node:crypto";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningGateway } from "../../src/gateway/serve-gateway.ts";
import { KEY_LOCKING_HEADER } from "../../src/redis/script-command.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { toScript } from "../conformance/redis-client.ts";
import { startGateway, TEST_TOKEN } from "../support/gateway.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../support/redis.ts";

let redis: TestRedis;
let gateway: RunningGateway;
let sdk: Redis;

beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway(redis.url);
  sdk = new Redis({ url: gateway.url, token: TEST_TOKEN, enableTelemetry: false });
});
afterAll(async () => {
  await gateway.close();
  await redis.close();
});

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");
const freshSource = () => `return {KEYS[1], '${randomUUID()}'}`;

test("a script under the header runs as the script without it", async () => {
  expect(await sdk.eval(`${KEY_LOCKING_HEADER}return ARGV[1]`, [], ["x"])).toBe("x");
});

test("SCRIPT LOAD answers with the SHA-1 of what was sent, and EVALSHA finds it by that", async () => {
  const source = KEY_LOCKING_HEADER + freshSource();
  expect(await sdk.scriptLoad(source)).toBe(sha1(source));
  expect(await sdk.evalsha(sha1(source), ["k"], [])).toEqual(["k", expect.any(String)]);
  expect(await sdk.scriptExists(sha1(source), "0".repeat(40))).toEqual([1, 0]);
});

test("EVAL makes a script known to EVALSHA", async () => {
  const source = KEY_LOCKING_HEADER + freshSource();
  await expect(sdk.evalsha(sha1(source), ["k"], [])).rejects.toThrow(/NOSCRIPT/);
  await sdk.eval(source, ["k"], []);
  expect(await sdk.evalsha(sha1(source), ["k"], [])).toEqual(["k", expect.any(String)]);
});

test("a script without the header keeps its SHA-1", async () => {
  const source = freshSource();
  expect(await sdk.scriptLoad(source)).toBe(sha1(source));
  expect(await sdk.evalsha(sha1(source), ["k"], [])).toEqual(["k", expect.any(String)]);
});

test("it works in pipelines and transactions", async () => {
  const source = KEY_LOCKING_HEADER + freshSource();
  for (const batch of [sdk.pipeline(), sdk.multi()]) {
    const replies = await batch.scriptLoad(source).evalsha(sha1(source), ["k"], []).exec();
    expect(replies).toEqual([sha1(source), ["k", expect.any(String)]]);
  }
});

test("after a restart, a client's EVALSHA gets NOSCRIPT, and its EVAL makes it known again", async () => {
  const script = toScript(freshSource());
  const call = { script, keys: ["k"], args: [] };
  const first = upstash({ url: gateway.url, token: TEST_TOKEN, keyLocking: true });
  await first.script(call);
  const restarted = await startGateway(redis.url);
  const client = upstash({ url: restarted.url, token: TEST_TOKEN, keyLocking: true });
  const usage = { commands: 0, requests: 0 };
  expect(await client.script(call, { usage })).toEqual(["k", expect.any(String)]);
  expect(usage).toEqual({ commands: 2, requests: 2 });
  expect(await client.script(call, { usage })).toEqual(["k", expect.any(String)]);
  expect(usage).toEqual({ commands: 3, requests: 3 });
  await Promise.all([first.close(), client.close()]);
  await restarted.close();
});

test("a client that locks keys and one that does not share a script", async () => {
  const script = toScript(freshSource());
  const locking = upstash({ url: gateway.url, token: TEST_TOKEN, keyLocking: true });
  const plain = upstash({ url: gateway.url, token: TEST_TOKEN });
  await locking.script({ script, keys: ["k"], args: [] });
  const usage = { commands: 0, requests: 0 };
  await plain.script({ script, keys: ["k"], args: [] }, { usage });
  expect(usage).toEqual({ commands: 1, requests: 1 });
  await Promise.all([locking.close(), plain.close()]);
});

test.runIf(hasRedisServer())("other flags stay", async () => {
  const flags = (list: string) => `#!lua flags=${list}\nreturn redis.call('SET', KEYS[1], '1')`;
  await expect(sdk.eval(flags("no-writes,allow-key-locking"), ["k"], [])).rejects.toThrow(/read-only scripts/);
  expect(await sdk.eval(flags("allow-key-locking"), ["k"], [])).toBe("OK");
});
