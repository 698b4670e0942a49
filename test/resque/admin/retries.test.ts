import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { countRetries, listRetries, removeRetries, runRetries } from "../../../src/resque/admin/retries.ts";
import { waitingEntry } from "../../../src/resque/waiting-entry.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const payload = (n: number, className = "Add"): string =>
  `{"class":"${className}","args":[${n}],"airlift":{"retries":1}}`;
const failure = { exception: "TypeError", message: 'x,"payload":{"class":"No"}', backtrace: [] };
const LATER = 9_000_000_000_000;

describe.each(setups())("waiting jobs over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  const member = (n: number, { className = "Add", queue = "mail" } = {}): string =>
    `${waitingEntry({ id: `d1.${n}`, queue, attempt: 2, failure, failedAtMs: 0 })}${payload(n, className)}}`;
  const wait = async (
    ...members: readonly (readonly [dueMs: number, member: string | Uint8Array])[]
  ): Promise<void> => {
    for (let at = 0; at < members.length; at += 2_000) {
      await world.send(["ZADD", world.keys.retries, ...members.slice(at, at + 2_000).flat()]);
    }
  };
  const members = async (): Promise<Record<string, string>> =>
    ((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>;

  test("are listed in the order in which they are due", async () => {
    const postponed = `${waitingEntry({ id: "d1.p", queue: "mail", attempt: 1 })}${payload(9)}}`;
    await wait([LATER + 2, member(2)], [LATER + 1, member(1, { queue: "é" })], [LATER + 3, postponed]);
    const { total, jobs, next } = await listRetries(world.context);
    expect({ total, next }).toEqual({ total: 3, next: undefined });
    expect(jobs[0]).toEqual({
      ...{ id: "d1.1", dueMs: LATER + 1, queue: "é", attempt: 2, class: "Add", args: [1] },
      ...{ failedAt: "1970/01/01 00:00:00 UTC", exception: "TypeError", error: failure.message },
      ...{ raw: payload(1), bytes: Buffer.byteLength(member(1, { queue: "é" })) },
    });
    expect(jobs.map(({ id }) => id)).toEqual(["d1.1", "d1.2", "d1.p"]);
    expect(jobs[2]).not.toHaveProperty("exception");
    expect(await countRetries(world.context)).toBe(3);
    expect((await listRetries(world.context, { limit: 2 })).next).toBe(2);
    expect((await listRetries(world.context, { offset: 2 })).jobs.map(({ id }) => id)).toEqual(["d1.p"]);
    expect((await listRetries(world.context, { offset: 3 })).next).toBeUndefined();
  });

  test("one bad member fails no page", async () => {
    const huge = member(1).replace("[1]", `["${"x".repeat(1_000_000)}"]`);
    const bad = ["not json", "null", "{}", `{"id":"b","queue":7,"payload":[]}`];
    await wait(
      ...bad.map((text, i) => [i, text] as const),
      [9, huge],
      [10, Buffer.from(member(2).replace("[2]", '["\xff"]'), "latin1")],
    );
    const { jobs } = await listRetries(world.context);
    expect(jobs.slice(0, 4).every(({ problem }) => problem)).toBe(true);
    expect(jobs[4]).toMatchObject({ id: "d1.1", class: "Add", bytes: huge.length });
    expect(jobs[4]).not.toHaveProperty("raw");
    expect(jobs[5]).toMatchObject({ id: "d1.2", args: ["\uFFFD"] });
    expect(await removeRetries(world.context, { ids: ["d1.1", "d1.2"] })).toMatchObject({ changed: 2 });
    expect(await removeRetries(world.context, { all: true })).toMatchObject({ changed: expect.any(Number) });
  });

  test("run now: due by Redis' clock, the payload as it is; an id is the whole of it", async () => {
    await wait([LATER, member(1)], [LATER, member(12)], [5, member(3)]);
    expect(await runRetries(world.context, { ids: ["d1.1", "d1.3", "d1.4"] })).toEqual({
      changed: 2,
      missing: ["d1.4"],
    });
    const scores = await members();
    expect(Object.keys(scores).toSorted()).toEqual([member(1), member(12), member(3)].toSorted());
    expect(Math.abs(Number(scores[member(1)]) - Date.now())).toBeLessThan(60_000);
    expect([Number(scores[member(12)]), Number(scores[member(3)])]).toEqual([LATER, 5]);
  });

  test("run or removed by class and by queue", async () => {
    await wait(
      [LATER, member(1)],
      [LATER, member(2, { className: "Other" })],
      [LATER + 1, member(3, { queue: "low" })],
    );
    expect(await runRetries(world.context, { class: "Add", queue: "low" })).toMatchObject({ changed: 1 });
    expect(Number((await members())[member(3, { queue: "low" })])).toBeLessThan(LATER);
    expect(await removeRetries(world.context, { class: "Add" })).toMatchObject({ changed: 2 });
    expect(Object.keys(await members())).toEqual([member(2, { className: "Other" })]);
  });

  test.each(["run", "remove"] as const)("%s all of many, most of them due at the same instant", async (change) => {
    const count = 5_200;
    await wait(...range(count).map((n) => [n < 600 ? 5 : n < 5_000 ? LATER : LATER + n, member(n)] as const));
    const work = change === "run" ? runRetries : removeRetries;
    expect(await work(world.context, { all: true })).toEqual({ changed: count, missing: [] });
    const scores = Object.values(await members()).map(Number);
    expect(scores).toHaveLength(change === "run" ? count : 0);
    expect(scores.filter((score) => score >= LATER)).toEqual([]);
    if (change === "run") expect(scores.filter((score) => score === 5)).toHaveLength(600);
  });

  test("what comes to its queue meanwhile is missing, what comes new stays", async () => {
    await wait(...range(50).map((n) => [LATER + n, member(n)] as const));
    const { context } = world;
    let calls = 0;
    const client = {
      ...context.client,
      script: async (...call: Parameters<typeof context.client.script>) => {
        const reply = await context.client.script(...call);
        if (calls++ === 0)
          await world.send(["ZPOPMIN", world.keys.retries, 3], ["ZADD", world.keys.retries, 1, member(100)]);
        return reply;
      },
    };
    const ids = [1, 2, 3, 4].map((n) => `d1.${n}`);
    expect(await removeRetries({ ...context, client }, { ids })).toEqual({ changed: 2, missing: ["d1.1", "d1.2"] });
    expect(Object.keys(await members())).toHaveLength(46);
  });

  test.each(["run", "remove"] as const)(
    "%s all of those that were seen, whatever comes before them",
    async (change) => {
      await wait(...range(5).map((n) => [LATER + n, member(n)] as const));
      const { context } = world;
      let calls = 0;
      const client = {
        ...context.client,
        script: async (...call: Parameters<typeof context.client.script>) => {
          const reply = await context.client.script(...call);
          if (calls++ === 0) await wait([LATER - 1, member(100, { className: "New" })]);
          return reply;
        },
      };
      const work = change === "run" ? runRetries : removeRetries;
      const ids = range(5).map((n) => `d1.${n}`);
      expect(await work({ ...context, client }, { ids })).toEqual({ changed: 5, missing: [] });
      const later = Object.entries(await members()).filter(([, score]) => Number(score) >= LATER - 1);
      expect(later.map(([text]) => text)).toEqual([member(100, { className: "New" })]);
    },
  );

  test("one whose id is no UTF-8 holds up nobody", async () => {
    const strange = Buffer.from(member(1).replace("d1.1", "d1.\xff"), "latin1");
    await wait([LATER, strange], [LATER + 1, member(2)]);
    expect(await removeRetries(world.context, { all: true })).toMatchObject({ changed: 1 });
    expect(await countRetries(world.context)).toBe(1);
  });

  test("a removed one frees its unique lock, and its status says so", async () => {
    const { keys } = world;
    const text = '{"class":"Add","args":[1],"airlift":{"retries":1,"unique":"d0123456789ab","id":"job-1"}}';
    await wait([LATER, `${waitingEntry({ id: "d1.1", queue: "mail", attempt: 2 })}${text}}`]);
    await world.send(["SET", keys.lock("Add", "mail", "[1]"), "9999999999.d0123456789ab", "EX", 100]);
    await world.send(["SET", keys.job("job-1"), '{"queue":"mail","class":"Add","state":"retrying"}', "EX", 100]);
    await runRetries(world.context, { all: true });
    expect(await world.get(keys.lock("Add", "mail", "[1]"))).not.toBeNull();
    await removeRetries(world.context, { all: true });
    expect(await world.everything()).toEqual({
      [keys.job("job-1")]: { ttlMs: expect.any(Number), value: expect.stringContaining('"state":"discarded"') },
    });
  });

  test.each([
    [{}, /retries.run: expected ids, class, queue, or all: true/],
    [{ ids: [] }, /ids: expected 1 to 1000/],
    [{ ids: ["a"], all: true }, /expected ids or a filter, got both/],
    [{ all: 1 }, /all: expected true, or nothing/],
    [{ class: undefined, queue: "mail" }, /class: expected a value, or no such member, got undefined/],
    [{ error: "x" }, /unknown option "error"/],
  ])("refuse %o", async (selection, message) => {
    // Wrong on purpose.
    await expect(runRetries(world.context, selection as object)).rejects.toThrow(message);
  });
});
