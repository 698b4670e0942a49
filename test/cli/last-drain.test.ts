import { afterAll, beforeAll, expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { runCli } from "./spawn-cli.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

test("status shows how the last drain ended, if drains are recorded", async () => {
  const status = (...more: string[]) => runCli(["status", "--redis", redis.url, ...more]);
  expect((await status()).stdout).not.toContain("last drain");
  const jobs = [{ class: "Noop", perform: () => undefined }];
  await using airlift = createAirlift({ redis: ioredis(redis.url), queues: ["q"], jobs, recordDrains: true });
  await airlift.enqueueAll([1, 2].map((n) => ({ queue: "q", class: "Noop", args: [n] })));
  await airlift.drain();
  expect((await status()).stdout).toMatch(/^last drain +\d[\d.]* (ms|s) ago +empty, 2 jobs$/m);
  const { lastDrain } = JSON.parse((await status("--json")).stdout);
  expect(lastDrain).toMatchObject({ stopped: "empty", claimed: 2, succeeded: 2 });
});
