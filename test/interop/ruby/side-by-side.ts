/**
 * Runs Airlift and Ruby's Resque side by side on one Redis: `npm run interop:ruby`, with AIRLIFT_RUBY naming a Ruby that has the gems. Prints
 * the versions that were compared and each thing that was seen to hold. Status 0 if all of it does, 1 if not, 2 if Ruby lacks what is needed.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { findRuby } from "./find-ruby.ts";

const ruby = findRuby();
if (typeof ruby === "string") {
  const usage = "AIRLIFT_RUBY=/usr/bin/ruby npm run interop:ruby; test/interop/ruby/Gemfile names the gems";
  console.error(`${ruby}\nusage: ${usage}`);
  process.exit(2);
}
const versions = Object.entries(ruby.versions).map(([name, version]) => `${name} ${version}`);
console.log(`Beside ${versions.join(", ")}`);
for (const [gem, reason] of Object.entries(ruby.missing))
  console.log(`without ${gem}, whose tests are skipped: ${reason}`);

const vitest = fileURLToPath(
  new URL("vitest.mjs", `file://${createRequire(import.meta.url).resolve("vitest/package.json")}`),
);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const asked = process.argv.slice(2);
const filters = asked.length > 0 ? asked : [fileURLToPath(new URL(".", import.meta.url))];
const { status } = spawnSync(process.execPath, [vitest, "run", "--reporter=verbose", ...filters], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
