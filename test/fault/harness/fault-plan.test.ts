import { expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { playFaults } from "./fault-plan.ts";

test("faults are done again and again, counted, and no more once they are stopped", async () => {
  const plan = playFaults(1, [
    { name: "one", everyMs: [1, 3], run: async () => undefined },
    { name: "rare", everyMs: [60_000, 60_000], run: async () => undefined },
  ]);
  await until(() => (plan.counts["one"] ?? 0) > 5);
  await plan.stop();
  const { one } = plan.counts;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(plan.counts).toEqual({ one });
});

test("faults with the same lock never overlap, nor does what must be done without them", async () => {
  let inside = 0;
  let most = 0;
  let free = 0;
  const hold = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 3));
    inside--;
  };
  const plan = playFaults(1, [
    { name: "a", everyMs: [0, 2], lock: "redis", restMs: 2, run: hold },
    { name: "b", everyMs: [0, 2], lock: "redis", run: hold },
    { name: "c", everyMs: [0, 2], run: async () => void free++ },
  ]);
  for (let n = 0; n < 5; n++) await plan.without("redis", hold);
  await until(() => (plan.counts["a"] ?? 0) > 5 && (plan.counts["b"] ?? 0) > 5 && free > 5);
  await plan.stop();
  expect({ most, inside }).toEqual({ most: 1, inside: 0 });
});

test("after a fault with a rest those with its lock let their turns pass, and nothing else does", async () => {
  const done: string[] = [];
  const plan = playFaults(1, [
    { name: "a", everyMs: [0, 1], lock: "redis", restMs: 60_000, run: async () => void done.push("a") },
    { name: "b", everyMs: [5, 6], lock: "redis", restMs: 60_000, run: async () => void done.push("b") },
    { name: "c", everyMs: [0, 1], run: async () => undefined },
  ]);
  await until(() => done.length > 0);
  expect(await plan.without("redis", async () => "produced")).toBe("produced");
  await until(() => (plan.counts["c"] ?? 0) > 20);
  await plan.stop();
  expect(done).toEqual(["a"]);
});

test("what a fault draws is the same for the same seed, whatever other faults there are", async () => {
  const draw = async (seed: number, isAlone: boolean): Promise<number[]> => {
    const drawn: number[] = [];
    const plan = playFaults(seed, [
      { name: "a", everyMs: [0, 2], run: async (random) => void drawn.push(random.whole(0, 1_000)) },
      ...(isAlone ? [] : [{ name: "b", everyMs: [0, 1] as const, run: async () => undefined }]),
    ]);
    await until(() => drawn.length >= 5);
    await plan.stop();
    return drawn.slice(0, 5);
  };
  const first = await draw(1, true);
  expect(await draw(1, false)).toEqual(first);
  expect(await draw(2, true)).not.toEqual(first);
});

test("the first error of a fault is told at once, and when they are stopped", async () => {
  const plan = playFaults(1, [
    { name: "bad", everyMs: [0, 0], run: () => Promise.reject(new Error("cannot")) },
    { name: "good", everyMs: [0, 1], run: async () => undefined },
  ]);
  await expect(plan.failed).rejects.toThrow("cannot");
  await until(() => (plan.counts["good"] ?? 0) > 3);
  await expect(plan.stop()).rejects.toThrow("cannot");
});
