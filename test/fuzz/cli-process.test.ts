import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { makeDirectory, runCli, type TestDirectory } from "../cli/spawn-cli.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { hostileJson, mostly } from "./hostile-json.ts";
import { UNSAFE_OUTPUT } from "./run-here.ts";
import { fuzzing, isLong } from "./settings.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: isLong ? 3_600_000 : 120_000 });

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PAYLOAD = "canary-payload-d15ea5e";

let setup: RunningSetup;
let raw: ReturnType<typeof connectRaw>;
let directory: TestDirectory;
beforeAll(async () => {
  const [kind] = setups()
    .toReversed()
    .filter(({ transport }) => transport === "tcp");
  setup = await (kind as NonNullable<typeof kind>).start();
  raw = connectRaw(setup.redis.url);
  directory = await makeDirectory();
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
  await raw.close();
  await setup.close();
});

const cli = (args: readonly string[], input?: string) =>
  runCli(args, { env: { REDIS_URL: setup.url }, ...(input !== undefined && { input }) });

/** A run with standard streams that are not there: closed from the start, or by a reader that leaves at once. */
async function runWithout(stream: 0 | 1 | 2, args: readonly string[], isClosed: boolean) {
  const env = {
    PATH: process.env["PATH"],
    REDIS_URL: setup.url,
    NODE_COMPILE_CACHE: join(tmpdir(), "airlift-test-compile-cache"),
  };
  const redirect = ["<&-", ">&-", "2>&-"][stream];
  const child = isClosed
    ? spawn("sh", ["-c", `exec "$@" ${redirect}`, "sh", process.execPath, MAIN, ...args], { env, cwd: tmpdir() })
    : spawn(process.execPath, [MAIN, ...args], { env, cwd: tmpdir() });
  const outputs = [child.stdout, child.stderr];
  let text = "";
  for (const output of outputs)
    output.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  child.stdin.on("error", () => undefined);
  if (!isClosed && stream > 0) outputs[stream - 1]?.destroy();
  if (stream > 0 || !isClosed) child.stdin.end();
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  return { status, signal, text };
}

describe.concurrent("a command whose streams are not there ends as it would", () => {
  const lines: [args: string, status: number][] = [
    ["status", 0],
    ["failed --json", 0],
    ["enqueue --file -", 0],
    ["enqueue Job --queue q 1", 0],
    ["failed remove 0123456789ab", 1],
    ["status --nope", 2],
  ];
  const ways = ([0, 1, 2] as const).flatMap((stream) => [true, false].map((isClosed) => ({ stream, isClosed })));
  test.each(lines.flatMap(([args, status]) => ways.map((way) => ({ args, status, ...way }))))(
    "$args (stream $stream, closed: $isClosed)",
    async ({ args, status, stream, isClosed }) => {
      const ended = await runWithout(stream, args.split(" "), isClosed);
      expect(ended).toMatchObject({ status, signal: null });
      expect(ended.text).not.toMatch(/^\s+at /m);
    },
  );
});

test("files of hostile lines are enqueued up to the first that is wrong, and nothing of them is told", async () => {
  const line = mostly(
    fc.constantFrom(
      `{"class":"Job","args":["${PAYLOAD}"],"queue":"q"}`,
      `{"class":"Job","queue":"q","args":[{"__proto__":{"x":1}}]}`,
      "",
      "\uFEFF",
      ` {"queue":"q","class":"Job"}\r`,
    ),
    hostileJson,
    fc.constantFrom(
      `{"class":"Job","args":["${PAYLOAD}"]`,
      `{"class":"Job","args":{"${PAYLOAD}":1},"queue":"q"}`,
      `{"class":"Job","${PAYLOAD}":1,"queue":"q"}`,
      `{"class":5,"args":["${PAYLOAD}"],"queue":"q"}`,
      `{"class":"Job","queue":["${PAYLOAD}"]}`,
      `{"class":"Job","queue":"q","in":"${PAYLOAD}","at":"${PAYLOAD}"}`,
      `"${PAYLOAD}"`,
    ),
  );
  const file = fc.array(line, { maxLength: 30 }).map((lines) => lines.join("\n"));
  const property = fc.asyncProperty(file, async (text) => {
    await raw.send([["FLUSHALL"]]);
    const path = await directory.write("jobs.ndjson", text);
    const { status, stdout, stderr } = await cli(["enqueue", "--file", path]);
    expect(stdout + stderr).not.toContain(PAYLOAD);
    expect(stdout + stderr).not.toMatch(UNSAFE_OUTPUT);
    const [told] = /(\d+) jobs?\b/.exec(stdout + stderr)?.slice(1) ?? [];
    const [queued] = await raw.send([["LLEN", "resque:queue:q"]]);
    if (status === 0) expect(stdout).toMatch(/^enqueued \d+ jobs?\n$/);
    else
      expect([status, stderr]).toEqual([
        2,
        expect.stringMatching(/^airlift: [^\n]*, line \d+: [^\n]* enqueued, from the lines before it\n$/),
      ]);
    expect(Number(told)).toBeGreaterThanOrEqual(Number(queued));
  });
  await fc.assert(property, fuzzing(12, { endOnFailure: true }));
});

/** Modules that hold no jobs, or not as they should. */
const MODULES: Readonly<Record<string, string>> = {
  empty: "",
  "no syntax": `export const jobs = [\u0000 ${PAYLOAD}`,
  "a throw": `throw new Error("\u001B[2J first\\nsecond")`,
  "a throw of what has no text": "throw { toString() { throw 1 } }",
  "a throw of nothing": "throw undefined",
  "jobs that cannot be looked at": "export const jobs = new Proxy([], { get() { throw new Error('no') } })",
  "an export that throws":
    "export const jobs = { get length() { throw 1 } }; export default { get jobs() { throw new Error('no') } }",
  "a job that is none": "export const jobs = [null, 5, { class: {}, perform: 1 }]",
  "a class for the terminal": `export const jobs = [{ class: "\\u001b[2J", perform: 5 }]`,
  "two of a class": "const a = { class: 'A', perform() {} }; export const jobs = [a, a]",
  "options that are none":
    "export const jobs = [{ class: 'A', perform() {}, timeoutMs: 'x', retry: Symbol('x'), limit: [] }]",
  "a circle": "import './other.ts'; export const jobs = []",
  "not UTF-8": "export const jobs = '\u00ff",
};

describe.concurrent("an app that is none is told in a line, with status 2:", () => {
  test.each(Object.entries(MODULES))("%s", async (name, text) => {
    const path = await directory.write(`${name.replaceAll(" ", "-")}/airlift.ts`, text);
    const { status, stdout, stderr } = await cli(["drain", "--app", path]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^airlift: [^\n]+\n$/);
    expect(stderr).not.toMatch(UNSAFE_OUTPUT);
  });
});

describe.concurrent("commands that go on until they are stopped refuse what is wrong:", () => {
  test.each([
    ...[
      "work --interval 0",
      "work --interval NaN",
      "work --interval -1s",
      "work --concurrency 1e9",
      "work --queues ''",
    ],
    ...[
      "gateway --port -1",
      "gateway --port 1e3",
      "gateway --port 65536",
      "gateway --redis http://127.0.0.1:1 --token x",
    ],
    ...["dev --port NaN", "dev --app /nope", "dev --queues ,", "dev --redis-port 0x50", "work --app /dev/null"],
  ])("%s", async (line) => {
    const { status, stderr } = await cli(line.split(" "));
    expect(status).toBe(2);
    expect(stderr).toMatch(/^airlift: [^\n]+\n$/);
  });
});

test("jobs whose names and errors are for the terminal are logged as text", async () => {
  await raw.send([["FLUSHALL"]]);
  const payloads = ["\\u001b[2J\\nairlift: all is well", "\\u009b31m", "\\u202eGood", "Known"].map(
    (name) => `{"class":"${name}","args":["${PAYLOAD}"]}`,
  );
  await raw.send([
    ["SADD", "resque:queues", "q"],
    ["RPUSH", "resque:queue:q", ...payloads, "not json \u001B[2J"],
  ]);
  const app = await directory.write(
    "terminal/jobs.ts",
    `export const jobs = [{ class: "Known", perform(_args, job) {
       job.log.warn("\\u001b[2Jlook\\r\\nhere", { field: "\\u009b2J", error: new Error("x\\n    at \\u001b[2J") });
       const error = new Error("first \\u001b[31m\\n    at second \\u009b2J"); error.name = "\\u001b[2JError"; throw error;
     } }];`,
  );
  const { status, stdout, stderr } = await cli(["drain", "--app", app, "--queues", "q"]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/5 failed/);
  expect(stderr).toMatch(/job failed/);
  expect(stdout + stderr).not.toMatch(UNSAFE_OUTPUT);
  expect(stdout + stderr).not.toContain(PAYLOAD);
  // No line passes for another program's, or for one more of this.
  for (const line of stderr.trimEnd().split("\n")) expect(line).toMatch(/^\d\d:\d\d:\d\d |^\s+at /);
});
