import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { parseSync, Visitor } from "rolldown/utils";
import { publicEntries, root, sourceOf } from "../../scripts/entries.ts";

/** One import, re-export, dynamic import or `import("…")` type. */
export interface ModuleImport {
  /** What is imported: a path from the repository's root, a package's name, or a builtin with `node:`. */
  readonly to: string;
  readonly kind: "file" | "package" | "builtin";
  /** Erased by the compiler. */
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

/** A source file and what it names of others. */
export interface SourceModule {
  /** Path from the repository's root. */
  readonly path: string;
  readonly imports: readonly ModuleImport[];
  /** The names it exports, types included; `*` for an `export *`. */
  readonly exports: readonly string[];
  /** The calls of {@link AMBIENT_CALLS} that it makes. */
  readonly ambientCalls: readonly string[];
}

/** Reads of the clock and of randomness that look like plain calls; what is a global by itself is denied by biome.json. */
export const AMBIENT_CALLS: readonly string[] = [
  "Date.now",
  "new Date()",
  "Math.random",
  "AbortSignal.timeout",
  "globalThis",
];

/** Parses one file. Throws if it is not valid TypeScript. */
export function parseModule(path: string, source: string): SourceModule {
  const { program, module, errors } = parseSync(path, source);
  if (errors[0]) throw new SyntaxError(`${path}: ${errors[0].message}`);
  const imports: ModuleImport[] = [];
  const exports: string[] = [];
  const ambientCalls: string[] = [];
  const add = (specifier: string, typeOnly: boolean, dynamic = false): void => {
    imports.push({ ...resolve(path, specifier), typeOnly, dynamic });
  };

  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType));
  }
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, exportName, isType } of entries) {
      if (moduleRequest) add(moduleRequest.value, isType);
      exports.push(exportName.name ?? (exportName.kind === "Default" ? "default" : "*"));
    }
  }
  new Visitor({
    ImportExpression(node) {
      if (node.source.type === "Literal" && typeof node.source.value === "string") add(node.source.value, false, true);
    },
    TSImportType(node) {
      add(node.source.value, true);
    },
    MemberExpression(node) {
      if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
      ambientCalls.push(`${node.object.name}.${node.property.name}`);
    },
    NewExpression(node) {
      if (node.callee.type === "Identifier" && node.arguments.length === 0)
        ambientCalls.push(`new ${node.callee.name}()`);
    },
    Identifier(node) {
      ambientCalls.push(node.name);
    },
  }).visit(program);
  return { path, imports, exports, ambientCalls: AMBIENT_CALLS.filter((call) => ambientCalls.includes(call)) };
}

/** Parses the TypeScript and JavaScript files of these folders of the repository; a folder that is missing has none. */
export function readModules(folders: readonly string[]): SourceModule[] {
  return folders
    .flatMap((folder) => listFiles(folder))
    .filter((path) => /\.[cm]?[jt]s$/.test(path))
    .map((path) => parseModule(path, readFileSync(new URL(path, root), "utf8")));
}

/** The files under a folder of the repository, by their paths from its root, sorted. */
export function listFiles(folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
  return entries
    .map((path) => posix.join(folder, path))
    .filter((path) => /\.\w+$/.test(path) && !path.includes("node_modules/"))
    .sort();
}

/** The import cycles among these modules, each as the paths that lead back to its first. */
export function findCycles(modules: readonly SourceModule[]): string[][] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const cycles: string[][] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      cycles.push([...trail.slice(start), path]);
      return;
    }
    if (done.has(path)) return;
    for (const { kind, to } of byPath.get(path)?.imports ?? []) if (kind === "file") walk(to, [...trail, path]);
    done.add(path);
  };
  for (const { path } of modules) walk(path, []);
  return cycles;
}

function resolve(path: string, specifier: string): Pick<ModuleImport, "to" | "kind"> {
  if (specifier.startsWith(".")) return { to: posix.join(posix.dirname(path), specifier), kind: "file" };
  if (isBuiltin(specifier)) return { to: specifier, kind: "builtin" };
  // The deployed functions name this package's entries as its users do.
  const own = publicEntries().find((entry) => entry.name === specifier);
  if (own && !path.startsWith("src/")) return { to: sourceOf(own.file), kind: "file" };
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1);
  return { to: name.join("/"), kind: "package" };
}
