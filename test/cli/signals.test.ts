import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { eventually, makeDirectory, startCli, type TestDirectory } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

let redis: TestRedis;
let client: RedisClient;
let directory: TestDirectory;
let app: string;

/** `Gate` runs until its key exists; `Stuck` until it is aborted; `Deaf` does not care. Each says in Redis that it has begun. */
beforeAll(async () => {
  redis = await startRedis();
  client = ioredis(redis.url);
  directory = await makeDirectory();
  app = await directory.write(
    "app.ts",
    `import { setTimeout as sleep } from "node:timers/promises";
     import { createAirlift } from "airlift";
     import { ioredis } from "airlift/redis/ioredis";
     const redis = ioredis("${redis.url}");
     const begin = (name: string) => redis.command(["INCR", "begun:" + name]);
     const options = { graceMs: Number(process.env.GRACE_MS), leaseMs: 5_000 };
     export const airlift = createAirlift({ redis: ioredis("${redis.url}"), queues: ["*"], ...options, jobs: [
       { class: "Gate", perform: async ([name], { signal }) => {
         await begin(name);
         while (!(await redis.command(["EXISTS", "open:" + name]))) await sleep(5, undefined, { signal });
       } },
       { class: "Stuck", perform: async ([name], { signal }) => { await begin(name); await sleep(60_000, undefined, { signal }); } },
       { class: "Deaf", perform: async ([name]) => { await begin(name); await sleep(60_000); } },
     ] });`,
  );
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
  await client.close();
  await redis.close();
});

async function push(namespace: string, ...classes: readonly string[]): Promise<void> {
  await client.command(["SADD", `${namespace}:queues`, "q"]);
  const payloads = classes.map((name) => `{"class":"${name}","args":["${namespace}"]}`);
  await client.command(["RPUSH", `${namespace}:queue:q`, ...payloads]);
}

const SHORT_GRACE_MS = 700;
const start = (command: string, namespace: string, args: readonly string[] = [], graceMs = 60_000) =>
  startCli([command, "--app", app, "--namespace", namespace, ...args], { env: { GRACE_MS: String(graceMs) } });
const begun = (namespace: string, count: number) =>
  eventually(async () => Number(await client.command(["GET", `begun:${namespace}`])) === count);

/** Keys of the namespace that tell of a worker or a drain. */
async function registrations(namespace: string): Promise<string[]> {
  const keys = (await client.command(["KEYS", `${namespace}:*`])) as string[];
  return keys.filter((key) => /worker|drains|stat:processed:/.test(key));
}

test.concurrent.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)(
  "%s lets a drain's running job end and takes no other",
  async (name) => {
    await push(name, "Gate", "Gate", "Gate");
    const cli = start("drain", name, ["--concurrency", "2", "--json"]);
    await begun(name, 2);
    cli.signal(name);
    await eventually(() => cli.stderr.includes(`${name}: no more jobs are taken`));
    await client.command(["SET", `open:${name}`, 1]);
    const { status, stdout } = await cli.ended;
    expect(JSON.parse(stdout)).toMatchObject({
      stopped: "aborted",
      succeeded: 2,
      failed: 0,
      released: 0,
      remaining: 1,
    });
    expect(await registrations(name)).toEqual([]);
    expect(status).toBe(0);
  },
);

test.concurrent("what does not end within the grace period goes back to its queue, whether it hears the signal or not", async () => {
  await push("grace", "Stuck", "Deaf");
  const cli = start("drain", "grace", ["--json"], SHORT_GRACE_MS);
  await begun("grace", 2);
  cli.signal("SIGTERM");
  const { status, stdout } = await cli.ended;
  expect(JSON.parse(stdout)).toMatchObject({ stopped: "aborted", succeeded: 0, failed: 0, released: 2, remaining: 2 });
  expect(await client.command(["LLEN", "grace:queue:q"])).toBe(2);
  expect(await client.command(["LLEN", "grace:failed"])).toBe(0);
  expect(await registrations("grace")).toEqual([]);
  expect(status).toBe(0);
});

test.concurrent("a second signal ends it at once, and the next drain takes the job back when the lease is over", async () => {
  await push("twice", "Gate");
  const cli = start("drain", "twice");
  await begun("twice", 1);
  cli.signal("SIGTERM");
  await eventually(() => cli.stderr.includes("once more ends at once"));
  cli.signal("SIGINT");
  const { status, stdout, stderr } = await cli.ended;
  expect(stderr).toContain("SIGINT: ended at once; what was running will run again when its lease is over");
  expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  expect(await registrations("twice")).not.toEqual([]);

  await client.command(["SET", "open:twice", 1]);
  const report = await eventually(async () => {
    const next = JSON.parse((await start("drain", "twice", ["--json"]).ended).stdout);
    return next.recovered === 1 && next;
  });
  expect(report).toMatchObject({ recovered: 1, succeeded: 1, remaining: 0 });
  expect(await registrations("twice")).toEqual([]);
});

test.concurrent("work drains again and again, and stops between drains at once", async () => {
  await client.command(["SET", "open:work", 1]);
  await push("work", "Gate");
  const cli = start("work", "work", ["--interval", "50ms"]);
  await eventually(() => / 1 job in .*: 1 succeeded/.test(cli.stderr));
  await push("work", "Gate", "Gate");
  await eventually(() => / 2 jobs in .*: 2 succeeded/.test(cli.stderr));
  cli.signal("SIGQUIT");
  const { status, stdout, stderr } = await cli.ended;
  expect(stderr).toMatch(/^\d\d:\d\d:\d\d working \*, a look every 0\.05 s\n/);
  expect(stderr).toMatch(/ 1 job in .*: 1 succeeded; 0 left; \d+ commands in \d+ requests/);
  expect(stderr).toMatch(/ 2 jobs in .*: 2 succeeded/);
  expect(stderr).toMatch(/ stopped\n$/);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

test.concurrent("work stopped in the middle of a drain gives its job back and leaves nothing behind", async () => {
  await push("stop", "Stuck");
  const cli = start("work", "stop", ["--interval", "1", "--json"], SHORT_GRACE_MS);
  await begun("stop", 1);
  cli.signal("SIGTERM");
  const { status, stdout } = await cli.ended;
  expect(JSON.parse(stdout)).toMatchObject({ stopped: "aborted", released: 1, remaining: 1 });
  expect(await registrations("stop")).toEqual([]);
  expect(status).toBe(0);
});
