import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "../../scripts/entries.ts";
import { findCycles, type ModuleImport, parseModule, readModules, type SourceModule } from "./module-graph.ts";

/** Which layers and files each layer may import besides itself; type-only imports count too. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "src/core/": [],
  "src/resque/": ["src/core/"],
  "src/cron/": ["src/core/", "src/resque/"],
  "src/redis/": ["src/resque/client.ts", "src/core/errors.ts"],
  "src/target/": ["src/core/"],
  "src/active-job/": ["src/core/", "src/resque/active-job-wrapper.ts", "src/resque/encoded-job.ts"],
  "src/gateway/": [
    ...["src/redis/ioredis-connection.ts", "src/resque/client.ts", "src/core/errors.ts", "src/core/byte-collector.ts"],
  ],
  "src/system-clock.ts": ["src/core/"],
  "src/console-logger.ts": ["src/core/"],
  "src/job-function/": [
    ...["src/check-options.ts", "src/console-logger.ts", "src/system-clock.ts", "src/core/", "src/resque/"],
  ],
  "src/options.ts": ["src/core/", "src/resque/"],
  "src/check-options.ts": ["src/core/"],
  "src/encode-job.ts": ["src/core/", "src/resque/"],
  "src/enqueue-jobs.ts": ["src/encode-job.ts", "src/core/", "src/resque/"],
  "src/admin.ts": ["src/core/", "src/resque/"],
  "src/airlift.ts": [
    ...["src/admin.ts", "src/options.ts", "src/check-options.ts", "src/enqueue-jobs.ts", "src/system-clock.ts"],
    ...["src/console-logger.ts", "src/fleet.ts", "src/core/", "src/resque/"],
  ],
  "src/fleet.ts": ["src/core/", "src/resque/"],
  "src/idempotency.ts": ["src/system-clock.ts", "src/core/", "src/resque/"],
  "src/index.ts": ["src/admin.ts", "src/airlift.ts", "src/options.ts", "src/core/", "src/resque/"],
  "src/http/": ["src/airlift.ts", "src/core/"],
  "src/platform/": ["src/airlift.ts", "src/core/", "src/console-logger.ts", "src/http/", "src/job-function/"],
  "src/cli/": ["src/"],
  "functions/": [
    ...[
      "src/platform/",
      "src/http/",
      "src/target/",
      "src/redis/",
      "src/job-function/",
      "src/airlift.ts",
      "src/index.ts",
    ],
  ],
  "infra/": [],
};
/** Layers that must run where there is no Node. */
const PORTABLE = [
  ...["src/core/", "src/resque/", "src/active-job/", "src/cron/", "src/http/", "src/redis/upstash.ts"],
  ...["src/redis/upstash-client.ts", "src/redis/upstash-edge.ts", "src/redis/upstash-transport.ts"],
  ...["src/index.ts", "src/admin.ts", "src/airlift.ts", "src/options.ts", "src/check-options.ts"],
  ...["batch", "http", "http-answer", "http-endpoint", "http-error", "http-options", "http-post", "http-private"].map(
    (name) => `src/target/${name}.ts`,
  ),
  ...["cloudflare", "cloudflare-fault", "cloudflare-queue", "cloudflare-service"].map(
    (name) => `src/target/${name}.ts`,
  ),
  ...[
    "cloudflare",
    "cloudflare-drain",
    "cloudflare-invocation",
    "cloudflare-jobs",
    "cloudflare-logger",
    "cloudflare-messages",
  ].map((name) => `src/platform/${name}.ts`),
  ...["src/target/http-send.ts", "src/target/http-send-fetch.ts", "src/target/http-send-here.ts"],
  ...["src/encode-job.ts", "src/enqueue-jobs.ts", "src/fleet.ts", "src/idempotency.ts", "src/system-clock.ts"],
];
/** Who may import a client library: only `redis/`. */
const CLIENT_LIBRARIES = ["@upstash/redis", "ioredis", "js-redis-server"];

/** Dependencies that a dependency imports by itself if they are there: hono-openapi, to describe valibot's schemas. */
const LOADED_BY_OTHERS = ["@valibot/to-json-schema"];

const modules = readModules(["src", "functions", "infra"]);
const sources = modules.filter(({ path }) => path.startsWith("src/"));
const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

function within(path: string, layers: readonly string[]): boolean {
  return layers.some((layer) => (layer.endsWith("/") ? path.startsWith(layer) : path === layer));
}

/** The imports that a rule forbids, as `from -> to`. */
function violations(of: readonly SourceModule[], forbids: (path: string, imported: ModuleImport) => boolean): string[] {
  return of.flatMap(({ path, imports }) =>
    imports.filter((imported) => forbids(path, imported)).map(({ to }) => `${path} -> ${to}`),
  );
}

function againstArrows(path: string, { kind, to }: ModuleImport): boolean {
  const layer = Object.keys(ARROWS).find((each) => within(path, [each]));
  if (!layer) return true;
  return kind === "file" && !within(to, [layer, ...(ARROWS[layer] ?? [])]);
}

test("each source file belongs to a layer", () => {
  expect(modules.filter(({ path }) => !within(path, Object.keys(ARROWS))).map(({ path }) => path)).toEqual([]);
});

test("arrows between layers point inwards, those of types too", () => {
  expect(violations(modules, againstArrows)).toEqual([]);
});

test("no file imports itself by way of others", () => {
  expect(findCycles(modules).map((cycle) => cycle.join(" -> "))).toEqual([]);
});

test("core/ imports no package, but valibot and types", () => {
  const core = sources.filter(({ path }) => path.startsWith("src/core/"));
  expect(violations(core, (_, { kind, to, typeOnly }) => kind === "package" && !typeOnly && to !== "valibot")).toEqual(
    [],
  );
});

test("core/ reads neither clock nor randomness by itself", () => {
  const core = sources.filter(({ path }) => path.startsWith("src/core/"));
  expect(core.flatMap(({ path, ambientCalls }) => ambientCalls.map((call) => `${path}: ${call}`))).toEqual([]);
});

test("what runs at the edge imports nothing of Node", () => {
  const portable = sources.filter(({ path }) => within(path, PORTABLE));
  expect(violations(portable, (_, { kind }) => kind === "builtin")).toEqual([]);
});

test("only redis/ knows a client library", () => {
  expect(
    violations(sources, (path, { to }) => CLIENT_LIBRARIES.includes(to) && !path.startsWith("src/redis/")),
  ).toEqual([]);
});

test("every package that src/ imports is a dependency", () => {
  expect(
    violations(sources, (_, { kind, to }) => kind === "package" && !(to in dependencies) && !(to in peerDependencies)),
  ).toEqual([]);
});

test("every dependency is imported", () => {
  const imported = new Set(sources.flatMap(({ imports }) => imports.map(({ to }) => to)));
  const unused = Object.keys(dependencies).filter((name) => !imported.has(name) && !LOADED_BY_OTHERS.includes(name));
  expect(unused).toEqual([]);
});

test("the check sees each form of import", () => {
  const { imports } = parseModule(
    "src/redis/example.ts",
    [
      'import { a } from "../airlift.ts";',
      'import type { B } from "../core/errors.ts";',
      'export type { C } from "../http/app.ts";',
      'type D = import("../cli/main.ts").D;',
      'const e = () => import("ioredis");',
      'import { f, type G } from "@upstash/redis/cloudflare";',
      'import "node:fs";',
    ].join("\n"),
  );
  expect(imports.toSorted((a, b) => a.to.localeCompare(b.to))).toEqual([
    { to: "@upstash/redis", kind: "package", typeOnly: false, dynamic: false },
    { to: "ioredis", kind: "package", typeOnly: false, dynamic: true },
    { to: "node:fs", kind: "builtin", typeOnly: false, dynamic: false },
    { to: "src/airlift.ts", kind: "file", typeOnly: false, dynamic: false },
    { to: "src/cli/main.ts", kind: "file", typeOnly: true, dynamic: false },
    { to: "src/core/errors.ts", kind: "file", typeOnly: true, dynamic: false },
    { to: "src/http/app.ts", kind: "file", typeOnly: true, dynamic: false },
  ]);
  expect(
    violations([parseModule("src/redis/a.ts", 'import type { B } from "../core/store.ts";')], againstArrows),
  ).toEqual(["src/redis/a.ts -> src/core/store.ts"]);
});

test("the check finds a cycle of types and reads of the clock", () => {
  const a = parseModule("src/core/a.ts", 'import type { B } from "./b.ts"; export const now = () => Date.now();');
  const b = parseModule("src/core/b.ts", 'export type { C } from "./c.ts"; export const later = () => new Date();');
  const c = parseModule("src/core/c.ts", 'import { now } from "./a.ts"; export const random = Math.random;');
  expect(findCycles([a, b, c])).toEqual([["src/core/a.ts", "src/core/b.ts", "src/core/c.ts", "src/core/a.ts"]]);
  expect([a, b, c].map(({ ambientCalls }) => ambientCalls)).toEqual([["Date.now"], ["new Date()"], ["Math.random"]]);
});
