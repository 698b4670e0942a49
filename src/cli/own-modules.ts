import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The package that this code is part of. */
export interface OwnPackage {
  readonly root: string;
  readonly version: string;
  /** File of each public module: `airlift`, `airlift/redis/upstash`, … */
  readonly modules: ReadonlyMap<string, string>;
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly exports?: Readonly<Record<string, unknown>>;
}

/** Reads the package's manifest; when run from its sources, the modules are the sources. */
export function readOwnPackage(): OwnPackage {
  const ownFile = fileURLToPath(import.meta.url);
  const root = findRoot(dirname(ownFile));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const modules = new Map<string, string>();
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    const built = findTarget(target);
    if (!built || !/\.m?js$/.test(built)) continue;
    const file = ownFile.endsWith(".ts") ? built.replace("/dist/", "/src/").replace(/\.m?js$/, ".ts") : built;
    modules.set(`airlift${subpath.slice(1)}`, join(root, file));
  }
  return { root, version: manifest.version ?? "0.0.0", modules };
}

/**
 * The package's own modules under their public names, as the running process has loaded them: an app that imports `airlift`
 * gets these, whatever is or is not installed beside it, and no class exists twice.
 *
 * Each is loaded when it is first read, where the running Node can do that (22.12 and later), for most apps use one or two.
 */
export async function loadOwnModules({ modules }: OwnPackage): Promise<Record<string, unknown>> {
  const own: Record<string, unknown> = {};
  if (process.features.require_module) {
    const require = createRequire(import.meta.url);
    for (const [name, file] of modules) {
      Object.defineProperty(own, name, { enumerable: true, get: () => require(file) as unknown });
    }
    return own;
  }
  for (const [name, file] of modules) own[name] = await import(pathToFileURL(file).href);
  return own;
}

function findRoot(from: string): string {
  const parent = dirname(from);
  const file = join(from, "package.json");
  if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as Manifest).name === "airlift") return from;
  if (parent === from) throw new Error("the package's own package.json is missing");
  return findRoot(parent);
}

/** The file that an import gets, in a string or under the conditions of an entry of `exports`. */
function findTarget(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (typeof target !== "object" || target === null) return undefined;
  const conditions = target as Record<string, unknown>;
  return findTarget(conditions["import"] ?? conditions["default"]);
}
