import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { type EmbeddedOptions, embedded } from "../../src/redis/embedded.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { freePort } from "../support/redis.ts";
import { until } from "../support/until.ts";

test("listens on the port asked for, and gives it back when closed", async () => {
  const port = await freePort();
  for (let run = 0; run < 2; run++) {
    await using redis = await embedded({ port });
    expect(redis.url).toBe(`redis://127.0.0.1:${port}`);
    const client = ioredis(redis.url);
    expect(await client.command(["SET", "a", "1", "NX"])).toBe("OK");
    await client.close();
  }
});

test("closes though clients are connected", async () => {
  const redis = await embedded();
  const client = ioredis(redis.url);
  await client.command(["PING"]);
  await redis.close();
  await expect(client.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
});

test("two share nothing", async () => {
  await using one = await embedded();
  await using two = await embedded();
  const [first, second] = [ioredis(one.url), ioredis(two.url)];
  await first.command(["SET", "a", "1"]);
  expect(await second.command(["GET", "a"])).toBe(null);
  await Promise.all([first.close(), second.close()]);
});

const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4");

test.runIf(outside)("cannot be reached from outside this machine", async () => {
  await using redis = await embedded();
  const code = await new Promise((resolve) => {
    const socket = connect(Number(new URL(redis.url).port), outside?.address);
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  expect(code).toBe("ECONNREFUSED");
});

test("a web page cannot send it commands, as the lines of a request", async () => {
  await using redis = await embedded();
  const client = ioredis(redis.url);
  await client.command(["SET", "kept", "1"]);
  const body = "FLUSHALL\r\nRPUSH resque:queue:mail evil\r\n*1\r\n$8\r\nFLUSHALL\r\n";
  const request = { method: "POST", headers: { "content-type": "text/plain" }, body };
  await expect(fetch(redis.url.replace("redis:", "http:"), request)).rejects.toThrow();
  await expect(fetch(`${redis.url.replace("redis:", "http:")}/${"a".repeat(100_000)}`, request)).rejects.toThrow();
  expect(await client.command(["KEYS", "*"])).toEqual(["kept"]);
  await client.close();
});

test("takes commands that come in pieces", async () => {
  await using redis = await embedded();
  const socket = connect(Number(new URL(redis.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  for (const byte of "*1\r\n$4\r\nPING\r\n") {
    socket.write(byte);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(await until(() => text.includes("\r\n") && text)).toBe("+PONG\r\n");
  socket.destroy();
});

test("a port in use is refused, and named", async () => {
  await using redis = await embedded();
  const port = Number(new URL(redis.url).port);
  await expect(embedded({ port })).rejects.toThrow(
    new UsageError(`embedded: port ${port} is in use; expected a free one, or 0`),
  );
});

test.each([-1, 65_536, 1.5, Number.NaN])("port %d is refused", async (port) => {
  await expect(embedded({ port })).rejects.toThrow(/expected a whole number from 0 to 65535/);
});

test("an unknown option is refused", async () => {
  await expect(embedded({ prot: 1 } as EmbeddedOptions)).rejects.toThrow(/unknown option "prot"; expected port/);
});
