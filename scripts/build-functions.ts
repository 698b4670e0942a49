/**
 * Bundles what is deployed, functions/<host>/, into dist/functions/<host>/: one file for each function, with all that it imports, and the
 * configuration that its host must find beside them. `npm run build:functions`, or with the names of hosts behind it; `--outdir DIR` puts
 * them elsewhere. A function is a file that no other of its folder imports.
 */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { edgeAliases, root } from "./entries.ts";

/** A runtime that is Node. */
const NODE: BuildOptions = {
  platform: "node",
  target: "node22",
  // What is left of CommonJS in packages asks for builtins in its own way.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
};
/** A runtime of the Web's APIs. A builtin of Node is an error. */
const EDGE: BuildOptions = {
  platform: "browser",
  target: "es2024",
  conditions: ["workerd", "worker", "edge-light"],
  alias: edgeAliases(),
  external: ["cloudflare:*"],
};

/** hono-openapi can describe the schemas of many libraries, and asks for each at run time. Those of the HTTP API are valibot's. */
const onlyValibot: Plugin = {
  name: "only-valibot",
  setup({ onResolve }) {
    onResolve({ filter: /^(zod|arktype|effect|sury|typebox|@sinclair)/ }, ({ path, importer }) =>
      importer.includes("/@standard-community/") ? { path, external: true } : undefined,
    );
  },
};

interface Host {
  readonly runtime: BuildOptions;
  /** Where the host looks for functions, within dist/functions/<host>/. @default there */
  readonly folder?: string;
  /** What the host must find beside them. */
  readonly config?: string;
}

const HOSTS: Readonly<Record<string, Host>> = {
  aws: { runtime: NODE },
  vercel: { runtime: NODE, folder: "api", config: "infra/vercel/vercel.json" },
  cloudflare: { runtime: EDGE },
  netlify: { runtime: NODE, folder: "functions", config: "infra/netlify/netlify.toml" },
  // Deno and Bun have what these functions ask of Node.
  fetch: { runtime: NODE },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { outdir: { type: "string" } } });
const folders = Object.keys(HOSTS).filter((host) => existsSync(new URL(`functions/${host}`, root)));
const hosts = positionals.length > 0 ? positionals : folders;
const unknown = hosts.filter((host) => !folders.includes(host));
if (unknown.length > 0) {
  console.error(`build-functions: no host ${unknown.join(", ")}; expected ${folders.join(", ")}`);
  process.exit(2);
}

const outdir = values.outdir ?? fileURLToPath(new URL("dist/functions", root));
for (const host of hosts) {
  const { runtime, folder = "", config } = HOSTS[host] as Host;
  await build({
    absWorkingDir: fileURLToPath(root),
    entryPoints: functionsOf(host),
    outdir: join(outdir, host, folder),
    bundle: true,
    format: "esm",
    // Names stay: a failed job is told by its error's class and by the functions of its stack.
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
    plugins: [onlyValibot],
    ...runtime,
  }).catch(() => process.exit(1)); // esbuild has said why.
  // The hosts take a `.js` file for CommonJS, unless the nearest package.json says otherwise.
  writeFileSync(join(outdir, host, "package.json"), '{ "type": "module" }\n');
  if (config) cpSync(new URL(config, root), join(outdir, host, basename(config)));
}

function functionsOf(host: string): string[] {
  const folder = new URL(`functions/${host}/`, root);
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  const sources = files.map((file) => readFileSync(new URL(file, folder), "utf8"));
  const isImported = (file: string): boolean => sources.some((source) => source.includes(`"./${file}"`));
  return files.filter((file) => !isImported(file)).map((file) => `functions/${host}/${file}`);
}
