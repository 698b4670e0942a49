import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { makeDirectory, runCli, type TestDirectory } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const INDEX = new URL("../../src/index.ts", import.meta.url).pathname;
const NOWHERE = "redis://127.0.0.1:1";

let redis: TestRedis;
let directory: TestDirectory;

beforeAll(async () => {
  redis = await startRedis();
  directory = await makeDirectory();
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
  await redis.close();
});

/** Drains one job `Probe` with an app; what the job logs is in stderr. */
async function probe(name: string, source: string, ...more: readonly string[]) {
  const file = await directory.write(name, source);
  const common = ["--redis", redis.url, "--namespace", name];
  await runCli(["enqueue", "Probe", "hello", "--queue", "q", ...common]);
  return runCli(["drain", "--app", file, "--json", ...common, ...more]);
}

describe.concurrent("--app takes", () => {
  test("TypeScript that only a compiler runs, by an import without an extension, a path of tsconfig.json and a late import", async () => {
    await directory.write("full/tsconfig.json", `{"compilerOptions":{"paths":{"@/*":["./lib/*"]}}}`);
    await directory.write("full/lib/words.ts", `export enum Word { Hello = "word:hello" }`);
    await directory.write("full/plain.ts", `export namespace Plain { export const text = "plain"; }`);
    await directory.write("full/late.ts", `export const late = "late";`);
    const { status, stdout, stderr } = await probe(
      "full/app.ts",
      `import { defineJob } from "airlift";
       import { Plain } from "./plain";
       import { Word } from "@/words";
       class Box { constructor(private readonly inner: string) {} open(): string { return this.inner; } }
       const late = (await import("./late")).late;
       export const jobs = [defineJob<[string]>({
         class: "Probe",
         perform: ([text], job) => job.log.info([Word.Hello, Plain.text, late, new Box(text).open()].join(" ")),
       })];`,
    );
    expect(stderr).toContain(" word:hello plain late hello ");
    expect(JSON.parse(stdout)).toMatchObject({ stopped: "empty", succeeded: 1, failed: 0 });
    expect(status).toBe(0);
  });

  test.each([
    [
      "default.mjs",
      `import { defineJob } from "airlift"; export default [defineJob({ class: "Probe", perform() {} })];`,
    ],
    [
      "common.cjs",
      `const { defineJob } = require("airlift"); module.exports = { jobs: [defineJob({ class: "Probe", perform() {} })] };`,
    ],
    ["plain.js", `export const jobs = [{ class: "Probe", perform: () => Promise.resolve() }];`],
  ])("JavaScript: %s", async (name, source) => {
    const { status, stdout, stderr } = await probe(name, source);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ succeeded: 1 });
    expect(status).toBe(0);
  });

  test("an Airlift, whose options hold unless the command line says otherwise", async () => {
    const source = `import { createAirlift } from "airlift";
      import { ioredis } from "airlift/redis/ioredis";
      export const airlift = createAirlift({
        redis: ioredis("${redis.url}"), namespace: "own", queues: ["first", "second"], concurrency: 3,
        jobs: [{ class: "Probe", perform() {} }],
      });`;
    const file = await directory.write("own.ts", source);
    for (const queue of ["first", "second", "third"]) {
      await runCli(["enqueue", "Probe", "--queue", queue, "--redis", redis.url, "--namespace", "own"]);
    }
    const first = await runCli(["drain", "--app", file, "--queues", "second", "--json"]);
    expect(JSON.parse(first.stdout)).toMatchObject({ succeeded: 1, remaining: 0 });
    const rest = await runCli(["drain", "--app", file, "--json"]);
    expect(JSON.parse(rest.stdout)).toMatchObject({ succeeded: 1 });
    const status = await runCli(["status", "--redis", redis.url, "--namespace", "own", "--json"]);
    expect(JSON.parse(status.stdout).queues).toEqual([
      { name: "first", size: 0, paused: false },
      { name: "second", size: 0, paused: false },
      { name: "third", size: 1, paused: false },
    ]);
  });

  test("an Airlift on upstash() without its variables, if --redis says where", async () => {
    const { status, stdout } = await probe(
      "upstash.ts",
      `import { createAirlift, defineJob } from "airlift";
       import { upstash } from "airlift/redis/upstash";
       export default createAirlift({ redis: upstash(), queues: ["q"], jobs: [defineJob({ class: "Probe", perform() {} })] });`,
    );
    expect(JSON.parse(stdout)).toMatchObject({ succeeded: 1 });
    expect(status).toBe(0);
  });

  test("airlift.ts or jobs.ts of the directory, if it is not given", async () => {
    await directory.write("found/jobs.ts", `export const jobs = [{ class: "Probe", perform() {} }];`);
    const { status, stdout } = await runCli(["drain", "--redis", redis.url, "--namespace", "found"], {
      cwd: `${directory.path}/found`,
    });
    expect(stdout).toContain("did      0 jobs");
    expect(status).toBe(0);
  });
});

test("what an app imports from airlift is the running package itself, not a second copy", async () => {
  const { stdout, stderr } = await probe(
    "same.ts",
    `import { createRequire } from "node:module";
     import { createAirlift, UsageError } from "airlift";
     import { ioredis } from "airlift/redis/ioredis";
     const running = createRequire(import.meta.url)("${INDEX}");
     const isSame = running.createAirlift === createAirlift && running.UsageError === UsageError;
     let isUsageError = false;
     try { ioredis("nonsense"); } catch (error) { isUsageError = error instanceof UsageError; }
     export const jobs = [{ class: "Probe", perform: (_args, job) => job.log.info("probed", { isSame, isUsageError }) }];`,
  );
  expect(stderr).toContain("isSame=true isUsageError=true");
  expect(JSON.parse(stdout)).toMatchObject({ succeeded: 1 });
});

describe.concurrent("an app that is none is one line that says why, with status 2:", () => {
  const EXPECTED = "expected `export const jobs = [defineJob(…)]`, or an Airlift as `airlift` or the default export";

  test.each<[name: string, source: string, line: (file: string) => string]>([
    ["syntax.ts", "export const jobs = [;\n", (file) => `--app ${file}: ParseError: Unexpected token at ${file}:1:21`],
    [
      "throws.ts",
      `\nif (!process.env.DATABASE) throw new Error("DATABASE is not set\\nat all");`,
      (file) => `--app ${file}: DATABASE is not set at ${file}:2:34`,
    ],
    ["rejects.ts", `await Promise.reject("no reason");`, (file) => `--app ${file}: it throws no reason`],
    ["nothing.ts", "export {};", (file) => `--app ${file}: no jobs in it; ${EXPECTED}; it exports nothing`],
    [
      "other.ts",
      "export const job = 1, other = 2;",
      (file) => `--app ${file}: no jobs in it; ${EXPECTED}; it exports job, other`,
    ],
    ["empty.ts", "export const jobs = [];", (file) => `--app ${file}: its list of jobs is empty; ${EXPECTED}`],
    [
      "wrong.ts",
      `export const jobs = [{ class: "A", perform() {} }, { class: "B" }];`,
      (file) => `--app ${file}: jobs[1] is no job; expected { class: "Name", perform: function }`,
    ],
    [
      "jobless.ts",
      `import { createAirlift } from "airlift"; import { ioredis } from "airlift/redis/ioredis";
       export default createAirlift({ redis: ioredis("${NOWHERE}"), queues: ["*"], jobs: [] });`,
      (file) => `--app ${file}: its Airlift has no jobs`,
    ],
    [
      "twice.ts",
      `export const jobs = [{ class: "A", perform() {} }, { class: "A", perform() {} }];`,
      () => 'jobs: the class "A" is defined twice',
    ],
  ])("%s", async (name, source, line) => {
    const file = await directory.write(name, source);
    const { status, stdout, stderr } = await runCli(["drain", "--app", file, "--redis", NOWHERE]);
    expect(stderr).toBe(`airlift: ${line(file)}\n`);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });

  test("an import of a module that is not there names it", async () => {
    const file = await directory.write("missing.ts", `import "not-installed"; export const jobs = [];`);
    const { status, stderr } = await runCli(["drain", "--app", file, "--redis", NOWHERE]);
    expect(stderr).toMatch(/^airlift: --app .*missing\.ts: Cannot find module 'not-installed'[^\n]*\n$/);
    expect(status).toBe(2);
  });

  test("an option of its Airlift that is wrong is named", async () => {
    const file = await directory.write(
      "options.ts",
      `import { createAirlift } from "airlift"; import { ioredis } from "airlift/redis/ioredis";
       export const airlift = createAirlift({ redis: ioredis("${NOWHERE}"), queues: ["*"], jobs: [], concurency: 5 });`,
    );
    const { status, stderr } = await runCli(["drain", "--app", file]);
    expect(stderr).toMatch(/^airlift: --app .*options\.ts: createAirlift: concurency: unknown option[^\n]*\n$/);
    expect(status).toBe(2);
  });
});
