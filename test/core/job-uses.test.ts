import { expect, test } from "vitest";
import { isUses, type JobUses, mostUsesOf, usesOf } from "../../src/core/job-uses.ts";

const perform: { readonly uses?: JobUses } = {};

test("a run makes one request over one connection, unless something is said", () => {
  expect(usesOf({ perform })).toEqual({ requests: 1, connections: 1, invocations: 0 });
});

test("however many requests it makes, it has one connection open, and none if it makes none", () => {
  expect(usesOf({ perform, uses: { requests: 20 } })).toEqual({ requests: 20, connections: 1, invocations: 0 });
  expect(usesOf({ perform, uses: { requests: 0 } })).toEqual({ requests: 0, connections: 0, invocations: 0 });
});

test("what the definition says goes before what its target says, each figure by itself", () => {
  const target = { uses: { requests: 5, invocations: 2 } };
  expect(usesOf({ perform: target, uses: { requests: 3, connections: 2 } })).toEqual({
    ...{ requests: 3, connections: 2, invocations: 2 },
  });
});

test("the most of several classes is the most of each figure, in whatever order they come", () => {
  const definitions: JobUses[] = [{ requests: 9, connections: 1 }, { requests: 2, connections: 4 }, { invocations: 3 }];
  const most = { requests: 9, connections: 4, invocations: 3 };
  const all = definitions.map((uses) => ({ perform, uses }));
  expect([mostUsesOf(all), mostUsesOf(all.toReversed())]).toEqual([most, most]);
  expect(mostUsesOf([])).toEqual({ requests: 0, connections: 0, invocations: 0 });
});

test.each([
  [{ requests: 0, connections: 0, invocations: 0 }, true],
  [{ requests: 1, connections: 0.5, invocations: 7 }, true],
  [{ requests: -1, connections: 0, invocations: 0 }, false],
  [{ requests: 1, connections: Number.NaN, invocations: 0 }, false],
  [{ requests: 1, connections: 1, invocations: Number.POSITIVE_INFINITY }, false],
  [{ requests: 1, connections: 1, invocations: "2" as never }, false],
])("%o: counts or not: %s", (uses, are) => {
  expect(isUses(uses)).toBe(are);
});
