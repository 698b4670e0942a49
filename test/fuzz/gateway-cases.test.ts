import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningGateway } from "../../src/gateway/serve-gateway.ts";
import { startGateway, TEST_TOKEN } from "../support/gateway.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../support/redis.ts";

/** Requests that the gateway once fell over, each by itself: what fuzzing has found stays here. */

let redis: TestRedis;
let gateway: RunningGateway;
beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway(redis.url, { connection: { commandTimeoutMs: 3_000 } });
});
afterAll(async () => {
  await gateway.close();
  await redis.close();
});

async function post(path: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { authorization: `Bearer ${TEST_TOKEN}` };
  const response = await fetch(gateway.url + path, { method: "POST", headers, body });
  return { status: response.status, text: await response.text() };
}
const repeated = (item: string, times: number): string => `[${Array(times).fill(item).join(",")}]`;
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

test("fractions in a pipeline are read once, not once for each", async () => {
  // Each was read with the whole body: 2,000 of them took 19 s, in which nobody else was answered.
  const { status, text } = await post("/pipeline", repeated('["ZADD","z",1.50,"m"]', 15_000));
  expect(status).toBe(200);
  expect(JSON.parse(text)).toHaveLength(15_000);
  expect(await post("/", '["ZSCORE","z","m"]')).toEqual({ status: 200, text: '{"result":"1.5"}' });
});

test.each([
  ["/", `["SET","k",1.5,${nested(200_000)}]`],
  ["/", nested(200_000)],
  ["/", `${"[".repeat(200_000)}`],
  ["/pipeline", `[["SET","k",1.5,${nested(200_000)}]]`],
  ["/multi-exec", `[["SET","k",${nested(200_000)}],["SET","k",1.5]]`],
])("a request to %s that is nested deeply is refused as what it is", async (path, body) => {
  const { status, text } = await post(path, body);
  expect(status).toBe(400);
  expect(JSON.parse(text)).toEqual({ error: expect.stringMatching(/^ERR failed to parse/) });
});

test.each([
  ["/pipeline", repeated('["A"]', 1_000_000)],
  ["/multi-exec", repeated('["PING"]', 20_001)],
  ["/", repeated("1", 500_001)],
  ["/pipeline", repeated(repeated("1", 100_000), 6)],
])("more commands, or more words, than are good for the neighbours are refused at %s", async (path, body) => {
  const { status, text } = await post(path, body);
  expect(status).toBe(413);
  expect(JSON.parse(text)).toEqual({
    error: expect.stringMatching(/^ERR max number of (?:commands|arguments) exceeded/),
  });
});

test("as many as are good are taken", async () => {
  expect((await post("/pipeline", repeated('["PING"]', 20_000))).status).toBe(200);
});

describe.skipIf(!hasRedisServer())("commands that would hold up the others", () => {
  test.each([
    ['["XREADGROUP","GROUP","streams","c","BLOCK","0","STREAMS","s",">"]', "XREADGROUP BLOCK"],
    ['["XREADGROUP","GROUP","g","streams","BLOCK","0","STREAMS","s",">"]', "XREADGROUP BLOCK"],
    ['["XREAD","COUNT","1","BLOCK","0","STREAMS","s","$"]', "XREAD BLOCK"],
    ['["SCRIPT","DEBUG","SYNC"]', "SCRIPT DEBUG"],
    ['["script","debug","yes"]', "SCRIPT DEBUG"],
  ])("%s is refused", async (command, name) => {
    await post("/", '["XGROUP","CREATE","s","streams","$","MKSTREAM"]');
    expect(await post("/", command)).toEqual({
      status: 400,
      text: expect.stringContaining(`Command is not available: '${name}'`),
    });
    expect(await post("/", '["PING"]')).toEqual({ status: 200, text: '{"result":"PONG"}' });
  });

  test("also with a NUL behind the name, where Redis ends it in some cases", async () => {
    // Redis looks names up by their whole hash, but compares them to the first NUL: one in some hundred such names is found.
    const names = Array.from({ length: 4_000 }, (_, n) => [`PING\0${n}`]);
    expect(await (await post("/pipeline", JSON.stringify(names))).text).toContain("PONG");
    for (const name of ["SUBSCRIBE\0x", "monitor\0", "CLIENT\u0000\u0000"]) {
      expect(await post("/", JSON.stringify([name, "a"]))).toMatchObject({
        status: 400,
        text: expect.stringContaining("Command is not available"),
      });
    }
    expect(await post("/", '["SCRIPT","DEBUG\\u0000x","YES"]')).toMatchObject({ status: 400 });
    expect(await post("/", '["XREAD","BLOCK\\u0000","0","STREAMS","s","$"]')).toMatchObject({ status: 400 });
    expect(await post("/", '["PING"]')).toEqual({ status: 200, text: '{"result":"PONG"}' });
  });

  test.each([
    ["/xread?0=STREAMS&s=$", "BLOCK", "XREAD BLOCK"],
    ["/xreadgroup/GROUP/g/c?0=STREAMS&s=%3E", "block", "XREADGROUP BLOCK"],
    ["/script?YES", "DEBUG", "SCRIPT DEBUG"],
  ])("%s with the word %s as its body is refused, too", async (path, body, name) => {
    expect(await post(path, body)).toEqual({
      status: 400,
      text: expect.stringContaining(`Command is not available: '${name}'`),
    });
  });

  test("groups, consumers, streams and ids may bear the names of options", async () => {
    await post("/", '["XADD","BLOCK","1-1","f","v"]');
    expect(await post("/", '["XREAD","STREAMS","BLOCK","0"]')).toMatchObject({ status: 200 });
    await post("/", '["XGROUP","CREATE","BLOCK","BLOCK","0"]');
    const read = '["XREADGROUP","GROUP","BLOCK","STREAMS","COUNT","1","NOACK","STREAMS","BLOCK",">"]';
    expect(await post("/", read)).toMatchObject({ status: 200, text: expect.stringContaining('"f"') });
  });
});
