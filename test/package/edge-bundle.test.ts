import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildResult, build } from "esbuild";
import { expect, test } from "vitest";
import { edgeAliases, root } from "../../scripts/entries.ts";

type Bundle = BuildResult<{ write: false; metafile: true }>;

/**
 * Bundles what a Worker would deploy, as its tools do. A builtin of Node is an error for this platform.
 *
 * @param options.splitting whether what is loaded by `import()` gets files of its own
 */
async function bundle(source: string, { splitting = false } = {}): Promise<Bundle> {
  return await build({
    stdin: { contents: source, resolveDir: fileURLToPath(root), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    outdir: "out",
    splitting,
    platform: "browser",
    conditions: ["workerd", "worker", "edge-light"],
    alias: edgeAliases(),
    target: "es2024",
    logLevel: "silent",
  });
}

/** The files that are loaded before anything runs. */
function loadedAtOnce({ metafile, outputFiles }: Bundle): readonly Uint8Array[] {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const imported of metafile.outputs[path]?.imports ?? [])
      if (imported.kind === "import-statement" && !imported.external) visit(imported.path);
  };
  visit("out/stdin.js");
  return outputFiles
    .filter(({ path }) => [...seen].some((name) => path.endsWith(name)))
    .map(({ contents }) => contents);
}

const gzipped = (files: readonly Uint8Array[]): number => gzipSync(Buffer.concat(files)).byteLength;

const DRAIN = `
  import { createAirlift } from "airlift";
  import { upstash } from "airlift/redis/upstash";
  export default () => createAirlift({ redis: upstash(), queues: ["*"], jobs: [] }).drain();
`;

test("what a drain over HTTP loads at once is under 40 kB, gzipped", async () => {
  expect(gzipped(loadedAtOnce(await bundle(DRAIN, { splitting: true })))).toBeLessThan(40_000);
});

test("in one file, with all that it may ever load, it is under 79.5 kB", async () => {
  const result = await bundle(DRAIN);
  expect(gzipped(result.outputFiles.map(({ contents }) => contents))).toBeLessThan(79_500);
  const outside = Object.values(result.metafile.outputs).flatMap(({ imports }) => imports);
  expect(outside.filter(({ external }) => external)).toEqual([]);
});

test("a drain over HTTP brings neither an SDK nor the TCP clients nor the HTTP endpoints along", async () => {
  const { metafile } = await bundle(DRAIN);
  const packages = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
  );
  expect([...new Set(packages)].sort()).toEqual(["valibot"]);
});

test("a drain that uses none of it loads neither admin, schedules, unique locks, promotion nor recovery at once", async () => {
  const { metafile } = await bundle(DRAIN, { splitting: true });
  const atOnce = new Set<string>();
  const visit = (path: string): void => {
    for (const input of Object.keys(metafile.outputs[path]?.inputs ?? {})) atOnce.add(input);
    for (const { kind, path: next } of metafile.outputs[path]?.imports ?? [])
      if (kind === "import-statement" && !atOnce.has(next)) {
        atOnce.add(next);
        visit(next);
      }
  };
  visit("out/stdin.js");
  const lazy = ["resque/admin/", "enqueue-jobs", "unique-lock", "promote", "recover-drain", "http-post-node", "cron/"];
  expect([...atOnce].filter((path) => lazy.some((part) => path.includes(part)))).toEqual([]);
});

test("a Worker that only drains is little more than a drain", async () => {
  const [drain, worker] = await Promise.all([
    bundle(DRAIN),
    bundle(`
      import { createAirlift } from "airlift";
      import { upstash } from "airlift/redis/upstash";
      import { toScheduledHandler } from "airlift/platform/cloudflare";
      export const scheduled = toScheduledHandler(() => ({ airlift: createAirlift({ redis: upstash(), queues: ["*"], jobs: [] }) }));
    `),
  ]);
  const size = ({ outputFiles }: Bundle): number => gzipped(outputFiles.map(({ contents }) => contents));
  expect(size(worker) - size(drain)).toBeLessThan(4_000);
});

test("the targets of a Worker take 6 kB, and nothing of Node", async () => {
  const { outputFiles, metafile } = await bundle('export * from "./src/target/cloudflare.ts";');
  expect(gzipped(outputFiles.map(({ contents }) => contents))).toBeLessThan(6_000);
  expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
});

test("the HTTP endpoints need nothing of Node", async () => {
  const { metafile } = await bundle('export * from "./src/http/app.ts";');
  // hono-openapi asks for other validators as it runs, and does without them.
  const needed = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind !== "dynamic-import"),
  );
  expect(needed).toEqual([]);
});
