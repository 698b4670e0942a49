import { existsSync, readFileSync } from "node:fs";
import type { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../scripts/entries.ts";
import type { Logger } from "../../src/core/job.ts";
import { defineJob } from "../../src/core/job.ts";
import { DEFAULT_MAX_REQUEST_BYTES } from "../../src/gateway/create-gateway.ts";
import { MAX_HEAD_BYTES } from "../../src/gateway/listen.ts";
import { MAX_COMMANDS, MAX_WORDS } from "../../src/gateway/parse-request.ts";
import { DEFAULT_HTTP_APP_OPTIONS } from "../../src/http/options.ts";
import { toScheduledHandler } from "../../src/platform/fetch.ts";
import { ENQUEUE_TOKEN, OPERATE_TOKEN, type OpenApp, openApp } from "../http/open-app.ts";

const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const document = read("docs/security.md");
const policy = read("SECURITY.md");

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): readonly string[] {
  return Array.from(markdown.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("docs/security.md and SECURITY.md", () => {
  test.each([
    ["docs/security.md", document],
    ["SECURITY.md", policy],
  ])("%s leads to what is there", (path, text) => {
    const links = Array.from(text.matchAll(/\]\((?!https?:)([^)]+)\)/g), ([, link = ""]) => link);
    const broken = links.filter((link) => {
      const [file = "", anchor] = link.split("#");
      const url = file === "" ? new URL(path, root) : new URL(file, new URL(path, root));
      return !existsSync(url) || (anchor !== undefined && !anchorsOf(readFileSync(url, "utf8")).includes(anchor));
    });
    expect(broken).toEqual([]);
    expect(links.length).toBeGreaterThan(0);
  });

  test("are where people look for documents", () => {
    for (const path of ["docs/security.md", "SECURITY.md"]) expect(read("README.md")).toContain(`(${path})`);
  });

  test("SECURITY.md names GitHub's private reporting, and no address of mail", () => {
    expect(policy).toContain("Report a vulnerability");
    expect(policy).not.toMatch(/\S@\S/);
  });

  test("the limits are those of the code", () => {
    const { maxBodyBytes, maxLineBytes, maxDrainMs, healthMaxAgeMs } = DEFAULT_HTTP_APP_OPTIONS;
    for (const text of [
      `${maxBodyBytes.toLocaleString("en")} bytes (\`maxBodyBytes\`)`,
      `each ${maxLineBytes.toLocaleString("en")} bytes (\`maxLineBytes\`)`,
      `${maxDrainMs / 1_000} s (\`maxDrainMs\`)`,
      `each ${healthMaxAgeMs / 1_000} s at most (\`healthMaxAgeMs\`)`,
      `${DEFAULT_MAX_REQUEST_BYTES.toLocaleString("en")} bytes (\`maxRequestBytes\`)`,
      `${MAX_HEAD_BYTES.toLocaleString("en")} bytes, 20 s (\`headTimeoutMs\`)`,
      `${MAX_COMMANDS.toLocaleString("en")} commands`,
      `| ${MAX_WORDS.toLocaleString("en")} |`,
    ]) {
      expect(document).toContain(text);
    }
  });
});

describe("the tokens of the HTTP API", () => {
  let open: OpenApp;
  beforeAll(async () => {
    open = await openApp({ airlift: { status: { ttlMs: 60_000 } } });
  });
  afterAll(() => open[Symbol.asyncDispose]());

  /** Every route that there is, once. */
  const routesOf = (app: Hono): readonly (readonly [method: string, path: string])[] =>
    [
      ...new Set(app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`)),
    ].map((line) => line.split(" ") as [string, string]);
  /** Whether a request with this token gets further than its token. */
  const opens = async (method: string, path: string, token: string | undefined): Promise<boolean> => {
    const url = path.replace(":queue", "q").replace(":id", "x");
    const headers = { "content-type": "text/plain", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const { status } = await open.app.request(url, { method, headers, ...(method === "POST" && { body: "x" }) });
    return status !== 401 && status !== 403;
  };

  test("open what the table says, and nothing else", async () => {
    const [enqueue, none] = ["role `enqueue`", "no token"].map((secret) => {
      const line = document.split("\n").find((row) => row.startsWith("| ") && row.includes(`${secret} `)) ?? "";
      return Array.from((line.split("|")[2] ?? "").matchAll(/`(\w+ [^`]+)`/g), ([, route = ""]) => route);
    }) as [string[], string[]];
    expect([enqueue.length, none.length]).toEqual([2, 2]);
    const opened: Record<"enqueue" | "operate" | "none", string[]> = { enqueue: [], operate: [], none: [] };
    const routes = routesOf(open.app);
    for (const [method, path] of routes) {
      const line = `${method} ${path}`;
      if (await opens(method, path, undefined)) opened.none.push(line);
      else if (await opens(method, path, ENQUEUE_TOKEN)) opened.enqueue.push(line);
      if (!none.includes(line) && (await opens(method, path, OPERATE_TOKEN))) opened.operate.push(line);
    }
    expect(opened.none.sort()).toEqual(none.sort());
    expect(opened.enqueue.sort()).toEqual(enqueue.sort());
    const others = routes
      .map((route) => route.join(" "))
      .filter((line) => !none.includes(line) && line !== "POST /queues/:queue/jobs");
    expect(opened.operate.sort()).toEqual(others.sort());
    expect(others.length).toBeGreaterThan(25);
  });

  test("what is logged of jobs holds none of their arguments", async () => {
    const lines: string[] = [];
    const log = (message: string, fields?: unknown): void => void lines.push(message, JSON.stringify(fields ?? {}));
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    const secret = "s3cret-argument";
    await using logging = await openApp({ airlift: { logger, queues: ["q"], jobs: JOBS }, http: { logger } });
    const body = ["Noop", "Fails", "Unknown", "Again"].map((name) => ({ class: name, args: [secret] }));
    expect((await logging.enqueue(body, { queue: "q" })).status).toBe(201);
    await logging.client.command(["RPUSH", "resque:queue:q", `no job ${secret}`]);
    await toScheduledHandler(logging.airlift, { maxDurationMs: 20_000, drain: { maxJobs: 5 } })();
    await logging.redis.close();
    expect((await logging.enqueue(body, { queue: "q" })).status).toBe(503);
    expect(lines.filter((line) => line === "job failed").length).toBe(3);
    expect(lines.join("\n")).not.toContain(secret);
  });
});

const JOBS = [
  defineJob({ class: "Noop", perform: () => undefined }),
  defineJob({ class: "Fails", perform: () => Promise.reject(new Error("of the handler's own words")) }),
  defineJob({ class: "Again", retry: { limit: 2 }, perform: () => Promise.reject(new RangeError("no")) }),
];
