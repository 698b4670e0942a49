import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listPaused, pause, resume } from "../../../src/resque/admin/pause.ts";
import { readStatus } from "../../../src/resque/status.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

describe.each(setups())("pauses over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  test("of everything are Ruby's key, of a queue resque-pause's", async () => {
    await world.push("b", "x");
    await world.push("é", "x");
    await pause(world.context);
    await pause(world.context, { queue: "b" });
    await pause(world.context, { queue: "é" });
    expect(await world.get("resque:pause-all-workers")).toBe("true");
    expect(await world.get("resque:pause:queue:b")).toBe("true");
    expect(await listPaused(world.context)).toEqual({ everything: true, queues: ["b", "é"], classes: [] });
    await resume(world.context);
    await resume(world.context, { queue: "b" });
    await resume(world.context, { queue: "never paused" });
    expect(await listPaused(world.context)).toEqual({ everything: false, queues: ["é"], classes: [] });
    await resume(world.context, { queue: "é" });
    expect(await world.keyNames()).toEqual(["resque:queue:b", "resque:queue:é", "resque:queues"]);
  });

  test("of a class are an array in a key of Airlift's own, which is gone with the last", async () => {
    const names = ["B", 'A"\\/', "A::Bé", "<C>"];
    for (const name of [...names, "B"]) await pause(world.context, { class: name });
    const stored = JSON.parse((await world.get(world.keys.pausedClasses)) as string);
    expect(stored.toSorted()).toEqual(names.toSorted());
    expect((await listPaused(world.context)).classes).toEqual(names.toSorted());
    await resume(world.context, { class: "B" });
    await resume(world.context, { class: "none" });
    expect((await listPaused(world.context)).classes).toEqual(names.slice(1).toSorted());
    for (const name of names) await resume(world.context, { class: name });
    expect(await world.keyNames()).toEqual([]);
  });

  test("of many classes at the same time are all kept", async () => {
    const names = Array.from({ length: 20 }, (_, i) => `Class${i}`);
    const admins = [world.context, world.newContext()];
    await Promise.all(names.map((name, i) => pause(admins[i % 2] as typeof world.context, { class: name })));
    expect((await listPaused(world.context)).classes).toEqual(names.toSorted());
    await Promise.all(names.slice(5).map((name, i) => resume(admins[i % 2] as typeof world.context, { class: name })));
    expect((await listPaused(world.context)).classes).toEqual(names.slice(0, 5));
  });

  test.each(["not json", "{}", "7", '["A",5,null]'])("a key that holds %s fails nothing", async (text) => {
    await world.send(["SET", world.keys.pausedClasses, text], ["SET", world.keys.pauseAll, " TRUE\n"]);
    expect(await listPaused(world.context)).toMatchObject({
      everything: true,
      classes: text.includes("A") ? ["A"] : [],
    });
    await pause(world.context, { class: "B" });
    expect((await listPaused(world.context)).classes).toContain("B");
  });

  test.each([
    [{ queue: "" }, /pause: queue: expected a text that is not empty, got ""/],
    [{ class: 7 }, /pause: class: expected a text that is not empty, got 7/],
    [{ queue: "a", class: "A" }, /pause: expected a queue or a class, got both/],
    // Everything, it would be.
    [{ queue: undefined }, /pause: queue: expected a value, or no such member, got undefined/],
    [{ que: "a" }, /pause: unknown option "que"; expected queue, class/],
  ])("refuse %o", async (target, message) => {
    // Wrong on purpose.
    await expect(pause(world.context, target as object)).rejects.toThrow(message);
    expect(await world.keyNames()).toEqual([]);
  });

  test("show in the status, which takes two requests", async () => {
    await world.push("b", "x");
    await pause(world.context);
    await pause(world.context, { class: "A" });
    const { keys, client } = world;
    await world.send(["ZADD", keys.delayedSchedule, 5, "5", 6, "6"], ["ZADD", keys.retries, 1, "a"]);
    let requests = 0;
    const counted = {
      ...client,
      pipeline: (...call: Parameters<typeof client.pipeline>) => {
        requests++;
        return client.pipeline(...call);
      },
    };
    expect(await readStatus(counted, keys)).toEqual({
      ...{ queues: [{ name: "b", size: 1, paused: false }], paused: true, workers: 0, working: 0 },
      ...{ processed: 0, failures: 0, failed: 0, drains: 0, delayed: 2, retries: 1, pausedClasses: ["A"] },
    });
    expect(requests).toBe(2);
  });
});
