import { hash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRaw, type RawRedis } from "../../src/redis/ioredis-connection.ts";
import { KEY_LOCKING_HEADER } from "../../src/redis/script-command.ts";
import type { LuaScript } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";

let redis: TestRedis;
let raw: RawRedis;
beforeAll(async () => {
  redis = await startRedis();
  raw = connectRaw(redis.url);
});
afterAll(async () => {
  await raw.close();
  await redis.close();
});

const folder = new URL("../../src/resque/generated/", import.meta.url);
const scripts: LuaScript[] = [];
for (const file of (await readdir(folder)).sort()) {
  scripts.push(...Object.values((await import(new URL(file, folder).href)) as Record<string, LuaScript>));
}

test("each script of the folder is generated, under its own name", async () => {
  const files = await readdir(new URL("../../src/resque/scripts/", import.meta.url));
  const names = files.filter((file) => !file.startsWith("_")).map((file) => file.replace(/\.lua$/, ""));
  expect(scripts.map(({ name }) => name).sort()).toEqual(names.sort());
});

describe.each(scripts)("the digests of $name", (script) => {
  test("are those under which Redis knows it", async () => {
    const [reply] = await raw.send([["SCRIPT", "LOAD", script.source]]);
    expect(String(reply)).toBe(script.sha1);
  });

  test("are those of the text that Upstash gets", () => {
    expect(hash("sha1", KEY_LOCKING_HEADER + script.source)).toBe(script.keyLockingSha1);
  });
});
