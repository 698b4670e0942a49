/** What package.json declares to be public. It is the one list: the build, the package's tests and the docs follow it. */
import { readFileSync } from "node:fs";

/** The repository's folder. */
export const root: URL = new URL("../", import.meta.url);

/** An importable entry or a command of the package. */
export interface PackageEntry {
  /** `airlift/redis/upstash`, or a command's name. */
  readonly name: string;
  /** The built file, relative to the repository: `dist/redis/upstash.js`. */
  readonly file: string;
  /** Its declarations; a command has none. */
  readonly types?: string;
  /** The built file that takes its place on edge runtimes, if there is one. */
  readonly edgeFile?: string;
}

interface ExportTarget {
  readonly types: string;
  readonly default: string;
  readonly workerd?: string;
}

interface Manifest {
  readonly name: string;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | ExportTarget>;
}

const manifest = (): Manifest => JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const relative = (path: string): string => path.replace(/^\.\//, "");

/** The entries of `exports`, without package.json itself. */
export function publicEntries(): PackageEntry[] {
  const { name, exports } = manifest();
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [
          {
            ...{ name: name + path.slice(1), file: relative(target.default), types: relative(target.types) },
            ...(target.workerd === undefined ? {} : { edgeFile: relative(target.workerd) }),
          },
        ],
  );
}

/** The entries of `bin`. */
export function binEntries(): PackageEntry[] {
  return Object.entries(manifest().bin).map(([name, path]) => ({ name, file: relative(path) }));
}

/** What a bundle for the edge takes instead of an entry's usual source, as the package's conditions say to those who install it. */
export function edgeAliases(): Record<string, string> {
  return Object.fromEntries(
    publicEntries().flatMap(({ name, edgeFile }) => (edgeFile ? [[name, `./${sourceOf(edgeFile)}`]] : [])),
  );
}

/** The source of a built file: `src/redis/upstash.ts` for `dist/redis/upstash.js`. */
export function sourceOf(file: string): string {
  return file.replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
}
