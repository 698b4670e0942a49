import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningGateway } from "../../src/gateway/serve-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { type ApiWorld, openApiWorld, TOKEN } from "./api-world.ts";
import { connectTo, requestText, sendRaw } from "./raw-http.ts";

/** A server, and what a peer that means well gets of it. */
interface Server {
  readonly url: string;
  /** Where a POST with a JSON body is taken. */
  readonly path: string;
  readonly body: string;
  /** Fails unless somebody who means well is served. */
  serveGood(): Promise<void>;
  /** What came into Redis by {@link path}. */
  taken(): Promise<number>;
}

let world: ApiWorld;
let redis: TestRedis;
let gateway: RunningGateway;
/** One that does not wait for long. */
let hasty: RunningGateway;
const servers = {} as Record<"the HTTP API" | "the gateway", Server>;
let good = 0;

beforeAll(async () => {
  world = await openApiWorld();
  redis = await startRedis();
  gateway = await startGateway(redis.url, { tokens: [TOKEN] });
  hasty = await startGateway(redis.url, { tokens: [TOKEN], headTimeoutMs: 400, requestTimeoutMs: 800 });
  const command = async (...words: string[]): Promise<unknown> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(words) });
    return ((await answer.json()) as { result: unknown }).result;
  };
  servers["the HTTP API"] = {
    ...{ url: world.url, path: "/queues/q/jobs", body: '{"class":"Noop","args":[]}' },
    serveGood: () => world.enqueueGood(`${++good}`),
    taken: async () => (await world.queued("q")).length,
  };
  servers["the gateway"] = {
    ...{ url: gateway.url, path: "/rpush/list", body: "value" },
    serveGood: async () => expect(await command("ECHO", `${++good}`)).toBe(`${good}`),
    taken: async () => Number(await command("LLEN", "list")),
  };
});
afterAll(async () => {
  await hasty.close();
  await gateway.close();
  await redis.close();
  await world[Symbol.asyncDispose]();
});

const HEADERS = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
type Making = (server: Server) => string | readonly string[];
const post = ({ path }: Server, headers: Readonly<Record<string, string>>, body = ""): string =>
  `${requestText("POST", path, { headers: { ...HEADERS, ...headers } })}${body}`;
const get = (headers: Readonly<Record<string, string>>, path = "/"): string =>
  requestText("GET", path, { headers: { ...HEADERS, Connection: "close", ...headers } });

/** What is no request, or one that nobody should send, and how it is answered; without a status it is hung up on. */
const NONSENSE: readonly (readonly [name: string, making: Making, status?: number])[] = [
  ["bytes of no meaning", () => `${"\x00\x01\xff".repeat(500)}\r\n\r\n`, 400],
  ["a greeting of TLS", () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["the preface of HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["a command of Redis'", () => "*1\r\n$8\r\nFLUSHALL\r\n", 400],
  ["a tunnel", () => "CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a header of 100 KB", () => get({ "X-Large": "a".repeat(100_000) }), 431],
  ["5,000 headers", () => get(Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`X${n}`, "a"]))), 431],
  ["a path of 100 KB", () => get({}, `/${"a".repeat(100_000)}`), 431],
  ["a NUL in a header", () => get({ X: "a\0b" }), 400],
  ["a header folded", () => get({ X: "a\r\n b" }), 400],
  ["a header without a name", () => get({ "": "a" }), 400],
  ["lines that end in LF alone", () => "GET / HTTP/1.1\nHost: x\n\n", 400],
  ["a host that is none", () => get({ Host: "a b/c" }), 400],
  ["a host that is no address", () => get({ Host: "[::1" }), 400],
  ["a backslash in the path", () => get({}, "/queues\\q"), 400],
  ["a blank in the path", () => get({}, "/a b"), 400],
  ["a version that there is not", () => "GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400],
  ["two lengths", (server) => post(server, { "Content-Length": "2\r\nContent-Length: 3" }, "{}"), 400],
  ["a length below nothing", (server) => post(server, { "Content-Length": "-1" }, "{}"), 400],
  ["a length in letters", (server) => post(server, { "Content-Length": "1e3" }, "{}"), 400],
  ["a length with a sign", (server) => post(server, { "Content-Length": "+2" }, "{}"), 400],
  [
    "a length and chunks",
    (server) => post(server, { "Content-Length": "4", "Transfer-Encoding": "chunked" }, "0\r\n\r\n"),
    400,
  ],
  [
    "an encoding that is none",
    (server) => post(server, { "Transfer-Encoding": "chunked, identity" }, "0\r\n\r\n"),
    400,
  ],
  [
    "a chunk without a length",
    (server) => post(server, { "Transfer-Encoding": "chunked" }, "zz\r\n{}\r\n0\r\n\r\n"),
    400,
  ],
  [
    "a chunk longer than it says",
    (server) => post(server, { "Transfer-Encoding": "chunked" }, "1\r\n{}\r\n0\r\n\r\n"),
    400,
  ],
  [
    "a chunk longer than any",
    (server) => post(server, { "Transfer-Encoding": "chunked" }, `${"f".repeat(20)}\r\n{}`),
    400,
  ],
  [
    "chunks with extensions of 100 KB",
    (server) => post(server, { "Transfer-Encoding": "chunked" }, `2;${"a".repeat(100_000)}\r\n{}\r\n0\r\n\r\n`),
    413,
  ],
];

/** The JSON of an answer. */
const jsonOf = (text: string): unknown => JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4));

describe.each(["the HTTP API", "the gateway"] as const)("%s", (name) => {
  let server: Server;
  let before: number;
  beforeAll(async () => {
    server = servers[name];
    before = await server.taken();
  });

  const cases = NONSENSE.map(([what, making, status]) => ({ what, making, status }));
  test.each(cases)("answers $what, hangs up, and serves others", async ({ making, status }) => {
    const { statuses, text, isClosed } = await sendRaw(server.url, making(server));
    expect([statuses, isClosed]).toEqual([status === undefined ? [] : [status], true]);
    if (status !== undefined)
      expect(jsonOf(text)).toMatchObject(name === "the gateway" ? { error: expect.any(String) } : { status });
    expect(text).not.toContain(TOKEN);
    await server.serveGood();
    expect(await server.taken()).toBe(before);
  });

  test("takes none of a body that breaks off, however it does", async () => {
    const cut = server.body.length + 10;
    const broken = [
      post(server, { "Content-Length": String(cut) }, server.body),
      post(server, { "Transfer-Encoding": "chunked" }, `${server.body.length.toString(16)}\r\n${server.body}\r\n`),
      post(server, { "Transfer-Encoding": "chunked" }, `${cut.toString(16)}\r\n${server.body}`),
    ];
    for (const text of broken) expect((await sendRaw(server.url, text, { end: true })).statuses).toEqual([400]);
    // And of a hundred who are gone at once.
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const socket = await connectTo(server.url);
        socket.write(broken[n % broken.length] as string);
        socket.resetAndDestroy();
      }),
    );
    await server.serveGood();
    expect(await server.taken()).toBe(before);
  });

  test("answers requests that come all at once, each for itself, in order, up to the one that is none", async () => {
    const one = requestText("POST", server.path, { headers: HEADERS, body: server.body });
    const bad = post(server, { "Content-Length": "-1" });
    const { statuses } = await sendRaw(server.url, one.repeat(50) + bad + one);
    // The one that is none ends the connection; what is still under way then is not answered, nor is what comes behind.
    const done = statuses.filter((status) => status === 200 || status === 201).length;
    expect(statuses.slice(0, done).every((status) => status < 300)).toBe(true);
    const now = await until(async () => {
      const count = await server.taken();
      return count - before >= done && count;
    });
    expect(now - before).toBeLessThanOrEqual(50);
    before = now;
    const last = one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    const { statuses: all } = await sendRaw(server.url, one.repeat(49) + last);
    expect(all).toHaveLength(50);
    before += 50;
    expect(await server.taken()).toBe(before);
  });

  test("serves others while hundreds of connections bring nothing, or half a head, or half a body", async () => {
    const half = [
      "",
      "POST / HTTP/1.1\r\nHost: x\r\nX-Slow:",
      post(server, { "Content-Length": "1000" }, "{"),
      requestText("POST", server.path, { headers: { "Content-Length": "1000" } }),
    ];
    const sockets = await Promise.all(Array.from({ length: 400 }, () => connectTo(server.url)));
    for (const [index, socket] of sockets.entries()) socket.write(half[index % half.length] as string);
    for (let n = 0; n < 20; n++) await server.serveGood();
    for (const socket of sockets) socket.destroy();
    await server.serveGood();
    expect(await server.taken()).toBe(before);
  });

  test("tells nobody's token, in no answer and no log", async () => {
    for (const authorization of [`Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN} ${TOKEN}`, ""]) {
      const headers = { ...HEADERS, Authorization: authorization, Connection: "close" };
      const { statuses, text } = await sendRaw(
        server.url,
        requestText("POST", server.path, { headers, body: server.body }),
      );
      expect([statuses.length, [400, 401].includes(statuses[0] as number)]).toEqual([1, true]);
      expect(text).not.toContain(TOKEN);
    }
    const { text } = await sendRaw(
      server.url,
      requestText("GET", `/?_token=${TOKEN}x`, { headers: { Connection: "close" } }),
    );
    expect(text).not.toContain(TOKEN);
    expect(await server.taken()).toBe(before);
    expect(world.logged).toEqual([]);
  });
});

describe("the gateway's time limits", () => {
  test.each<[string, string]>([
    ["sends nothing", ""],
    ["never ends its head", "POST /rpush/slow HTTP/1.1\r\nHost: x\r\n"],
    [
      "never ends its body",
      `POST /rpush/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 99\r\n\r\n`,
    ],
    [
      "never ends its chunks",
      `POST /rpush/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
  ])("hang up on who %s, though a byte comes now and then", async (what, head) => {
    const socket = await connectTo(hasty.url);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    const closed = once(socket, "close");
    socket.write(head);
    const drip = setInterval(() => {
      if (what !== "sends nothing" && socket.writable) socket.write(what.includes("chunks") ? "1\r\na\r\n" : "a");
    }, 50);
    await closed;
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*expected its head within 400 ms, all of it within 800 ms/);
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await fetch(`${hasty.url}/ping`, { headers })).status).toBe(200);
  });
});
