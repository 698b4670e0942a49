import { describe, expect, test, vi } from "vitest";
import { freePort } from "../support/redis.ts";
import { runCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const NOWHERE = "redis://127.0.0.1:1";

type WrongUsage = [args: string, line: string | RegExp, env?: Record<string, string>];

const WRONG: WrongUsage[] = [
  ["drian", "unknown command 'drian' (Did you mean drain?)"],
  ["drain --quues mail", "unknown option '--quues' (Did you mean --queues?)"],
  ["status more", "too many arguments for 'status'. Expected 0 arguments but got 1."],
  ["help nope", /'nope' is invalid.*Allowed choices are dev, drain, work, enqueue, gateway, status, .*\bjob\b.*\.$/],
  ["drain --app", "option '--app <file>' argument missing"],
  ["drain --concurrency 0", /--concurrency.*'0' is invalid\. Expected a whole number from 1\.$/],
  ["drain --concurrency 2.5", /--concurrency.*'2\.5' is invalid\./],
  ["drain --max-jobs many", /--max-jobs.*'many' is invalid\. Expected a whole number from 1\.$/],
  [
    "drain --for soon",
    /--for.*'soon' is invalid\. Expected a duration such as 30s, 5m or 1\.5h, or a number of seconds\.$/,
  ],
  ["drain --for -3s", /--for/],
  ["drain --for 0", /--for.*'0' is invalid\. Expected a duration/],
  ["drain --for 30d", /--for.*'30d' is invalid\. Expected at most 24 days\.$/],
  ["work --interval 5x", /--interval.*'5x' is invalid\. Expected a duration/],
  ["drain --queues a,,b", /--queues.*'a,,b' is invalid\. Expected queue names separated by commas\.$/],
  ["drain --unknown-class drop", /--unknown-class.*'drop' is invalid\. Allowed choices are fail, leave, requeue\.$/],
  ["dev --port 65536", /--port.*'65536' is invalid\. Expected a port from 0 to 65535\.$/],
  ["drain", "no app: expected --app FILE, or one of airlift.ts, jobs.ts, airlift.js, jobs.js in this directory"],
  ["drain --app nope.ts", "--app nope.ts: no such file"],
  ["drain --app .", "--app .: no such file"],
  ["dev --app nope.ts", "--app nope.ts: no such file"],
  [
    "status",
    "no Redis: expected --redis URL, or UPSTASH_REDIS_REST_URL, KV_REST_API_URL, REDIS_PROVIDER or REDIS_URL in the environment",
  ],
  [
    "status --redis localhost",
    /^--redis: expected an https:\/\/, http:\/\/, redis:\/\/ or rediss:\/\/ URL, got "localhost"$/,
  ],
  [
    "status --redis ftp://ada:secret@host/?key=k",
    '--redis: expected an https://, http://, redis:// or rediss:// URL, got "ftp://…@host"',
  ],
  ["status --redis AX3hSecretToken", '--redis: expected an https://, http://, redis:// or rediss:// URL, got "…"'],
  [
    "status --redis redis://ada:secret",
    '--redis: expected an https://, http://, redis:// or rediss:// URL, got "redis://…"',
  ],
  ["status --redis https://host", "--redis: an HTTP Redis needs its token; expected --token"],
  [`status --redis ${NOWHERE} --token secret`, /^--redis: --token goes with an http\(s\):\/\/ URL/],
  ["status --token secret", "--token goes with --redis; expected both"],
  [
    "status",
    "UPSTASH_REDIS_REST_URL: an HTTP Redis needs its token; expected UPSTASH_REDIS_REST_TOKEN",
    { UPSTASH_REDIS_REST_URL: "https://host", REDIS_URL: NOWHERE },
  ],
  [
    "status",
    'REDIS_PROVIDER names the variable "CLOUD_URL", which is not set',
    { REDIS_PROVIDER: "CLOUD_URL", REDIS_URL: NOWHERE },
  ],
  [
    "status",
    /^REDIS_PROVIDER: expected the name of a variable, such as REDIS_URL, and not an address$/,
    { REDIS_PROVIDER: "redis://:secret@host", REDIS_URL: NOWHERE },
  ],
  ["enqueue", "enqueue: expected a class and its arguments, or --file"],
  [`enqueue Job --redis ${NOWHERE}`, "enqueue: expected --queue, the queue to put Job into"],
  [`enqueue Job --file a --redis ${NOWHERE}`, "enqueue: expected a class or --file, got both (Job and --file a)"],
  ["enqueue Job -q q --in 99999999999d", /--in.*'99999999999d' is invalid\. Expected at most 36500d\.$/],
  [`enqueue --file nope.ndjson --redis ${NOWHERE}`, "--file nope.ndjson: no such file"],
  [`enqueue --file . --redis ${NOWHERE}`, "--file .: a directory; expected a file of one job a line"],
  ["gateway", "gateway: no token; expected --token TOKEN, or AIRLIFT_GATEWAY_TOKEN in the environment"],
  ["gateway --token t", "no Redis: expected --redis URL, or REDIS_PROVIDER or REDIS_URL in the environment"],
  ["gateway --token t --redis https://host", /^--redis: expected a redis:\/\/ or rediss:\/\/ URL, got https:\/\/host$/],
];

describe.concurrent("wrong usage is one line that names it, with status 2:", () => {
  test.each<WrongUsage>(WRONG)("airlift %s", async (args, line, env) => {
    const { status, stdout, stderr } = await runCli(args.split(" "), env ? { env } : {});
    expect(stderr).toMatch(/^airlift: .*\n$/);
    const said = stderr.slice("airlift: ".length, -1);
    if (typeof line === "string") expect(said).toBe(line);
    else expect(said).toMatch(line);
    expect(stdout).toBe("");
    expect(stderr).not.toContain("secret");
    expect(status).toBe(2);
  });
});

describe.concurrent("help", () => {
  test("without a command, all of them are listed, with status 2", async () => {
    const { status, stderr } = await runCli([]);
    for (const name of ["dev", "drain", "work", "enqueue", "gateway", "status"]) {
      expect(stderr).toMatch(new RegExp(`^ {2}${name} `, "m"));
    }
    expect(status).toBe(2);
  });

  test.each(["dev", "drain", "work", "enqueue", "gateway", "status"])(
    "%s --help shows options and an example",
    async (name) => {
      const { status, stdout, stderr } = await runCli([name, "--help"]);
      expect(stdout).toContain(`Usage: airlift ${name} [options]`);
      expect(stdout).toMatch(new RegExp(`\nExamples?:\n  airlift ${name}`));
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect((await runCli(["help", name])).stdout).toBe(stdout);
    },
  );

  test("--version prints the package's version", async () => {
    const { status, stdout } = await runCli(["--version"]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

describe.concurrent("a Redis that cannot be reached is one line with its address and the reason, with status 1:", () => {
  const APP = new URL("../../examples/jobs.ts", import.meta.url).pathname;

  test.each([
    [
      `drain --app ${APP} --redis ${NOWHERE}`,
      "the drain could not go on: Redis at 127.0.0.1:1: connection refused (ECONNREFUSED)",
    ],
    [`status --redis ${NOWHERE}`, "Redis at 127.0.0.1:1: connection refused (ECONNREFUSED)"],
    [`enqueue Job --queue mail --redis ${NOWHERE}`, "Redis at 127.0.0.1:1: connection refused (ECONNREFUSED)"],
  ])("airlift %s", async (args, line) => {
    const { status, stdout, stderr } = await runCli(args.split(" "));
    expect(stderr).toMatch(/^airlift: .*\n$/);
    expect(stderr).toMatch(line);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });

  test("by HTTP", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { status, stdout, stderr } = await runCli(["status", "--redis", url, "--token", "t"]);
    expect(stderr).toBe(`airlift: Upstash Redis at ${url}: connection refused (ECONNREFUSED)\n`);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });
});
