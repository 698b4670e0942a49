/**
 * Builds dist/: one JavaScript file for each entry of package.json (`exports` and `bin`), what they share in chunks, and the
 * type declarations (`--no-types` leaves them out). Packages stay imports, so that heavy clients are loaded only when used.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { binEntries, publicEntries, root, sourceOf } from "./entries.ts";

const withTypes = !process.argv.includes("--no-types");
const entries = [...publicEntries(), ...binEntries()];
const files = entries.flatMap(({ name, file, edgeFile }) =>
  [file, edgeFile ?? []].flat().map((file) => ({ name, file })),
);
const unbuildable = files.filter(({ file }) => !existsSync(new URL(sourceOf(file), root)));
if (unbuildable.length > 0) {
  for (const { name, file } of unbuildable) console.error(`package.json: ${name} has no source ${sourceOf(file)}`);
  process.exit(1);
}

rmSync(new URL("dist", root), { recursive: true, force: true });
await build({
  absWorkingDir: fileURLToPath(root),
  entryPoints: files.map(({ file }) => sourceOf(file)),
  outdir: "dist",
  outbase: "src",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "es2024",
  packages: "external",
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
}).catch(() => process.exit(1)); // esbuild has said why.
for (const { file } of binEntries()) chmodSync(new URL(file, root), 0o755);

if (withTypes) {
  const tsc = fileURLToPath(new URL("node_modules/typescript/bin/tsc", root));
  execFileSync(process.execPath, [tsc, "--project", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
  const dist = new URL("dist/", root);
  for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".d.ts")) continue;
    const file = new URL(path, dist);
    // tsc leaves `.ts` in the declarations' imports, which compilers before TypeScript 5.7 do not follow.
    writeFileSync(file, readFileSync(file, "utf8").replace(/(from |import\()"(\.{1,2}\/[^"]+)\.ts"/g, '$1"$2.js"'));
  }
}
