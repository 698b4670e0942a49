import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Airlift, createAirlift } from "../../src/airlift.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { runCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

let redis: TestRedis;
let airlift: Airlift;

beforeAll(async () => {
  redis = await startRedis();
  airlift = createAirlift({
    ...{ redis: ioredis(redis.url), queues: ["q"], platform: "test" },
    jobs: [
      { class: "Sum", perform: ([a, b]) => (a as number) + (b as number) },
      { class: "Declined", perform: () => Promise.reject(new TypeError("no such card")) },
    ],
    status: { ttlMs: 600_000, results: true },
  });
});
afterAll(async () => {
  await airlift.close();
  await redis.close();
});

test("job shows what became of a job", async () => {
  await airlift.enqueue({ queue: "q", class: "Sum", args: [1, 2], id: "sum:1" });
  await airlift.enqueue({ queue: "q", class: "Declined", id: "card" });
  const queued = await runCli(["job", "sum:1", "--redis", redis.url]);
  expect(queued).toMatchObject({ status: 0, stderr: "" });
  expect(queued.stdout).toMatch(/^job {7}sum:1\nstate {5}queued\nclass {5}Sum\nqueue {5}q\nenqueued {2}20\d\d-\S+Z\n$/);
  await airlift.drain();
  const done = await runCli(["job", "sum:1", "--redis", redis.url]);
  expect(done.stdout).toMatch(
    /state {5}done\n.*attempt {3}1\nenqueued {2}\S+\nstarted {3}\S+\nended {5}\S+\ntook {6}\S.*\nworker {4}airlift-test-.*\nresult {4}3\n$/s,
  );
  const failed = await runCli(["job", "card", "--redis", redis.url]);
  expect(failed.stdout).toMatch(/state {5}failed\n.*failure {3}TypeError: no such card\n$/s);
  const json = await runCli(["job", "sum:1", "--redis", redis.url, "--json"]);
  expect(JSON.parse(json.stdout)).toEqual(await airlift.job("sum:1"));
});

test("job of which nothing is known ends with 1, and of what can be no id with 2", async () => {
  expect(await runCli(["job", "nobody", "--redis", redis.url])).toEqual({
    ...{ status: 1, stdout: "", stderr: "airlift: nothing is known of a job with the id nobody\n" },
  });
  const wrong = await runCli(["job", "a b", "--redis", redis.url]);
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(wrong.stderr).toMatch(/^airlift: id: expected 1 to 100 letters/);
});
