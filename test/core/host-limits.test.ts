import { expect, test } from "vitest";
import { concurrencyWithin } from "../../src/core/host-limits.ts";
import { createRegistry } from "../../src/core/registry.ts";

const within = (maxConnections: number | undefined, connections: number): number => {
  const registry = createRegistry([{ class: "A", perform: () => undefined, uses: { requests: 9, connections } }]);
  return concurrencyWithin(maxConnections === undefined ? {} : { maxConnections }, registry, 10);
};

test.each([
  [undefined, 3, 10],
  [6, 0, 10],
  [1, 0, 10],
  [6, 1, 5],
  [6, 2, 2],
  [2, 1, 1],
  [50, 1, 10],
])("of %o connections, one of them Redis', jobs of %i each: %i at once", (maxConnections, connections, jobs) => {
  expect(within(maxConnections, connections)).toBe(jobs);
});

test("too few for one job are told", () => {
  expect(() => within(1, 1)).toThrow("maxConnections: 1 are too few for a job that needs 1, and Redis 1");
});
