import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildResult, build } from "esbuild";
import { expect, test } from "vitest";
import { root } from "../../scripts/entries.ts";

/** Bundles what a Worker would deploy, as its tools do. A builtin of Node is an error for this platform. */
async function bundle(source: string): Promise<BuildResult<{ write: false; metafile: true }>> {
  return await build({
    stdin: { contents: source, resolveDir: fileURLToPath(root), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    conditions: ["workerd", "worker", "edge-light"],
    target: "es2024",
    logLevel: "silent",
  });
}

const gzipped = ({ outputFiles }: BuildResult<{ write: false }>): number =>
  outputFiles.reduce((bytes, { contents }) => bytes + gzipSync(contents).byteLength, 0);

const DRAIN = `
  import { createAirlift } from "./src/index.ts";
  import { upstash } from "./src/redis/upstash.ts";
  export default () => createAirlift({ redis: upstash(), queues: ["*"], jobs: [] }).drain();
`;

test("a drain over HTTP fits into 40 kB, gzipped, without anything of Node", async () => {
  const result = await bundle(DRAIN);
  expect(gzipped(result)).toBeLessThan(40_000);
  expect(Object.values(result.metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
});

test("a drain over HTTP brings neither the TCP clients nor the HTTP endpoints along", async () => {
  const { metafile } = await bundle(DRAIN);
  const packages = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
  );
  expect([...new Set(packages)].sort()).toEqual(["@upstash/redis", "uncrypto", "valibot"]);
});

test("the HTTP endpoints need nothing of Node", async () => {
  const { metafile } = await bundle('export * from "./src/http/app.ts";');
  // hono-openapi asks for other validators as it runs, and does without them.
  const needed = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind !== "dynamic-import"),
  );
  expect(needed).toEqual([]);
});
