import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LuaScript } from "../../../src/resque/client.ts";
import { clearList } from "../../../src/resque/generated/clear-list.generated.ts";
import { readDelayed } from "../../../src/resque/generated/read-delayed.generated.ts";
import { readList } from "../../../src/resque/generated/read-list.generated.ts";
import { readRetries } from "../../../src/resque/generated/read-retries.generated.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, idOf, openAdminWorld } from "./admin-world.ts";

/** What a walk may look at, and what of it may be returned. */
interface Bounds {
  readonly entries?: number;
  readonly bytes?: number;
  readonly limit?: number;
  readonly room?: number;
  readonly whole?: number;
  readonly ids?: readonly string[];
  readonly needles?: readonly string[];
}

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const NO_BOUND = 1_000_000_000;
const boundsOf = ({ entries = NO_BOUND, bytes = NO_BOUND, limit = NO_BOUND, ...rest }: Bounds): (string | number)[] => {
  const { room = NO_BOUND, whole = NO_BOUND, ids = [], needles = [] } = rest;
  return [entries, bytes, limit, room, whole, ids.length, ...ids, ...needles];
};
/** Every so many of a flat list, from the last of the first group on. */
const each = (flat: readonly unknown[], size: number): unknown[] => flat.filter((_, n) => n % size === size - 1);

describe.each(setups())("the scripts that walk, over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  const run = async (script: LuaScript, keys: string[], args: (string | number)[]): Promise<never[]> =>
    (await world.client.script({ script, keys, args })) as never[];
  const ten = (n: number): string => `entry-${String(n).padStart(4, "0")}`;

  describe("over a list", () => {
    const read = async (mode: "h" | "t" | "u", at: number, bounds: Bounds = {}) => {
      const [commands, length, looked, flat] = await run(readList, ["list"], [mode, at, ...boundsOf(bounds)]);
      return { commands, length, looked, texts: each(flat as never, 3) };
    };
    const fill = (...entries: readonly string[]): Promise<void> => world.fail(entries, "list");

    test.each([
      ["u", 0, "abcde"],
      ["u", 1, "bcde"],
      ["u", 5, ""],
      ["h", 3, "cba"],
      ["h", 9, "edcba"],
      ["h", 0, ""],
      ["t", 0, "edcba"],
      ["t", 2, "cba"],
      ["t", 9, ""],
    ] as const)("%s from %i: %j", async (mode, at, texts) => {
      await fill(..."abcde");
      expect(await read(mode, at)).toMatchObject({ length: 5, looked: texts.length, texts: [...texts] });
    });

    test.each(["h", "t", "u"] as const)("%s looks at no more entries than it may", async (mode) => {
      await fill(...range(200).map(ten));
      const at = mode === "h" ? 200 : 0;
      const order = mode === "u" ? range(200) : range(200).toReversed();
      for (const entries of [1, 5, 64, 70]) {
        const texts = order.slice(0, entries).map(ten);
        expect(await read(mode, at, { entries })).toMatchObject({ looked: entries, texts });
      }
    });

    test("looks at no more bytes than it may, but for the rest of what it has in hand", async () => {
      await fill(...range(100).map(ten));
      expect(await read("u", 0, { bytes: 1 })).toMatchObject({ looked: 64 });
      expect(await read("u", 0, { bytes: 640 })).toMatchObject({ looked: 64 });
      expect(await read("u", 0, { bytes: 641 })).toMatchObject({ looked: 100 });
    });

    test("takes a few at first, then a thousand, or a megabyte", async () => {
      await fill(...range(1_200).map(ten));
      expect(await read("t", 0, { limit: 0, ids: ["none"] })).toMatchObject({ looked: 1_200, commands: 2 + 3 });
      await world.flush();
      await fill(...range(130).map((n) => ten(n).padEnd(20_000, "x")));
      expect(await read("t", 0, { ids: ["none"] })).toMatchObject({ looked: 130, commands: 2 + 3 });
    });

    test("returns as many entries and bytes as are asked for, and at least one", async () => {
      await fill(...range(5).map(ten));
      expect(await read("u", 0, { limit: 2 })).toMatchObject({ looked: 2, texts: [ten(0), ten(1)] });
      expect(await read("u", 0, { limit: 0 })).toMatchObject({ looked: 0, texts: [] });
      expect(await read("u", 0, { room: 20 })).toMatchObject({ looked: 2, texts: [ten(0), ten(1)] });
      expect(await read("u", 0, { room: 19 })).toMatchObject({ looked: 1, texts: [ten(0)] });
      expect(await read("u", 0, { room: 5 })).toMatchObject({ looked: 1, texts: [ten(0)] });
    });

    test("returns an entry whole up to so many bytes", async () => {
      const text = '{ "class": "A" }';
      await fill(text);
      expect(await read("u", 0, { whole: text.length })).toMatchObject({ texts: [text] });
      expect(await read("u", 0, { whole: text.length - 1 })).toMatchObject({ texts: ['{"class":"A"}'] });
    });

    test("returns what bears one of the ids, or their beginnings, and holds all the texts", async () => {
      const entries = ["Alpha-1", "beta.1", "BETA_1", "gamma%"];
      await fill(...entries);
      const found = async (bounds: Bounds) => (await read("u", 0, bounds)).texts;
      expect(await found({ needles: ["beta"] })).toEqual(["beta.1", "BETA_1"]);
      expect(await found({ needles: ["beta.1"] })).toEqual(["beta.1"]);
      expect(await found({ needles: ["1", "beta", "_"] })).toEqual(["BETA_1"]);
      expect(await found({ needles: ["%"] })).toEqual(["gamma%"]);
      const ids = [idOf("Alpha-1"), idOf("BETA_1").slice(0, 12), "0".repeat(40)];
      expect(await found({ ids })).toEqual(["Alpha-1", "BETA_1"]);
      expect(await found({ ids, needles: ["alpha"] })).toEqual(["Alpha-1"]);
      expect(await found({ ids, needles: ["gamma"] })).toEqual([]);
    });

    const own = (args: string): string => `{"class":"A","args":["${args}"],"airlift":{"id":"x"}}`;
    const clear = async (most = NO_BOUND) => {
      const [commands, removed, left, ours] = await run(clearList, ["list", "queues"], ["u", 0, most, NO_BOUND, ""]);
      return { commands, removed, left, ours };
    };

    test("clears from the head what it looks at, and tells what of it bears Airlift's member", async () => {
      const entries = ["plain", own("a"), "plain", own("b")];
      await fill(...entries);
      expect(await clear(1)).toEqual({ commands: 4, removed: 1, left: 3, ours: [] });
      expect(await world.list("list")).toEqual(entries.slice(1));
      expect(await clear(2)).toEqual({ commands: 4, removed: 2, left: 1, ours: [own("a")] });
      expect(await clear()).toEqual({ commands: 4, removed: 1, left: 0, ours: [own("b")] });
      expect(await clear()).toEqual({ commands: 2, removed: 0, left: 0, ours: [] });
    });

    test("clears no more than a reply can tell of, but at least one", async () => {
      const entries = [own("x".repeat(2_100_000)), own("a"), "plain", own("b")];
      await fill(...entries);
      expect(await clear()).toMatchObject({ removed: 1, left: 3, ours: [entries[0]] });
      expect(await world.list("list")).toEqual(entries.slice(1));
      expect(await clear()).toMatchObject({ removed: 3, left: 0, ours: [own("a"), own("b")] });
    });
  });

  describe("over the jobs that wait for their next attempt", () => {
    const read = async (score: string, ties: number, bounds: Bounds = {}) => {
      const reply = await run(readRetries, ["retries"], [score, ties, ...boundsOf(bounds)]);
      const [commands, total, looked, ended, nextScore, nextTies, flat] = reply;
      const next = [nextScore, nextTies];
      return { commands, total, looked, ended, next, texts: each(flat as never, 4) };
    };
    const member = (n: number): string => `{"id":"${String(n).padStart(4, "0")}","payload":{}}`;
    const wait = (scores: readonly number[]): Promise<unknown> =>
      world.send(["ZADD", "retries", ...scores.flatMap((score, n) => [score, member(n)])]);

    test("stands behind so many of a score", async () => {
      await wait([1, 1, 1, 2, 2, 2, 3]);
      const texts = (...numbers: number[]) => numbers.map(member);
      const part = { total: 7, ended: 0 };
      expect(await read("-inf", 0, { entries: 2 })).toMatchObject({ ...part, next: ["1", 2], texts: texts(0, 1) });
      expect(await read("1", 2, { entries: 2 })).toMatchObject({ ...part, next: ["2", 1], texts: texts(2, 3) });
      expect(await read("2", 1, { entries: 1 })).toMatchObject({ ...part, next: ["2", 2], texts: texts(4) });
      expect(await read("2", 2, { limit: 1 })).toMatchObject({ ...part, looked: 1, next: ["2", 3], texts: texts(5) });
      expect(await read("2", 3)).toMatchObject({ total: 7, looked: 1, ended: 1, next: ["3", 1], texts: texts(6) });
      expect(await read("3", 1)).toMatchObject({ total: 7, looked: 0, ended: 1, next: ["3", 1], texts: [] });
    });

    test("looks at no more members and bytes than it may, but for the rest of what it has in hand", async () => {
      await wait(range(200));
      expect(await read("-inf", 0, { entries: 70 })).toMatchObject({
        looked: 70,
        ended: 0,
        next: ["69", 1],
        texts: range(70).map(member),
      });
      const bytes = member(0).length * 64;
      expect(await read("-inf", 0, { bytes })).toMatchObject({ looked: 64, ended: 0 });
      expect(await read("-inf", 0, { bytes: bytes + 1 })).toMatchObject({ looked: 200, ended: 1 });
    });

    test("takes a few at first, then a thousand", async () => {
      await wait(range(1_200));
      expect(await read("-inf", 0)).toMatchObject({ looked: 1_200, commands: 2 + 3, texts: range(1_200).map(member) });
    });

    test("returns as many members and bytes as are asked for, and at least one", async () => {
      await wait(range(5));
      const bytes = member(0).length;
      expect(await read("-inf", 0, { limit: 0 })).toMatchObject({ looked: 0, texts: [] });
      expect(await read("-inf", 0, { room: 2 * bytes })).toMatchObject({ looked: 2, ended: 0 });
      expect(await read("-inf", 0, { room: 2 * bytes - 1 })).toMatchObject({ looked: 1 });
      expect(await read("-inf", 0, { room: 5 })).toMatchObject({ looked: 1, texts: [member(0)] });
      await world.send(["ZADD", "retries", -1, '{"id":"a", "payload":{}}']);
      expect((await read("-inf", 0, { whole: 24, limit: 1 })).texts).toEqual(['{"id":"a", "payload":{}}']);
      expect((await read("-inf", 0, { whole: 23, limit: 1 })).texts[0]).not.toContain(" ");
    });

    test("returns what bears one of the ids and holds all the texts", async () => {
      await wait(range(5));
      const found = async (bounds: Bounds) => (await read("-inf", 0, bounds)).texts;
      expect(await found({ ids: ["0001", "0003", "00031"] })).toEqual([member(1), member(3)]);
      expect(await found({ needles: ["0002", "payload"] })).toEqual([member(2)]);
      expect(await found({ ids: ["0001"], needles: ["0002"] })).toEqual([]);
    });
  });

  test("delayed items are read list by list, as many and as many bytes as are asked for, and at least one", async () => {
    const read = async (skip: number, most: number, bytes = NO_BOUND) =>
      run(readDelayed, ["one", "none", "string", "two"], [skip, most, bytes]);
    const items = range(6).map(ten);
    await world.fail(items.slice(0, 3), "one");
    await world.send(["SET", "string", "x"]);
    await world.fail(items.slice(3), "two");
    expect(await read(0, 10)).toEqual([5, [items.slice(0, 3), [], [], items.slice(3)], 0]);
    expect(await read(1, 3)).toEqual([5, [items.slice(1, 3), [], [], items.slice(3, 4)], 1]);
    expect(await read(1, 2)).toEqual([2, [items.slice(1, 3)], 0]);
    expect(await read(0, 2)).toEqual([2, [items.slice(0, 2)], 1]);
    expect(await read(0, 10, 20)).toEqual([2, [items.slice(0, 2)], 1]);
    expect(await read(0, 10, 19)).toEqual([2, [items.slice(0, 1)], 1]);
    expect(await read(0, 10, 5)).toEqual([2, [items.slice(0, 1)], 1]);
    expect(await read(0, 10, 35)).toEqual([5, [items.slice(0, 3), [], [], []], 1]);
  });
});
