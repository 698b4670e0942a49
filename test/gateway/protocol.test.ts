import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunningGateway } from "../../src/gateway/serve-gateway.ts";
import { startGateway, TEST_TOKEN } from "../support/gateway.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";

const MAX_BYTES = 100_000;

let redis: TestRedis;
let gateway: RunningGateway;
let key: string;

beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway(redis.url, { maxRequestBytes: MAX_BYTES, tokens: ["another-token", TEST_TOKEN] });
});
afterAll(async () => {
  await gateway.close();
  await redis.close();
});
beforeEach(() => {
  key = randomUUID();
});

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly token?: string | null;
}

async function call(path: string, { method = "GET", headers = {}, body, token = TEST_TOKEN }: Call = {}) {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers });

async function result(path: string, options: Call = {}): Promise<unknown> {
  const { status, text, headers } = await call(path, options);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("application/json");
  return (JSON.parse(text) as { result: unknown }).result;
}

describe("authorization", () => {
  const routes: [string, string, string | undefined][] = [
    ["GET", "/", undefined],
    ["POST", "/", '["PING"]'],
    ["POST", "/pipeline", '[["PING"]]'],
    ["POST", "/multi-exec", '[["PING"]]'],
    ["GET", "/ping", undefined],
    ["POST", "/set/k", "v"],
    ["PUT", "/set/k", "v"],
    ["HEAD", "/ping", undefined],
    ["DELETE", "/del/k", undefined],
    ["OPTIONS", "/", undefined],
    ["GET", "/no/such/command", undefined],
  ];
  const wrong: [string, string | null][] = [
    ["none", null],
    ["a wrong one", "wrong"],
    ["the beginning of the right one", TEST_TOKEN.slice(0, -1)],
    ["more than the right one", `${TEST_TOKEN}x`],
    ["another case", TEST_TOKEN.toUpperCase()],
  ];
  test.each(routes)("%s %s answers 401 to every token but the right ones", async (method, path, body) => {
    for (const [, token] of wrong) {
      const answer = await call(path, { method, token, ...(body === undefined ? {} : { body }) });
      expect(answer.status).toBe(401);
      if (method !== "HEAD")
        expect(JSON.parse(answer.text)).toEqual({ error: "WRONGPASS invalid or missing auth token" });
    }
    expect((await call(path, { method, ...(body === undefined ? {} : { body }) })).status).not.toBe(401);
  });

  test("each of the tokens will do", async () => {
    expect(await result("/ping", { token: "another-token" })).toBe("PONG");
    expect(await result("/ping", { token: TEST_TOKEN })).toBe("PONG");
  });

  test("the token may be a parameter, and is no argument then", async () => {
    expect(await result(`/set/${key}/v?_token=${TEST_TOKEN}`, { token: null })).toBe("OK");
    expect(await result(`/get/${key}?_token=${TEST_TOKEN}`, { token: null })).toBe("v");
    expect((await call("/ping?_token=wrong", { token: null })).status).toBe(401);
    expect((await call("/ping?_token=", { token: null })).status).toBe(401);
  });

  test("a wrong header is not made good by a parameter", async () => {
    expect((await call(`/ping?_token=${TEST_TOKEN}`, { token: "wrong" })).status).toBe(401);
  });

  test("no other scheme than Bearer is taken", async () => {
    for (const authorization of [TEST_TOKEN, `Basic ${TEST_TOKEN}`, "Bearer", "Bearer ", `Bearer ${TEST_TOKEN} x`]) {
      expect((await call("/ping", { token: null, headers: { authorization } })).status).toBe(401);
    }
    expect((await call("/ping", { token: null, headers: { authorization: `bearer ${TEST_TOKEN}` } })).status).toBe(200);
  });
});

describe("POST /", () => {
  test("runs a command array", async () => {
    expect(await post("/", ["SET", key, "v", "EX", 100])).toMatchObject({ status: 200, text: '{"result":"OK"}' });
    expect((await post("/", ["get", key])).text).toBe('{"result":"v"}');
    expect((await post("/", ["GET", `${key}:none`])).text).toBe('{"result":null}');
  });

  test("answers an error of Redis with 400 and its text", async () => {
    await post("/", ["SET", key, "v"]);
    const answer = await post("/", ["LPUSH", key, "v"]);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    });
    const wrongCount = await post("/", ["GET"]);
    expect(wrongCount.status).toBe(400);
    expect(wrongCount.text).toMatch(/ERR wrong number of arguments for 'get' command/);
  });

  test("numbers go to Redis with the digits that they were written with", async () => {
    await post("/", `["RPUSH","${key}",1,-2,1.5,12345678901234567890,1.0e3,true,false]`);
    const { text } = await post("/", ["LRANGE", key, 0, -1]);
    expect(JSON.parse(text)).toEqual({ result: ["1", "-2", "1.5", "12345678901234567890", "1.0e3", "true", "false"] });
  });

  test("integers come back with all their digits", async () => {
    await post("/", ["SET", key, "9223372036854775806"]);
    expect((await post("/", ["INCR", key])).text).toBe('{"result":9223372036854775807}');
    expect((await post("/pipeline", [["DECR", key]])).text).toBe('[{"result":9223372036854775806}]');
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "PING"],
    ["cut JSON", '["PING"'],
    ["an object", '{"command":"PING"}'],
    ["a string", '"PING"'],
    ["null", "null"],
    ["an empty array", "[]"],
    ["a null argument", '["GET",null]'],
    ["an object argument", '["SET","k",{"a":1}]'],
    ["a nested command", '[["PING"]]'],
  ])("refuses %s with 400", async (_what, body) => {
    const answer = await post("/", body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.stringMatching(/^ERR (failed to parse|empty) command/) });
  });
});

describe("commands in the path", () => {
  test("take their arguments from it", async () => {
    expect(await result(`/set/${key}/v/EX/100`)).toBe("OK");
    expect(await result(`/get/${key}`)).toBe("v");
    expect(await result(`/GET/${key}/`)).toBe("v");
    expect(await result(`/ttl/${key}`)).toBeGreaterThan(90);
    expect(await result(`/mget/${key}/${key}:none`)).toEqual(["v", null]);
  });

  test.each(["POST", "PUT"])("%s puts the body after the path, and the query after the body", async (method) => {
    expect(await result(`/set/${key}?EX=100&NX`, { method, body: '{"any":"text ✓"}' })).toBe("OK");
    expect(await result(`/get/${key}`)).toBe('{"any":"text ✓"}');
    expect(await result(`/ttl/${key}`)).toBeGreaterThan(90);
    expect(await result(`/set/${key}?NX`, { method, body: "other" })).toBe(null);
  });

  test("POST without a body is a command without one", async () => {
    expect(await result(`/set/${key}/v`, { method: "POST" })).toBe("OK");
    expect(await result(`/get/${key}`, { method: "POST" })).toBe("v");
  });

  test("take a body byte for byte", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await result(`/set/${key}`, { method: "POST", body: bytes });
    expect(await result(`/strlen/${key}`)).toBe(256);
    const base64 = await result(`/get/${key}`, { headers: { "upstash-encoding": "base64" } });
    expect(Buffer.from(base64 as string, "base64")).toEqual(Buffer.from(bytes));
  });

  test("are decoded, slashes and bytes that are no text included", async () => {
    expect(await result(`/set/${key}/${encodeURIComponent("a/b c?d=é&%")}`)).toBe("OK");
    expect(await result(`/get/${key}`)).toBe("a/b c?d=é&%");
    await result(`/set/${key}/%ff%00a`);
    const base64 = await result(`/get/${key}`, { headers: { "upstash-encoding": "base64" } });
    expect(Buffer.from(base64 as string, "base64")).toEqual(Buffer.from([0xff, 0, 0x61]));
  });

  test("may hold empty arguments", async () => {
    expect(await result(`/set/${key}//`)).toBe("OK");
    expect(await result(`/get/${key}`)).toBe("");
  });

  test("HEAD runs the command, and answers without a body", async () => {
    const answer = await call(`/incr/${key}`, { method: "HEAD" });
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(await result(`/get/${key}`)).toBe("1");
    expect((await call("/get", { method: "HEAD" })).status).toBe(400);
  });

  test("GET / names no command: 400", async () => {
    const answer = await call("/");
    expect(answer).toMatchObject({ status: 400, text: '{"error":"ERR empty command"}' });
  });
});

test.each(["DELETE", "PATCH", "OPTIONS"])("%s is answered with 405", async (method) => {
  const answer = await call(`/get/${key}`, { method });
  expect(answer.status).toBe(405);
  expect(answer.headers.get("allow")).toBe("HEAD, GET, POST, PUT");
  expect(JSON.parse(answer.text)).toEqual({ error: "ERR method not allowed" });
});

describe("POST /pipeline", () => {
  test("runs all commands, and answers each with its result or its error", async () => {
    const { status, text } = await post("/pipeline", [
      ["SET", key, "x"],
      ["INCR", key],
      ["BLPOP", key, 0],
      ["GET", key],
    ]);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual([
      { result: "OK" },
      { error: "ERR value is not an integer or out of range" },
      { error: expect.stringMatching(/^ERR Command is not available: 'BLPOP'/) },
      { result: "x" },
    ]);
  });

  test.each([
    ["no JSON", "x"],
    ["an object", "{}"],
    ["nothing", "[]"],
    ["an item that is no command", '[["SET","k","v"],"PING"]'],
    ["an empty item", '[["SET","k","v"],[]]'],
  ])("refuses %s with 400, and runs nothing", async (_what, body) => {
    const answer = await post("/pipeline", body.replace("k", key));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.stringMatching(/^ERR /) });
    expect(await result(`/exists/${key}`)).toBe(0);
  });
});

describe("POST /multi-exec", () => {
  test("runs all commands as one transaction", async () => {
    const { status, text } = await post("/multi-exec", [
      ["SET", key, "1"],
      ["INCR", key],
      ["MGET", key, key],
    ]);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual([{ result: "OK" }, { result: 2 }, { result: ["2", "2"] }]);
  });

  test("goes on after a command that fails while it runs", async () => {
    const { status, text } = await post("/multi-exec", [
      ["SET", key, "x"],
      ["INCR", key],
      ["APPEND", key, "y"],
    ]);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual([
      { result: "OK" },
      { error: "ERR value is not an integer or out of range" },
      { result: 2 },
    ]);
  });

  test.each([
    ["an unknown command", ["NOSUCHCOMMAND"], /unknown command/i],
    ["a wrong number of arguments", ["GET"], /wrong number of arguments/],
    ["a command that REST cannot carry", ["BLPOP", "q", 0], /not available: 'BLPOP'/],
    ["a command that would end it", ["EXEC"], /not available: 'EXEC'/],
  ])("is discarded as a whole for %s, with that error", async (_what, command, message) => {
    const answer = await post("/multi-exec", [["SET", key, "1"], command]);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.stringMatching(message) });
    expect(await result(`/exists/${key}`)).toBe(0);
    expect((await post("/multi-exec", [["SET", key, "1"]])).text).toBe('[{"result":"OK"}]');
  });
});

describe("Upstash-Encoding: base64", () => {
  const base64 = { "upstash-encoding": "base64" };

  test("encodes all texts but OK and errors, at any depth", async () => {
    const run = async (...command: unknown[]) => JSON.parse((await post("/", command, base64)).text) as unknown;
    expect(await run("SET", key, "bar")).toEqual({ result: "OK" });
    expect(await run("GET", key)).toEqual({ result: "YmFy" });
    expect(await run("STRLEN", key)).toEqual({ result: 3 });
    expect(await run("MGET", key, `${key}:none`)).toEqual({ result: ["YmFy", null] });
    expect(await run("EVAL", "return {'bar', 1, {'bar', false, 'OK'}}", 0)).toEqual({
      result: ["YmFy", 1, ["YmFy", null, "T0s="]],
    });
    expect(await run("INCR", key)).toEqual({ error: "ERR value is not an integer or out of range" });
  });

  test("holds for pipelines and transactions", async () => {
    for (const path of ["/pipeline", "/multi-exec"]) {
      const { text } = await post(
        path,
        [
          ["SET", key, "bar"],
          ["GET", key],
          ["INCR", key],
        ],
        base64,
      );
      expect(JSON.parse(text)).toEqual([
        { result: "OK" },
        { result: "YmFy" },
        { error: expect.stringMatching(/^ERR/) },
      ]);
    }
  });

  test("keeps every byte, where plain JSON has U+FFFD", async () => {
    const script = "local r = {} for i = 0, 255 do r[#r + 1] = string.char(i) end return table.concat(r)";
    const encoded = JSON.parse((await post("/", ["EVAL", script, 0], base64)).text) as { result: string };
    expect([...Buffer.from(encoded.result, "base64")]).toEqual(Array.from({ length: 256 }, (_, i) => i));
    const plain = JSON.parse((await post("/", ["EVAL", script, 0])).text) as { result: string };
    expect(plain.result.slice(0, 128)).toBe(String.fromCharCode(...Array.from({ length: 128 }, (_, i) => i)));
    expect(plain.result.slice(128)).toMatch(/^\ufffd+$/);
  });
});

test("a response format other than JSON is refused with 400", async () => {
  expect((await call("/ping", { headers: { "upstash-response-format": "json" } })).status).toBe(200);
  const answer = await call("/ping", { headers: { "upstash-response-format": "resp2" } });
  expect(answer).toMatchObject({ status: 400, text: '{"error":"ERR unsupported response format"}' });
});

describe("the size limit", () => {
  const bodyOf = (bytes: number) =>
    JSON.stringify(["SET", key, "x".repeat(bytes - JSON.stringify(["SET", key, ""]).length)]);

  test("lets a body of exactly its size through", async () => {
    expect((await post("/", bodyOf(MAX_BYTES))).status).toBe(200);
  });

  test.each(["/", "/pipeline", "/multi-exec", "/set/k"])("refuses a larger one with 413 on %s", async (path) => {
    const answer = await post(path, bodyOf(MAX_BYTES + 1));
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toEqual({ error: `ERR max request size exceeded. Limit: ${MAX_BYTES} bytes` });
    expect(await result(`/exists/${key}`)).toBe(0);
  });

  test("holds for a body of undeclared length, which is not read to its end", async () => {
    let sent = 0;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const upload = request(`${gateway.url}/`, { method: "POST", headers: { authorization: `Bearer ${TEST_TOKEN}` } });
      const chunk = "x".repeat(10_000);
      const send = () => {
        if (upload.destroyed) return;
        sent += chunk.length;
        upload.write(chunk, () => setImmediate(send));
      };
      upload.once("response", (response) => {
        resolve(response.statusCode);
        upload.destroy();
      });
      upload.once("error", reject);
      send();
    });
    expect(status).toBe(413);
    expect(sent).toBeGreaterThan(MAX_BYTES);
  });

  test("does not count a body that fits in chunks", async () => {
    const stream = new Blob([bodyOf(MAX_BYTES)]).stream();
    const answer = await fetch(gateway.url, {
      method: "POST",
      headers: { authorization: `Bearer ${TEST_TOKEN}` },
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(await answer.json()).toEqual({ result: "OK" });
  });
});

describe("commands that REST cannot carry", () => {
  const refused = [
    ["BLPOP", "q", "0"],
    ["brpop", "q", "0"],
    ["BLMOVE", "a", "b", "LEFT", "LEFT", "0"],
    ["BZPOPMIN", "z", "0"],
    ["WAIT", "1", "0"],
    ["SUBSCRIBE", "c"],
    ["PSUBSCRIBE", "c*"],
    ["MONITOR"],
    ["MULTI"],
    ["EXEC"],
    ["DISCARD"],
    ["WATCH", "k"],
    ["UNWATCH"],
    ["SELECT", "1"],
    ["AUTH", "x"],
    ["HELLO", "3"],
    ["RESET"],
    ["QUIT"],
    ["CLIENT", "REPLY", "OFF"],
    ["SHUTDOWN"],
    ["DEBUG", "SLEEP", "10"],
    ["REPLICAOF", "127.0.0.1", "1"],
    ["XREAD", "block", "0", "STREAMS", "s", "$"],
    ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"],
  ];
  test.each(refused)("%s is refused with 400, and the gateway goes on", async (...command) => {
    const answer = await post("/", command);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.stringMatching(/^ERR Command is not available: '[A-Z ]+'\. See https:/),
    });
    expect(await result("/ping")).toBe("PONG");
  });

  test("PING, ECHO and PUBLISH are carried, and XREAD without waiting", async () => {
    expect(await result("/ping/hello")).toBe("hello");
    expect(await result(`/publish/${key}/hello`)).toBe(0);
    expect(await result(`/xadd/${key}/1-1/block/v`)).toBe("1-1");
    expect(await result(`/xread/COUNT/1/STREAMS/${key}/0`)).toEqual([[key, [["1-1", ["block", "v"]]]]]);
  });
});

test("many requests at once get each their own answer", async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      if (i % 3 === 0)
        return JSON.parse(
          (
            await post("/multi-exec", [
              ["SET", `${key}:${i}`, i],
              ["GET", `${key}:${i}`],
            ])
          ).text,
        );
      if (i % 3 === 1)
        return JSON.parse(
          (
            await post("/pipeline", [
              ["SET", `${key}:${i}`, i],
              ["GET", `${key}:${i}`],
            ])
          ).text,
        );
      return [{ result: await result(`/set/${key}:${i}/${i}`) }, { result: await result(`/get/${key}:${i}`) }];
    }),
  );
  expect(answers).toEqual(answers.map((_, i) => [{ result: "OK" }, { result: String(i) }]));
});
