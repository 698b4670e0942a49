import { expect, test } from "vitest";
import { createRandom } from "./random.ts";

const series = (seed: number, ...names: string[]): number[] => {
  const random = createRandom(seed, ...names);
  return Array.from({ length: 20 }, () => random.whole(1, 1_000));
};

test("a seed and names are a series of their own, the same each time", () => {
  expect(series(1, "proxy", "a")).toEqual(series(1, "proxy", "a"));
  const different = [series(1, "proxy", "a"), series(1, "proxy", "b"), series(2, "proxy", "a"), series(1, "proxya")];
  expect(new Set(different.map(String)).size).toBe(4);
});

test("numbers lie evenly between their bounds, both included", () => {
  const random = createRandom(3);
  const counts = new Map<number, number>();
  for (let n = 0; n < 6_000; n++) {
    const drawn = random.whole(-1, 4);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3, 4]);
  for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  expect(Array.from({ length: 1_000 }, () => random.chance(0.1)).filter(Boolean).length).toBeLessThan(150);
});
