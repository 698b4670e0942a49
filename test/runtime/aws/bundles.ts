import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { root } from "../../../scripts/entries.ts";

/** A folder that stands for where Lambda unpacks a function's zip. */
export interface Bundles extends AsyncDisposable {
  readonly taskRoot: string;
}

/** Runs what `npm run build:functions` runs, into a folder of its own. */
export async function buildBundles(): Promise<Bundles> {
  const taskRoot = await mkdtemp(join(tmpdir(), "airlift-functions-"));
  const args = ["scripts/build-functions.ts", "aws", "--outdir", join(taskRoot, "dist/functions")];
  await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(root) });
  return { taskRoot, [Symbol.asyncDispose]: () => rm(taskRoot, { recursive: true, force: true }) };
}

/** Bundles other-functions.ts, as `other-functions`. */
export async function buildOtherFunctions(): Promise<Bundles> {
  const taskRoot = await mkdtemp(join(tmpdir(), "airlift-functions-"));
  const entryPoints = { "other-functions": fileURLToPath(new URL("other-functions.ts", import.meta.url)) };
  const outExtension = { ".js": ".mjs" };
  const mainFields = ["module", "main"];
  await build({
    entryPoints,
    bundle: true,
    platform: "node",
    mainFields,
    format: "esm",
    outdir: taskRoot,
    outExtension,
  });
  return { taskRoot, [Symbol.asyncDispose]: () => rm(taskRoot, { recursive: true, force: true }) };
}
