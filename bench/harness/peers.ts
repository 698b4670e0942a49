import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "..");

/**
 * Installs the systems of bench/package.json, at the exact versions that it names, unless they are there.
 *
 * They are kept out of the root package, whose lock file cannot be made to hold their optional binaries.
 *
 * @returns the names that could not be installed
 */
export function installPeers(wanted: readonly string[]): string[] {
  const manifest = JSON.parse(readFileSync(join(FOLDER, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const missing = Object.entries(manifest.dependencies).filter(
    ([name, version]) => wanted.includes(name) && installedVersion(name) !== version,
  );
  if (missing.length === 0) return [];
  process.stderr.write(`installing ${missing.map(([name, version]) => `${name} ${version}`).join(", ")} into bench/\n`);
  const [command, ...args] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ["npm"];
  try {
    execFileSync(command!, [...args, "install", "--silent"], {
      cwd: FOLDER,
      stdio: ["ignore", "ignore", "inherit"],
      env: env(),
    });
  } catch {
    return missing.map(([name]) => name);
  }
  return missing.filter(([name, version]) => installedVersion(name) !== version).map(([name]) => name);
}

/** The exact version of a package that the benchmarks use. */
export function installedVersion(name: string): string | undefined {
  for (const folder of [FOLDER, join(FOLDER, "..")]) {
    const file = join(folder, "node_modules", name, "package.json");
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  }
  return undefined;
}

/** Without the settings that `npm run` hands down: bench/.npmrc holds others. */
function env(): NodeJS.ProcessEnv {
  const own = /^npm_config_(package_lock|omit|local_prefix|prefix)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
