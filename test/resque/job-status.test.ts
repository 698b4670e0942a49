import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createStatusPolicy } from "../../src/core/job-status.ts";
import type { Claim, Notes } from "../../src/core/store.ts";
import { writeStatuses } from "../../src/resque/generated/write-statuses.generated.ts";
import { checkJobId, newJobId, readStatuses } from "../../src/resque/job-status.ts";
import { failed, NOW_MS, ok, openWorld, payloads, released, slots, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

const status = createStatusPolicy({ ttlMs: 60_000, results: true }, []);
const job = (id: string): string => `{"class":"Noop","args":[],"airlift":{"id":"${id}"}}`;
const started = (...claims: readonly Claim[]): Notes => ({
  started: claims.map((claim) => ({ claim, startedMs: NOW_MS })),
  checkins: [],
});

describe.each(setups())("statuses in Redis over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const read = async (...ids: string[]) => readStatuses(world.client, world.keys, ids, { bigIntegers: "bigint" });
  const claim = async (...ids: string[]) => {
    await world.push("q", ...ids.map(job));
    const drain = world.drain({ status, slots: ids.length });
    const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(ids.length) });
    return { ...drain, claims };
  };

  test("a job that ends while its claim holds has the status of its end", async () => {
    const { store, claims } = await claim("a", "b", "c");
    const [a, b, c] = claims as [Claim, Claim, Claim];
    const times = { endedMs: NOW_MS, durationMs: 40 };
    const settle = [
      { ...ok(a), outcome: { kind: "ok", result: [1] } as const, ...times },
      { ...failed(b), ...times },
    ];
    const { lost } = await store.exchange({ seq: 2, attempt: 1, settle: [...settle, released(c)], fill: [] });
    expect(lost).toEqual([]);
    const ended = { queue: "q", class: "Noop", attempt: 1, startedMs: NOW_MS - 40, endedMs: NOW_MS, durationMs: 40 };
    expect(await read("a", "b", "c")).toEqual([
      { id: "a", state: "done", ...ended, worker: expect.stringContaining("-0:q"), result: [1] },
      {
        ...{ id: "b", state: "failed", ...ended, worker: expect.stringContaining("-1:q") },
        failure: { exception: "ArgumentError", message: "boom" },
      },
      { id: "c", state: "queued", queue: "q", class: "Noop" },
    ]);
  });

  test("the first status of a drain precedes its exchange, though Redis does not know the script yet", async () => {
    const { store, claims } = await claim("a");
    await world.send(["SCRIPT", "FLUSH"]);
    // Redis knows the exchange, and nothing else.
    await world.drain({ id: "other", queues: ["none"] }).store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    await store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
    expect(await read("a")).toMatchObject([{ state: "done" }]);
  });

  test("a late word of the start does not come after the end", async () => {
    const { store, own, claims } = await claim("a", "b");
    const [a, b] = claims as [Claim, Claim];
    await store.note(started(a, b));
    expect(await read("a", "b")).toMatchObject([{ state: "running" }, { state: "running" }]);
    // The end is written, the exchange behind it has not come yet: the slot still bears the claim.
    const call = (text: string, isFirst: 0 | 1) => ({
      script: writeStatuses,
      keys: [own.slots[a.slot] as string, world.keys.job("a")],
      args: [a.token, 60_000, isFirst, `"queue":"q","state":"${text}","claim":"${a.token}"}`],
    });
    expect(await world.client.script(call("done", 0))).toEqual([3, 1]);
    expect(await world.client.script(call("running", 1))).toEqual([2, 0]);
    await store.note(started(a));
    expect(await read("a")).toMatchObject([{ state: "done" }]);
    await store.exchange({ seq: 2, attempt: 1, settle: [ok(a), ok(b)], fill: [] });
    await store.note(started(a, b));
    expect(await read("a", "b")).toMatchObject([{ state: "done" }, { state: "done" }]);
  });

  test("a claim that was taken back writes nothing any more", async () => {
    const { store, claims } = await claim("a");
    await world.endLeases();
    const other = world.drain({ id: "other" });
    const { dead } = await other.store.survey();
    for (const each of dead) await other.store.recover(each);
    const before = await read("a");
    const { lost } = await store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
    expect(lost).toHaveLength(1);
    await store.note(started(...claims));
    expect(await read("a")).toEqual(before);
  });

  test("an exchange that was carried out, its reply lost, leaves the status as it is when it is repeated", async () => {
    const { store, claims } = await claim("a");
    await store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
    const before = await read("a");
    await world.push("q", job("a"));
    await store.exchange({ seq: 2, attempt: 2, settle: claims.map((each) => failed(each)), fill: [0] });
    expect(await read("a")).toEqual(before);
  });

  test("when it was enqueued is carried over, and nothing else of the status before", async () => {
    const { store, claims } = await claim("a", "b", "c");
    const at = world.keys;
    await world.send(
      ["SET", at.job("a"), '{"enqueuedMs":7,"queue":"q","state":"failed","failure":{}}'],
      ["SET", at.job("b"), '{"x":1,"enqueuedMs":7,"state":"failed"}'],
      ["RPUSH", at.job("c"), "none of ours"],
    );
    await store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
    const [a, b, c] = await read("a", "b", "c");
    expect(a).toMatchObject({ enqueuedMs: 7, state: "done" });
    expect(a).not.toHaveProperty("failure");
    expect(b?.enqueuedMs).toBeUndefined();
    expect(c).toMatchObject({ state: "done" });
  });

  test("closing says of jobs that it gives back that they are queued", async () => {
    const { store, claims } = await claim("a");
    await store.note(started(...claims));
    expect(await store.close()).toEqual({ released: 1 });
    expect(await read("a")).toMatchObject([{ state: "queued" }]);
    expect(await world.queued("q")).toEqual([job("a")]);
  });

  test("jobs without an id, and drains without the option, write none", async () => {
    await world.push("q", ...payloads(1), job("a"));
    const { store } = world.drain({ slots: 2 });
    const { claims } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0, 1] });
    await store.note(started(...claims));
    await store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
    await store.close();
    expect((await world.keyNames()).filter((name) => name.startsWith(world.keys.job("")))).toEqual([]);
  });
});

describe("ids", () => {
  test("are UUIDs of version 7", () => {
    const ids = Array.from({ length: 200 }, () => newJobId(NOW_MS));
    for (const id of ids) {
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
      expect(Number.parseInt(id.slice(0, 13).replace("-", ""), 16)).toBe(NOW_MS);
      checkJobId("id", id);
    }
    expect(new Set(ids).size).toBe(200);
  });

  test("may be anything that stands in a key, an address and a payload", () => {
    for (const id of ["a", "order:17", "A-b_c.d", "x".repeat(100)]) expect(() => checkJobId("id", id)).not.toThrow();
  });
});
