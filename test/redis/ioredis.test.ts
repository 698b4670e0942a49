import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import {
  connect,
  createServer,
  getDefaultAutoSelectFamilyAttemptTimeout,
  type Socket,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis, type RedisOptions } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { StoreError, UsageError } from "../../src/core/errors.ts";
import { fromIoredis, type IoredisOptions, ioredis } from "../../src/redis/ioredis.ts";
import { freePort, hasRedisServer, startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function clientOf(urlOrOptions: string | IoredisOptions) {
  const client = ioredis(urlOrOptions);
  cleanUps.push(() => client.close());
  return client;
}

describe("ioredis() refuses", () => {
  test.each<[string, string | IoredisOptions, RegExp]>([
    ["a url that is none", "localhost", /not an address; expected redis:\/\//],
    ["an https url", "https://user:pw123@host", /begins with https:\/\/; expected redis:\/\//],
    ["a database that is no number", "redis://user:pw123@host/jobs", /database "jobs"; expected a number/],
    ["a password with a bare %", "redis://user:pw123%@host", /%25/],
    [
      "an unknown option",
      { url: "redis://host", retries: 3 } as IoredisOptions,
      /unknown option "retries"; expected url/,
    ],
    ["no url", {} as IoredisOptions, /no url; expected redis:\/\//],
    ["a time limit of 0", { url: "redis://host", commandTimeoutMs: 0 }, /commandTimeoutMs is 0; expected/],
    ["a time limit that no timer holds", { url: "redis://host", connectTimeoutMs: 2 ** 31 }, /from 1 to 2147483647$/],
    ["options for TLS without TLS", { url: "redis://host", tls: {} }, /expected rediss:\/\//],
  ])("%s", (_what, options, message) => {
    let thrown: unknown;
    try {
      ioredis(options);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(UsageError);
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).not.toContain("pw123");
  });
});

test("the library is loaded with the first call, not before", () => {
  const script = `
    const { ioredis } = await import(${JSON.stringify(new URL("../../src/redis/ioredis.ts", import.meta.url).href)});
    ioredis("redis://127.0.0.1:1");
    const { createRequire } = await import("node:module");
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("ioredis"));
    console.log(JSON.stringify(loaded));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  expect(JSON.parse(output)).toEqual([]);
});

describe("a connection", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());

  test("opens with the first call, and again after the server was away", async () => {
    const first = await startRedis();
    const client = clientOf(first.url);
    expect(await client.command(["PING"])).toBe("PONG");
    await first.close();
    await expect(client.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
    const second = await startRedis({ kind: first.kind, port: first.port });
    cleanUps.push(() => second.close());
    expect(await client.command(["PING"])).toBe("PONG");
  });

  test("to a port where nothing listened can be had once something does", async () => {
    const closed = await startRedis({ kind: "embedded", port: await freePort() });
    await closed.close();
    const client = clientOf(closed.url);
    await expect(client.command(["PING"])).rejects.toMatchObject({
      reason: "unavailable",
      message: `Redis at 127.0.0.1:${closed.port}: connection refused (ECONNREFUSED)`,
    });
    const opened = await startRedis({ kind: "embedded", port: closed.port });
    cleanUps.push(() => opened.close());
    expect(await client.command(["PING"])).toBe("PONG");
  });

  test("uses the database that the url names", async () => {
    const [third, none] = [clientOf(`${redis.url}/3`), clientOf(redis.url)];
    await third.command(["SET", "only-in-3", "x"]);
    expect(await none.command(["EXISTS", "only-in-3"])).toBe(0);
    expect(await third.command(["EXISTS", "only-in-3"])).toBe(1);
  });

  test("to a database that does not exist is refused, and nothing lands in another", async () => {
    const client = clientOf(`${redis.url}/99`);
    await expect(client.command(["SET", "strayed", "x"])).rejects.toMatchObject({
      reason: "rejected",
      message: expect.stringContaining("DB index is out of range"),
    });
    expect(await clientOf(redis.url).command(["EXISTS", "strayed"])).toBe(0);
  });

  test("calls that come while it opens share it", async () => {
    const client = clientOf(redis.url);
    const ids = await Promise.all(Array.from({ length: 10 }, () => client.command(["CLIENT", "ID"])));
    expect(new Set(ids).size).toBe(1);
  });

  test("that breaks after a command was sent rejects it, and never sends it again", async () => {
    // Lets commands through to Redis, and cuts the connection instead of handing back the reply to INCR.
    const proxy = await startProxy(redis.port, (chunk, { cut }) => {
      if (chunk.toString() === ":1\r\n") cut();
    });
    const client = clientOf(`redis://127.0.0.1:${proxy.port}`);
    await expect(client.command(["INCR", "sent-once"])).rejects.toMatchObject({ reason: "unavailable" });
    expect(await client.command(["GET", "sent-once"])).toBe("1");
    expect(proxy.connections()).toBe(2);
  });

  test("that is silent is given up after commandTimeoutMs, and the next call opens another", async () => {
    let isSilent = true;
    const proxy = await startProxy(redis.port, (_chunk, { swallow }) => {
      if (isSilent) swallow();
    });
    const client = clientOf({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeoutMs: 1_000 });
    const error = await client.command(["SET", "a", "secret-payload"]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining("no answer within 1000 ms"),
    });
    isSilent = false;
    expect(await client.command(["GET", "a"])).toBe("secret-payload");
    expect(proxy.connections()).toBe(2);
  });

  test("closed while it opens does not stay open", async () => {
    const proxy = await startProxy(redis.port, () => {});
    const client = clientOf(`redis://127.0.0.1:${proxy.port}/1`);
    const call = client.command(["PING"]).catch((error: unknown) => error);
    await until(() => proxy.connections() === 1);
    await client.close();
    await call;
    await until(() => proxy.open() === 0);
    expect(proxy.connections()).toBe(1);
  });

  test("closed by the client opens again with the next call", async () => {
    const client = clientOf(redis.url);
    await client.command(["PING"]);
    await client.close();
    expect(await client.command(["PING"])).toBe("PONG");
  });
});

describe.runIf(hasRedisServer())("credentials", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis({ kind: "redis-server", args: ["--requirepass", "p@ss/word:1"] });
    const admin = clientOf(`redis://:${encodeURIComponent("p@ss/word:1")}@127.0.0.1:${redis.port}`);
    await admin.command(["ACL", "SETUSER", "drain", "on", ">p%wd", "~*", "+@read", "+ping"]);
  });
  afterAll(() => redis.close());

  test("of the url are used, with their escapes", async () => {
    expect(await clientOf(`redis://:p%40ss%2Fword%3A1@127.0.0.1:${redis.port}`).command(["PING"])).toBe("PONG");
    const drain = clientOf(`redis://drain:p%25wd@127.0.0.1:${redis.port}`);
    expect(await drain.command(["ACL", "WHOAMI"]).catch((error: StoreError) => error.reason)).toBe("rejected");
    expect(await drain.command(["PING"])).toBe("PONG");
  });

  test.each([
    ["wrong", "redis://:wrong-secret@"],
    ["of an unknown user", "redis://nobody:wrong-secret@"],
    ["missing", "redis://"],
  ])("that are %s are unauthorized", async (_what, prefix) => {
    const client = clientOf(`${prefix}127.0.0.1:${redis.port}`);
    for (const call of [client.command(["PING"]), client.pipeline([["PING"]]), client.transaction([["PING"]])]) {
      const error = await call.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      expect(error).toMatchObject({ reason: "unauthorized", retryable: false });
      expect((error as Error).message).not.toContain("wrong-secret");
    }
  });
});

const canMakeCertificates = hasRedisServer() && spawnSync("openssl", ["version"]).status === 0;

describe.runIf(canMakeCertificates)("TLS", () => {
  let redis: TestRedis;
  let ca: Buffer;
  const folder = mkdtempSync(join(tmpdir(), "airlift-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const attemptMs = getDefaultAutoSelectFamilyAttemptTimeout();

  beforeAll(async () => {
    // `localhost` may be two addresses. Of the first, at which the server is, Node despairs after 250 ms.
    setDefaultAutoSelectFamilyAttemptTimeout(10_000);
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", [...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
    ca = readFileSync(cert);
    redis = await startRedis({ kind: "redis-server", tls: { key, cert } });
  });
  afterAll(async () => {
    setDefaultAutoSelectFamilyAttemptTimeout(attemptMs);
    await redis.close();
    rmSync(folder, { recursive: true });
  });

  test("rediss:// talks TLS", async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      const client = clientOf({ url: `rediss://${host}:${redis.port}`, tls: { ca } });
      expect(await client.command(["SET", "a", "é"])).toBe("OK");
      expect(await client.command(["GET", "a"])).toBe("é");
    }
  });

  test("a certificate that nobody vouches for is refused", async () => {
    const client = clientOf(`rediss://localhost:${redis.port}`);
    await expect(client.command(["PING"])).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT"),
    });
  });

  test("redis:// to a port that talks TLS is unavailable", async () => {
    await expect(clientOf(`redis://127.0.0.1:${redis.port}`).command(["PING"])).rejects.toMatchObject({
      reason: "unavailable",
    });
  });
});

describe("fromIoredis()", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());

  function injected(options: RedisOptions = {}) {
    const client = new Redis({ port: redis.port, autoResendUnfulfilledCommands: false, lazyConnect: true, ...options });
    cleanUps.push(() => client.disconnect());
    return client;
  }

  test("works on the app's own connection, and leaves it open", async () => {
    const own = injected();
    const client = fromIoredis(own);
    expect(client.description).toBe(`Redis at localhost:${redis.port}`);
    expect(
      await client.pipeline([
        ["SET", "a", "1"],
        ["INCR", "a"],
        ["GET", "a"],
      ]),
    ).toEqual(["OK", 2, "2"]);
    expect(
      await client.transaction([
        ["INCR", "a"],
        ["HSET", "h", "f", "v"],
        ["HGETALL", "h"],
      ]),
    ).toEqual([3, 1, ["f", "v"]]);
    await client.close();
    expect(own.status).toBe("ready");
    expect(await own.get("a")).toBe("3");
  });

  test("gives errors without the command that ioredis attaches to them", async () => {
    const client = fromIoredis(injected());
    await client.command(["SET", "text", "x"]);
    const error = (await client
      .command(["LPUSH", "text", "secret-payload"])
      .catch((reason: unknown) => reason)) as StoreError;
    expect(error.reason).toBe("rejected");
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("secret-payload");
  });

  test.each([
    [
      "would send commands again",
      { autoResendUnfulfilledCommands: true },
      /expected autoResendUnfulfilledCommands: false/,
    ],
    ["prefixes keys", { keyPrefix: "app:" }, /has a keyPrefix; expected none/],
    ["gathers commands by itself", { enableAutoPipelining: true }, /expected enableAutoPipelining: false/],
  ])("refuses a client that %s", (_what, options, message) => {
    expect(() => fromIoredis(injected(options))).toThrow(UsageError);
    expect(() => fromIoredis(injected(options))).toThrow(message);
  });
});

interface Proxy {
  readonly port: number;
  /** So far. */
  connections(): number;
  /** At present. */
  open(): number;
}

/** A TCP proxy that hands on what the client sends, and asks what to do with each chunk that Redis sends back. */
async function startProxy(
  targetPort: number,
  onReply: (chunk: Buffer, actions: { cut(): void; swallow(): void }) => void,
): Promise<Proxy> {
  let count = 0;
  let open = 0;
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    count += 1;
    open += 1;
    const outer = connect(targetPort, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    inner.pipe(outer);
    outer.on("data", (chunk) => {
      let isHandedOn = true;
      onReply(chunk, {
        cut: () => {
          isHandedOn = false;
          inner.destroy();
          outer.destroy();
        },
        swallow: () => {
          isHandedOn = false;
        },
      });
      if (isHandedOn) inner.write(chunk);
    });
    inner.on("close", () => {
      open -= 1;
      outer.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await until(() => !server.listening);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    connections: () => count,
    open: () => open,
  };
}
