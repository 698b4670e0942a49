import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DrainEvent } from "../../src/core/events.ts";
import { defineJob } from "../../src/core/job.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";

describe.each(setups())("an app tells its onEvent over $name", (kind) => {
  let world: AppWorld;
  const events: DrainEvent[] = [];
  const onEvent = (event: DrainEvent): void => {
    events.push(event);
    throw new Error("from the listener");
  };
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    events.length = 0;
    await world.flush();
  });

  test("of the jobs that it enqueues, by what became of them", async () => {
    const sync = defineJob({
      class: "Sync",
      queue: "q",
      unique: { until: "start", key: ([account]) => String(account), onConflict: "replace" },
      perform: () => undefined,
    });
    const once = defineJob({ class: "Once", queue: "q", unique: { until: "done" }, perform: () => undefined });
    const beforeEnqueue = ({ args }: { readonly args?: readonly unknown[] }) => args?.[0] !== "no";
    const app = world.app({ jobs: [sync, once], onEvent, hooks: { beforeEnqueue } });
    await app.enqueue(sync, [1]);
    const request = (name: string, ...args: unknown[]) => ({ queue: "q", class: name, args });
    await app.enqueueAll([
      request("Sync", 1),
      request("Once", 2),
      request("Once", 2),
      request("Other", "no"),
      request("Other", 3),
    ]);
    expect(events).toEqual([
      { kind: "jobs-enqueued", enqueued: 1, replaced: 0, dropped: 0 },
      { kind: "jobs-enqueued", enqueued: 2, replaced: 1, dropped: 2 },
    ]);
  });

  test("of resources that it opens, and of hooks that fail, in a drain and outside", async () => {
    const failing = () => Promise.reject(new Error("the hook's own"));
    const job = defineJob({
      class: "Noop",
      queue: "q",
      hooks: { afterEnqueue: failing },
      perform: async (_args, { resources }) => await (resources as { readonly db: Promise<unknown> }).db,
    });
    const app = world.app({
      jobs: [job],
      onEvent,
      hooks: { drainEnd: failing },
      resources: { db: async () => "open" },
    });
    await app.enqueue(job, []);
    await app.enqueue(job, []);
    expect(await app.drain()).toMatchObject({ succeeded: 2 });
    const error = expect.objectContaining({ message: "the hook's own" });
    const told = events.filter(({ kind: name }) => name === "hook-failed" || name === "resource-opened");
    expect(told).toEqual([
      { kind: "hook-failed", hook: "afterEnqueue", queue: "q", class: "Noop", error },
      { kind: "hook-failed", hook: "afterEnqueue", queue: "q", class: "Noop", error },
      { kind: "resource-opened", name: "db", durationMs: expect.any(Number) },
      { kind: "hook-failed", hook: "drainEnd", error },
    ]);
  });
});
