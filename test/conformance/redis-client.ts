import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isStoreError, type StoreError } from "../../src/core/errors.ts";
import { KEY_LOCKING_HEADER } from "../../src/redis/script-command.ts";
import type { LuaScript, RedisClient, Usage } from "../../src/resque/client.ts";
import { freePort } from "../support/redis.ts";
import type { RunningSetup, Setup } from "../support/setups.ts";

/** Makes clients of the kind under test, for addresses where no Redis answers or the credentials are wrong. */
export interface ClientFactory {
  /** A client for an address at which nothing listens. */
  unreachable(port: number): RedisClient;
  /** A client with wrong credentials for this server; undefined where the server asks for none. */
  unauthorized?(setup: RunningSetup): RedisClient;
}

/** A script with its digests, as `resque/generated/` holds them. */
export function toScript(source: string): LuaScript {
  const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");
  return { name: "test", source, sha1: sha1(source), keyLockingSha1: sha1(KEY_LOCKING_HEADER + source) };
}

/** What every RedisClient does, over every server. */
export function testRedisClient(setup: Setup, factory: ClientFactory): void {
  describe(`RedisClient over ${setup.name}`, () => {
    let running: RunningSetup;
    let client: RedisClient;
    let key: (name: string) => string;

    beforeAll(async () => {
      running = await setup.start();
      client = running.client;
    });
    afterAll(() => running.close());
    beforeEach(() => {
      const namespace = randomUUID();
      key = (name) => `${namespace}:${name}`;
    });

    const newUsage = (): Usage => ({ commands: 0, requests: 0 });

    test("names the client and the address", () => {
      expect(client.description).toContain(new URL(running.url).host);
    });

    describe("replies", () => {
      test("status, text, integer, nothing and lists arrive as they are in RESP2", async () => {
        expect(await client.command(["SET", key("a"), "value"])).toBe("OK");
        expect(await client.command(["GET", key("a")])).toBe("value");
        expect(await client.command(["INCR", key("n")])).toBe(1);
        expect(await client.command(["GET", key("none")])).toBe(null);
        expect(await client.command(["RPUSH", key("l"), "1", "two"])).toBe(2);
        expect(await client.command(["LRANGE", key("l"), 0, -1])).toEqual(["1", "two"]);
        expect(await client.command(["LRANGE", key("none"), 0, -1])).toEqual([]);
        expect(await client.command(["MGET", key("none"), key("a")])).toEqual([null, "value"]);
      });

      test("texts that look like JSON, numbers or base64 stay texts", async () => {
        const values = ["1", "1.0", "null", "true", '{"a":[]}', '"quoted"', "OK", "T0s=", "", " ", "9007199254740993"];
        await client.command(["RPUSH", key("l"), ...values]);
        expect(await client.command(["LRANGE", key("l"), 0, -1])).toEqual(values);
        for (const value of values) {
          await client.command(["SET", key("v"), value]);
          expect(await client.command(["GET", key("v")])).toBe(value);
        }
      });

      test("every character of Unicode survives, in values and in keys", async () => {
        const text = 'é 漢字 👩‍👩‍👧 \u0000 \u001f \u007f \u2028 \u2029 \ufeff " \\ \r\n <>&';
        await client.command(["SET", key(text), text]);
        expect(await client.command(["GET", key(text)])).toBe(text);
        expect(await client.command(["STRLEN", key(text)])).toBe(Buffer.byteLength(text));
      });

      test("bytes that are not UTF-8 arrive as U+FFFD", async () => {
        const script = toScript("return string.char(104, 255, 105)");
        expect(await client.script({ script, keys: [], args: [] })).toBe("h\ufffdi");
      });

      test("a value of 1 MB goes and comes back", async () => {
        const value = "0123456789é€😀".repeat(60_000);
        expect(Buffer.byteLength(value)).toBeGreaterThan(1_000_000);
        await client.command(["SET", key("big"), value]);
        expect(await client.command(["GET", key("big")])).toBe(value);
      });

      test("integers beyond 2^53 arrive as text, the others as numbers", async () => {
        await client.command(["SET", key("n"), "9007199254740990"]);
        expect(await client.command(["INCR", key("n")])).toBe(9007199254740991);
        expect(await client.command(["INCR", key("n")])).toBe("9007199254740992");
        expect(await client.command(["INCR", key("n")])).toBe("9007199254740993");
        await client.command(["SET", key("n"), "-9223372036854775807"]);
        expect(await client.command(["DECR", key("n")])).toBe("-9223372036854775808");
        expect(
          await client.pipeline([
            ["DECRBY", key("n"), -1],
            ["INCR", key("m")],
          ]),
        ).toEqual(["-9223372036854775807", 1]);
      });
    });

    describe("pipelines", () => {
      test("run in order and reply in order", async () => {
        const replies = await client.pipeline([
          ["SET", key("a"), "1"],
          ["INCR", key("a")],
          ["GET", key("a")],
        ]);
        expect(replies).toEqual(["OK", 2, "2"]);
      });

      test("without items cost nothing", async () => {
        const usage = newUsage();
        expect(await client.pipeline([], { usage })).toEqual([]);
        expect(await client.transaction([], { usage })).toEqual([]);
        expect(usage).toEqual({ commands: 0, requests: 0 });
      });

      test("reject with the first error, the other items having run", async () => {
        await client.command(["SET", key("text"), "x"]);
        const call = client.pipeline([
          ["INCR", key("n")],
          ["LPUSH", key("text"), "y"],
          ["INCR", key("text")],
          ["INCR", key("n")],
        ]);
        await expect(call).rejects.toMatchObject({ reason: "rejected", message: expect.stringContaining("WRONGTYPE") });
        expect(await client.command(["GET", key("n")])).toBe("2");
      });

      test("send the scripts that the server does not know again, and nothing else", async () => {
        const script = toScript(`return {KEYS[1], ARGV[1], '${randomUUID()}'}`);
        const call = { script, keys: [key("k")], args: ["a"] };
        const usage = newUsage();
        const replies = await client.pipeline([["INCR", key("a")], call, ["INCR", key("a")], call], { usage });
        const reply = [key("k"), "a", expect.any(String)];
        expect(replies).toEqual([1, reply, 2, reply]);
        expect(usage).toEqual({ commands: 4 + 2, requests: 2 });
        const again = newUsage();
        await client.pipeline([call], { usage: again });
        expect(again).toEqual({ commands: 1, requests: 1 });
      });

      test("send a script in full that must keep its place", async () => {
        const script = toScript(`return {redis.call('GET', KEYS[1]), '${randomUUID()}'}`);
        const call = { script, keys: [key("a")], args: [], inFull: true };
        const usage = newUsage();
        const replies = await client.pipeline([["SET", key("a"), 1], call, ["INCR", key("a")]], { usage });
        expect(replies).toEqual(["OK", ["1", expect.any(String)], 2]);
        expect(usage).toEqual({ commands: 3, requests: 1 });
      });
    });

    describe("transactions", () => {
      test("run all commands", async () => {
        expect(
          await client.transaction([
            ["RPUSH", key("l"), "a", "b"],
            ["LLEN", key("l")],
            ["LRANGE", key("l"), 0, -1],
          ]),
        ).toEqual([2, 2, ["a", "b"]]);
      });

      test("run none if one cannot be queued, and say which error it was", async () => {
        const call = client.transaction([
          ["SET", key("a"), "1"],
          ["NOSUCHCOMMAND", "secret-argument"],
          ["SET", key("b"), "1"],
        ]);
        const error = await rejection(call);
        expect(error.reason).toBe("rejected");
        expect(error.message).toMatch(/unknown command/i);
        expect(await client.command(["EXISTS", key("a"), key("b")])).toBe(0);
      });

      test("reject with the error of a command that failed, the others having run", async () => {
        await client.command(["SET", key("text"), "x"]);
        const call = client.transaction([
          ["INCR", key("n")],
          ["LPUSH", key("text"), "y"],
          ["INCR", key("n")],
        ]);
        await expect(call).rejects.toMatchObject({ reason: "rejected", message: expect.stringContaining("WRONGTYPE") });
        expect(await client.command(["GET", key("n")])).toBe("2");
      });

      test("stay apart from calls made meanwhile", async () => {
        const calls = Array.from({ length: 20 }, (_, i) => [
          client.transaction([
            ["SET", key(`t${i}`), i],
            ["INCR", key(`t${i}`)],
          ]),
          client.command(["INCR", key("other")]),
        ]);
        const replies = await Promise.all(calls.flat());
        expect(replies.filter((_, i) => i % 2 === 0)).toEqual(calls.map((_, i) => ["OK", i + 1]));
        expect(replies.filter((_, i) => i % 2 === 1)).toEqual(calls.map((_, i) => i + 1));
      });
    });

    describe("scripts", () => {
      test("get their keys and arguments, and reply like commands", async () => {
        const script = toScript(
          "redis.call('SET', KEYS[1], ARGV[1]) return {1, 'text', false, {ARGV[2], {}}, redis.status_reply('FINE')}",
        );
        const reply = await client.script({ script, keys: [key("k")], args: ["v", 7] });
        expect(reply).toEqual([1, "text", null, ["7", []], "FINE"]);
        expect(await client.command(["GET", key("k")])).toBe("v");
      });

      test("cost one call once they are known, two the first time and after SCRIPT FLUSH", async () => {
        const script = toScript(`return '${randomUUID()}'`);
        const cost = async () => {
          const usage = newUsage();
          await client.script({ script, keys: [], args: [] }, { usage });
          return usage;
        };
        expect(await cost()).toEqual({ commands: 2, requests: 2 });
        expect(await cost()).toEqual({ commands: 1, requests: 1 });
        await client.command(["SCRIPT", "FLUSH"]);
        expect(await cost()).toEqual({ commands: 2, requests: 2 });
        expect(await cost()).toEqual({ commands: 1, requests: 1 });
      });

      test("take a thousand keys and arguments", async () => {
        const script = toScript("return {#KEYS, #ARGV, KEYS[1000], ARGV[1000]}");
        const keys = Array.from({ length: 1000 }, (_, i) => key(`k${i}`));
        const args = Array.from({ length: 1000 }, (_, i) => `argument ${i}`);
        expect(await client.script({ script, keys, args })).toEqual([1000, 1000, keys[999], "argument 999"]);
      });

      test("that fail reject, without what they were given", async () => {
        const script = toScript("return redis.error_reply('BOOM ' .. ARGV[1])");
        const error = await rejection(client.script({ script, keys: [key("k")], args: ["a-secret-payload"] }));
        expect(error.reason).toBe("rejected");
        expect(error.message).toContain("BOOM");
        expectNothingOf(error, ["a-secret-payload", key("k")]);
      });
    });

    describe("usage", () => {
      test("counts each command, and one request for a call", async () => {
        const usage = newUsage();
        await client.command(["PING"], { usage });
        expect(usage).toEqual({ commands: 1, requests: 1 });
        await client.pipeline([["PING"], ["PING"], ["PING"]], { usage });
        expect(usage).toEqual({ commands: 4, requests: 2 });
        await client.transaction(
          [
            ["SET", key("a"), 1],
            ["GET", key("a")],
          ],
          { usage },
        );
        expect(usage).toEqual({ commands: 6, requests: 3 });
      });

      test("counts calls that are refused", async () => {
        const usage = newUsage();
        await rejection(client.command(["NOSUCHCOMMAND"], { usage }));
        await rejection(client.pipeline([["NOSUCHCOMMAND"], ["PING"]], { usage }));
        expect(usage).toEqual({ commands: 3, requests: 2 });
      });
    });

    describe("errors", () => {
      test("hold nothing of the call", async () => {
        const payload = '{"class":"SendEmail","args":["jane@example.com"]}';
        await client.command(["SET", key("text"), "x"]);
        const calls = [
          client.command(["LPUSH", key("text"), payload]),
          client.command(["NOSUCHCOMMAND", payload, payload]),
          client.command(["SET", key("text"), payload, "NONSENSE"]),
          client.pipeline([["LPUSH", key("text"), payload]]),
          client.pipeline([["NOSUCHCOMMAND", payload]]),
          client.transaction([["LPUSH", key("text"), payload]]),
          client.transaction([["NOSUCHCOMMAND", payload]]),
          client.script({
            script: toScript("return redis.call('LPUSH', KEYS[1], ARGV[1])"),
            keys: [key("text")],
            args: [payload],
          }),
          client.script({ script: toScript("error(ARGV[1])"), keys: [key("text")], args: [payload] }),
          client.script({ script: toScript("error({err = ARGV[1]})"), keys: [key("text")], args: [payload] }),
        ];
        for (const call of calls) {
          const error = await rejection(call);
          expect(error.reason).toBe("rejected");
          expect(error.retryable).toBe(false);
          expectNothingOf(error, [payload, "jane@example.com", key("text"), running.token ?? payload]);
        }
      });

      test("say what Redis said, and where", async () => {
        await client.command(["SET", key("text"), "x"]);
        const error = await rejection(client.command(["LPUSH", key("text"), "y"]));
        expect(error.message).toBe(
          `${client.description}: WRONGTYPE Operation against a key holding the wrong kind of value`,
        );
      });

      test("of an address where nothing listens are unavailable, at once, and name host and port", async () => {
        const port = await freePort();
        const unreachable = factory.unreachable(port);
        const usage = newUsage();
        for (let attempt = 0; attempt < 2; attempt++) {
          const error = await rejection(unreachable.command(["GET", "secret-key"], { usage }));
          expect(error).toMatchObject({ reason: "unavailable", retryable: true });
          expect(error.message).toContain(`127.0.0.1:${port}`);
          expect(error.message).toContain("ECONNREFUSED");
          expectNothingOf(error, ["secret-key", "s3cret"]);
        }
        expect(usage).toEqual({ commands: 2, requests: 2 });
        await unreachable.close();
      });

      const { unauthorized } = factory;
      if (unauthorized)
        test("of wrong credentials are unauthorized", async () => {
          const stranger = unauthorized(running);
          const calls = [stranger.command(["PING"]), stranger.pipeline([["PING"]]), stranger.transaction([["PING"]])];
          for (const call of calls) {
            const error = await rejection(call);
            expect(error).toMatchObject({ reason: "unauthorized", retryable: false });
            expectNothingOf(error, ["wrong-token", running.token ?? "wrong-token"]);
          }
          await stranger.close();
        });
    });

    test("calls made at once get each their own reply", async () => {
      const values = Array.from({ length: 50 }, (_, i) => `value ${i}`);
      await Promise.all(values.map((value, i) => client.command(["SET", key(`v${i}`), value])));
      const replies = await Promise.all(values.map((_, i) => client.command(["GET", key(`v${i}`)])));
      expect(replies).toEqual(values);
    });

    test("closing one client leaves the others open", async () => {
      const other = running.newClient();
      await other.command(["PING"]);
      await other.close();
      expect(await client.command(["PING"])).toBe("PONG");
    });
  });
}

async function rejection(call: Promise<unknown> | undefined): Promise<StoreError> {
  const error: unknown = await call?.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  if (!isStoreError(error)) throw new Error("not a StoreError", { cause: error });
  return error;
}

/** Looks at all that a logger could print of an error. */
function expectNothingOf(error: Error, secrets: readonly string[]): void {
  const seen = [
    error.message,
    error.stack,
    String(error.cause),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
  ].join("\n");
  for (const secret of secrets) expect(seen).not.toContain(secret);
  expect(error.cause).toBe(undefined);
}
