import { expect, test } from "vitest";
import type { AppHooks, HookOwner } from "../../src/core/hooks.ts";
import { createHookLoader } from "../../src/core/load-hooks.ts";
import { createManualClock } from "./manual-clock.ts";

const hook = () => undefined;
const hooked: HookOwner = { hooks: { beforePerform: hook } };
const exhausted = { retry: { onExhausted: hook } };
const load = (app: AppHooks | undefined, classes: readonly HookOwner[]) =>
  createHookLoader({ app, find: () => undefined, clock: createManualClock(), logger: console }, classes);

test("an app without any loads nothing that calls hooks", () => {
  const loader = load(undefined, [{}, { retry: {} }]);
  expect([loader(), loader({})]).toEqual([undefined, undefined]);
});

test.each<[string, AppHooks | undefined, readonly HookOwner[]]>([
  ["the app has some", {}, []],
  ["one class has some", undefined, [{}, hooked]],
  ["one class tells of exhausted retries", undefined, [{}, exhausted]],
])("it is loaded, once, where %s", async (_where, app, classes) => {
  const loader = load(app, classes);
  const loading = loader();
  expect(await loading).toHaveProperty("openDrain");
  expect(loader({})).toBe(loading);
});

test("… or where a class has some that the app does not know", async () => {
  const loader = load(undefined, [{}]);
  expect(await loader(hooked)).toHaveProperty("beforeEnqueue");
  expect(loader()).toBeUndefined();
});
