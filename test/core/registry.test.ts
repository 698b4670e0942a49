import { expect, test } from "vitest";
import { type AnyJobDefinition, createRegistry } from "../../src/core/registry.ts";

const perform = () => undefined;
const detaching = Object.assign(() => undefined, { detaches: true as const });
const [limited, unlimited, sent]: readonly AnyJobDefinition[] = [
  { class: "Limited", perform, timeoutMs: 300, limit: { running: 2 } },
  { class: "Unlimited", perform },
  { class: "Sent", perform: detaching, timeoutMs: 9_000 },
] as const;
const all = [limited, unlimited, sent] as readonly AnyJobDefinition[];

test("classes are found by name, and none is defined twice", () => {
  const registry = createRegistry(all);
  expect([registry.classes, registry.find("Limited"), registry.find("Other")]).toEqual([
    ...[["Limited", "Unlimited", "Sent"], limited, undefined],
  ]);
  expect(registry.limits).toEqual(new Map([["Limited", { running: 2 }]]));
  expect(() => createRegistry([...all, { class: "Sent", perform }])).toThrow('the class "Sent" is defined twice');
});

test("how long a receiver may take is no time that the drain needs", () => {
  const registry = createRegistry(all);
  expect([registry.longestTimeoutMs, registry.find("Sent")?.timeoutMs]).toEqual([300, undefined]);
  expect(createRegistry([]).longestTimeoutMs).toBe(0);
});

test.each([
  [["Limited"], false],
  [["Sent"], false],
  [["Limited", "Sent"], false],
  [["Unlimited"], true],
  [["Limited", "Unlimited"], true],
])("of %j one has the app's time limit: %s", (names, has) => {
  expect(createRegistry(all.filter(({ class: name }) => names.includes(name))).hasDefaultTimeout).toBe(has);
});
