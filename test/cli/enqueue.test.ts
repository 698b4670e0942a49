import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { freePort, startRedis, type TestRedis } from "../support/redis.ts";
import { makeDirectory, runCli, type TestDirectory } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

let redis: TestRedis;
let client: RedisClient;
let directory: TestDirectory;

beforeAll(async () => {
  redis = await startRedis();
  client = ioredis(redis.url);
  directory = await makeDirectory();
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
  await client.close();
  await redis.close();
});

const enqueue = (namespace: string, args: readonly string[], input?: string) =>
  runCli(["enqueue", "--redis", redis.url, "--namespace", namespace, ...args], input === undefined ? {} : { input });
const queue = async (namespace: string, name: string) =>
  (await client.command(["LRANGE", `${namespace}:queue:${name}`, 0, -1])) as string[];

test.concurrent("an argument that is JSON is that value, digit for digit; any other is a text", async () => {
  const args = [
    "Welcome",
    "5",
    "12345678901234567890",
    "1.0",
    "true",
    "null",
    '"5"',
    '{"a":[]}',
    "007",
    "",
    "nul",
    "é ☃",
  ];
  const { status, stdout, stderr } = await enqueue("args", ["SendEmail", ...args, "-q", "mail"]);
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: "enqueued SendEmail to mail; 1 job in it\n",
    stderr: "",
  });
  expect(await queue("args", "mail")).toEqual([
    '{"class":"SendEmail","args":["Welcome",5,12345678901234567890,1.0,true,null,"5",{"a":[]},"007","","nul","é ☃"]}',
  ]);
  expect(await client.command(["SMEMBERS", "args:queues"])).toEqual(["mail"]);
});

test.concurrent("what follows -- may begin with a dash", async () => {
  const { stdout } = await enqueue("dash", ["--queue", "math", "--json", "Add", "--", "-5", "--json"]);
  expect(JSON.parse(stdout)).toEqual({ kind: "queued", queue: "math", length: 1 });
  expect(await queue("dash", "math")).toEqual(['{"class":"Add","args":[-5,"--json"]}']);
});

/** Each list of delayed items by its second. */
async function schedule(namespace: string): Promise<Record<string, unknown>> {
  const prefix = `${namespace}:delayed:`;
  const names = (await client.command(["KEYS", `${prefix}*`])) as string[];
  const lists = names.map(async (name) => [name.slice(prefix.length), await client.command(["LRANGE", name, 0, -1])]);
  return Object.fromEntries(await Promise.all(lists));
}

test.concurrent.each([
  ["5m", 300],
  ["1.5h", 5_400],
  ["90", 90],
  ["60d", 5_184_000],
])("--in %s delays the job by %s seconds", async (delay, seconds) => {
  const namespace = `in-${seconds}`;
  const before = Math.floor(Date.now() / 1_000);
  const { status, stdout, stderr } = await enqueue(namespace, ["Remind", "17", "-q", "mail", "--in", delay]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const [[at = "", items] = []] = Object.entries(await schedule(namespace));
  expect(items).toEqual(['{"class":"Remind","args":[17],"queue":"mail"}']);
  expect(Number(at) - before).toBeGreaterThanOrEqual(seconds);
  expect(Number(at) - before).toBeLessThan(seconds + 60);
  expect(stdout).toBe(`Remind goes to mail at ${new Date(Number(at) * 1_000).toISOString().replace(".000", "")}\n`);
});

test.concurrent("--at is an instant, or a time of this machine", async () => {
  const run = (at: string) => enqueue("at", ["A", "-q", "mail", "--json", "--at", at]);
  const results = await Promise.all(["2099-11-20T18:00:00Z", "2099-11-20T18:00:00+01:00"].map(run));
  const at = Date.UTC(2099, 10, 20, 18);
  expect(results.map(({ stdout }) => JSON.parse(stdout))).toEqual([
    { kind: "delayed", queue: "mail", at },
    { kind: "delayed", queue: "mail", at: at - 3_600_000 },
  ]);
  const env = { REDIS_URL: redis.url, TZ: "America/New_York" };
  const local = ["2099-11-20 18:00", "2099-11-20T18:00:00", "2099-11-20"].map(async (text) => {
    const { stdout } = await runCli(["enqueue", "A", "-q", "mail", "--json", "--at", text, "--namespace", "tz"], {
      env,
    });
    return (JSON.parse(stdout) as { at: number }).at;
  });
  expect(await Promise.all(local)).toEqual([at + 5 * 3_600_000, at + 5 * 3_600_000, at - 13 * 3_600_000]);
});

test.concurrent("a time that has passed is now", async () => {
  const { stdout } = await enqueue("past", ["A", "-q", "mail", "--at", "2001-01-01"]);
  expect(stdout).toBe("enqueued A to mail; 1 job in it\n");
});

test.concurrent.each([
  [["--in", "soon"], "Expected a duration such as 30s, 5m or 7d"],
  [["--in", "-5m"], "Expected a duration"],
  [["--at", "tomorrow"], "Expected a time such as 2026-11-20T18:00:00Z"],
  [["--at", "2026-02-30"], "Expected a time such as"],
  [["--at", "1795206569"], "Expected a time such as"],
  [["--at", "2099-01-01", "--in", "5m"], "expected --at or --in, got both"],
])("%s is refused", async (args, message) => {
  const { status, stdout, stderr } = await enqueue("refused", ["A", "-q", "mail", ...args]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(message);
});

test.concurrent("--in is not for a file, whose lines may say when they run", async () => {
  const { status, stderr } = await enqueue("later", ["--file", "-", "-q", "mail", "--in", "5m"], "");
  expect(stderr).toBe('airlift: enqueue: --at and --in are for one job; a line of a file may have "at" or "in"\n');
  expect(status).toBe(2);
  const lines = '{"class":"A","at":"2099-11-20T18:00:00Z"}\n{"class":"B"}\n{"class":"C","in":"5m"}\n';
  expect((await enqueue("later", ["--file", "-", "-q", "mail"], lines)).stdout).toBe("enqueued 3 jobs\n");
  expect(await queue("later", "mail")).toEqual(['{"class":"B","args":[]}']);
  expect(
    Object.values(await schedule("later"))
      .flat()
      .toSorted(),
  ).toEqual(['{"class":"A","args":[],"queue":"mail"}', '{"class":"C","args":[],"queue":"mail"}']);
});

test.concurrent("--file enqueues a job a line, each number as it is written, to --queue or the line's own queue", async () => {
  const file = await directory.write(
    "jobs.ndjson",
    '{"class":"A","args":[1.50,12345678901234567890]}\n\n{"class":"B","queue":"other"}\r\n{"queue":"mail","class":"C","args":[{"1":"é"}]}',
  );
  const { status, stdout } = await enqueue("file", ["--file", file, "--queue", "mail"]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "enqueued 3 jobs\n" });
  expect(await queue("file", "mail")).toEqual([
    '{"class":"A","args":[1.50,12345678901234567890]}',
    '{"class":"C","args":[{"1":"é"}]}',
  ]);
  expect(await queue("file", "other")).toEqual(['{"class":"B","args":[]}']);
});

test.skipIf(process.platform === "win32")("--file takes a pipe with a name, as shells make for <(…)", async () => {
  const pipe = join(directory.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  const writer = spawn("sh", ["-c", `echo '{"class":"A"}' > "$0"`, pipe]);
  const { status, stdout } = await enqueue("pipe", ["--file", pipe, "--queue", "mail"]);
  writer.kill();
  expect({ status, stdout }).toEqual({ status: 0, stdout: "enqueued 1 job\n" });
});

test.concurrent("--file - reads standard input, in order and without holding it in memory", async () => {
  const count = 12_000;
  const padding = "x".repeat(5_000);
  const lines = Array.from({ length: count }, (_, index) => `{"class":"Bulk","args":[${index},"${padding}"]}`);
  const { status, stdout, stderr } = await runCli(["enqueue", "--file", "-", "-q", "bulk", "--json"], {
    input: `${lines.join("\n")}\n`,
    // 60 MB of jobs in a heap of 48 MB.
    env: { REDIS_URL: redis.url, NODE_OPTIONS: "--max-old-space-size=48" },
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `{"enqueued":${count}}\n`, stderr: "" });
  expect(await client.command(["LLEN", "resque:queue:bulk"])).toBe(count);
  expect(await client.command(["LINDEX", "resque:queue:bulk", 0])).toBe(lines[0]);
  expect(await client.command(["LINDEX", "resque:queue:bulk", -1])).toBe(lines.at(-1));
});

test.concurrent.each([
  ["not json", "is not valid JSON"],
  ['{"args":[]}', "class is required"],
  ['{"class":"A","args":{}}', "args must be an array"],
  ['{"class":"A","arguments":[]}', "arguments is not a member of a job; a job has class and args"],
  ['{"class":"A","queue":""}', "queue must be a non-empty string"],
  ["[]", "must be an object with class and args"],
])(
  "a line %s is named by its number; the lines before it are enqueued, those after it are not",
  async (line, reason) => {
    const namespace = `bad-${Buffer.from(line).toString("hex")}`;
    const good = (name: string) => `{"class":"${name}","args":[]}`;
    const text = `${good("A")}\n\n${good("B")}\n${line}\n${good("C")}\n`;
    const { status, stdout, stderr } = await enqueue(namespace, ["--file", "-", "-q", "q"], text);
    expect(stderr).toMatch(/^airlift: .*\n$/);
    expect(stderr).toContain(`standard input, line 4: ${reason}`);
    expect(stderr).toMatch(/; 2 jobs enqueued, from the lines before it\n$/);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(await queue(namespace, "q")).toEqual([good("A"), good("B")]);
  },
);

test.concurrent("a line without a queue needs --queue", async () => {
  const { status, stderr } = await enqueue("none", ["--file", "-"], '{"class":"A"}\n');
  expect(stderr).toBe(
    "airlift: standard input, line 1: names no queue, and --queue is not given; 0 jobs enqueued, from the lines before it\n",
  );
  expect(status).toBe(2);
});

test.concurrent("a Redis that is away is told with what had been enqueued, status 1", async () => {
  const url = `redis://127.0.0.1:${await freePort()}`;
  const { status, stderr } = await runCli(["enqueue", "--file", "-", "-q", "q", "--redis", url], {
    input: '{"class":"A"}\n',
  });
  expect(stderr).toMatch(
    /^airlift: Redis at 127\.0\.0\.1:\d+: connection refused \(ECONNREFUSED\); 0 jobs of standard input enqueued before, the next 1 perhaps\n$/,
  );
  expect(status).toBe(1);
});
