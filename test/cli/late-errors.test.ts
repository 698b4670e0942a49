import { expect, test, vi } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import { startRedis } from "../support/redis.ts";
import { makeDirectory, runCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const APP = `
  import { EventEmitter } from "node:events";
  import { connect } from "node:net";
  import { setTimeout as sleep } from "node:timers/promises";
  const never = () => new Promise(() => {});
  const job = (name, perform) => ({ class: name, perform });
  export const jobs = [
    job("Timer", () => { setTimeout(() => { throw new RangeError("from a timer"); }, 5); return never(); }),
    job("Rejection", () => { Promise.reject(new TypeError("nobody awaits it")); return never(); }),
    job("Async", () => { (async () => { await sleep(5); throw new Error("in the background"); })(); return never(); }),
    job("Emitter", () => { setImmediate(() => new EventEmitter().emit("error", new Error("an event"))); return never(); }),
    job("Socket", () => { connect(1, "127.0.0.1"); return never(); }),
    job("Nothing", () => { Promise.reject(undefined); return never(); }),
    job("TooLate", async () => { setTimeout(() => { throw new Error("after the job"); }, 5); }),
    job("Patient", () => sleep(300)),
  ];`;

test("a job's late error fails that job, is logged, and the others end as they should", async () => {
  await using redis = await startRedis();
  await using directory = await makeDirectory();
  const client = ioredis(redis.url);
  const names = ["Timer", "Rejection", "Async", "Emitter", "Socket", "Nothing", "TooLate", "Patient"];
  await client.command(["SADD", "resque:queues", "q"]);
  await client.command(["RPUSH", "resque:queue:q", ...names.map((name) => `{"class":"${name}","args":[]}`)]);

  const app = await directory.write("jobs.mjs", APP);
  const { status, stdout, stderr } = await runCli(["drain", "--app", app, "--redis", redis.url, "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ stopped: "empty", claimed: 8, succeeded: 2, failed: 6, remaining: 0 });
  expect(status).toBe(0);

  const entries = ((await client.command(["LRANGE", "resque:failed", 0, -1])) as string[]).map((entry) =>
    JSON.parse(entry),
  );
  const failures = Object.fromEntries(
    entries.map(({ payload, exception, error }) => [payload.class, [exception, error]]),
  );
  expect(failures).toEqual({
    Timer: ["RangeError", "from a timer"],
    Rejection: ["TypeError", "nobody awaits it"],
    Async: ["Error", "in the background"],
    Emitter: ["Error", "an event"],
    Socket: ["Error", "connect ECONNREFUSED 127.0.0.1:1"],
    Nothing: ["NonError", "the handler threw undefined"],
  });
  expect(stderr).toContain("error: a job's late error was not caught error=");
  expect(stderr).toMatch(/Error: after the job\n {4}at /);
  expect(await client.command(["KEYS", "resque:worker*"])).toEqual([]);
  await client.close();
});

test("an error of no job at all is logged, and the drain goes on", async () => {
  await using redis = await startRedis();
  await using directory = await makeDirectory();
  const app = await directory.write(
    "jobs.mjs",
    `setTimeout(() => { throw new Error("of the module"); }, 1);
     export const jobs = [{ class: "Slow", perform: () => new Promise((resolve) => setTimeout(resolve, 300)) }];`,
  );
  await runCli(["enqueue", "Slow", "--queue", "q", "--redis", redis.url]);
  const { status, stdout, stderr } = await runCli(["drain", "--app", app, "--redis", redis.url, "--json"]);
  expect(stderr).toMatch(/error: an error outside of any job was not caught error=Error: of the module\n {4}at /);
  expect(JSON.parse(stdout)).toMatchObject({ succeeded: 1, failed: 0 });
  expect(status).toBe(0);
});
