import { rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const FOLDER = join(import.meta.dirname, "..");

/** The processes that are measured, as JavaScript: a user's Node does not carry the compiler that strips types either. */
export interface Bundles {
  readonly worker: string;
  readonly gateway: string;
  readonly latency: string;
}

/** Bundles the project's own code; packages stay where they are installed. */
export async function bundleProcesses(): Promise<Bundles> {
  const outdir = join(FOLDER, "dist");
  await rm(outdir, { recursive: true, force: true });
  const entries = ["worker-process", "gateway-process", "latency-process"];
  await build({
    entryPoints: entries.map((name) => join(import.meta.dirname, `${name}.ts`)),
    outdir,
    bundle: true,
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node22",
    sourcemap: true,
    outExtension: { ".js": ".mjs" },
    logLevel: "error",
  });
  const [worker, gateway, latency] = entries.map((name) => join(outdir, `${name}.mjs`));
  return { worker: worker!, gateway: gateway!, latency: latency! };
}
