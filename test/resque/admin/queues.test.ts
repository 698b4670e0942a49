import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clearQueue, removeQueue, removeQueuedJobs } from "../../../src/resque/admin/change-queue.ts";
import { listQueues, peekQueue } from "../../../src/resque/admin/queues.ts";
import { readStatus } from "../../../src/resque/status.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, bytesOf, idOf, openAdminWorld } from "./admin-world.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const job = (n: number, className = "Add"): string => `{"class":"${className}","args":[${n}]}`;
const binary = Buffer.from('{"class":"Bin","args":["\xff"]}', "latin1");
const BAD = ["not json", "null", '"text"', '{"class":1}', '{"class":"A","args":{}}', ""];

describe.each(setups())("queues over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  test("are listed with their sizes, by name, a page at a time", async () => {
    await world.push("b", job(1), job(2));
    await world.push("é:a", job(1));
    await world.push("a", job(1));
    await world.send(["DEL", world.keys.queue("a")], ["SET", world.keys.queuePause("b"), ""]);
    const queues = [
      { name: "a", size: 0, paused: false },
      { name: "b", size: 2, paused: true },
      { name: "é:a", size: 1, paused: false },
    ];
    expect(await listQueues(world.context)).toEqual({ total: 3, queues, next: undefined });
    expect(await listQueues(world.context, { limit: 2 })).toEqual({ total: 3, queues: queues.slice(0, 2), next: 2 });
    expect(await listQueues(world.context, { offset: 2 })).toEqual({
      total: 3,
      queues: queues.slice(2),
      next: undefined,
    });
    expect(await listQueues(world.context, { offset: 3 })).toEqual({ total: 3, queues: [], next: undefined });
    await world.flush();
    expect(await listQueues(world.context)).toEqual({ total: 0, queues: [], next: undefined });
  });

  test("are listed though the key of one is no list", async () => {
    await world.push("a", job(1));
    await world.push("wrong", job(1));
    await world.send(["SET", world.keys.queue("wrong"), "x"], ["SET", world.keys.queuePause("a"), "true"]);
    const queues = [
      { name: "a", size: 1, paused: true },
      { name: "wrong", size: 0, paused: false },
    ];
    expect((await listQueues(world.context)).queues).toEqual(queues);
    const status = await readStatus(world.client, world.keys);
    expect(status).toMatchObject({ queues, workers: 0, working: 0 });
    await world.send(["SADD", world.keys.workers, "vm:1:a"], ["SET", world.keys.worker("vm:1:a"), "{}"]);
    expect(await readStatus(world.client, world.keys)).toMatchObject({ queues, workers: 1, working: 1 });
  });

  test("show their jobs, the next one first, and take none", async () => {
    const payloads = [
      job(1),
      '{"class":"Add","args":[12345678901234567890],"queue":"q","airlift":{"crashes":1,"retries":2}}',
      '{"class":"NoArgs"}',
    ];
    await world.push("q", ...payloads);
    const { total, jobs, next } = await peekQueue(world.context, "q");
    expect({ total, next }).toEqual({ total: 3, next: undefined });
    expect(jobs[0]).toEqual({
      id: idOf(job(1)),
      raw: job(1),
      bytes: 26,
      isAbridged: false,
      attempt: 1,
      class: "Add",
      args: [1],
    });
    expect(jobs[1]).toMatchObject({ attempt: 4, args: [12345678901234567890n] });
    expect(jobs[2]).toMatchObject({ class: "NoArgs", args: [] });
    expect((await peekQueue(world.context, "q", { offset: 1, limit: 1 })).next).toBe(2);
    expect(await world.queued("q")).toEqual(payloads);
    expect(await peekQueue(world.context, "nothing")).toEqual({ total: 0, jobs: [], next: undefined });
  });

  test("one bad payload never fails a page", async () => {
    const huge = `{"class":"Huge","args":["${"x".repeat(1_000_000)}"]}`;
    await world.push("q", ...BAD, binary, huge, job(1));
    const { jobs } = await peekQueue(world.context, "q");
    expect(jobs.map(({ id }) => id)).toEqual([...BAD, binary, huge, job(1)].map(idOf));
    expect(jobs.filter(({ problem }) => problem).map(({ raw }) => raw)).toEqual(BAD);
    expect(jobs.slice(-3)).toMatchObject([
      { class: "Bin", args: ["\uFFFD"] },
      { class: "Huge", isAbridged: true, bytes: huge.length },
      { class: "Add", args: [1] },
    ]);
    expect(jobs.at(-2)).not.toHaveProperty("args");
  });

  test("lose the jobs of a class, whoever wrote them; the others keep their order", async () => {
    const rails =
      '{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"Add","arguments":[1]}]}';
    const others = [job(1, "Other"), ...BAD, job(2, "Adder")];
    await world.push(
      "q",
      job(1),
      ...others.slice(0, 3),
      '{"class":"Add","queue":"q","args":[2]}',
      rails,
      ...others.slice(3),
      job(1),
    );
    expect(await removeQueuedJobs(world.context, "q", { class: "Add" })).toEqual({ removed: 4, missing: [] });
    expect(await world.queued("q")).toEqual(others);
  });

  test("lose the jobs of a class with these args, in whatever bytes they stand", async () => {
    const same = [
      '{"class":"Add","args":[1,{"a":"é"}]}',
      '{ "args" : [1.0, {"a":"\\u00e9"}], "class":"Add"}',
      '{"class":"Add","queue":"q","args":[1,{"a":"é"}]}',
    ];
    const swapped = [
      '{"class":"Add","args":[{"b":1.0e+16,"a":[]}]}',
      '{"class":"Add","args":[{"a":[],"b":10000000000000000}]}',
    ];
    const others = [
      '{"class":"Add","args":[1]}',
      '{"class":"Add","args":[1,{"a":"e"}]}',
      '{"class":"Add","args":[1e400]}',
      '{"class":"Add","args":[{"a":[],"b":10000000000000001}]}',
    ];
    await world.push("q", ...same, ...swapped, ...others, same[0] as string);
    expect(await removeQueuedJobs(world.context, "q", { class: "Add", args: [1, { a: "é" }] })).toMatchObject({
      removed: 4,
    });
    expect(await world.queued("q")).toEqual([...swapped, ...others]);
    const args = [{ a: [], b: 1e16 }];
    expect(await removeQueuedJobs(world.context, "q", { class: "Add", args })).toMatchObject({ removed: 2 });
    expect(await world.queued("q")).toEqual(others);
  });

  test("lose jobs by their ids: one of those that are alike, binary ones, broken ones", async () => {
    await world.push("q", job(1), binary, "not json", job(1), job(2));
    const ids = [job(1), binary, "not json"].map(idOf);
    expect(await removeQueuedJobs(world.context, "q", { ids: [...ids, "f".repeat(40)] })).toEqual({
      removed: 3,
      missing: ["f".repeat(40)],
    });
    expect((await world.queued("q")).toSorted()).toEqual([job(1), job(2)]);
  });

  test("lose them while workers take jobs from the head and give some back", async () => {
    const count = 6_000;
    await world.push("q", ...range(count).map((n) => job(n, n % 3 === 0 ? "Add" : "Keep")));
    const { context } = world;
    const taken: string[] = [];
    const client = {
      ...context.client,
      script: async (...call: Parameters<typeof context.client.script>) => {
        const reply = await context.client.script(...call);
        const [jobs] = await world.send(["LPOP", world.keys.queue("q"), 30]);
        const texts = ((jobs ?? []) as Uint8Array[]).map((text) => Buffer.from(text).toString());
        taken.push(...texts.slice(0, 10));
        await world.send(["LPUSH", world.keys.queue("q"), ...texts.slice(10).toReversed()]);
        await world.push("q", job(count + taken.length, "Keep"));
        return reply;
      },
    };
    await removeQueuedJobs({ ...context, client }, "q", { class: "Add" });
    const left = await world.queued("q");
    expect(left.filter((text) => text.includes("Add"))).toEqual([]);
    // What neither was removed nor taken is there, once.
    const kept = new Set([...left, ...taken]);
    expect(range(count).filter((n) => n % 3 !== 0 && !kept.has(job(n, "Keep")))).toEqual([]);
    expect(new Set(left).size).toBe(left.length);
  });

  test("lose all of them, however many jobs producers add between a look and the removal", async () => {
    const { context, keys } = world;
    const removeWhileAdding = async (added: number, ...of: readonly string[]): Promise<unknown> => {
      let calls = 0;
      const client = {
        ...context.client,
        script: async (...call: Parameters<typeof context.client.script>) => {
          const reply = await context.client.script(...call);
          if (calls++ === 0) await world.push("q", ...range(added).map((n) => job(100 + n, "Keep")));
          return reply;
        },
      };
      await world.send(["DEL", keys.queue("q")]);
      await world.push("q", ...range(3).map((n) => job(n)));
      const selection = of.length > 0 ? { ids: of } : { class: "Add" };
      return removeQueuedJobs({ ...context, client }, "q", selection);
    };
    expect(await removeWhileAdding(1)).toEqual({ removed: 3, missing: [] });
    expect(await removeWhileAdding(7)).toEqual({ removed: 3, missing: [] });
    expect(await removeWhileAdding(2, idOf(job(0)), idOf(job(2)))).toEqual({ removed: 2, missing: [] });
    expect(await world.queued("q")).toEqual([job(1), job(100, "Keep"), job(101, "Keep")]);
  });

  test("are cleared, and removed with their names", async () => {
    await world.push("q", ...range(3).map((n) => job(n)));
    await world.push("other", job(1));
    expect(await clearQueue(world.context, "q")).toEqual({ removed: 3 });
    expect(await clearQueue(world.context, "q")).toEqual({ removed: 0 });
    expect(await world.everything()).toEqual({
      "resque:queues": { q: true, other: true },
      "resque:queue:other": [job(1)],
    });
    await world.push("q", ...range(12_000).map((n) => job(n)));
    expect(await removeQueue(world.context, "q")).toEqual({ removed: 12_000 });
    expect(await world.everything()).toEqual({ "resque:queues": { other: true }, "resque:queue:other": [job(1)] });
  });

  test("what is removed frees its unique locks, and its status says so; what is not keeps them", async () => {
    const { keys } = world;
    const unique = (n: number): string =>
      `{"class":"Add","args":[${n}],"airlift":{"unique":"d00000000000${n}","id":"job-${n}"}}`;
    const until = Math.floor(Date.now() / 1_000) + 3_600;
    const lock = (n: number): string => keys.lock("Add", "q", `[${n}]`);
    for (const n of range(6)) {
      await world.push("q", unique(n));
      await world.send(["SET", lock(n), `${until}.d00000000000${n}`, "EX", 3600]);
      await world.send(["SET", keys.job(`job-${n}`), `{"queue":"q","class":"Add","state":"queued"}`, "EX", 3600]);
    }
    const held = async (): Promise<number[]> => {
      const locks = await Promise.all(range(6).map((n) => world.get(lock(n))));
      return range(6).filter((n) => locks[n] !== null);
    };
    await removeQueuedJobs(world.context, "q", { ids: [idOf(unique(0))] });
    expect(await held()).toEqual([1, 2, 3, 4, 5]);
    await removeQueuedJobs(world.context, "q", { class: "Add", args: [1] });
    expect(await held()).toEqual([2, 3, 4, 5]);
    expect(JSON.parse((await world.get(keys.job("job-1"))) as string)).toEqual({
      ...{ queue: "q", class: "Add", state: "discarded", reason: "removed before it ran" },
    });
    await world.send(["LREM", keys.queue("q"), 1, unique(5)]);
    await clearQueue(world.context, "q");
    expect(await held()).toEqual([5]);
    expect((await world.get(keys.job("job-5"))) as string).toContain("queued");
    expect((await world.everything())[keys.job("job-4")]).toMatchObject({ ttlMs: expect.any(Number) });
  });

  test.each([
    ["q", {}, /queues.removeJobs: expected ids or a class, got neither/],
    ["q", { ids: ["0".repeat(40)], class: "A" }, /expected ids or a class, got both/],
    ["q", { ids: ["0".repeat(40)], args: [1] }, /args: expected with a class only/],
    ["q", { class: "" }, /class: expected a text that is not empty/],
    ["q", { class: "A", args: "x" }, /args: expected an array/],
    ["q", { class: "A", args: undefined }, /args: expected a value, or no such member, got undefined/],
    ["q", { all: true }, /unknown option "all"; expected ids, class, args/],
    ["", { class: "A" }, /queue: expected a text that is not empty, got ""/],
  ])("refuse to remove from %j %o", async (queue, selection, message) => {
    // Wrong on purpose.
    await expect(removeQueuedJobs(world.context, queue, selection as object)).rejects.toThrow(message);
  });

  test("list the bytes of what is no UTF-8 as they are elsewhere", async () => {
    await world.push("q", binary);
    await removeQueuedJobs(world.context, "q", { ids: [idOf("other")] });
    expect(await world.list(world.keys.queue("q"))).toEqual([bytesOf(binary)]);
  });
});
