import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { edgeAliases, root } from "../../../scripts/entries.ts";

/** Bundles one of workers/, as functions/cloudflare/ is bundled. */
export async function bundleWorker(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    conditions: ["workerd", "worker", "edge-light"],
    alias: edgeAliases(),
    external: ["cloudflare:*", "zod*", "effect", "sury"],
    keepNames: true,
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

/** What is deployed: functions/cloudflare/, by `npm run build:functions`. */
export async function bundleFunctions(): Promise<{ readonly worker: string; readonly receiver: string }> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-functions-"));
  try {
    const args = ["scripts/build-functions.ts", "cloudflare", "--outdir", folder];
    await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(root) });
    const read = (name: string): Promise<string> => readFile(join(folder, "cloudflare", `${name}.js`), "utf8");
    return { worker: await read("worker"), receiver: await read("receiver") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
