import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { publicEntries, root, sourceOf } from "../../scripts/entries.ts";

/** kB that an entry may be in one file with all that it may ever load, minified and gzipped: its size, rounded up. */
const LIMITS_KB: Readonly<Record<string, number>> = {
  airlift: 76,
  "airlift/redis/upstash": 22.5,
  "airlift/redis/upstash (edge)": 5,
  "airlift/redis/ioredis": 50.5,
  "airlift/active-job": 6,
  "airlift/cron": 25.5,
  "airlift/idempotency": 4.5,
  "airlift/job-function": 22,
  "airlift/http": 36,
  "airlift/platform/aws-lambda": 4,
  "airlift/platform/cloudflare": 38,
  "airlift/platform/fetch": 12.5,
  "airlift/platform/node": 1,
  "airlift/platform/vercel": 13.5,
  "airlift/target/cloudflare": 5,
  "airlift/target/http": 12,
  "airlift/target/lambda": 5,
};
/** For development, and with what it brings along of no size that matters. */
const UNMEASURED = ["airlift/redis/embedded", "airlift/gateway"];

const entries = publicEntries()
  .filter(({ name }) => !UNMEASURED.includes(name))
  .flatMap(({ name, file, edgeFile }) => [
    { name, file },
    ...(edgeFile ? [{ name: `${name} (edge)`, file: edgeFile }] : []),
  ]);

test("each entry has its limit", () => {
  expect(entries.map(({ name }) => name).sort()).toEqual(Object.keys(LIMITS_KB).sort());
});

test.each(entries)("$name keeps to it", async ({ name, file }) => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(sourceOf(file), root))],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node22",
    // An optional peer, loaded when it is used; and what hono-openapi asks for as it runs.
    external: ["@aws-sdk/*", "cloudflare:*", "zod", "zod/*", "arktype", "effect", "sury", "typebox", "@sinclair/*"],
    logLevel: "silent",
  });
  const bytes = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).byteLength, 0);
  expect(bytes / 1_000).toBeLessThan(LIMITS_KB[name] ?? 0);
});
