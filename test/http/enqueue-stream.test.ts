import { execFile } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { promisify } from "node:util";
import { type ServerType, serve } from "@hono/node-server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasRedisServer } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { ENQUEUE_TOKEN, NDJSON, type OpenApp, openApp, problemOf, streamOf } from "./open-app.ts";

/** The embedded Redis has no commandstats, CLIENT PAUSE or maxmemory. */
const onRedisServer = test.skipIf(!hasRedisServer());

let open: OpenApp;
let server: ServerType;
let port: number;
beforeAll(async () => {
  open = await openApp({ http: { tokens: { enqueue: ENQUEUE_TOKEN }, classes: ["A"], maxLineBytes: 10_000 } });
  server = serve({ fetch: open.app.fetch, port: 0, hostname: "127.0.0.1" });
  if (!server.listening) await once(server, "listening");
  port = (server.address() as { port: number }).port;
});
beforeEach(async () => {
  await open.client.command(["FLUSHALL"]);
});
afterAll(async () => {
  server.close();
  await open[Symbol.asyncDispose]();
});

const length = async (queue = "mail"): Promise<number> =>
  (await open.client.command(["LLEN", `resque:queue:${queue}`])) as number;

async function rpushCalls(): Promise<number> {
  const stats = String(await open.client.command(["INFO", "commandstats"]));
  return Number(/cmdstat_rpush:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

const line = (n: number): string => `{"class":"A","args":[${n}]}\n`;

/** That many jobs, some to a part. */
function* manyLines(jobs: number, perPart = 1_000): Generator<string> {
  for (let first = 0; first < jobs; first += perPart) {
    yield Array.from({ length: Math.min(perPart, jobs - first) }, (_, n) => line(first + n)).join("");
  }
}

/** Streams to the server over TCP, as a client that knows no length. */
function stream(parts: Iterable<string> | AsyncIterable<string>): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/queues/mail/jobs`, {
    method: "POST",
    headers: { authorization: `Bearer ${ENQUEUE_TOKEN}`, "content-type": NDJSON },
    body: streamOf(parts),
    duplex: "half",
  } as RequestInit);
}

/** Streams to the app itself: nothing is asked for that the app does not want. */
function streamDirectly(parts: Iterable<string> | AsyncIterable<string>, to: OpenApp = open): Promise<Response> {
  const init = { method: "POST", headers: { "content-type": NDJSON }, body: streamOf(parts), duplex: "half" };
  // Node's fetch wants `duplex`, which the browser's declarations lack.
  return to.request("/queues/mail/jobs", init as RequestInit);
}

const ndjson = (body: string | Uint8Array): Promise<Response> => open.enqueue(body, { type: NDJSON });

describe("a stream that is accepted", () => {
  test("lies in the queue in its order, a job a line", async () => {
    const response = await ndjson(`${line(1)}{"class":"A"}\n${line(3)}`);
    expect([response.status, await response.json()]).toEqual([201, { queue: "mail", enqueued: 3 }]);
    expect(await open.payloads("mail")).toEqual([
      '{"class":"A","args":[1]}',
      '{"class":"A","args":[]}',
      '{"class":"A","args":[3]}',
    ]);
  });

  test.each([
    ["empty lines, also at the end", `\n${line(1)}\n  \t\n${line(2)}\n\n`],
    ["lines that end in CR LF", `${line(1)}${line(2)}`.replaceAll("\n", "\r\n")],
    ["a last line without its newline", `${line(1)}${line(2)}`.trimEnd()],
    ["a byte order mark", `\ufeff${line(1)}${line(2)}`],
  ])("may have %s", async (_name, body) => {
    expect(await (await ndjson(body)).json()).toEqual({ queue: "mail", enqueued: 2 });
    expect(await length()).toBe(2);
  });

  test.each([
    ["no lines", "\n\n"],
    ["no body", ""],
  ])("may have %s", async (_name, body) => {
    const response = await ndjson(body);
    expect([response.status, await response.json()]).toEqual([201, { queue: "mail", enqueued: 0 }]);
  });

  onRedisServer("may be far longer than a JSON body, and goes to Redis by 500 jobs", async () => {
    const before = await rpushCalls();
    const response = await stream(manyLines(100_000));
    expect([response.status, await response.json()]).toEqual([201, { queue: "mail", enqueued: 100_000 }]);
    expect(await length()).toBe(100_000);
    expect(await open.client.command(["LINDEX", "resque:queue:mail", -1])).toBe('{"class":"A","args":[99999]}');
    expect((await rpushCalls()) - before).toBe(100_000 / 500);
  });

  onRedisServer("of large jobs goes to Redis by half a megabyte", async () => {
    const before = await rpushCalls();
    const large = `{"class":"A","args":["${"x".repeat(5_000)}"]}`;
    await ndjson(`${large}\n`.repeat(1_000));
    expect(await length()).toBe(1_000);
    expect((await rpushCalls()) - before).toBe(Math.ceil(1_000 / Math.floor(524_288 / large.length)));
  });
});

onRedisServer("while Redis is busy, no more of a stream is read than the chunk that goes there next", async () => {
  const other = open.newClient();
  await other.command(["CLIENT", "PAUSE", 60_000, "WRITE"]);
  let asked = 0;
  const body = function* (): Generator<string> {
    for (const part of manyLines(50_000, 500)) {
      asked++;
      yield part;
    }
  };
  const answer = streamDirectly(body());
  try {
    await until(async () => /blocked_clients:1\r/.test(String(await other.command(["INFO", "clients"]))));
    for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
    // Two in hand, and what the stream itself asks for in advance.
    expect(asked).toBeLessThanOrEqual(6);
  } finally {
    await other.command(["CLIENT", "UNPAUSE"]);
  }
  expect(await (await answer).json()).toEqual({ queue: "mail", enqueued: 50_000 });
  expect(asked).toBe(100);
  await other.close();
});

test("a stream of 800 MB passes through a process with a heap of 64 MB", { timeout: 240_000 }, async ({ signal }) => {
  const script = new URL("stream-large-body.ts", import.meta.url).pathname;
  const args = ["--max-old-space-size=64", script, open.redis.url];
  // Should it take too long it ends with the test: the next ones have the same queue.
  const { stdout } = await promisify(execFile)(process.execPath, args, { signal, killSignal: "SIGKILL" });
  const { answer, peakBytes } = JSON.parse(stdout);
  expect(answer).toEqual({ queue: "mail", enqueued: 90_000 });
  // Kept back it would take 800 MB and the process's own 100; what is in between is buffers that nobody has collected yet.
  expect(peakBytes).toBeLessThan(600_000_000);
});

describe("a bad line ends the stream: the jobs before it are enqueued and stay, none after it is", () => {
  test.each([
    ["not JSON", "{oops}", 400, { path: "", message: "is not valid JSON (at character 2)" }],
    ["no job", "[]", 400, { path: "", message: "must be an object with class and args" }],
    ["without a class", '{"args":[]}', 400, { path: "class", message: "is required" }],
    ["with args that are no array", '{"class":"A","args":"x"}', 400, { path: "args", message: "must be an array" }],
    [
      "of a class that may not be enqueued",
      '{"class":"B"}',
      403,
      { path: "class", message: "may not be enqueued here" },
    ],
    [
      "too long",
      `{"class":"A","args":["${"x".repeat(10_000)}"]}`,
      413,
      { path: "", message: "is longer than 10000 bytes" },
    ],
    ["two jobs", '{"class":"A"}{"class":"A"}', 400, { path: "", message: "is not valid JSON (at character 14)" }],
  ])("%s", async (_name, bad, status, error) => {
    const problem = await problemOf(await ndjson(`${line(1)}\n${line(2)}${bad}\n${line(3)}`));
    expect(problem).toMatchObject({ status, line: 4, enqueued: 2, errors: [error] });
    expect(problem["detail"]).toBe("Line 4 is refused. Enqueued before it, and staying so: 2; after it: none.");
    expect(await open.payloads("mail")).toEqual(['{"class":"A","args":[1]}', '{"class":"A","args":[2]}']);
  });

  test("not UTF-8", async () => {
    const bytes = new TextEncoder().encode(`${line(1)}"?"\n`);
    bytes[bytes.length - 3] = 0xff;
    expect(await problemOf(await ndjson(bytes))).toMatchObject({
      ...{ status: 400, line: 2, enqueued: 1 },
      errors: [{ path: "", message: "is not valid UTF-8" }],
    });
  });

  test("cut off in the middle, without its newline", async () => {
    const problem = await problemOf(await ndjson(`${line(1)}{"class":"A","args":[`));
    expect(problem).toMatchObject({
      line: 2,
      enqueued: 1,
      errors: [{ message: "is not valid JSON: it ends too early" }],
    });
  });

  test("after many, while the client still sends", async () => {
    const body = function* (): Generator<string> {
      yield* manyLines(1_234);
      yield "oops\n";
      yield* manyLines(100_000);
    };
    const problem = await problemOf(await stream(body()));
    expect(problem).toMatchObject({ status: 400, line: 1_235, enqueued: 1_234 });
    expect(await length()).toBe(1_234);
    // The body was read to its end, so the connection serves on.
    expect((await stream([line(1)])).status).toBe(201);
  });

  test("a line that never ends, which is not gathered in memory", async () => {
    const body = function* (): Generator<string> {
      yield line(1);
      for (;;) yield "x".repeat(3_000);
    };
    expect(await problemOf(await streamDirectly(body()))).toMatchObject({ status: 413, line: 2, enqueued: 1 });
  });
});

describe("a client that goes away in the middle of a stream", () => {
  const headers = { authorization: `Bearer ${ENQUEUE_TOKEN}`, "content-type": NDJSON, "transfer-encoding": "chunked" };

  test("leaves what was enqueued, and a server that works", async () => {
    const client = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/queues/mail/jobs", headers });
    client.on("error", () => undefined);
    client.write([...manyLines(1_100)].join(""));
    client.write('{"class":"A","ar');
    await until(async () => (await length()) >= 1_000);
    client.destroy();
    // 500 went at a time; of the rest nobody was told that it is enqueued.
    const response = await stream([line(7)]);
    expect(await response.json()).toEqual({ queue: "mail", enqueued: 1 });
    expect(await open.payloads("mail")).toEqual([
      ...Array.from({ length: 1_000 }, (_, n) => line(n).trimEnd()),
      '{"class":"A","args":[7]}',
    ]);
  });

  test("by half, gets told how many are enqueued", async () => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const head = Object.entries({ host: "x", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
    socket.write(`POST /queues/mail/jobs HTTP/1.1\r\n${head.join("")}\r\n${chunk([...manyLines(600)].join(""))}`);
    await until(async () => (await length()) === 500);
    socket.end();
    await once(socket.resume(), "close");
    expect(await length()).toBe(500);
    expect((await stream([line(1)])).status).toBe(201);
  });
});

test("a Redis that fails in the middle of a stream: the answer tells what is certain and what is not", async () => {
  await using lost = await openApp();
  let sent = 0;
  const body = async function* (): AsyncGenerator<string> {
    for (const part of manyLines(2_000, 500)) {
      if (sent === 2) {
        await until(async () => (await lost.client.command(["LLEN", "resque:queue:mail"])) === 500);
        await lost.redis.close();
      }
      sent++;
      yield part;
    }
  };
  const response = await streamDirectly(body(), lost);
  expect(await problemOf(response)).toMatchObject({ status: 503, enqueued: 500, uncertain: 500 });
});
