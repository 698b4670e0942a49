import { expect, test, vi } from "vitest";
import { freePort, startRedis } from "../support/redis.ts";
import { eventually, makeDirectory, runCli, startCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 90_000 });

const APP = `export const jobs = [{ class: "Ok", perform() {} }];`;

test("work waits for a Redis that is away, says so once, and works when it is there", async () => {
  await using directory = await makeDirectory();
  const app = await directory.write("jobs.mjs", APP);
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const cli = startCli(["work", "--app", app, "--redis", url, "--interval", "50ms"]);
  await eventually(() => cli.stderr.includes(`Redis at 127.0.0.1:${port}: connection refused`));
  await using redis = await startRedis({ port });
  await runCli(["enqueue", "Ok", "--queue", "q", "--redis", redis.url]);
  await eventually(() => / 1 job in .*: 1 succeeded/.test(cli.stderr));
  cli.signal("SIGTERM");
  const { status, stderr } = await cli.ended;
  expect(stderr.match(/ error: /g)).toHaveLength(1);
  expect(stderr).toContain("trying again every 0.05 s\n");
  expect(stderr).toContain(" Redis answers again\n");
  expect(status).toBe(0);
});

test("work ends with status 1 on what waiting cannot mend", async () => {
  await using directory = await makeDirectory();
  await using redis = await startRedis({ kind: "embedded" });
  const app = await directory.write("jobs.mjs", APP);
  // Its set of queues stands where the queue `queues` of the namespace `resque` should be a list.
  await runCli(["enqueue", "Ok", "--queue", "q", "--redis", redis.url, "--namespace", "resque:queue"]);
  const { status, stderr } = await runCli(["work", "--app", app, "--redis", redis.url, "--queues", "queues"], {
    cwd: directory.path,
  });
  expect(stderr).toMatch(/airlift: .*WRONGTYPE[^\n]*\n$/);
  expect(status).toBe(1);
});
