/**
 * How long a cold process takes to import each entry of the package, as it is installed (many files) and bundled into one file, and how large
 * the bundle is. `npm run bench:imports`. Startup is subtracted: each process tells how long its own
 * `import()` took. Every entry is measured once in each round, the order reversed from round to round; the table shows medians.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { publicEntries, root } from "../scripts/entries.ts";
import { formatTable } from "./harness/table.ts";

const ROUNDS = 11;
const MEASURE = "const t = performance.now(); await import(process.argv[1]); console.log(performance.now() - t);";

interface Subject {
  readonly name: string;
  readonly files: URL;
  readonly bundle: URL;
  readonly gzippedBytes: number;
  readonly filesMs: number[];
  readonly bundleMs: number[];
}

const folder = mkdtempSync(join(tmpdir(), "airlift-imports-"));
try {
  const subjects = await Promise.all(publicEntries().map(({ name, file }) => prepare(name, file)));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { files, bundle, filesMs, bundleMs } of round % 2 === 0 ? subjects : subjects.toReversed()) {
      filesMs.push(importMs(files));
      bundleMs.push(importMs(bundle));
    }
  }
  const rows = subjects.map(({ name, filesMs, bundleMs, gzippedBytes }) => [
    name,
    median(filesMs).toFixed(1),
    median(bundleMs).toFixed(1),
    (gzippedBytes / 1_000).toFixed(1),
  ]);
  console.log(formatTable(["entry", "installed, ms", "bundled, ms", "bundle, kB gzipped"], rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function prepare(name: string, file: string): Promise<Subject> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, root))],
    ...{
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node22",
      logLevel: "error",
    },
    // Optional peers and what only development needs stay outside, as at a user's.
    external: ["@aws-sdk/*", "js-redis-server", "cloudflare:*"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  const path = join(folder, `${name.replaceAll("/", "-")}.mjs`);
  writeFileSync(path, contents);
  const gzippedBytes = gzipSync(contents).byteLength;
  return { name, files: new URL(file, root), bundle: pathToFileURL(path), gzippedBytes, filesMs: [], bundleMs: [] };
}

function importMs({ href }: URL): number {
  const args = ["--input-type=module", "--eval", MEASURE, href];
  return Number(execFileSync(process.execPath, args, { cwd: fileURLToPath(root), encoding: "utf8" }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
