import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { root } from "../../scripts/entries.ts";

/** A function of functions/ whose jobs are those of fixture-jobs.ts, bundled. */
export interface BundledFunction extends AsyncDisposable {
  readonly folder: string;
  readonly file: string;
}

const NODE: BuildOptions = {
  platform: "node",
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
};

/** @param path as `functions/fetch/deno.ts` */
export async function bundleFunction(path: string, options: BuildOptions = NODE): Promise<BundledFunction> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-function-"));
  const file = join(folder, "function.js");
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await build({
    absWorkingDir: fileURLToPath(root),
    entryPoints: [path],
    outfile: file,
    bundle: true,
    format: "esm",
    target: "es2024",
    logLevel: "silent",
    plugins: [
      {
        name: "fixture-jobs",
        setup({ onResolve }) {
          onResolve({ filter: /^\.\/jobs\.ts$/ }, ({ importer }) =>
            importer.includes("/functions/")
              ? { path: fileURLToPath(new URL("fixture-jobs.ts", import.meta.url)) }
              : undefined,
          );
        },
      },
    ],
    ...options,
  });
  return { folder, file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
