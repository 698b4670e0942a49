import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { createTokenCheck } from "../../src/gateway/bearer.ts";
import { serveGateway } from "../../src/gateway/serve-gateway.ts";
import { startGateway, TEST_TOKEN } from "../support/gateway.ts";
import { freePort, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const headers = { authorization: `Bearer ${TEST_TOKEN}` };

test("starts without Redis, answers 503 meanwhile, and works once Redis is there", async () => {
  const port = await freePort();
  const gateway = await startGateway(`redis://:s3cret@127.0.0.1:${port}`);
  for (const [path, body] of [
    ["/", '["PING"]'],
    ["/pipeline", '[["PING"]]'],
    ["/multi-exec", '[["PING"]]'],
  ] as const) {
    const answer = await fetch(gateway.url + path, { method: "POST", headers, body });
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text)).toEqual({ error: expect.stringMatching(/^Redis is unavailable .*ECONNREFUSED/) });
    expect(text).not.toContain("s3cret");
  }
  expect((await fetch(`${gateway.url}/ping`)).status).toBe(401);
  await gateway.close();
});

test.each([
  [{ headTimeoutMs: 0 }, "headTimeoutMs is 0; expected a whole number of milliseconds from 1 on"],
  [{ requestTimeoutMs: 0 }, "requestTimeoutMs is 0; expected a whole number of milliseconds from 1 on"],
  [{ requestTimeoutMs: Number.POSITIVE_INFINITY }, "requestTimeoutMs is Infinity; expected a whole number"],
  [{ headTimeoutMs: 90_000 }, "headTimeoutMs is 90000; expected at most requestTimeoutMs, 60000"],
])("refuses time limits that are none: %j", async (limits, message) => {
  const started = serveGateway({ redisUrl: "redis://127.0.0.1:1", tokens: [TEST_TOKEN], ...limits });
  await expect(started).rejects.toThrow(UsageError);
  await expect(started).rejects.toThrow(`gateway: ${message}`);
});

test("a short time limit of requests is one of their heads, too", async () => {
  const gateway = await startGateway("redis://127.0.0.1:1", { requestTimeoutMs: 10_000 });
  expect((await fetch(`${gateway.url}/ping`)).status).toBe(401);
  await gateway.close();
});

test("goes on after Redis was away", async () => {
  const first = await startRedis();
  const gateway = await startGateway(first.url);
  const ping = async () => (await fetch(`${gateway.url}/ping`, { headers })).status;
  expect(await ping()).toBe(200);
  await first.close();
  expect(await ping()).toBe(503);
  const second = await startRedis({ kind: first.kind, port: first.port });
  expect(await ping()).toBe(200);
  await gateway.close();
  await second.close();
});

test("answers 503 when Redis does not answer in time, and goes on when it does", async () => {
  await using slow = await startSlowRedis();
  const gateway = await startGateway(slow.url, { connection: { commandTimeoutMs: 100 } });
  const ping = async () => (await fetch(`${gateway.url}/ping`, { headers })).status;
  expect(await ping()).toBe(503);
  slow.answer();
  // Even an answer that comes at once may come too late on a busy machine.
  await until(async () => (await ping()) === 200);
  await gateway.close();
});

test("lets requests under way end when it closes, and takes no more", async () => {
  await using slow = await startSlowRedis();
  const gateway = await startGateway(slow.url);
  const answer = fetch(`${gateway.url}/ping`, { headers });
  await until(() => slow.asked() === 1);
  const closed = gateway.close();
  await expect(fetch(`${gateway.url}/ping`, { headers })).rejects.toThrow();
  slow.answer();
  expect(await (await answer).json()).toEqual({ result: "PONG" });
  await closed;
});

test("answers 500 without particulars when something else fails", async () => {
  const { createGateway } = await import("../../src/gateway/create-gateway.ts");
  const app = createGateway({
    tokens: [TEST_TOKEN],
    connect: {
      description: "broken",
      send: () => Promise.reject(new TypeError("secret-payload")),
      close: async () => {},
    },
  });
  const answer = await app.request("/get/k", { headers });
  expect(answer.status).toBe(500);
  expect(await answer.text()).toBe('{"error":"internal error"}');
});

test.each([
  ["no tokens", [], /no token; expected at least one/],
  ["an empty token", ["good", ""], /a token is empty/],
  ["a token with a line end", ["secret\n"], /a token is empty, or holds blanks/],
])("refuses %s", async (_what, tokens, message) => {
  const error = await serveGateway({ redisUrl: "redis://127.0.0.1:1", tokens }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain("secret");
});

test("refuses a port that is in use, and says which", async () => {
  const gateway = await startGateway("redis://127.0.0.1:1");
  const port = Number(new URL(gateway.url).port);
  await expect(startGateway("redis://127.0.0.1:1", { port })).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
  await gateway.close();
});

test.each([
  [{ host: "203.0.113.1" }, "port 0 on 203.0.113.1 (EADDRNOTAVAIL)"],
  [{ port: 70_000 }, "port 70000 on 127.0.0.1 (ERR_SOCKET_BAD_PORT)"],
])("refuses a place that is not this machine's: %j", async (place, told) => {
  const started = startGateway("redis://127.0.0.1:1", place);
  await expect(started).rejects.toThrow(UsageError);
  await expect(started).rejects.toThrow(`gateway: cannot listen at ${told}; expected`);
});

test("a token check takes each of its tokens and nothing else", () => {
  const isAllowed = createTokenCheck(["one", "two"]);
  expect(["one", "two", "three", "on", "onee", "", undefined].map(isAllowed)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

/** A server that knows PING alone, and answers it when told to: no Redis can be made slow to the point. */
async function startSlowRedis() {
  let asked = 0;
  let isSilent = true;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => {
      asked += 1;
      if (!isSilent) socket.write("+PONG\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    /** Answers what was asked, and from now on at once. */
    answer() {
      isSilent = false;
      for (const socket of sockets) if (socket.writable) socket.write("+PONG\r\n");
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
