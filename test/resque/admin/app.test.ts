import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { defineJob } from "../../../src/core/job.ts";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";

describe.each(setups())("an app over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  test("runs a job that waits for its next attempt as soon as it is told to, and one that failed when it is retried", async () => {
    let runs = 0;
    const fragile = defineJob({
      class: "Fragile",
      queue: "q",
      retry: { limit: 1, backoff: () => 3_600_000 },
      perform: () => {
        runs++;
        if (runs < 3) throw new RangeError(`attempt ${runs}`);
      },
    });
    const airlift = world.app({ jobs: [fragile] });
    await airlift.enqueue(fragile, []);
    expect(await airlift.drain()).toMatchObject({ retried: 1, failed: 0 });
    const waiting = await airlift.retries.list();
    expect(waiting).toMatchObject({
      total: 1,
      jobs: [{ class: "Fragile", attempt: 2, error: "attempt 1", queue: "q" }],
    });
    expect(await airlift.status()).toMatchObject({ retries: 1 });

    expect(await airlift.retries.run({ ids: waiting.jobs.map(({ id }) => id) })).toEqual({ changed: 1, missing: [] });
    expect(await airlift.drain()).toMatchObject({ claimed: 1, failed: 1 });
    const { jobs } = await airlift.failed.list({ class: "Fragile" });
    expect(jobs).toMatchObject([{ error: "attempt 2", exception: "RangeError", args: [] }]);

    expect(await airlift.failed.retry({ class: "Fragile" })).toMatchObject({ retried: 1 });
    expect(await airlift.queues.peek("q")).toMatchObject({ total: 1, jobs: [{ class: "Fragile", attempt: 1 }] });
    expect(await airlift.drain()).toMatchObject({ succeeded: 1 });
    expect(runs).toBe(3);
    await world.expectNoTraces();
  });

  test("takes no job of a paused queue, nor any when everything is paused, until it is resumed", async () => {
    const ran: string[] = [];
    const note = defineJob({ class: "Note", perform: ([what]: [string]) => void ran.push(what) });
    const airlift = world.app({ jobs: [note], queues: ["a", "b"] });
    await airlift.enqueueAll(["a", "b"].map((queue) => ({ queue, class: "Note", args: [queue] })));
    await airlift.pause({ queue: "a" });
    expect(await airlift.drain()).toMatchObject({ stopped: "paused", succeeded: 1 });
    await airlift.pause();
    await airlift.resume({ queue: "a" });
    expect(await airlift.drain()).toMatchObject({ stopped: "paused", claimed: 0 });
    await airlift.resume();
    expect(await airlift.drain()).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect(ran).toEqual(["b", "a"]);
    expect(await airlift.paused()).toEqual({ everything: false, queues: [], classes: [] });
  });
});
