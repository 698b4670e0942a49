import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "../../scripts/entries.ts";
import { listFiles } from "./module-graph.ts";

/** Lines that a file may have at most; the first pattern that fits a file counts. Generated files are exempt. */
const LIMITS: readonly (readonly [pattern: RegExp, lines: number])[] = [
  [/\.generated\.ts$/, Number.POSITIVE_INFINITY],
  [/^src\/(redis|platform|target)\/.*\.ts$/, 250],
  [/^(src|scripts|bench|examples)\/.*\.ts$/, 400],
  [/^src\/.*\.lua$/, 120],
  [/^functions\//, 50],
  [/^test\/.*\.ts$/, 600],
];

function limitOf(path: string): number {
  return LIMITS.find(([pattern]) => pattern.test(path))?.[1] ?? Number.POSITIVE_INFINITY;
}

test("no file is longer than its folder allows", () => {
  const files = ["src", "scripts", "bench", "examples", "functions", "test"].flatMap(listFiles);
  const tooLong = files
    .map((path) => ({ path, lines: readFileSync(new URL(path, root), "utf8").split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > limitOf(path))
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${limitOf(path)}`);
  expect(tooLong).toEqual([]);
});

test("a script of more than 60 lines says why", () => {
  const silent = listFiles("src")
    .filter((path) => path.endsWith(".lua"))
    .map((path) => ({ path, text: readFileSync(new URL(path, root), "utf8") }))
    .filter(({ text }) => text.split("\n").length - 1 > 60 && !text.includes("Longer than 60 lines, because"))
    .map(({ path }) => path);
  expect(silent).toEqual([]);
});

test("each kind of file has its limit", () => {
  expect(limitOf("src/resque/generated/exchange.generated.ts")).toBe(Number.POSITIVE_INFINITY);
  expect(limitOf("src/redis/upstash.ts")).toBe(250);
  expect(limitOf("src/core/drain.ts")).toBe(400);
  expect(limitOf("test/core/drain.test.ts")).toBe(600);
});
