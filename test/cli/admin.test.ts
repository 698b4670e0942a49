import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { formatTable } from "../../src/cli/table.ts";
import { toLine } from "../../src/cli/terminal-text.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient, RedisReply } from "../../src/resque/client.ts";
import { idOf } from "../resque/admin/admin-world.ts";
import { payloadIn, WRITERS } from "../resque/admin/failed-entries.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { type CliResult, makeDirectory, runCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const NOWHERE = "redis://127.0.0.1:1";
const LATER = 9_000_000_000_000;
const AT = 4_000_000_000;
const [ruby, goworker, node] = [WRITERS.ruby(1), WRITERS.goworker(1), WRITERS.node(1)];
const red = ruby.replace("boom: bad", "\\u001b[31mred\\u001b[0m\\nsecond\\u202e line");

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedis();
  client = ioredis(redis.url);
});
beforeEach(() => send("FLUSHALL"));
afterAll(async () => {
  await client.close();
  await redis.close();
});

const send = (...command: (string | number)[]): Promise<RedisReply> => client.command(command);
const cli = (line: string, ...more: string[]): Promise<CliResult> =>
  runCli([...line.split(" "), ...more], { env: { REDIS_URL: redis.url } });
/** What a command prints; fails unless it is well. */
const print = async (line: string, ...more: string[]): Promise<string> => {
  const { status, stdout, stderr } = await cli(line, ...more);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
};

describe("failed", () => {
  beforeEach(() => send("RPUSH", "resque:failed", "not json", ruby, goworker, node, red));

  test("shows a table, the newest first, and nothing that acts on a terminal", async () => {
    const id = (entry: string): string => idOf(entry).slice(0, 12);
    expect(await print("failed")).toBe(
      [
        "ID            FAILED AT             QUEUE  JOB                                               ERROR",
        `${id(red)}  2026-11-20 19:47:48Z  mail   Boom(1, "hi", {"k":[]}, 1, 12345678901234567890)  ArgumentError: red`,
        `${id(node)}  2026-11-20 19:49:18Z  mail   Add(1, {"payload":{"queue":"no"}})                TypeError: x,"payload":{}`,
        `${id(goworker)}  2026-11-20 20:04:33Z  bench  Sleep(1, "<&>")                                   Error: went wrong`,
        `${id(ruby)}  2026-11-20 19:47:48Z  mail   Boom(1, "hi", {"k":[]}, 1, 12345678901234567890)  ArgumentError: boom: bad "thing"`,
        `${id("not json")}                               (the entry is not valid JSON)`,
        "",
        "5 failed jobs",
        "",
      ].join("\n"),
    );
  });

  test("shows what a filter leaves, a page at a time, and JSON", async () => {
    const filtered = await print(
      "failed list --class Boom --queue mail --since 2026-11-20T19:00:00Z --until 2026-11-21 --no-retried --error BAD",
    );
    expect(filtered).toMatch(/^ID .*\n.*boom: bad "thing"\n\n1 of 5 failed jobs\n$/);
    const page = await print("failed list --limit 2 --oldest");
    expect(page).toMatch(/\n2 of 5 failed jobs; for more: --cursor 2\n$/);
    const json = await print("failed list --limit 1 --cursor 2 --oldest --json");
    expect(json).toContain('"args":[1,"<&>"]');
    expect(JSON.parse(json)).toMatchObject({ total: 5, jobs: [{ raw: goworker }], next: 3 });
    expect(await print("failed lists")).toBe("LIST    JOBS\nfailed     5\n");
  });

  test("retries by id, by filter, all; what was retried shows when", async () => {
    expect(await print("failed retry", idOf(ruby).slice(0, 12), idOf(node))).toBe("retried 2 jobs\n");
    expect(await send("LRANGE", "resque:queue:mail", 0, -1)).toEqual([ruby, node].map(payloadIn));
    expect(await print("failed retry --class Sleep --to other --json")).toMatch(
      /^\{"retried":1,"missing":\[\],"refused":0,/,
    );
    expect(await print("failed list --retried")).toMatch(/RETRIED AT.*\n3 of 5 failed jobs\n$/s);
    const rest = await cli("failed retry --all");
    expect(rest).toEqual({
      status: 0,
      stdout: "retried 1 job; 1 cannot be\n",
      stderr: `airlift: cannot be retried: ${idOf("not json")} (the entry is not valid JSON)\n`,
    });
    expect(await send("LLEN", "resque:queue:other")).toBe(1);
  });

  test("removes by id, by filter, all", async () => {
    expect(await print("failed remove", idOf("not json"))).toBe("removed 1 failed job\n");
    expect(await print("failed remove --error", "went wrong")).toBe("removed 1 failed job\n");
    expect(await print("failed remove --all")).toBe("removed 3 failed jobs\n");
    expect(await print("failed")).toBe("0 failed jobs\n");
  });

  test("what is not there any more is told, with status 1", async () => {
    const gone = "0123456789ab";
    expect(await cli("failed remove", idOf(ruby), gone)).toEqual({
      status: 1,
      stdout: "removed 1 failed job\n",
      stderr: `airlift: not found: failed job ${gone}\n`,
    });
    expect((await cli("failed retry", idOf("not json"))).status).toBe(1);
    expect((await cli("failed retry --json", gone)).stdout).toContain('"retried":0');
  });
});

test("queues are listed, looked into, cleared and removed", async () => {
  expect(await print("queues")).toBe("no queues yet\n");
  await send("SADD", "resque:queues", "mail", "images");
  await send("SET", "resque:pause:queue:images", "true");
  const jobs = [
    '{"class":"Send","args":["ada",{"cc":[]}]}',
    '{"class":"Send","args":[2],"airlift":{"retries":2}}',
    "not json",
  ];
  await send("RPUSH", "resque:queue:mail", ...jobs, ...jobs);
  expect(await print("queues list")).toBe("QUEUE   JOBS\nimages     0  paused\nmail       6\n\n2 queues\n");
  expect(await print("queues peek mail --offset 1 --limit 2")).toMatch(
    /^ID +ATTEMPT {2}JOB\n[0-9a-f]{12} +3 {2}Send\(2\)\n[0-9a-f]{12} +1 {2}\(the payload is not valid JSON.*\)\n\n2 of 6 jobs; for more: --offset 3\n$/,
  );
  expect(JSON.parse(await print("queues peek mail --json --limit 1"))).toMatchObject({
    total: 6,
    jobs: [{ raw: jobs[0] }],
  });
  expect(await print("queues clear mail --class Send --args [2]")).toBe("removed 2 jobs from mail\n");
  expect(await print("queues clear mail", idOf("not json"))).toBe("removed 1 job from mail\n");
  expect(await cli("queues remove mail")).toMatchObject({
    status: 2,
    stderr: "airlift: queues remove: mail holds 3 jobs; expected --all to remove them, too\n",
  });
  expect(await print("queues clear mail --all")).toBe("removed 3 jobs from mail\n");
  expect(await print("queues remove mail")).toBe("removed mail\n");
  expect(await send("SMEMBERS", "resque:queues")).toEqual(["images"]);
});

test("workers are listed, those of drains together, and pruned", async () => {
  const id = "vm:4429:bench";
  await send("SADD", "resque:workers", id, "broken");
  const run_at = new Date(Date.now() - 90_000).toISOString();
  await send(
    "SET",
    `resque:worker:${id}`,
    JSON.stringify({ queue: "bench", run_at, payload: { class: "Sleep", args: [5] } }),
  );
  await send("MSET", `resque:stat:processed:${id}`, 1_204, `resque:stat:failed:${id}`, 7);
  expect(await print("workers")).toMatch(
    /^WORKER +DONE {2}FAILED {2}FOR +QUEUE {2}JOB\nbroken +0 +0\nvm:4429:bench {2}1,204 +7 {2}[12] min \d+ s {2}bench {2}Sleep\(5\)\n\n2 workers\n$/,
  );
  const description = { id: "d1", host: "airlift-test-d1", pid: 7, slots: 3, queues: "mail" };
  await send("ZADD", "resque:airlift:drains", LATER, JSON.stringify(description));
  const entry = `{"claim":"d1.1.1.0","queue":"mail","run_at":"${run_at}","payload":{"class":"Send","args":["ada"]}}`;
  await send("SET", "resque:worker:airlift-test-d1:7-1:mail", entry);
  const checkin = { token: "d1.1.1.0", at: 1, message: "half", done: 5, total: 10 };
  await send("HSET", "resque:airlift:checkins", "airlift-test-d1:7-1:mail", JSON.stringify(checkin));
  expect(await print("workers --by-drain")).toMatch(
    /^airlift-test-d1 pid 7: 1 of 3 workers at work on mail, lease until 2255-03-14 16:00:00Z\nSLOT {2}FOR +QUEUE {2}JOB +TELLS\n +1 {2}[12] min \d+ s {2}mail {3}Send\("ada"\) {2}5\/10 half\n\n1 drain\n$/,
  );
  expect(await print("workers prune", id)).toBe(`removed ${id}; its job is in failed\n`);
  expect(await cli("workers prune", id)).toMatchObject({ status: 1, stdout: "nothing was removed\n" });
  expect((await cli("workers prune airlift-test-d1:7-1:mail --force")).stderr).toMatch(/belongs to a drain/);
});

test("waiting jobs are listed, run and removed", async () => {
  const waiting = (n: number): string =>
    `{"id":"d1.${n}","queue":"mail","attempt":2,"failed_at":"2026/11/20 18:50:57 UTC","exception":"E","error":"e\\nf","payload":{"class":"Add","args":[${n}]}}`;
  await send("ZADD", "resque:airlift:retries", LATER, waiting(1), LATER + 1, waiting(2));
  expect(await print("retries --limit 1")).toBe(
    [
      "ID    DUE                   ATTEMPT  QUEUE  JOB     ERROR",
      "d1.1  2255-03-14 16:00:00Z        2  mail   Add(1)  E: e",
      "",
      "1 of 2 waiting jobs; for more: --offset 1",
      "",
    ].join("\n"),
  );
  expect(await print("retries run d1.2")).toBe("1 job due now\n");
  expect(Number(await send("ZSCORE", "resque:airlift:retries", waiting(2)))).toBeLessThan(LATER);
  expect(await print("retries remove --class Add")).toBe("removed 2 jobs\n");
  expect((await cli("retries remove d1.1")).status).toBe(1);
});

test("delayed jobs are listed, cancelled and moved", async () => {
  for (const [n, queue] of [
    [1, "mail"],
    [2, "low"],
  ] as const) {
    const item = `{"class":"Remind","args":[${n}],"queue":"${queue}"}`;
    await send("RPUSH", `resque:delayed:${AT + n}`, item);
    await send("SADD", `resque:timestamps:${item}`, `delayed:${AT + n}`);
    await send("ZADD", "resque:delayed_queue_schedule", AT + n, AT + n);
  }
  const table = await print("delayed");
  expect(table).toMatch(
    /^ID +DUE +QUEUE {2}JOB\n4000000001-[0-9a-f]{12} {2}2096-10-02 07:06:41Z {2}mail {3}Remind\(1\)\n4000000002-.*\n\n2 delayed jobs\n$/,
  );
  const [, id = ""] = /^(4000000001-\S+)/m.exec(table) ?? [];
  expect(await print("delayed reschedule --class Remind --args [2] --to 2090-01-01T00:00:00Z")).toBe(
    "moved 1 job to 2090-01-01 00:00:00Z\n",
  );
  expect(await send("LLEN", `resque:delayed:${Date.UTC(2090, 0, 1) / 1_000}`)).toBe(1);
  expect(await print("delayed cancel", id)).toBe("cancelled 1 job\n");
  expect(await print("delayed cancel --class Remind")).toBe("cancelled 1 job\n");
  expect(await cli("delayed cancel", id)).toMatchObject({ status: 1, stdout: "cancelled 0 jobs\n" });
});

test("schedules are set, listed with those of an app, and removed", async () => {
  expect(await print("schedule")).toBe("no schedules\n");
  expect(
    await print(
      "schedule set report --class SendReport --queue mail --args",
      '["daily"]',
      "--cron",
      "30 9 * * 1-5 Europe/Berlin",
    ),
  ).toBe("set report\n");
  expect(await print("schedule set sweep --class Sweep --queue low --every 30s --description cleaning")).toBe(
    "set sweep\n",
  );
  expect(JSON.parse((await send("HGET", "resque:persistent_schedules", "sweep")) as string)).toEqual({
    ...{ every: "30s", class: "Sweep", queue: "low", args: [], description: "cleaning" },
  });
  await using directory = await makeDirectory();
  const app = await directory.write(
    "airlift.ts",
    `import { createAirlift, defineJob } from "airlift";
     import { cron } from "airlift/cron";
     import { ioredis } from "airlift/redis/ioredis";
     const own = defineJob({ class: "Own", queue: "own", perform: () => undefined });
     const scheduler = cron({ persistent: true, schedules: [{ name: "own", every: "1h", class: "Own" }] });
     export default createAirlift({ redis: ioredis(process.env.REDIS_URL), queues: ["own"], jobs: [own], scheduler });`,
  );
  const table = await print("schedule list --app", app);
  expect(table).toMatch(/^NAME +IN +WHEN/);
  expect(table).toMatch(/^own +code +every/m);
  expect(table).toMatch(/^report +Redis +.*Europe\/Berlin.* mail +SendReport\("daily"\) +on$/m);
  expect(table).toMatch(/\n3 schedules\n$/);
  expect(await print("schedule remove sweep")).toBe("removed sweep\n");
  expect(await cli("schedule remove sweep")).toMatchObject({ status: 1, stdout: "nothing was removed\n" });
  expect(await cli("schedule set x --class A --queue q --every soon")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^airlift: schedule "x": /),
  });
});

test("queues, classes and everything are paused and resumed", async () => {
  await send("SADD", "resque:queues", "mail");
  expect(await print("pause --queue mail")).toBe("paused now: queues mail\n");
  expect(await print("pause --class Send")).toBe("paused now: queues mail; classes Send\n");
  expect(await print("pause")).toBe("paused now: everything; queues mail; classes Send\n");
  expect(await print("status")).toMatch(/^everything is paused\n\npaused classes: Send\n\nQUEUE/);
  expect(JSON.parse(await print("resume --json"))).toEqual({ everything: false, queues: ["mail"], classes: ["Send"] });
  await print("resume --queue mail");
  expect(await print("resume --class Send")).toBe("paused now: nothing\n");
});

describe.concurrent("wrong usage is one line that names it, with status 2:", () => {
  test.each<[args: string, line: string | RegExp]>([
    ["failed rety", /There is no command rety; expected one of list, lists, retry, remove\.$/],
    ["failed remove", "failed remove: expected ids, a filter such as --class or --until, or --all"],
    ["failed retry", "failed retry: expected ids, a filter such as --class or --until, or --all"],
    ["failed retry 0123456789ab --all", "failed retry: expected ids or a filter, got both"],
    ["failed remove 0123456789ab --class A", "failed remove: expected ids or a filter, got both"],
    [
      "failed list --since soon",
      /--since.*'soon' is invalid\. Expected a time such as 2026-11-20T18:00:00Z, or how long ago, such as 2h\.$/,
    ],
    ["failed list --limit 1001", /--limit.*'1001' is invalid\. Expected at most 1000\.$/],
    ["failed list --cursor -1", /--cursor/],
    ["failed list --index 3", /unknown option '--index'/],
    ["queues peek", "missing required argument 'queue'"],
    ["queues clear mail", "queues clear: expected ids, --class, or --all, got none"],
    ["queues clear mail --class A --all", "queues clear: expected ids, --class, or --all, got several"],
    ["queues clear mail 0123456789ab --args [1]", "queues clear: --args goes with --class"],
    ["queues clear mail --class A --args 1", /--args.*'1' is invalid\. Expected a JSON array such as \[1,"a"\]\.$/],
    ["retries run", "retries run: expected ids, --class, --queue, or --all"],
    ["retries remove a --all", "retries remove: expected ids or a filter, got both"],
    ["delayed cancel", "delayed cancel: expected ids or --class, got neither"],
    ["delayed cancel 1-0123456789ab --queue a", "delayed cancel: --args, --queue and --at go with --class"],
    ["delayed reschedule --class A", "delayed reschedule: expected --to or --in, got neither"],
    ["delayed reschedule --class A --to 2026-11-20 --in 5m", "delayed reschedule: expected --to or --in, got both"],
    ["schedule set a --class A --queue q", "schedule set: expected --cron or --every, got neither"],
    ["schedule set a --cron x --queue q", "required option '--class <name>' not specified"],
    ["pause --queue a --class B", "pause: expected --queue or --class, got both"],
    ["workers prune", "missing required argument 'id'"],
  ])("airlift %s", async (args, line) => {
    const { status, stdout, stderr } = await runCli(args.split(" "), { env: { REDIS_URL: NOWHERE } });
    expect(stderr).toMatch(/^airlift: .*\n$/);
    const said = stderr.slice("airlift: ".length, -1);
    if (typeof line === "string") expect(said).toBe(line);
    else expect(said).toMatch(line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });

  test.each(["queues", "workers", "failed", "retries", "delayed", "schedule", "pause", "resume"])(
    "%s --help shows examples, and a Redis that cannot be reached is told",
    async (name) => {
      const help = await runCli([name, "--help"]);
      expect(help.stdout).toContain(`Usage: airlift ${name} [options]`);
      expect(help.stdout).toMatch(/\nExamples:\n {2}airlift /);
      expect(await runCli([name], { env: { REDIS_URL: NOWHERE } })).toEqual({
        status: 1,
        stdout: "",
        stderr: "airlift: Redis at 127.0.0.1:1: connection refused (ECONNREFUSED)\n",
      });
    },
  );
});

test("a table's last column is cut to the terminal; empty columns are left out", () => {
  const columns = [
    { title: "A", cell: ({ a }: { a: string; n: number }) => a },
    { title: "EMPTY", cell: () => "" },
    { title: "N", cell: ({ n }: { n: number }) => n },
    { title: "TEXT", cell: () => "0123456789" },
  ];
  const rows = [
    { a: "x", n: 1_204 },
    { a: "long", n: 7 },
  ];
  expect(formatTable(columns, rows, 18)).toBe("A         N  TEXT\nx     1,204  0123…\nlong      7  0123…");
  expect(formatTable(columns, rows, undefined)).toContain("0123456789");
  expect(toLine("a\u001b[31mred\u001b[0m\r\nb\u0007\u202ec\u009b2J")).toBe("ared b c");
});

test("a text on one line keeps its blanks, and shows where it was cut", () => {
  expect(toLine('["two  blanks"]')).toBe('["two  blanks"]');
  expect(toLine("x".repeat(10_001))).toBe(`${"x".repeat(10_000)}…`);
});
