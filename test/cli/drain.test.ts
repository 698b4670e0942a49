import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type RunningSetup, setups } from "../support/setups.ts";
import { makeDirectory, runCli, type TestDirectory } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const APP = `
  import { setTimeout as sleep } from "node:timers/promises";
  export const jobs = [
    { class: "Ok", perform: () => sleep(5) },
    { class: "Boom", perform: async () => { throw new RangeError("too much\\nof it"); } },
  ];`;

/** HTTP and TCP on the first server that this machine has. */
const transports = setups().filter(({ server }, _, all) => server === all.at(-1)?.server);

describe.each(transports)("airlift drain over $transport", (setup) => {
  let running: RunningSetup;
  let directory: TestDirectory;
  let app: string;
  let address: readonly string[];

  beforeAll(async () => {
    running = await setup.start();
    directory = await makeDirectory();
    app = await directory.write("jobs.ts", APP);
    address = ["--redis", running.url, ...(running.token ? ["--token", running.token] : [])];
  });
  afterAll(async () => {
    await directory[Symbol.asyncDispose]();
    await running.close();
  });

  /** Pushes payloads as Ruby Resque does, in a namespace of the test's own. */
  async function push(namespace: string, queue: string, ...payloads: readonly string[]): Promise<void> {
    await running.client.command(["SADD", `${namespace}:queues`, queue]);
    await running.client.command(["RPUSH", `${namespace}:queue:${queue}`, ...payloads]);
  }
  const ok = '{"class":"Ok","args":[]}';
  const drain = (namespace: string, ...args: readonly string[]) =>
    runCli(["drain", "--app", app, "--namespace", namespace, ...address, ...args]);

  test("works the jobs and says what it did, why it stopped, what is left and what it cost", async () => {
    await push("report", "mail", ok, ok);
    await push("report", "billing", '{"class":"Boom","args":["private"]}');
    const { status, stdout, stderr } = await drain("report");
    expect(stdout).toMatch(
      new RegExp(
        [
          /^did {6}3 jobs in [\d.]+ m?s: 2 succeeded, 1 failed\n/,
          /stopped {2}the queues are empty \(empty\)\n/,
          /left {5}0 jobs\n/,
          /cost {5}\d+ commands in \d+ requests \(\d+\.\d\d commands a job\)\n$/,
        ]
          .map(({ source }) => source)
          .join(""),
      ),
    );
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d warn: job failed queue=billing class=Boom error="RangeError: too much"\n$/);
    expect(status).toBe(0);
    const [entry] = (await running.client.command(["LRANGE", "report:failed", 0, -1])) as string[];
    expect(JSON.parse(entry ?? "")).toMatchObject({
      exception: "RangeError",
      queue: "billing",
      payload: { class: "Boom", args: ["private"] },
      backtrace: expect.arrayContaining([expect.stringContaining(`${app}:5:`)]),
    });
  });

  test("--json prints the report alone", async () => {
    await push("json", "mail", ok);
    const { status, stdout } = await drain("json", "--json");
    expect(JSON.parse(stdout)).toEqual({
      ...{ stopped: "empty", claimed: 1, succeeded: 1, failed: 0, released: 0, recovered: 0, lost: 0, remaining: 0 },
      ...{ retried: 0, discarded: 0, detached: 0, promoted: 0, scheduled: 0, drainsStarted: 0 },
      ...{ commands: expect.any(Number), requests: expect.any(Number), durationMs: expect.any(Number) },
    });
    expect(status).toBe(0);
  });

  test("--queues, --max-jobs and --concurrency bound what it takes", async () => {
    await push("bounds", "a", ok, ok, ok);
    await push("bounds", "b", ok, ok, ok);
    await push("bounds", "c", ok);
    const first = await drain("bounds", "--queues", "a=2,b", "--max-jobs", "4", "--concurrency", "2", "--json");
    expect(JSON.parse(first.stdout)).toMatchObject({ stopped: "budget", claimed: 4, remaining: 2 });
    const rest = await drain("bounds", "--queues", "[ab]", "--queues", "!a", "--json");
    expect(JSON.parse(rest.stdout)).toMatchObject({ stopped: "empty" });
    expect(await running.client.command(["LLEN", "bounds:queue:b"])).toBe(0);
    expect(await running.client.command(["LLEN", "bounds:queue:c"])).toBe(1);
  });

  test("without --queues, an app whose jobs name their queues leaves the others' alone", async () => {
    await push("named", "mine", ok);
    await push("named", "theirs", ok);
    const named = await directory.write(
      "named.ts",
      'export const jobs = [{ class: "Ok", queue: "mine", perform: () => undefined }];',
    );
    const { stdout } = await drain("named", "--app", named, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ stopped: "empty", succeeded: 1, remaining: 0 });
    expect(await running.client.command(["LRANGE", "named:queue:theirs", 0, -1])).toEqual([ok]);
  });

  test("--unknown-class leave leaves the other programs' jobs where they are", async () => {
    await push("leave", "mixed", '{"class":"RubyJob","args":[1]}');
    await drain("leave", "--unknown-class", "leave");
    expect(await running.client.command(["LRANGE", "leave:queue:mixed", 0, -1])).toEqual([
      '{"class":"RubyJob","args":[1]}',
    ]);
    const { stderr } = await drain("leave");
    expect(stderr).toContain('class=RubyJob error="UnknownJobClass: this app has no job for the class');
    expect(await running.client.command(["LLEN", "leave:failed"])).toBe(1);
  });

  test("--for ends it when the time is up, and what it could not run is left", async () => {
    const slow = await directory.write(
      "slow.ts",
      `import { setTimeout as sleep } from "node:timers/promises";
       export const jobs = [{ class: "Ok", perform: (_args, { signal }) => sleep(60_000, undefined, { signal }) }];`,
    );
    await push("time", "q", ...Array(20).fill(ok));
    const args = ["--app", slow, "--namespace", "time", ...address, "--for", "1s", "--concurrency", "2", "--json"];
    const { status, stdout } = await runCli(["drain", ...args]);
    expect(JSON.parse(stdout)).toMatchObject({ stopped: "deadline", succeeded: 0, failed: 0, lost: 0, remaining: 20 });
    expect(await running.client.command(["LLEN", "time:queue:q"])).toBe(20);
    expect(status).toBe(0);
  });

  test("leaves no trace of itself", async () => {
    await push("trace", "q", ok);
    await drain("trace");
    const keys = (await running.client.command(["KEYS", "trace:*"])) as string[];
    expect(keys.sort()).toEqual(["trace:queues", "trace:stat:processed"]);
  });
});

test("the environment names the Redis: UPSTASH before KV before REDIS_PROVIDER before REDIS_URL", async () => {
  const setup = transports.find(({ transport }) => transport === "http");
  await using running = await setup!.start();
  const wrong = "redis://127.0.0.1:1";
  const http = { url: running.url, token: running.token ?? "" };
  const env = [
    {
      UPSTASH_REDIS_REST_URL: http.url,
      UPSTASH_REDIS_REST_TOKEN: http.token,
      KV_REST_API_URL: "http://127.0.0.1:2",
      REDIS_URL: wrong,
    },
    {
      KV_REST_API_URL: http.url,
      KV_REST_API_TOKEN: http.token,
      REDIS_PROVIDER: "OTHER",
      OTHER: wrong,
      REDIS_URL: wrong,
    },
    { REDIS_PROVIDER: "OTHER", OTHER: running.redis.url, REDIS_URL: wrong },
    { REDIS_URL: running.redis.url },
  ];
  const results = await Promise.all(
    env.map((each) => runCli(["status", "--json"], { env: each as Record<string, string> })),
  );
  expect(results.map(({ status, stderr }) => ({ status, stderr }))).toEqual(env.map(() => ({ status: 0, stderr: "" })));
});
