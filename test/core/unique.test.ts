import { expect, test } from "vitest";
import { createAirlift } from "../../src/airlift.ts";
import { uniqueProblem } from "../../src/core/unique.ts";

const key = (args: readonly unknown[]): string => String(args[0]);

test.each([
  [{ until: "start" }],
  [{ until: "done", key, ttlMs: 1, onConflict: "drop" }],
  [{ until: { periodMs: 31_536_000_000 }, key }],
  [{ until: "start", key, onConflict: "replace" }],
])("%o is right", (unique) => {
  expect(uniqueProblem(unique)).toBeUndefined();
});

test.each([
  [true, /^expected an object with until$/],
  [null, /^expected an object with until$/],
  [{}, /^until: expected "start", "done" or \{ periodMs \}/],
  [{ until: "end" }, /^until: expected/],
  [{ until: { periodMs: 0 } }, /^until: expected/],
  [{ until: { periodMs: 31_536_000_001 } }, /^until: expected .* at most a year/],
  [{ until: {} }, /^until: expected/],
  [{ until: null }, /^until: expected/],
  [{ until: "start", key: "id" }, /^key: expected a function/],
  [{ until: "start", ttlMs: 0 }, /^ttlMs: expected a number of milliseconds/],
  [{ until: "start", ttlMs: 1.5 }, /^ttlMs: expected/],
  [{ until: { periodMs: 5 }, ttlMs: 5 }, /^expected ttlMs or a period, not both$/],
  [{ until: "start", onConflict: "replace" }, /^onConflict: expected "replace" only with a key and until "start"$/],
  [{ until: "done", key, onConflict: "replace" }, /^onConflict: expected "replace" only with/],
  [{ until: "start", onConflict: "keep" }, /^onConflict: expected "drop" or "replace"$/],
  [{ until: "start", ttl: 5 }, /^ttl: unknown option; known: until, key, ttlMs, onConflict$/],
])("%o is wrong, and how is told", (unique, problem) => {
  expect(uniqueProblem(unique)).toMatch(problem);
  const redis = { command: key, pipeline: key, transaction: key, script: key } as never;
  const jobs = [{ class: "A", unique, perform: () => undefined }] as never;
  const create = () => createAirlift({ redis, queues: ["q"], jobs });
  expect(create).toThrow(/jobs\.0\.unique: /);
  expect(create).toThrow(expect.objectContaining({ name: "UsageError" }));
});

test("a definition that an app does not know is checked when it is enqueued", async () => {
  const redis = { command: key, pipeline: key, transaction: key, script: key } as never;
  const app = createAirlift({ redis, queues: ["q"], jobs: [] });
  const job = { class: "A", queue: "q", unique: { until: "start", ttlMs: -1 }, perform: () => undefined } as const;
  await expect(app.enqueue(job, [])).rejects.toThrow('class "A": unique: ttlMs: expected');
});
