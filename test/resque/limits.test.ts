import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LimitOptions } from "../../src/core/limit.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Settlement } from "../../src/core/store.ts";
import { JOB_WRAPPER_CLASS } from "../../src/resque/active-job-wrapper.ts";
import {
  failed,
  ok,
  openWorld,
  payload,
  raws,
  slots,
  type TestDrainOptions,
  type World,
} from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type LimitedDrain, MINUTE_MS, openLimited, send, sends } from "./limited-drain.ts";

/** As Rails writes it. */
const railsJob = (jobClass: string, ...args: unknown[]): string =>
  JSON.stringify({ class: JOB_WRAPPER_CLASS, args: [{ job_class: jobClass, job_id: "1", arguments: args }] });

describe.each(setups())("limits over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  const isReal = kind.server === "redis-server";

  const open = (limit: LimitOptions, options?: TestDrainOptions): LimitedDrain => openLimited(world, limit, options);
  const running = async (): Promise<Record<string, string>> =>
    ((await world.everything())[world.keys.running] ?? {}) as Record<string, string>;
  /** As if all that was started had been started so much earlier. */
  const age = async (ms: number): Promise<void> => {
    const starts = (await world.everything())[world.keys.starts] as { value: Record<string, string> };
    for (const [name, text] of Object.entries(starts.value)) {
      if (name === "until") continue;
      const [periodMs, ...list] = JSON.parse(text) as number[];
      const older = list.map((value, i) => (i % 2 === 0 ? value - ms : value));
      await world.send(["HSET", world.keys.starts, name, JSON.stringify([periodMs, ...older])]);
    }
  };

  describe("running at once", () => {
    test("a place is held by a job in a slot, whatever the drain, and is given back with it", async () => {
      const [a, b] = [open({ running: 3 }), open({ running: 3 })];
      await world.push("q", ...sends(6));
      const first = await a.fill(2);
      const second = await b.fill(4);
      expect(raws([...first.claims, ...second.claims])).toEqual(sends(3));
      expect([first, second]).toMatchObject([
        { isLimited: false, isDrained: false },
        { isLimited: true, isDrained: true, freesInMs: undefined },
      ]);
      const [idA, idB] = [a.description.id, b.description.id];
      expect(await running()).toEqual({ [`${idA}.0`]: "Send\n", [`${idA}.1`]: "Send\n", [`${idB}.0`]: "Send\n" });
      expect((await a.fill(2, 2)).claims).toEqual([]);
      await a.settle(first.claims.slice(0, 1));
      expect(raws((await b.fill(4)).claims)).toContain(send(3));
      expect(Object.keys(await running()).sort()).toEqual([`${idA}.1`, `${idB}.0`, `${idB}.1`]);
    });

    test("jobs over the limit stay in their order, and jobs of other classes pass them", async () => {
      await world.push("q", send(0), send(1), payload(0), send(2), payload(1), send(3), payload(2));
      const drain = open({ running: 1 });
      const { claims, isDrained } = await drain.fill(4);
      expect(raws(claims)).toEqual([send(0), payload(0), payload(1), payload(2)]);
      expect(isDrained).toBe(false);
      expect(await world.queued("q")).toEqual(sends(3, 1));
      const next = await drain.exchange({ settle: claims.map(ok), fill: slots(4) });
      expect(raws(next.claims)).toEqual([send(1)]);
      expect(await world.queued("q")).toEqual(sends(2, 2));
    });

    test("over several queues, the limit is one", async () => {
      await world.push("a", ...sends(2), payload(0));
      await world.push("b", ...sends(2, 2), payload(1));
      await world.push("c", payload(2));
      const { claims, isDrained, isLimited } = await open({ running: 1 }, { queues: ["a", "none", "b", "c"] }).fill(4);
      expect(claims.map(({ queue, job }) => [queue, job.raw])).toEqual([
        ["a", send(0)],
        ["a", payload(0)],
        ["b", payload(1)],
        ["c", payload(2)],
      ]);
      expect({ isDrained, isLimited }).toEqual({ isDrained: false, isLimited: true });
      expect(await world.queued("a")).toEqual([send(1)]);
      expect(await world.queued("b")).toEqual(sends(2, 2));
    });

    test.each<Outcome>([
      { kind: "ok" },
      { kind: "discarded", reason: undefined },
      { kind: "failed", failure: { exception: "E", message: "m", backtrace: [] } },
      { kind: "dropped", failure: { exception: "E", message: "m", backtrace: [] } },
      { kind: "retrying", failure: { exception: "E", message: "m", backtrace: [] }, afterMs: 9 },
      { kind: "postponed", afterMs: 9 },
      { kind: "released" },
      { kind: "requeued" },
    ])("a job that ends as $kind gives its place back", async (outcome) => {
      const drain = open({ running: 1 });
      await world.push("q", send(0));
      const { claims } = await drain.fill(1);
      await drain.exchange({ settle: claims.map((claim): Settlement => ({ claim, outcome })) });
      expect(await running()).toEqual({});
    });

    test("a job that takes the place of the one that is settled in the same step finds it free", async () => {
      const drain = open({ running: 1 });
      await world.push("q", ...sends(3));
      const { claims } = await drain.fill(1);
      const next = await drain.exchange({ settle: claims.map(ok), fill: [1] });
      expect(raws(next.claims)).toEqual([send(1)]);
      expect(await running()).toEqual({ [`${drain.description.id}.1`]: "Send\n" });
    });

    test("a payload that only looks like a job of the class gives its place back, too", async () => {
      const drain = open({ running: 1 });
      await world.push("q", '{"class":"Send","args":{}}', Buffer.from('{"class":"Send","args":["\xff"]}', "latin1"));
      for (const fillTo of [[0], [0]]) {
        const { claims } = await drain.exchange({ fill: fillTo });
        expect(claims).toMatchObject([{ job: { kind: "malformed" } }]);
        await drain.exchange({ settle: claims.map((claim) => failed(claim)) });
      }
      expect(await running()).toEqual({});
    });

    test("closing gives back what is still held", async () => {
      const drain = open({ running: 2 });
      await world.push("q", ...sends(3));
      await drain.fill(2);
      expect(await drain.store.close()).toEqual({ released: 2 });
      expect(await world.everything()).toEqual({
        "resque:queue:q": sends(3),
        "resque:queues": { q: true },
        "resque:stat:processed": "0",
      });
    });
  });

  describe("leases", () => {
    test("a dead drain's places are free when it is recovered", async () => {
      const [dead, next] = [open({ running: 2 }), open({ running: 2 })];
      await world.push("q", ...sends(3));
      await dead.fill(2);
      await world.endLeases();
      for (const found of (await next.store.survey()).dead) await next.store.recover(found);
      expect(await running()).toEqual({});
      expect((await next.fill(4)).claims).toHaveLength(2);
    });

    test("a drain whose lease has ended keeps its places for one lease more, as long as nobody recovers it", async () => {
      const [late, other] = [open({ running: 1 }), open({ running: 1 })];
      await world.push("q", ...sends(2));
      await late.fill(1);
      const endedSince = async (ms: number): Promise<unknown> =>
        world.send(["ZADD", world.keys.drains, Date.now() - ms, late.member]);
      await endedSince(MINUTE_MS - 20_000);
      expect(await other.fill(1)).toMatchObject({ claims: [], isLimited: true });
      await endedSince(MINUTE_MS + 20_000);
      expect((await other.fill(1)).claims).toHaveLength(1);
    });

    test("of any number of drains each holds its places", async () => {
      await world.push("q", ...sends(9));
      const drains = Array.from({ length: 5 }, () => open({ running: 5 }));
      for (const drain of drains) expect((await drain.fill(1)).claims).toHaveLength(1);
      expect(await open({ running: 5 }).fill(1)).toMatchObject({ claims: [], isLimited: true });
      expect(Object.keys(await running())).toHaveLength(5);
    });

    test("a drain counts its own jobs, however long ago its lease has ended", async () => {
      const drain = open({ running: 1 });
      await world.push("q", ...sends(2));
      await drain.fill(1);
      await world.endLeases();
      expect(await drain.fill(1, 1)).toMatchObject({ claims: [], isLimited: true });
      expect(await running()).toEqual({ [`${drain.description.id}.0`]: "Send\n" });
    });

    test("places of drains that are nowhere neither count nor stay", async () => {
      const orphans = Array.from({ length: 1_500 }, (_, i) => [`gone.${i}`, "Send\n"]).flat();
      await world.send(["HSET", world.keys.running, ...orphans]);
      await world.push("q", ...sends(3));
      const drain = open({ running: 1 });
      const { claims } = await drain.fill(1);
      expect(claims).toHaveLength(1);
      await drain.exchange({ settle: claims.map(ok), fill: [0] });
      expect(await running()).toEqual({ [`${drain.description.id}.0`]: "Send\n" });
    });
  });

  describe("repeated and late requests", () => {
    test("a repeated request holds each place once", async () => {
      const drain = open({ running: 3, rate: { jobs: 3, periodMs: MINUTE_MS } });
      await world.push("q", ...sends(9));
      const params = { seq: 1, settle: [], fill: slots(2) };
      const first = await drain.store.exchange({ ...params, attempt: 1 });
      const before = await world.everything();
      const again = await drain.store.exchange({ ...params, attempt: 2 });
      expect(raws(again.claims)).toEqual(raws(first.claims));
      const drains = { "resque:airlift:drains": 0 };
      expect({ ...(await world.everything()), ...drains }).toMatchObject({
        ...before,
        ...drains,
        [world.keys.starts]: { value: (before[world.keys.starts] as { value: object }).value },
      });
      const next = await drain.exchange({ seq: 2, settle: again.claims.map(ok), fill: slots(4) });
      expect(raws(next.claims)).toEqual([send(2)]);
    });

    test("a job that a late duplicate claims has its place", async () => {
      const drain = open({ running: 2 });
      await world.push("q", ...sends(2));
      const first = await drain.fill(1);
      await drain.exchange({ settle: first.claims.map(ok) });
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      expect(await running()).toEqual({ [`${drain.description.id}.0`]: "Send\n" });
      const found = await drain.fill(1);
      expect(raws(found.claims)).toEqual([send(1)]);
      await drain.settle(found.claims);
      expect(await running()).toEqual({});
    });
  });

  describe("counted by a key in the arguments", () => {
    test.each<[string, LimitOptions["by"], unknown[][], number[]]>([
      [
        "an index",
        [1],
        [
          ["a", 1],
          ["b", 1],
          ["c", 2],
          ["d", 1],
          ["e", 2],
        ],
        [0, 2],
      ],
      ["a member", [0, "tenant"], [[{ tenant: "x" }], [{ tenant: "y" }], [{ tenant: "x" }], [{ tenant: "y" }]], [0, 1]],
      [
        "far inside",
        [0, "a", 1, "b"],
        [[{ a: [0, { b: 1 }] }], [{ a: [0, { b: 1 }] }], [{ a: [0, { b: 2 }] }]],
        [0, 2],
      ],
      ["texts that differ late", [0], [["k".repeat(99)], [`${"k".repeat(98)}l`], ["k".repeat(99)]], [0, 1]],
      ["numbers that differ a little", [0], [[1], [1.5], [9007199254740991], [9007199254740990], [1.5]], [0, 1, 2, 3]],
      [
        "jobs without one share it",
        [0, "t"],
        [[{}], [null], [], ["t"], [{ t: null }], [{ t: [1] }], [{ t: "" }], [{ t: 0 }]],
        [0, 7],
      ],
    ])("%s", async (_what, by, args, expected) => {
      await world.push("q", ...args.map((values) => send(...values)));
      const { claims } = await open({ running: 1, ...(by && { by }) }, { slots: 8 }).fill(8);
      expect(raws(claims)).toEqual(expected.map((index) => send(...(args[index] as unknown[]))));
      const isLeft = (_: unknown, index: number) => !expected.includes(index);
      expect(await world.queued("q")).toEqual(args.filter(isLeft).map((values) => send(...values)));
    });

    test("however the payload is written", async () => {
      const same = [
        '{"args":[{"t":"x"}],"class":"Send"}',
        ' { "queue":"q", "class" : "Send", "args":[{"a":1,"t":"\\u0078"}] }',
        '{"class":"S\\u0065nd","args":[{"t":"x","half":"\\ud83d"}]}',
      ];
      const other = '{"class":"Send","args":[{"t":"\\ud83d"}]}';
      await world.push("q", ...same, other);
      const { claims } = await open({ running: 1, by: [0, "t"] }).fill(4);
      expect(raws(claims)).toEqual([same[0], other]);
      expect(await world.queued("q")).toEqual(same.slice(1));
    });

    test("an emoji is the same, escaped or not, and is no other", async () => {
      const jobs = [send("😀"), ...["\\ude00", "\\ude01"].map((half) => `{"class":"Send","args":["\\ud83d${half}"]}`)];
      await world.push("q", ...jobs);
      const { claims } = await open({ running: 1, by: [0] }).fill(4);
      expect(raws(claims)).toEqual([jobs[0], jobs[2]]);
      expect(Object.values(await running())).toEqual(["Send\n😀", "Send\n😁"]);
    });

    test.runIf(isReal)(
      "jobs that Redis' Lua cannot read, as they are nested too deeply, share the limit of those without one",
      async () => {
        const deep = send(1, JSON.parse(`${"[".repeat(1_100)}${"]".repeat(1_100)}`));
        await world.push("q", deep, deep, send(3));
        const drain = open({ running: 1, by: [0] });
        const { claims } = await drain.fill(4);
        expect(raws(claims)).toEqual([deep, send(3)]);
        await drain.settle(claims);
        expect(await running()).toEqual({});
      },
    );

    test("an Active Job is of its own class, and its key stands in its arguments", async () => {
      const jobs = ["x", "x", "y"].map((tenant) => railsJob("Send", { tenant, _aj_symbol_keys: [] }));
      await world.push("q", ...jobs, railsJob("Other", { tenant: "x" }));
      const drain = open({ running: 1, by: [0, "tenant"] });
      const { claims } = await drain.fill(4);
      expect(raws(claims)).toEqual([jobs[0], jobs[2], railsJob("Other", { tenant: "x" })]);
      expect(Object.values(await running())).toEqual(["Send\nx", "Send\ny"]);
      await drain.settle(claims);
      expect(await running()).toEqual({});
    });
  });

  describe("starts in a period", () => {
    const rate = { jobs: 3, periodMs: MINUTE_MS };

    test("so many start, whatever the drain, and the others may when the period has passed", async () => {
      const [a, b] = [open({ rate }), open({ rate })];
      await world.push("q", ...sends(9));
      const first = await a.fill(2);
      expect(first).toMatchObject({ isLimited: false, freesInMs: undefined });
      await a.settle(first.claims);
      const second = await b.fill(4);
      expect(raws(second.claims)).toEqual([send(2)]);
      expect(second).toMatchObject({ isLimited: true, isDrained: true });
      expect(second.freesInMs).toBeGreaterThan(MINUTE_MS - 10_000);
      expect(second.freesInMs).toBeLessThanOrEqual(MINUTE_MS + 60);
      await age(MINUTE_MS - 10_000);
      const soon = await b.fill(4);
      expect(soon.claims.map(({ slot }) => slot)).toEqual([0]);
      expect(soon.freesInMs).toBeLessThanOrEqual(10_060);
      await age(10_100);
      const third = await b.fill(4, 1);
      expect(raws(third.claims)).toEqual(sends(3, 3));
      expect(await world.queued("q")).toEqual(sends(3, 6));
    });

    test("each start leaves the period by itself", async () => {
      const drain = open({ rate });
      await world.push("q", ...sends(6));
      await drain.settle((await drain.fill(2)).claims);
      await age(40_000);
      await drain.settle((await drain.fill(1)).claims);
      const full = await drain.fill(1);
      expect(full).toMatchObject({ claims: [], isLimited: true });
      expect(full.freesInMs).toBeGreaterThan(10_000);
      expect(full.freesInMs).toBeLessThanOrEqual(20_060);
      await age(20_100);
      const next = await drain.fill(4);
      expect(raws(next.claims)).toEqual(sends(2, 3));
    });

    test("each key has the rate for itself", async () => {
      const drain = open({ rate: { jobs: 1, periodMs: MINUTE_MS }, by: [0] }, { slots: 8 });
      await world.push("q", send("a", 1), send("a", 2), send("b", 1), payload(1), send("c", 1), send("b", 2));
      const { claims } = await drain.fill(8);
      expect(raws(claims)).toEqual([send("a", 1), send("b", 1), payload(1), send("c", 1)]);
      expect(await world.queued("q")).toEqual([send("a", 2), send("b", 2)]);
    });

    test("what a drain gives back has started", async () => {
      const drain = open({ rate });
      await world.push("q", ...sends(4));
      const { claims } = await drain.fill(3);
      await drain.exchange({ settle: claims.map((claim): Settlement => ({ claim, outcome: { kind: "released" } })) });
      expect(await drain.fill(1)).toMatchObject({ claims: [], isLimited: true });
      expect(await world.queued("q")).toEqual(sends(4));
    });

    test("with a limit of those that run, both hold", async () => {
      const drain = open({ running: 2, rate });
      await world.push("q", ...sends(6));
      const first = await drain.fill(4);
      expect(first.claims).toHaveLength(2);
      const second = await drain.exchange({ settle: first.claims.map(ok), fill: slots(4) });
      expect(second.claims).toHaveLength(1);
      expect(second.freesInMs).toBeGreaterThan(0);
    });

    test("of an hour, the starts of a thousandth of it are one, and count from its end on", async () => {
      const drain = open({ rate: { jobs: 9, periodMs: 3_600_000 } });
      await world.push("q", ...sends(4));
      const beforeMs = Date.now();
      for (let i = 0; i < 3; i++) await drain.settle((await drain.fill(1)).claims);
      const starts = (await world.everything())[world.keys.starts] as { value: Record<string, string> };
      const [periodMs, ...list] = JSON.parse(starts.value["Send\n"] as string) as number[];
      expect(periodMs).toBe(3_600_000);
      expect(list[0]).toBeGreaterThan(beforeMs);
      expect([list[0], (list[2] ?? list[0]) as number].map((at) => (at as number) % 3_600)).toEqual([0, 0]);
      expect((list[1] ?? 0) + (list[3] ?? 0)).toBe(3);
    });

    test.each([500, 1_000])(
      "of %i ms, each start counts from the next instant on, and not before",
      async (periodMs) => {
        const drain = open({ rate: { jobs: 9, periodMs } });
        let seen = 0;
        for (let n = 0; n < 5; n++) {
          await world.push("q", send(n));
          const beforeMs = Date.now();
          await drain.settle((await drain.fill(1)).claims);
          const starts = (await world.everything())[world.keys.starts] as { value: Record<string, string> } | undefined;
          // On a machine that is busy the key may be gone already.
          const list = JSON.parse(starts?.value["Send\n"] ?? "[]") as number[];
          if (list.length === 0) continue;
          expect(list.at(-2)).toBeGreaterThan(beforeMs);
          seen++;
        }
        expect(seen).toBeGreaterThan(0);
      },
    );

    test.each(["nonsense", "7", '"text"', "{}", "[]", "[60000,1]", '[60000,"text",1]', "[60000,null,1]", "null"])(
      "%s, as somebody wrote it among the starts, is none",
      async (text) => {
        await world.send(["HSET", world.keys.starts, "Send\n", text, "until", "soon", "Other\n", text]);
        await world.push("q", ...sends(4));
        expect(await open({ rate }).fill(4)).toMatchObject({ claims: [{}, {}, {}], isLimited: true });
        const { ttlMs } = (await world.everything())[world.keys.starts] as { ttlMs: number };
        expect(ttlMs).toBeGreaterThan(MINUTE_MS);
      },
    );

    test("what was started is forgotten with the period, the key with the last of it", async () => {
      const drain = open({ rate });
      await world.push("q", ...sends(9));
      await drain.settle((await drain.fill(1)).claims);
      const { ttlMs } = (await world.everything())[world.keys.starts] as { ttlMs: number };
      expect(ttlMs).toBeGreaterThan(MINUTE_MS);
      expect(ttlMs).toBeLessThanOrEqual(2 * MINUTE_MS + 120);
      await age(MINUTE_MS + 100);
      await drain.settle((await drain.fill(1)).claims);
      const { value } = (await world.everything())[world.keys.starts] as { value: Record<string, string> };
      expect(JSON.parse(value["Send\n"] as string)).toEqual([MINUTE_MS, expect.any(Number), 1]);
    });

    test.runIf(isReal)("keys of long ago go as new ones come", async () => {
      const long = [MINUTE_MS, 1_700_000_000_000, 1];
      const fields = Array.from({ length: 500 }, (_, i) => [`Send\n${i}`, JSON.stringify(long)]).flat();
      await world.send(["HSET", world.keys.starts, ...fields]);
      const drain = open({ rate, by: [0] }, { slots: 50 });
      for (let n = 0; n < 10; n++) {
        await world.push("q", ...Array.from({ length: 50 }, (_, i) => send(`new ${n} ${i}`)));
        await drain.settle((await drain.fill(50)).claims);
        // Two are looked at for each that is new.
        if (n > 0) continue;
        const [count] = await world.send(["HLEN", world.keys.starts]);
        expect(Number(count)).toBeGreaterThanOrEqual(551 - 100);
      }
      const { value } = (await world.everything())[world.keys.starts] as { value: Record<string, string> };
      const names = Object.keys(value);
      expect(names.filter((name) => name.includes("new"))).toHaveLength(500);
      // Chance decides which; that it spares more than this many has a probability of less than 1e-9.
      expect(names.length).toBeLessThan(750);
    });

    test("versions of an app that differ in a class's rate do not forget each other's starts", async () => {
      const old = open({ rate: { jobs: 5, periodMs: 1_000 } });
      const young = open({ rate: { jobs: 2, periodMs: 3_600_000 } });
      await world.push("q", ...sends(9));
      await young.settle((await young.fill(1)).claims);
      await age(120_000);
      await old.settle((await old.fill(1)).claims);
      await age(120_000);
      const next = await old.fill(4);
      expect(next.claims).toHaveLength(4);
      await old.settle(next.claims);
      expect((await world.everything())[world.keys.starts]).toMatchObject({ ttlMs: expect.any(Number) });
      const { ttlMs } = (await world.everything())[world.keys.starts] as { ttlMs: number };
      expect(ttlMs).toBeGreaterThan(3_600_000);
      expect(await young.fill(4)).toMatchObject({ claims: [], isLimited: true });
    });
  });

  describe("paused classes", () => {
    const pause = (...classes: string[]) => world.send(["SET", world.keys.pausedClasses, JSON.stringify(classes)]);

    test("their jobs stay in their order, the others pass, and it is told", async () => {
      await pause("Send", "Gone");
      await world.push("q", send(0), payload(0), send(1), railsJob("Gone"), payload(1), railsJob("Here"));
      const drain = open({ running: 9 });
      const result = await drain.fill(4);
      expect(raws(result.claims)).toEqual([payload(0), payload(1), railsJob("Here")]);
      expect(result).toMatchObject({ isPaused: true, isLimited: false, isDrained: true });
      expect(await world.queued("q")).toEqual([send(0), send(1), railsJob("Gone")]);
      await world.send(["DEL", world.keys.pausedClasses]);
      expect(raws((await drain.fill(4)).claims)).toContain(send(0));
    });

    test("of an app without limits, too; a class that has no job there is nothing to tell", async () => {
      await pause("Send");
      await world.push("q", payload(0));
      const drain = openLimited(world);
      expect(await drain.fill(2)).toMatchObject({ isPaused: false, claims: [{}] });
      await world.push("q", send(0), payload(1));
      const next = await drain.fill(4);
      expect(next.isPaused).toBe(true);
      expect(await world.queued("q")).toEqual([send(0)]);
    });

    test.each(["[]", "nonsense", "{}", "7", '{"Send":1}', "[1,null,[]]"])("%s pauses none", async (value) => {
      await world.send(["SET", world.keys.pausedClasses, value]);
      await world.push("q", ...sends(2));
      expect(await open({ running: 2 }).fill(2)).toMatchObject({ isPaused: false, claims: [{}, {}] });
    });
  });

  describe("beside classes that are not known", () => {
    test("each stays for its own reason", async () => {
      const other = '{"class":"Other","args":[]}';
      await world.push("q", other, send(0), send(1), other, payload(0), railsJob("Other"), railsJob("Noop"), "no job");
      const drain = open({ running: 1 }, { onlyClasses: ["Send", "Noop"], slots: 8 });
      const { claims, isLimited, isDrained } = await drain.fill(8);
      expect(raws(claims)).toEqual([send(0), payload(0), railsJob("Noop"), "no job"]);
      expect({ isLimited, isDrained }).toEqual({ isLimited: true, isDrained: true });
      expect(await world.queued("q")).toEqual([other, send(1), other, railsJob("Other")]);
    });
  });

  describe("bytes", () => {
    const big = (n: number): string => send(n, "x".repeat(100));

    test("what does not fit goes back in order, with what may not start", async () => {
      await world.push("q", big(0), big(1), payload(0), payload(1), payload("x".repeat(100)), payload(2));
      const drain = open({ running: 1 }, { maxClaimBytes: big(0).length + 80 });
      const { claims, isDrained } = await drain.fill(4);
      expect(raws(claims)).toEqual([big(0), payload(0), payload(1)]);
      expect(isDrained).toBe(false);
      expect(await world.queued("q")).toEqual([big(1), payload("x".repeat(100)), payload(2)]);
    });
  });
});
