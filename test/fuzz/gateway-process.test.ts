import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, type RunningCli, startCli } from "../cli/spawn-cli.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../support/redis.ts";
import { connectTo, requestText } from "./raw-http.ts";

const TOKEN = "token-that-must-not-be-told";

const UNREADABLE = { error: expect.stringMatching(/nested too deeply|Redis is unavailable/) };

/** The gateway in a process of its own, as it is run: what would end the process ends it. */
describe.skipIf(!hasRedisServer())("airlift gateway", () => {
  let redis: TestRedis;
  let cli: RunningCli;
  let url: string;
  let banner: string;
  beforeAll(async () => {
    redis = await startRedis();
    cli = startCli(["gateway", "--redis", redis.url, "--port", "0"], { env: { AIRLIFT_GATEWAY_TOKEN: TOKEN } });
    banner = await eventually(() => cli.stdout.includes("\n") && cli.stdout);
    url = /at (http:\S+)/.exec(banner)?.[1] ?? "";
  });
  afterAll(async () => {
    cli.signal("SIGKILL");
    await redis.close();
  });

  const post = async (path: string, body: unknown): Promise<{ readonly status: number; readonly answer: unknown }> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, answer: await response.json() };
  };
  /** Fails unless the same process goes on, and has said nothing. */
  const expectUnharmed = async (): Promise<void> => {
    expect(await post("/", ["ECHO", "still here"])).toEqual({ status: 200, answer: { result: "still here" } });
    expect([cli.stdout, cli.stderr]).toEqual([banner, ""]);
  };

  test("survives replies that are nested deeper than they can be read", async () => {
    const script = "local t = 1 for _ = 1, ARGV[1] do t = {t} end return t";
    // The deepest first: code that has not run often takes more of the stack.
    for (const depth of [7_500, 5_000, 3_000, 500]) {
      const { status, answer } = await post("/", ["EVAL", script, "0", depth]);
      if (depth === 500) expect(status).toBe(200);
      else if (status !== 200) expect([status, answer]).toEqual([expect.toSatisfy((code) => code >= 500), UNREADABLE]);
      await expectUnharmed();
    }
  });

  test("survives a thousand clients that are gone before their answers", async () => {
    const body = JSON.stringify([["EVAL", "return string.rep('x', 100000)", "0"]]);
    const text = requestText("POST", "/pipeline", { headers: { Authorization: `Bearer ${TOKEN}` }, body });
    for (let volley = 0; volley < 10; volley++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const socket = await connectTo(url);
          socket.write(n % 3 === 0 ? text.slice(0, -n) : text);
          if (n % 2 === 0) socket.resetAndDestroy();
          else socket.destroy();
        }),
      );
    }
    await expectUnharmed();
  });

  test("survives the largest pipelines that it takes, and larger ones that it does not", async () => {
    const commands = Array.from({ length: 20_000 }, (_, n) => ["SET", `k${n % 100}`, "x".repeat(480)]);
    expect((await post("/pipeline", commands)).status).toBe(200);
    expect((await post("/multi-exec", commands)).status).toBe(200);
    expect((await post("/pipeline", Array(1_000_000).fill(["A"]))).status).toBe(413);
    await expectUnharmed();
  });

  test("tells its token to nobody", async () => {
    const answers = await Promise.all(
      [`/?_token=${TOKEN}x`, `/get/k?_token=${TOKEN.toUpperCase()}`, `/${TOKEN}`, "/ping"].map(async (path) => {
        const response = await fetch(url + path);
        return `${response.status} ${await response.text()} ${JSON.stringify([...response.headers])}`;
      }),
    );
    for (const answer of answers) {
      expect(answer).toMatch(/^401 /);
      expect(answer).not.toContain(TOKEN);
    }
    expect(cli.stdout + cli.stderr).not.toContain(TOKEN);
  });
});
