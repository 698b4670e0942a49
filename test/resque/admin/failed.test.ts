import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clearFailed, removeFailed, retryFailed } from "../../../src/resque/admin/change-failed.ts";
import { listFailed } from "../../../src/resque/admin/failed.ts";
import { listFailedLists } from "../../../src/resque/admin/failed-lists.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, bytesOf, idOf, openAdminWorld } from "./admin-world.ts";
import { BAD_ENTRIES, payloadIn, WRITERS } from "./failed-entries.ts";

const MARK = ',"retried_at":"2026/11/20 18:50:57 UTC"}';
const marked = (entry: string): string => bytesOf(`${entry.slice(0, -1)}${MARK}`);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const all = Object.values(WRITERS).map((write) => write(1));
const binary = Buffer.from(
  '{"failed_at":"2026/11/20 19:47:48 UTC","payload":{"class":"Bin","args":["\xff\xfe"]},"exception":"E","error":"\xe9","backtrace":[],"worker":"vm:1:q","queue":"mail"}',
  "latin1",
);

describe.each(setups())("failed jobs over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  describe("list", () => {
    test("reads the entries of every program, newest first", async () => {
      await world.fail(all);
      const page = await listFailed(world.context);
      expect(page).toMatchObject({ total: 4, next: undefined });
      expect(page.jobs.map(({ raw }) => raw)).toEqual(all.toReversed());
      expect(page.jobs.map(({ id }) => id)).toEqual(all.toReversed().map(idOf));
      const [airlift, node, goworker, ruby] = page.jobs;
      expect(ruby).toEqual({
        id: idOf(all[0] as string),
        raw: all[0],
        bytes: (all[0] as string).length,
        isAbridged: false,
        class: "Boom",
        args: [1, "hi", { k: [] }, 1, 12345678901234567890n],
        queue: "mail",
        exception: "ArgumentError",
        error: 'boom: bad "thing"',
        backtrace: ["jobs.rb:3:in `perform'"],
        worker: "vm:7017:bench",
        failedAt: "2026/11/20 19:47:48 UTC",
        failedAtMs: Date.UTC(2026, 10, 20, 19, 47, 48),
      });
      expect(goworker).toMatchObject({
        class: "Sleep",
        args: [1, "<&>"],
        failedAtMs: expect.any(Number),
        queue: "bench",
      });
      expect(goworker).not.toHaveProperty("backtrace");
      expect(node).toMatchObject({
        class: "Add",
        error: 'x,"payload":{}',
        failedAtMs: Date.UTC(2026, 10, 20, 19, 49, 18),
      });
      expect(airlift).toMatchObject({ class: "Mail::Send", args: [1] });
    });

    test.each(["newest", "oldest"] as const)("pages through, %s first, each entry once", async (order) => {
      const entries = range(23).map(WRITERS.ruby);
      await world.fail(entries);
      const seen: string[] = [];
      let cursor: number | undefined;
      do {
        const page = await listFailed(world.context, { order, limit: 5, ...(cursor !== undefined && { cursor }) });
        seen.push(...page.jobs.map(({ raw }) => raw));
        cursor = page.next;
        // What fails meanwhile does not shift the pages.
        await world.fail([WRITERS.node(seen.length)]);
      } while (cursor !== undefined && seen.length < 23);
      expect(seen.slice(0, 23)).toEqual(order === "newest" ? entries.toReversed() : entries);
    });

    test("one bad item never fails a page", async () => {
      await world.fail([...BAD_ENTRIES, binary, all[0] as string]);
      const { jobs } = await listFailed(world.context, { order: "oldest" });
      expect(jobs).toHaveLength(BAD_ENTRIES.length + 2);
      expect(jobs.map(({ id }) => id)).toEqual([...BAD_ENTRIES, binary, all[0] as string].map(idOf));
      // The last three but one are jobs; two of them cannot be retried, as nobody knows into which queue.
      expect(jobs.filter(({ problem }) => problem).map(({ raw }) => raw)).toEqual(
        BAD_ENTRIES.filter((entry) => !/"payload":\{"class":"A","args":\[\]\}/.test(entry)),
      );
      expect(jobs.at(-2)).toMatchObject({ class: "Bin", args: ["\uFFFD\uFFFD"], error: "\uFFFD" });
      expect(JSON.stringify(jobs.map(({ args: _, ...job }) => job))).not.toBe("");
    });

    test("an entry of more than 1 MB shows without its long members", async () => {
      const huge = `{"failed_at":"2026/11/20 19:47:48 UTC","payload":{"class":"Huge","args":["${"x".repeat(1_000_000)}"]},"exception":"E","error":"short","backtrace":["a","b"],"worker":"vm:1:q","queue":"mail"}`;
      await world.fail([huge, "y".repeat(1_000_001)]);
      const { jobs } = await listFailed(world.context, { order: "oldest" });
      expect(jobs[0]).toMatchObject({
        id: idOf(huge),
        bytes: huge.length,
        isAbridged: true,
        class: "Huge",
        error: "short",
        queue: "mail",
      });
      expect(jobs[0]).not.toHaveProperty("args");
      expect(jobs[1]).toMatchObject({ isAbridged: true, problem: expect.any(String) });
      expect(JSON.stringify(jobs).length).toBeLessThan(5_000);
      expect(await retryFailed(world.context, { ids: [idOf(huge)] })).toMatchObject({ retried: 1 });
      expect(await world.queued("mail")).toEqual([payloadIn(huge)]);
    });

    test("a page of large entries is short, and the next one goes on", async () => {
      const entries = range(6).map((n) => WRITERS.ruby(n).replace('"hi"', `"${"x".repeat(900_000)}"`));
      await world.fail(entries);
      const first = await listFailed(world.context);
      expect(first.jobs.length).toBeGreaterThan(0);
      expect(first.jobs.length).toBeLessThan(6);
      const second = await listFailed(world.context, { cursor: first.next as number });
      expect([...first.jobs, ...second.jobs].map(({ raw }) => raw)).toEqual(entries.toReversed());
    });

    test.each([
      [{ class: "Boom" }, ["ruby"]],
      [{ class: "Mail::Send" }, ["airlift"]],
      [{ class: "Boo" }, []],
      [{ queue: "bench" }, ["goworker"]],
      [{ queue: "mail", class: "Add" }, ["node"]],
      [{ error: 'BAD "thing"' }, ["ruby"]],
      [{ error: "ror: boom" }, ["ruby"]],
      [{ error: "Error:" }, ["airlift", "node", "goworker", "ruby"]],
      [{ error: "timeout" }, ["airlift"]],
      [{ error: 'x,"payload"' }, ["node"]],
      [{ since: Date.UTC(2026, 10, 20, 19, 49, 18) }, ["node", "goworker"]],
      [{ until: new Date(Date.UTC(2026, 10, 20, 19, 49, 18)) }, ["airlift", "ruby"]],
      [{ since: Date.UTC(2026, 10, 20, 19), until: Date.UTC(2026, 10, 20, 20) }, ["node", "ruby"]],
      [{ retried: true }, []],
      [{ retried: false, queue: "bench" }, ["goworker"]],
    ] as const)("by %o shows %o", async (filter, writers) => {
      await world.fail([...all, "not json", "{}"]);
      const { jobs } = await listFailed(world.context, filter);
      expect(jobs.filter(({ problem }) => !problem).map(({ raw }) => raw)).toEqual(
        writers.map((name) => WRITERS[name](1)),
      );
    });

    test("a Rails job is found by the class that it wraps", async () => {
      const rails =
        '{"failed_at":"2026/11/20 19:47:48 UTC","payload":{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"GreetJob","arguments":["ada"]}]},"exception":"E","error":"e","backtrace":[],"worker":"vm:1:q","queue":"mail"}';
      await world.fail([rails]);
      expect((await listFailed(world.context, { class: "GreetJob" })).jobs).toMatchObject([
        { class: "GreetJob", args: ["ada"] },
      ]);
    });

    test.each([
      [{ limit: 0 }, /failed.list: limit: expected an integer from 1 to 1000, got 0/],
      [{ limit: 1_001 }, /limit/],
      [{ limit: 1.5 }, /limit/],
      [{ cursor: -1 }, /cursor: expected an integer from 0, got -1/],
      [{ order: "up" }, /order: expected "newest" or "oldest", got "up"/],
      [{ class: "" }, /class: expected a text that is not empty, got ""/],
      [{ since: Number.NaN }, /since: expected an instant/],
      [{ until: null }, /until: expected an instant in ms since the epoch, or a Date, got null/],
      [{ since: "2026" }, /since: expected an instant in ms since the epoch, or a Date, got "2026"/],
      [{ until: new Date("x") }, /until: expected an instant/],
      [{ retried: "yes" }, /retried: expected true or false, got "yes"/],
      [{ klass: "A" }, /unknown option "klass"; expected list, order/],
      [{ list: "queue:mail" }, /list: expected "failed" or one of those in failed_queues, got "queue:mail"/],
      [{ list: "mail_failed" }, /list: expected/],
    ])("refuses %o", async (options, message) => {
      // Wrong on purpose.
      await expect(listFailed(world.context, options as object)).rejects.toThrow(message);
    });
  });

  describe("retry", () => {
    test.each(Object.entries(WRITERS))(
      "%s's: the payload's bytes go to its queue, the entry is marked",
      async (_, write) => {
        const entry = write(7);
        await world.fail([write(6), entry, write(8)]);
        expect(await retryFailed(world.context, { ids: [idOf(entry)] })).toEqual({
          retried: 1,
          missing: [],
          refused: 0,
          refusals: [],
          next: undefined,
        });
        const { queue } = JSON.parse(entry) as { queue: string };
        expect(await world.queued(queue)).toEqual([payloadIn(entry)]);
        expect(await world.list(world.keys.failed)).toEqual([write(6), marked(entry), write(8)].map(bytesOf));
        expect((await world.everything())[world.keys.queues]).toEqual({ [queue]: true });
        expect((await listFailed(world.context, { retried: true })).jobs).toMatchObject([
          { retriedAt: "2026/11/20 18:50:57 UTC", retriedAtMs: Date.UTC(2026, 10, 20, 18, 50, 57) },
        ]);
      },
    );

    test("bytes that are no UTF-8 stay as they are", async () => {
      await world.fail([binary]);
      expect(await retryFailed(world.context, { ids: [idOf(binary)] })).toMatchObject({ retried: 1 });
      expect(await world.list(world.keys.queue("mail"))).toEqual(['{"class":"Bin","args":["\xff\xfe"]}']);
      expect(await world.list(world.keys.failed)).toEqual([`${binary.toString("latin1").slice(0, -1)}${MARK}`]);
    });

    test("members apart by white space, an old mark, members of one name", async () => {
      const odd =
        ' { "queue" : "mail" , "payload" :  {"class":"A" , "args":[ ]}  , "retried_at" : "2020/01/01 00:00:00 UTC" , "exception":"E" } \n';
      const twice = '{"payload":{"class":"No"},"queue":"no","payload":{"class":"A"},"queue":"mail"}';
      await world.fail([odd, twice]);
      expect(await retryFailed(world.context, { ids: [idOf(odd), idOf(twice)] })).toMatchObject({ retried: 2 });
      expect(await world.queued("mail")).toEqual(['{"class":"A" , "args":[ ]}', '{"class":"A"}']);
      expect(await world.list(world.keys.failed)).toEqual([
        odd.replace("2020/01/01 00:00:00", "2026/11/20 18:50:57"),
        `${twice.slice(0, -1)}${MARK}`,
      ]);
    });

    test("a second time finds nothing: the entry is another now", async () => {
      const entry = WRITERS.ruby(1);
      await world.fail([entry]);
      await retryFailed(world.context, { ids: [idOf(entry)] });
      expect(await retryFailed(world.context, { ids: [idOf(entry)] })).toMatchObject({
        retried: 0,
        missing: [idOf(entry)],
      });
      expect(await retryFailed(world.context, { all: true })).toMatchObject({ retried: 0, missing: [] });
      expect(await retryFailed(world.context, { queue: "mail" })).toMatchObject({ retried: 0 });
      expect(await world.queued("mail")).toHaveLength(1);
      const [again] = (await listFailed(world.context)).jobs;
      expect(await retryFailed(world.context, { ids: [again?.id as string] })).toMatchObject({ retried: 1 });
      expect(await world.queued("mail")).toHaveLength(2);
    });

    test("those that were retried before are retried once more if it is asked for", async () => {
      const before = marked(WRITERS.ruby(1)).replace("18:50:57", "10:00:00");
      await world.fail([before, WRITERS.ruby(2)]);
      expect(await retryFailed(world.context, { retried: true })).toMatchObject({ retried: 1 });
      expect(await world.queued("mail")).toEqual([payloadIn(WRITERS.ruby(1))]);
      expect(await world.list(world.keys.failed)).toEqual([marked(WRITERS.ruby(1)), WRITERS.ruby(2)]);
    });

    test("by the first digits of an id; of entries that are alike, one", async () => {
      await world.fail(Array(3).fill(WRITERS.ruby(1)) as string[]);
      const start = idOf(WRITERS.ruby(1)).slice(0, 12);
      expect(await retryFailed(world.context, { ids: [start] })).toMatchObject({ retried: 1, missing: [] });
      expect(await world.queued("mail")).toHaveLength(1);
      expect((await world.list(world.keys.failed)).filter((entry) => entry.includes("retried_at"))).toHaveLength(1);
      expect(await retryFailed(world.context, { class: "Boom" })).toMatchObject({ retried: 2 });
      expect(await world.queued("mail")).toHaveLength(3);
    });

    test("by filter; the others stay as they are", async () => {
      await world.fail([...all, ...range(5).map((n) => WRITERS.node(n + 10)), "not json"]);
      expect(await retryFailed(world.context, { class: "Add", error: "payload" })).toMatchObject({
        retried: 6,
        refused: 0,
      });
      const expected = [WRITERS.node(1), ...range(5).map((n) => WRITERS.node(n + 10))];
      expect(await world.queued("mail")).toEqual(expected.map(payloadIn));
      expect((await world.list(world.keys.failed)).filter((entry) => entry.includes("retried_at"))).toEqual(
        expected.map(marked),
      );
    });

    test("all: what is no job is refused and told, and stays", async () => {
      await world.fail([...BAD_ENTRIES, ...all]);
      const result = await retryFailed(world.context, { all: true });
      expect(result).toMatchObject({ retried: 4, refused: BAD_ENTRIES.length });
      expect(new Set(result.refusals.map(({ id }) => id))).toEqual(new Set(BAD_ENTRIES.map(idOf)));
      expect((await world.list(world.keys.failed)).slice(0, BAD_ENTRIES.length)).toEqual(BAD_ENTRIES.map(bytesOf));
      expect([...(await world.queued("mail")), ...(await world.queued("bench"))].toSorted()).toEqual(
        all.map(payloadIn).toSorted(),
      );
      const [bad = ""] = BAD_ENTRIES;
      expect(await retryFailed(world.context, { ids: [idOf(bad)] })).toMatchObject({
        retried: 0,
        missing: [],
        refused: 1,
      });
    });

    test("to another queue", async () => {
      await world.fail([WRITERS.ruby(1), '{"payload":{"class":"A","args":[]}}']);
      expect(await retryFailed(world.context, { all: true, toQueue: "other é" })).toMatchObject({ retried: 2 });
      expect(await world.queued("other é")).toEqual([payloadIn(WRITERS.ruby(1)), '{"class":"A","args":[]}']);
      expect(await world.queued("mail")).toEqual([]);
    });

    test("ends with the list as it was at the start, whatever fails meanwhile", async () => {
      await world.fail(range(1_100).map(WRITERS.ruby));
      const { context } = world;
      // Each job that is retried fails again at once.
      const client = {
        ...context.client,
        script: async (...call: Parameters<typeof context.client.script>) => {
          const reply = await context.client.script(...call);
          await world.fail(range(50).map((n) => WRITERS.node(n)));
          return reply;
        },
      };
      expect(await retryFailed({ ...context, client }, { all: true })).toMatchObject({ retried: 1_100 });
      expect(await world.queued("mail")).toHaveLength(1_100);
    });

    test("stops at the deadline, and goes on from there", async () => {
      await world.fail(range(1_200).map(WRITERS.ruby));
      const first = await retryFailed(world.context, { all: true, deadlineMs: 0 });
      expect(first.retried).toBe(1_000);
      const second = await retryFailed(world.context, { all: true, cursor: first.next as number });
      expect(second).toMatchObject({ retried: 200, next: undefined });
      expect(new Set(await world.queued("mail")).size).toBe(1_200);
    });

    test.each([
      [{ class: undefined, queue: "mail" }, /class: expected a value, or no such member, got undefined/],
      // As the time at which an epoch begins it would mean all of them.
      [{ since: null }, /failed.retry: since: expected an instant/],
      [{}, /failed.retry: expected ids, a filter \(class, queue, error, since, until, retried\), or all: true/],
      [{ list: "failed" }, /expected ids, a filter/],
      [{ ids: [] }, /ids: expected 1 to 1000/],
      [{ ids: ["abc"] }, /ids: expected 12 to 40 digits 0-9 a-f, got "abc"/],
      [{ ids: ["0".repeat(40)], class: "A" }, /expected ids or a filter, got both/],
      [{ ids: ["0".repeat(40)], all: true }, /expected ids or a filter, got both/],
      [{ all: false }, /all: expected true, or nothing, got false/],
      [{ index: 3 }, /unknown option "index"/],
      [{ all: true, toQueue: "" }, /toQueue: expected a text/],
    ])("refuses %o", async (selection, message) => {
      await world.fail([WRITERS.ruby(1)]);
      // Wrong on purpose.
      await expect(retryFailed(world.context, selection as object)).rejects.toThrow(message);
      expect(await world.queued("mail")).toEqual([]);
    });
  });

  describe("remove", () => {
    test("by id: that entry alone, one of those that are alike, binary or broken", async () => {
      await world.fail([WRITERS.ruby(1), "not json", binary, WRITERS.ruby(1), WRITERS.ruby(2)]);
      const ids = [WRITERS.ruby(1), "not json", binary].map(idOf);
      expect(await removeFailed(world.context, { ids })).toEqual({ removed: 3, missing: [], next: undefined });
      expect(await world.list(world.keys.failed)).toEqual([WRITERS.ruby(1), WRITERS.ruby(2)]);
      expect(await removeFailed(world.context, { ids: [idOf(binary)] })).toMatchObject({
        removed: 0,
        missing: [idOf(binary)],
      });
    });

    test("by filter, all that are alike", async () => {
      await world.fail([...all, ...all, "not json", WRITERS.ruby(2), WRITERS.ruby(1)]);
      expect(await removeFailed(world.context, { class: "Boom" })).toMatchObject({ removed: 4 });
      expect(await world.list(world.keys.failed)).toEqual([...all.slice(1), ...all.slice(1), "not json"]);
    });

    test("all, in batches; and clear, at once", async () => {
      await world.fail(range(1_700).map((n) => WRITERS.ruby(n % 600)));
      expect(await removeFailed(world.context, { all: true })).toMatchObject({ removed: 1_700 });
      expect(await world.list(world.keys.failed)).toEqual([]);
      await world.fail(all);
      expect(await clearFailed(world.context)).toEqual({ removed: 4 });
      expect(await clearFailed(world.context)).toEqual({ removed: 0 });
      expect(await world.keyNames()).toEqual([]);
    });

    test("half of a long list", async () => {
      await world.fail(range(2_400).map((n) => (n % 2 === 0 ? WRITERS.ruby(n) : WRITERS.node(n))));
      expect(await removeFailed(world.context, { class: "Add" })).toMatchObject({ removed: 1_200 });
      expect(await world.list(world.keys.failed)).toEqual(range(1_200).map((n) => WRITERS.ruby(2 * n)));
    });
  });

  test("the lists of Ruby's multi-queue backend are lists as the other", async () => {
    await world.send(["SADD", world.keys.failedQueues, "mail_failed", "a:b_failed"]);
    await world.fail([WRITERS.ruby(1), WRITERS.ruby(2)], "resque:mail_failed");
    await world.fail([WRITERS.node(1)], "resque:a:b_failed");
    expect(await listFailedLists(world.context)).toEqual([
      { name: "failed", size: 0 },
      { name: "a:b_failed", size: 1 },
      { name: "mail_failed", size: 2 },
    ]);
    const list = "mail_failed";
    expect((await listFailed(world.context, { list })).jobs).toHaveLength(2);
    expect(await retryFailed(world.context, { list, ids: [idOf(WRITERS.ruby(2))] })).toMatchObject({ retried: 1 });
    expect(await world.list("resque:mail_failed")).toEqual([WRITERS.ruby(1), marked(WRITERS.ruby(2))]);
    expect(await removeFailed(world.context, { list, retried: true })).toMatchObject({ removed: 1 });
    expect(await clearFailed(world.context, list)).toEqual({ removed: 1 });
    expect((await listFailed(world.context, { list: "a:b_failed" })).total).toBe(1);
  });
});
