import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { StoreError, UsageError } from "../../src/core/errors.ts";
import type { UpstashOptions } from "../../src/redis/upstash-client.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { toScript } from "../conformance/redis-client.ts";
import { until } from "../support/until.ts";

/** What `upstash()` does on every host: with the SDK, and without it at the edge. */
export function testUpstash(upstash: (options?: UpstashOptions) => RedisClient): void {
  const TOKEN = "AXxxASQgMjM0-token";
  const PAYLOAD = '{"class":"SendEmail","args":["jane@example.com"]}';

  afterEach(() => vi.unstubAllEnvs());

  describe("upstash() takes its address and token", () => {
    beforeEach(() => {
      for (const name of [
        "UPSTASH_REDIS_REST_URL",
        "UPSTASH_REDIS_REST_TOKEN",
        "KV_REST_API_URL",
        "KV_REST_API_TOKEN",
      ]) {
        vi.stubEnv(name, undefined);
      }
    });

    test("from UPSTASH_REDIS_REST_URL and _TOKEN, when it is called", () => {
      vi.stubEnv("UPSTASH_REDIS_REST_URL", "https://eu1-one.upstash.io");
      vi.stubEnv("UPSTASH_REDIS_REST_TOKEN", TOKEN);
      expect(upstash().description).toBe("Upstash Redis at https://eu1-one.upstash.io");
    });

    test("from KV_REST_API_URL and _TOKEN where those are not set, or empty", () => {
      vi.stubEnv("UPSTASH_REDIS_REST_URL", "");
      vi.stubEnv("KV_REST_API_URL", "https://kv.example.com");
      vi.stubEnv("KV_REST_API_TOKEN", TOKEN);
      expect(upstash().description).toBe("Upstash Redis at https://kv.example.com");
    });

    test("from its options before the environment", () => {
      vi.stubEnv("UPSTASH_REDIS_REST_URL", "https://eu1-one.upstash.io");
      vi.stubEnv("UPSTASH_REDIS_REST_TOKEN", TOKEN);
      expect(upstash({ url: "https://eu1-two.upstash.io/" }).description).toBe(
        "Upstash Redis at https://eu1-two.upstash.io",
      );
    });

    test("never from two databases", () => {
      vi.stubEnv("UPSTASH_REDIS_REST_URL", "https://eu1-one.upstash.io");
      vi.stubEnv("KV_REST_API_TOKEN", TOKEN);
      expect(() => upstash()).toThrow("no token; UPSTASH_REDIS_REST_URL is set, but UPSTASH_REDIS_REST_TOKEN is not");
      vi.stubEnv("KV_REST_API_URL", "https://kv.example.com");
      expect(() => upstash()).toThrow("no token; UPSTASH_REDIS_REST_URL is set, but UPSTASH_REDIS_REST_TOKEN is not");
    });

    test("the token alone from the environment, for an address in the code", () => {
      vi.stubEnv("KV_REST_API_TOKEN", TOKEN);
      expect(upstash({ url: "https://kv.example.com" }).description).toContain("kv.example.com");
    });

    test("without a process object, too", () => {
      vi.stubGlobal("process", undefined);
      try {
        expect(upstash({ url: "https://eu1-one.upstash.io", token: TOKEN }).description).toContain("eu1-one");
        expect(() => upstash()).toThrow(/no url, and neither UPSTASH_REDIS_REST_URL nor KV_REST_API_URL is set/);
      } finally {
        vi.unstubAllGlobals();
      }
    });

    const url = "https://eu1-one.upstash.io";
    test.each<[string, UpstashOptions, RegExp]>([
      ["no url", { token: TOKEN }, /no url, and neither UPSTASH_REDIS_REST_URL nor KV_REST_API_URL is set/],
      ["no token", { url }, /no token, and neither UPSTASH_REDIS_REST_TOKEN nor KV_REST_API_TOKEN is set/],
      ["an empty token", { url, token: "" }, /no token/],
      ["a url that is none", { url: "eu1-one", token: TOKEN }, /not an address; expected the https:\/\/ address/],
      ["a redis url", { url: "redis://default:pw123@eu1", token: TOKEN }, /begins with redis:\/\/; expected .*ioredis/],
      ["a url with a password", { url: "https://me:pw123@eu1", token: TOKEN }, /eu1 holds credentials/],
      ["a url with a token", { url: `${url}?_token=pw123`, token: TOKEN }, /holds credentials or parameters/],
      ["a token with a blank", { url, token: "pw123 x" }, /token holds blanks/],
      ["a token with a line end", { url, token: "pw123\n" }, /token holds blanks/],
      ["a time limit of 0", { url, token: TOKEN, requestTimeoutMs: 0 }, /requestTimeoutMs is 0; expected/],
      ["a time limit that no timer holds", { url, token: TOKEN, requestTimeoutMs: 2 ** 31 }, /from 1 to 2147483647$/],
      ["a time limit that is none", { url, token: TOKEN, requestTimeoutMs: Number.NaN }, /requestTimeoutMs is NaN/],
      [
        "an unknown option",
        { url, token: TOKEN, tokn: "pw123" } as UpstashOptions,
        /unknown option "tokn"; expected url, token/,
      ],
    ])("and refuses %s", (_what, options, message) => {
      const error = thrownBy(() => upstash(options));
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toMatch(message);
      expect(error.message).not.toContain("pw123");
    });
  });

  interface Endpoint {
    readonly url: string;
    readonly requests: { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: string }[];
    close(): Promise<void>;
  }

  /** An HTTP endpoint that answers as told: what lies between a client and Redis answers in many ways that no Redis does. */
  async function startEndpoint(
    answer: (response: ServerResponse, request: IncomingMessage) => void,
  ): Promise<Endpoint> {
    const requests: Endpoint["requests"] = [];
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      requests.push({ path: request.url ?? "", headers: request.headers, body });
      answer(response, request);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const close = async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    };
    return { url: `http://127.0.0.1:${port}`, requests, close };
  }

  describe.each(["node:http", "fetch"])("over %s", (way) => {
    let endpoint: Endpoint | undefined;

    beforeEach(() => vi.stubEnv("NODE_USE_ENV_PROXY", way === "fetch" ? "1" : undefined));
    afterEach(() => endpoint?.close());

    async function clientOf(
      answer: (response: ServerResponse, request: IncomingMessage) => void,
      options: UpstashOptions = {},
    ) {
      endpoint = await startEndpoint(answer);
      return { client: upstash({ url: endpoint.url, token: TOKEN, ...options }), requests: endpoint.requests };
    }

    const reply =
      (status: number, body: string, headers: Record<string, string> = {}) =>
      (response: ServerResponse) => {
        response.writeHead(status, headers).end(body);
      };

    test("a command is a POST of its array, and says no more than token and type", async () => {
      const { client, requests } = await clientOf(reply(200, '{"result":"OK"}'));
      expect(await client.command(["SET", "k", 'vé"', 1.5])).toBe("OK");
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatchObject({ path: "/", body: JSON.stringify(["SET", "k", 'vé"', "1.5"]) });
      expect(requests[0]?.headers).toMatchObject({
        authorization: `Bearer ${TOKEN}`,
        "content-type": "application/json",
      });
      const names = Object.keys(requests[0]?.headers ?? {}).filter((name) => name.startsWith("upstash"));
      expect(names).toEqual([]);
    });

    test("a path in the address is kept", async () => {
      endpoint = await startEndpoint(reply(200, '[{"result":1}]'));
      const client = upstash({ url: `${endpoint.url}/redis/`, token: TOKEN });
      await client.pipeline([["PING"]]);
      await client.transaction([["PING"]]);
      expect(endpoint.requests.map(({ path }) => path)).toEqual(["/redis/pipeline", "/redis/multi-exec"]);
    });

    test("scripts lock their keys alone where keyLocking is on", async () => {
      const script = toScript("return 1");
      const { client, requests } = await clientOf(
        (response) => response.writeHead(400).end('{"error":"NOSCRIPT No matching script."}'),
        { keyLocking: true },
      );
      await expect(client.script({ script, keys: ["k"], args: ["a"] })).rejects.toMatchObject({ reason: "rejected" });
      expect(requests.map(({ body }) => JSON.parse(body))).toEqual([
        ["EVALSHA", script.keyLockingSha1, "1", "k", "a"],
        ["EVAL", "#!lua flags=allow-key-locking\nreturn 1", "1", "k", "a"],
      ]);
    });

    const html = "<html><body>502 Bad Gateway</body></html>";
    test.each<[string, number, string, Partial<StoreError>]>([
      ["401", 401, '{"error":"WRONGPASS invalid or missing auth token"}', { reason: "unauthorized", status: 401 }],
      ["401 in other words", 401, '{"error":"Unauthorized"}', { reason: "unauthorized", status: 401 }],
      ["NOAUTH", 400, '{"error":"NOAUTH Authentication required."}', { reason: "unauthorized" }],
      [
        "a missing permission",
        400,
        '{"error":"NOPERM this user has no permissions"}',
        { reason: "rejected", status: 400 },
      ],
      ["429", 429, '{"error":"Too Many Requests"}', { reason: "throttled", status: 429 }],
      ["429 with HTML", 429, html, { reason: "throttled", status: 429 }],
      [
        "the daily limit",
        400,
        '{"error":"ERR max daily request limit exceeded. Limit: 10000"}',
        { reason: "throttled" },
      ],
      ["the monthly limit", 400, '{"error":"ERR max requests limit exceeded. Limit: 500000"}', { reason: "throttled" }],
      ["a full database", 400, '{"error":"ERR DB capacity quota exceeded"}', { reason: "full", retryable: true }],
      ["OOM", 400, '{"error":"OOM command not allowed when used memory > \'maxmemory\'."}', { reason: "full" }],
      ["too large a request", 413, '{"error":"ERR max request size exceeded. Limit: 1 bytes"}', { reason: "rejected" }],
      ["LOADING", 400, '{"error":"LOADING Redis is loading the dataset in memory"}', { reason: "unavailable" }],
      ["500 with an error", 500, '{"error":"ERR internal"}', { reason: "unavailable", status: 500 }],
      ["503 of the gateway", 503, '{"error":"Redis is unavailable"}', { reason: "unavailable", status: 503 }],
      ["502 with HTML", 502, html, { reason: "unavailable", status: 502 }],
      ["200 with HTML", 200, html, { reason: "unavailable", status: 200 }],
      ["200 with nothing", 200, "", { reason: "unavailable" }],
      ["200 with other JSON", 200, '{"ok":true}', { reason: "unavailable" }],
      ["200 with cut JSON", 200, '{"result":["a', { reason: "unavailable" }],
      ["a redirection", 302, "", { reason: "unavailable", status: 302 }],
      ["any other error", 400, '{"error":"ERR syntax error"}', { reason: "rejected", retryable: false, status: 400 }],
    ])("an answer of %s becomes a StoreError, and is not asked for twice", async (_what, status, body, expected) => {
      const { client, requests } = await clientOf(reply(status, body, { location: "http://127.0.0.1:1/" }));
      const error = await client.command(["RPUSH", "resque:queue:mail", PAYLOAD]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      expect(error).toMatchObject(expected);
      expect(requests).toHaveLength(1);
      await expect(client.pipeline([["RPUSH", "q", PAYLOAD]])).rejects.toMatchObject({ reason: expected.reason });
      await expect(client.transaction([["RPUSH", "q", PAYLOAD]])).rejects.toMatchObject({ reason: expected.reason });
      expect(requests).toHaveLength(3);
    });

    test.each([
      ["2", 2000],
      ["0", 0],
      ["nonsense", undefined],
    ])("Retry-After: %s", async (header, retryAfterMs) => {
      const { client } = await clientOf(reply(429, '{"error":"slow down"}', { "retry-after": header }));
      await expect(client.command(["PING"])).rejects.toMatchObject({ reason: "throttled", retryAfterMs });
    });

    test("Retry-After as a date", async () => {
      const at = new Date(Date.now() + 60_000).toUTCString();
      const { client } = await clientOf(reply(503, "", { "retry-after": at }));
      const error = await client.command(["PING"]).catch((reason: unknown) => reason);
      expect((error as StoreError).retryAfterMs).toBeGreaterThan(50_000);
      expect((error as StoreError).retryAfterMs).toBeLessThanOrEqual(60_000);
    });

    test("an error that quotes the command loses the quotation", async () => {
      const text = `ERR unknown command 'X', with args beginning with: '${PAYLOAD}', command was: ["X",${JSON.stringify(PAYLOAD)}]`;
      const { client } = await clientOf(reply(400, JSON.stringify({ error: text })));
      const error = (await client.command(["X", PAYLOAD]).catch((reason: unknown) => reason)) as StoreError;
      expect(error.message).toBe(`${client.description}: ERR unknown command 'X'`);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("jane@example.com");
    });

    test("a command that is answered as a pipeline is no answer", async () => {
      const { client } = await clientOf(reply(200, '[{"result":"OK"}]'));
      await expect(client.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
    });

    test("a pipeline that is answered with too few items is no answer", async () => {
      const { client } = await clientOf(reply(200, '[{"result":1}]'));
      await expect(client.pipeline([["PING"], ["PING"]])).rejects.toMatchObject({ reason: "unavailable" });
    });

    test("an endpoint that does not answer in time is unavailable, and its request is given up", async () => {
      let isGivenUp = false;
      const { client, requests } = await clientOf(
        (_response, request) => {
          request.socket.once("close", () => {
            isGivenUp = true;
          });
        },
        { requestTimeoutMs: 1_000 },
      );
      const error = await client.command(["RPUSH", "q", PAYLOAD]).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        reason: "unavailable",
        message: expect.stringContaining("no answer within 1000 ms"),
      });
      await until(() => isGivenUp);
      expect(requests).toHaveLength(1);
    });

    test("an answer that stops half-way is unavailable, by time limit or by its end", async () => {
      const { client } = await clientOf(
        (response) => response.writeHead(200, { "content-length": "100" }).write('{"result":'),
        {
          requestTimeoutMs: 100,
        },
      );
      await expect(client.command(["PING"])).rejects.toMatchObject({
        reason: "unavailable",
        message: expect.stringContaining("within 100 ms"),
      });
      await endpoint?.close();
      const { client: other } = await clientOf((response) => {
        response.writeHead(200, { "content-length": "100" }).write('{"result":', () => response.destroy());
      });
      await expect(other.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
    });

    test("a connection that breaks before the answer is unavailable, and the request is not repeated", async () => {
      const { client, requests } = await clientOf((response) => response.destroy());
      await expect(client.command(["RPUSH", "q", PAYLOAD])).rejects.toMatchObject({ reason: "unavailable" });
      expect(requests).toHaveLength(1);
    });

    test("a client works again after close()", async () => {
      const { client } = await clientOf(reply(200, '{"result":"PONG"}'));
      expect(await client.command(["PING"])).toBe("PONG");
      await client.close();
      expect(await client.command(["PING"])).toBe("PONG");
    });
  });

  test("over node:http, calls share a connection that is kept open", async () => {
    vi.stubEnv("NODE_USE_ENV_PROXY", undefined);
    const sockets = new Set<unknown>();
    const endpoint = await startEndpoint((response, request) => {
      sockets.add(request.socket);
      response.end('{"result":"PONG"}');
    });
    const client = upstash({ url: endpoint.url, token: TOKEN });
    for (let call = 0; call < 5; call++) await client.command(["PING"]);
    expect(sockets.size).toBe(1);
    await client.close();
    await endpoint.close();
  });

  function thrownBy(action: () => unknown): Error {
    try {
      action();
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error("nothing was thrown");
  }
}
