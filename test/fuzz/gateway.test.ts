import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningGateway } from "../../src/gateway/serve-gateway.ts";
import { startGateway, TEST_TOKEN } from "../support/gateway.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { damaged, hostileArray, hostileJson, hostileNumber, hostileString, mostly, quoted } from "./hostile-json.ts";
import { fuzzing } from "./settings.ts";

let redis: TestRedis;
let gateway: RunningGateway;
beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway(redis.url, { maxRequestBytes: 100_000 });
});
afterAll(async () => {
  await gateway.close();
  await redis.close();
});

interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

async function send({
  path,
  method = "POST",
  headers = {},
  body,
}: Sent): Promise<{ status: number; text: string; type: string | null }> {
  const response = await fetch(gateway.url + path, {
    method,
    headers: { authorization: `Bearer ${TEST_TOKEN}`, ...headers },
    ...(body !== undefined &&
      method !== "GET" &&
      method !== "HEAD" && { body: typeof body === "string" ? body : new Uint8Array(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
}

const KEYS = ["h:text", "h:list", "h:hash", "h:zset", "h:stream", "h:none"];
const key = quoted(...KEYS);
/** None of these touches a key that does not begin with `h:`, or stops the server. */
const name = mostly(
  quoted(
    ..."SET GET GETDEL APPEND STRLEN RPUSH LPUSH LRANGE LPOP HSET HGETALL ZADD ZRANGE XADD XREAD TYPE OBJECT".split(
      " ",
    ),
  ),
  quoted(
    ..."EVAL EVALSHA SCRIPT XREADGROUP PING ECHO TIME INCRBY SETRANGE GETRANGE BITFIELD PFADD COPY DUMP".split(" "),
  ),
  quoted(
    ..."BLPOP SUBSCRIBE psubscribe MONITOR MULTI EXEC WATCH SELECT AUTH HELLO RESET QUIT CLIENT WAIT ASKING".split(" "),
  ),
  quoted(
    ..."REPLICAOF PSYNC CLUSTER READONLY SWAPDB DISCARD SSUBSCRIBE BLMOVE BZPOPMIN __proto__ constructor toString".split(
      " ",
    ),
  ),
  hostileString,
);
const word = mostly(
  hostileString,
  hostileNumber,
  key,
  quoted(
    "EX",
    "10",
    "PX",
    "NX",
    "GET",
    "LOAD",
    "DEBUG",
    "FLUSH",
    "BLOCK",
    "STREAMS",
    "GROUP",
    "COUNT",
    "0",
    "1",
    "-1",
    "return ARGV",
    "#!lua",
  ),
  fc.constantFrom("true", "false"),
  hostileJson,
);
const command = fc
  .tuple(name, key, fc.array(word, { maxLength: 4 }))
  .map(([first, second, rest]) => `[${[first, second, ...rest].join(",")}]`);
const body = damaged(mostly(command, hostileArray(command), hostileArray(mostly(command, hostileJson)), hostileJson));
const segment = mostly(
  fc.constantFrom(...KEYS, "set", "get", "rpush", "%67et", "echo", "blpop", "multi", "%53UBSCRIBE"),
  fc.constantFrom("%00", "%ff%fe", "%2F", "..", "%2e%2e", "%zz", "", "*", "a".repeat(3_000), "%E2%82%AC"),
  fc.string({ unit: "grapheme", maxLength: 6 }).map(encodeURIComponent),
);
const path = fc.oneof(
  fc.constantFrom("/", "/pipeline", "/multi-exec", "/monitor", "/subscribe/c", "//", "/pipeline/", "/pipeline?x=1"),
  fc
    .tuple(
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      fc.constantFrom("", "?EX=10", "?_token=x", "?&=&a==&%ff=%ff", "?NX"),
    )
    // What would wipe the neighbours away is not what is tried.
    .map(([segments, query]) => `/${segments.join("/")}${query}`)
    .filter(
      (text) =>
        !/^\/+(?:flush|del|unlink|shutdown|debug|config|function|acl|script|rename|restore|migrate|swapdb|sort|keys)/i.test(
          text,
        ),
    ),
);
const headers = mostly<Record<string, string>>(
  fc.constant({}),
  fc.constantFrom<Record<string, string>>(
    ...[{ "upstash-encoding": "base64" }, { "upstash-encoding": "x" }, { "upstash-response-format": "resp2" }],
    ...[
      { "content-type": "text/xml" },
      { "content-encoding": "gzip" },
      { authorization: "Bearer x" },
      { authorization: TEST_TOKEN },
    ],
  ),
);
const method = mostly(fc.constant("POST"), fc.constantFrom("GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"));

test("whatever is sent to the gateway it answers in JSON, and each neighbour gets its own replies", async () => {
  const statuses = new Set<number>();
  let count = 0;
  await send({ path: "/set/neighbour/kept" });
  const neighbour = async (): Promise<void> => {
    const mine = `mine-${++count}`;
    const commands = [
      ["ECHO", mine],
      ["INCR", "counter"],
      ["GET", "neighbour"],
    ];
    const { status, text } = await send({
      path: count % 2 ? "/pipeline" : "/multi-exec",
      body: JSON.stringify(commands),
    });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      [{ result: mine }, { result: expect.any(Number) }, { result: "kept" }],
    ]);
  };
  const property = fc.asyncProperty(path, method, headers, body, async (at, by, given, bytes) => {
    const [answer] = await Promise.all([
      send({ path: at, method: by, headers: given, body: bytes }),
      neighbour(),
      send({ path: at, method: by, headers: given, body: bytes }),
      neighbour(),
    ]);
    statuses.add(answer.status);
    expect([200, 400, 401, 405, 413]).toContain(answer.status);
    expect(answer.type).toBe("application/json");
    expect(answer.text).not.toContain(TEST_TOKEN);
    if (by === "HEAD") return;
    const value: unknown = JSON.parse(answer.text);
    if (answer.status !== 200) expect(value).toEqual({ error: expect.stringMatching(/./) });
  });
  await fc.assert(property, fuzzing(400));
  expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 401, 405]));
  const { text } = await send({ path: "/get/counter" });
  expect(JSON.parse(text)).toEqual({ result: String(count) });
});

test("what is written comes back as it was, by each way in and each way out", async () => {
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    hostileJson,
    fc.constantFrom("", "OK", "\0", "\r\n", "\ud800", "💣"),
  );
  const way = fc.constantFrom("body", "path", "pipeline", "multi-exec", "command");
  const property = fc.asyncProperty(value, way, fc.boolean(), async (text, wanted, isBase64) => {
    // A path has no room for more.
    const by = wanted === "path" && text.length > 2_000 ? "command" : wanted;
    const set = ["SET", "h:value", text];
    const written = await {
      body: () => send({ path: "/set/h:value", body: Buffer.from(text) }),
      path: () => send({ path: `/set/h:value/${encodeURIComponent(text.toWellFormed())}/EX/100`, method: "GET" }),
      pipeline: () => send({ path: "/pipeline", body: JSON.stringify([["PING"], set]) }),
      "multi-exec": () => send({ path: "/multi-exec", body: JSON.stringify([set, ["PING"]]) }),
      command: () => send({ path: "/", body: JSON.stringify(set) }),
    }[by]();
    // An empty body is no argument, and neither is an empty segment at the end.
    if (text === "" && by === "body") {
      expect(written.status).toBe(400);
      return;
    }
    expect(written.status).toBe(200);
    const read = await send({
      path: "/get/h:value",
      method: "GET",
      headers: isBase64 ? { "upstash-encoding": "base64" } : {},
    });
    const { result } = JSON.parse(read.text) as { result: string };
    // UTF-8 has no half of an emoji.
    const bytes = Buffer.from(text.toWellFormed());
    if (text === "OK") expect(result).toBe("OK");
    else expect(isBase64 ? Buffer.from(result, "base64") : Buffer.from(result)).toEqual(bytes);
  });
  await fc.assert(property, fuzzing(300));
  expect((await send({ path: "/ping", method: "GET" })).status).toBe(200);
});
