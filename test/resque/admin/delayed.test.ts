import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../../src/airlift.ts";
import {
  cancelDelayedJobs,
  countDelayedJobs,
  listDelayedJobs,
  rescheduleDelayedJobs,
} from "../../../src/resque/admin/delayed.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

const AT = 4_000_000_000;

describe.each(setups())("delayed jobs over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  /** As resque-scheduler does it. */
  const delay = async (seconds: number, item: string): Promise<void> => {
    const { keys } = world;
    await world.send(
      ["RPUSH", keys.delayed(seconds), item],
      ["SADD", keys.timestamps(item), `delayed:${seconds}`],
      ["ZADD", keys.delayedSchedule, seconds, seconds],
    );
  };
  const item = (n: number, { className = "Add", queue = "mail" } = {}): string =>
    `{"class":"${className}","args":[${n}],"queue":"${queue}"}`;
  const node = '{"class":"Add","queue":"low","args":[7]}';

  test("are listed in the order in which they are due, what is none with its problem", async () => {
    await delay(AT + 1, item(2));
    await delay(AT, item(1));
    await delay(AT, item(1));
    await delay(AT + 1, node);
    await delay(AT + 2, "not json");
    const { jobs, next } = await listDelayedJobs(world.context);
    expect(next).toBeUndefined();
    expect(jobs[0]).toEqual({
      id: expect.stringMatching(/^4000000000-[0-9a-f]{12}$/),
      ...{ atMs: AT * 1_000, queue: "mail", raw: item(1), class: "Add", args: [1] },
    });
    expect(jobs[1]).toEqual(jobs[0]);
    expect(jobs.map(({ raw }) => raw)).toEqual([item(1), item(1), item(2), node, "not json"]);
    expect(jobs[4]).toMatchObject({ problem: expect.stringMatching(/^the item is no job: /) });
    expect(await countDelayedJobs(world.context)).toBe(5);
    const page = await listDelayedJobs(world.context, { offset: 1, limit: 2 });
    expect([page.jobs.map(({ raw }) => raw), page.next]).toEqual([[item(1), item(2)], 3]);
  });

  test("are listed to the end, though some come to their queues while a page is read", async () => {
    for (let n = 0; n < 5; n++) await delay(AT + n, item(n));
    const { context } = world;
    let calls = 0;
    const client = {
      ...context.client,
      command: context.client.command.bind(context.client),
      pipeline: async (...call: Parameters<typeof context.client.pipeline>) => {
        const reply = await context.client.pipeline(...call);
        // After the lengths have been read.
        if (calls++ === 0) await world.send(["DEL", world.keys.delayed(AT)]);
        return reply;
      },
    };
    const first = await listDelayedJobs({ ...context, client }, { limit: 2 });
    expect([first.jobs.map(({ raw }) => raw), first.next]).toEqual([[item(1)], 2]);
  });

  test("are cancelled by id, with those that are alike at the same second, jobs or not", async () => {
    await delay(AT, item(1));
    await delay(AT, item(1));
    await delay(AT + 1, item(1));
    await delay(AT + 1, "not json");
    const { jobs } = await listDelayedJobs(world.context);
    const ids = [jobs[0]?.id as string, jobs[3]?.id as string];
    expect(await cancelDelayedJobs(world.context, { ids: [...ids, "5-0123456789ab"] })).toEqual({
      cancelled: 3,
      missing: ["5-0123456789ab"],
    });
    expect(await world.everything()).toEqual({
      [world.keys.delayed(AT + 1)]: [item(1)],
      [world.keys.timestamps(item(1))]: { [`delayed:${AT + 1}`]: true },
      [world.keys.delayedSchedule]: { [AT + 1]: String(AT + 1) },
    });
  });

  test.each([
    [{ class: "Add" }, 4],
    [{ class: "Add", queue: "mail" }, 3],
    [{ class: "Add", args: [1] }, 2],
    [{ class: "Add", args: [7] }, 1],
    [{ class: "Add", at: AT * 1_000 }, 2],
    [{ class: "Add", args: [1], queue: "mail", at: new Date((AT + 1) * 1_000) }, 1],
    [{ class: "Other", args: [] }, 0],
  ] as const)("are cancelled by %o", async (selection, cancelled) => {
    await delay(AT, item(1));
    await delay(AT + 1, item(1));
    await delay(AT, item(2));
    await delay(AT + 1, node);
    await delay(AT, item(1, { className: "Other" }));
    expect(await cancelDelayedJobs(world.context, selection)).toEqual({ cancelled, missing: [] });
    expect(await countDelayedJobs(world.context)).toBe(5 - cancelled);
  });

  test("are moved by id and by class, and are found by resque-scheduler's books there", async () => {
    await delay(AT, item(1));
    await delay(AT, item(2));
    await delay(AT, node);
    const { jobs } = await listDelayedJobs(world.context);
    const id = jobs.find(({ raw }) => raw === node)?.id as string;
    expect(await rescheduleDelayedJobs(world.context, { ids: [id] }, (AT + 60) * 1_000)).toEqual({
      rescheduled: 1,
      missing: [],
    });
    expect(
      await rescheduleDelayedJobs(world.context, { class: "Add", queue: "mail" }, new Date((AT + 5) * 1_000)),
    ).toMatchObject({
      rescheduled: 2,
    });
    expect(await rescheduleDelayedJobs(world.context, { class: "Add", args: [2] }, (AT + 6) * 1_000)).toMatchObject({
      rescheduled: 1,
    });
    const after = await listDelayedJobs(world.context);
    expect(after.jobs.map(({ atMs, raw }) => [atMs / 1_000 - AT, raw])).toEqual([
      [5, item(1)],
      [6, item(2)],
      [60, node],
    ]);
    expect((await world.everything())[world.keys.timestamps(node)]).toEqual({ [`delayed:${AT + 60}`]: true });
  });

  test("a cancelled one frees its unique lock, and its status says so", async () => {
    const job = {
      class: "Once",
      queue: "mail",
      unique: { until: "done" as const },
      status: { ttlMs: 100_000 },
      perform: () => undefined,
    };
    const airlift = createAirlift({ redis: world.client, queues: ["mail"], jobs: [job] });
    await airlift.enqueueAt(AT * 1_000, job, []);
    expect((await world.keyNames()).some((name) => name.includes(":lock:"))).toBe(true);
    expect(await airlift.delayed.cancel({ class: "Once" })).toEqual({ cancelled: 1, missing: [] });
    const names = await world.keyNames();
    expect(names).toEqual([expect.stringMatching(/^resque:airlift:job:/)]);
    expect(await world.get(names[0] as string)).toContain('"state":"discarded"');
  });

  test("a moved one's status tells the new time, and outlives it by as much as before", async () => {
    const job = { class: "Kept", queue: "mail", status: { ttlMs: 100_000 }, perform: () => undefined };
    const airlift = createAirlift({ redis: world.client, queues: ["mail"], jobs: [job] });
    const soonMs = Math.floor(Date.now() / 1_000) * 1_000 + 30_000;
    const { ids = [] } = await airlift.enqueueAll(
      [1, 2].map((n) => ({ queue: "mail", class: "Kept", args: [n], at: soonMs })),
    );
    const [moved = "", other = ""] = ids as string[];
    const toMs = soonMs + 36_000_000;
    await airlift.delayed.reschedule({ class: "Kept", args: [1] }, toMs);
    const before = { state: "delayed", class: "Kept", enqueuedMs: expect.any(Number) };
    expect(await airlift.job(moved)).toMatchObject({ ...before, dueMs: toMs });
    expect(await airlift.job(other)).toMatchObject({ ...before, dueMs: soonMs });
    const ttlMs = async (id: string) => Number((await world.send(["PTTL", world.keys.job(id)]))[0]);
    expect(Math.abs((await ttlMs(moved)) - (await ttlMs(other)) - 36_000_000)).toBeLessThan(5_000);
    // Sooner, too; and one that waits no more keeps what it has.
    await airlift.delayed.reschedule({ class: "Kept", args: [1] }, soonMs - 10_000);
    expect(await airlift.job(moved)).toMatchObject({ ...before, dueMs: soonMs - 10_000 });
    await world.send(["SET", world.keys.job(moved), '{"queue":"mail","state":"done","dueMs":1}', "EX", 100]);
    await airlift.delayed.reschedule({ class: "Kept", args: [1] }, toMs);
    expect(await airlift.job(moved)).toMatchObject({ state: "done", dueMs: 1 });
  });

  test.each([
    [{}, /delayed.cancel: expected ids or a class, got neither/],
    [{ ids: ["1-0123456789ab"], class: "A" }, /expected ids or a class, got both/],
    [{ ids: ["1-0123456789ab"], queue: "a" }, /args, queue and at: expected with a class only/],
    [{ ids: ["abc"] }, /ids: expected <seconds>-<12 digits 0-9 a-f>, got "abc"/],
    [{ class: "A", at: Number.NaN }, /at: expected an instant/],
    [{ class: "A", at: null }, /at: expected an instant in ms since the epoch, or a Date, got null/],
    [{ class: "A", at: true }, /at: expected an instant/],
    [{ class: "A", args: undefined }, /delayed.cancel: args: expected a value, or no such member, got undefined/],
    [{ class: "A", args: {} }, /args: expected an array/],
  ])("refuse %o", async (selection, message) => {
    // Wrong on purpose.
    await expect(cancelDelayedJobs(world.context, selection as object)).rejects.toThrow(message);
  });
});
