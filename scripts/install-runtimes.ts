/**
 * Installs what test/runtime/ needs: the hosts' own tools and runtimes. They are some 700 MB, so they are none of the package's own
 * dependencies, which whoever tries Airlift installs. Does nothing if they are there already.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Each a package of its own, with what is said to npm besides. */
const FOLDERS: readonly (readonly [folder: string, ...flags: string[]])[] = [
  ["../test/runtime/"],
  ["../test/runtime/aws/ric/", "--ignore-scripts"],
];

for (const [path, ...flags] of FOLDERS) {
  const folder = new URL(path, import.meta.url);
  const wanted = new URL("package-lock.json", folder);
  const installed = new URL("node_modules/.package-lock.json", folder);
  const isCurrent = existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs;
  if (isCurrent) continue;
  console.log("installing the hosts' runtimes for the tests (about a minute, once)");
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...flags], {
    cwd: fileURLToPath(folder),
    stdio: "inherit",
  });
}
