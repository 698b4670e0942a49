import { existsSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { binEntries, publicEntries, root, sourceOf } from "../../scripts/entries.ts";
import { readModules } from "./module-graph.ts";

const exists = (path: string): boolean => existsSync(new URL(path, root));

test("each entry has a source, and after the build its module and its declarations", () => {
  const missing = publicEntries()
    .flatMap(({ file, types, edgeFile = file }) => [sourceOf(file), file, types ?? "", sourceOf(edgeFile), edgeFile])
    .filter((path) => !exists(path));
  expect(missing, "run `npm run build` before these tests").toEqual([]);
});

test("each client, target and platform is an entry, or a part of one in its folder", () => {
  const declared = publicEntries().flatMap(({ file, edgeFile = file }) => [sourceOf(file), sourceOf(edgeFile)]);
  const undeclared = ["src/redis", "src/target", "src/platform"].flatMap((folder) => {
    const modules = readModules([folder]);
    const parts = new Set(modules.flatMap(({ imports }) => imports.map(({ to }) => to)));
    return modules.map(({ path }) => path).filter((path) => !declared.includes(path) && !parts.has(path));
  });
  expect(undeclared).toEqual([]);
});

test("tsconfig.json leads each entry's name to its source", () => {
  const { compilerOptions } = JSON.parse(readFileSync(new URL("tsconfig.json", root), "utf8"));
  const sources = publicEntries().map(({ name }) => {
    const exact: string[] | undefined = compilerOptions.paths[name];
    return exact?.[0] ?? compilerOptions.paths["airlift/*"][0].replace("*", name.replace(/^airlift\//, ""));
  });
  expect(sources).toEqual(publicEntries().map(({ file }) => `./${sourceOf(file)}`));
});

test("each command is executable and leaves the choice of Node to the path", () => {
  for (const { file } of binEntries()) {
    const path = new URL(file, root);
    expect(readFileSync(path, "utf8").split("\n", 1)).toEqual(["#!/usr/bin/env node"]);
    expect(statSync(path).mode & 0o111).toBe(0o111);
  }
});
