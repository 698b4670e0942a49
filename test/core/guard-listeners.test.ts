import { expect, test } from "vitest";
import type { DrainEvent } from "../../src/core/events.ts";
import { guardListeners } from "../../src/core/guard-listeners.ts";

const event: DrainEvent = { kind: "drain-started", drainId: "d" };

test("each listener is told whatever the others do, and what they throw or reject with is logged", async () => {
  const [thrown, rejected] = [new Error("thrown"), new Error("rejected")];
  const told: DrainEvent[] = [];
  const logged: unknown[] = [];
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const emit = guardListeners(
    [
      () => {
        throw thrown;
      },
      () => Promise.reject(rejected),
      (each) => void told.push(each),
    ],
    { ...silent, error: (message, fields) => void logged.push([message, fields]) },
  );
  emit?.(event);
  await Promise.resolve();
  expect(told).toEqual([event]);
  expect(logged).toEqual([thrown, rejected].map((error) => ["onEvent failed", { error }]));
});

test("where nobody listens no event is made", () => {
  expect(guardListeners([], console)).toBeUndefined();
});
