import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import { upstash } from "../../src/redis/upstash.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { eventually, runCli, startCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

let redis: TestRedis;
let client: RedisClient;

beforeAll(async () => {
  redis = await startRedis();
  client = ioredis(redis.url);
});
afterAll(async () => {
  await client.close();
  await redis.close();
});

test("status shows queues, what is paused, workers and counters, as Ruby Resque left them", async () => {
  await client.command(["SADD", "resque:queues", "mail", "images"]);
  await client.command(["RPUSH", "resque:queue:mail", ...Array(1_204).fill('{"class":"A","args":[]}')]);
  await client.command(["SET", "resque:pause:queue:images", "true"]);
  await client.command(["SADD", "resque:workers", "host:1:*", "host:2:*"]);
  await client.command(["SET", "resque:worker:host:1:*", "{}"]);
  await client.command(["RPUSH", "resque:failed", "{}", "{}"]);
  await client.command(["MSET", "resque:stat:processed", "12000", "resque:stat:failed", "7"]);

  const text = await runCli(["status", "--redis", redis.url]);
  expect(text).toEqual({
    status: 0,
    stderr: "",
    stdout: [
      "QUEUE    JOBS",
      "images      0  paused",
      "mail    1,204",
      "",
      "workers           2  1 at work",
      "drains            0",
      "retries           0  waiting",
      "delayed           0  due times",
      "failed list       2",
      "attempts     12,000  7 failed",
      "",
    ].join("\n"),
  });
  const json = await runCli(["status", "--redis", redis.url, "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    queues: [
      { name: "images", size: 0, paused: true },
      { name: "mail", size: 1_204, paused: false },
    ],
    ...{ paused: false, workers: 2, working: 1, failed: 2, processed: 12_000, failures: 7, drains: 0 },
    ...{ delayed: 0, retries: 0, pausedClasses: [] },
  });
});

test("status of a Redis that Resque has not used says so", async () => {
  const { status, stdout } = await runCli(["status", "--redis", redis.url, "--namespace", "unused"]);
  expect(stdout).toMatch(/^no queues yet\n/);
  expect(status).toBe(0);
});

test("gateway serves a Redis to HTTP clients that know the token, until it is told to stop", async () => {
  const cli = startCli(["gateway", "--port", "0", "--redis", redis.url], { env: { AIRLIFT_GATEWAY_TOKEN: "t0ken" } });
  await eventually(() => cli.stdout.includes("\n"));
  const url = /^serving 127\.0\.0\.1:\d+ \(--redis\) at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(cli.stdout)?.[1] ?? "";
  expect(url).not.toBe("");
  const http = upstash({ url, token: "t0ken" });
  await http.command(["SET", "through:gateway", "yes"]);
  expect(await client.command(["GET", "through:gateway"])).toBe("yes");
  await expect(upstash({ url, token: "other" }).command(["PING"])).rejects.toMatchObject({ reason: "unauthorized" });

  const taken = await runCli(["gateway", "--token", "t", "--redis", redis.url, "--port", new URL(url).port]);
  expect(taken.stderr).toMatch(/^airlift: gateway: port \d+ on 127\.0\.0\.1 is in use; expected a free one, or 0\n$/);
  expect(taken.status).toBe(2);

  cli.signal("SIGTERM");
  expect((await cli.ended).status).toBe(0);
  await expect(http.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
});
