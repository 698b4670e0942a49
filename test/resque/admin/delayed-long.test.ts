import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ioredis } from "../../../src/redis/ioredis.ts";
import type { AdminContext } from "../../../src/resque/admin/admin-context.ts";
import { cancelDelayedJobs, rescheduleDelayedJobs } from "../../../src/resque/admin/delayed.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import { carriedClient } from "../../fault/carried-client.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

const AT = 4_000_000_000;
const TO = AT + 60;
const COUNT = 1_300;

/** Every third job is another's; of some there are several. */
const item = (n: number): string =>
  `{"class":"${n % 3 === 1 ? "Other" : "News"}","args":[${n % 100 === 5 ? 5 : n}],"queue":"mail"}`;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const isOther = (text: string): boolean => text.includes("Other");

describe.each(setups())("many delayed jobs of one second over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  const delay = async (...items: readonly string[]): Promise<void> => {
    const { keys } = world;
    await world.send(
      ["RPUSH", keys.delayed(AT), ...items],
      ["ZADD", keys.delayedSchedule, AT, AT],
      ...items.map((text) => ["SADD", keys.timestamps(text), `delayed:${AT}`]),
    );
  };
  const waiting = (seconds: number): Promise<string[]> => world.list(world.keys.delayed(seconds));
  /** An admin before whose first change something happens. */
  const interrupted = (by: () => Promise<unknown>, inner: RedisClient = world.client): AdminContext => {
    let isFirst = true;
    const client = carriedClient(inner, async ({ names, deliver }) => {
      if (isFirst && names.includes("move-delayed")) {
        isFirst = false;
        await by();
      }
      return deliver();
    });
    return { ...world.context, client };
  };
  /** No job's book tells of a list in which the job is not, or leaves out one in which it is. */
  const expectRightBooks = async (): Promise<void> => {
    const lists = new Map([AT, TO].map((seconds) => [`delayed:${seconds}`, seconds] as const));
    const told: string[] = [];
    const prefix = world.keys.timestamps("");
    for (const [key, value] of Object.entries(await world.everything())) {
      if (!key.startsWith(prefix)) continue;
      for (const list of Object.keys(value as object)) told.push(`${list} ${key.slice(prefix.length)}`);
    }
    const there: string[] = [];
    for (const [list, seconds] of lists) for (const text of await waiting(seconds)) there.push(`${list} ${text}`);
    expect(told.toSorted()).toEqual([...new Set(there)].toSorted());
  };

  const NUMBERS = range(COUNT);
  const INTERRUPTIONS: readonly (readonly [what: string, by: () => Promise<unknown>, gone: number, added: string[]])[] =
    [
      ["nothing", async () => undefined, 0, []],
      ["the first were promoted", () => world.send(["LTRIM", world.keys.delayed(AT), 7, -1]), 7, []],
      ["others were delayed", () => delay(item(1), "not json"), 0, [item(1), "not json"]],
      // One that is like another was not seen, and goes with it, as it does from a short list.
      ["some that are alike were delayed", () => delay(item(0), item(3), item(1)), 0, [item(1)]],
      ["a full database", () => world.send(["CONFIG", "SET", "maxmemory", 1]), 0, []],
    ];

  // The embedded one is never full.
  const possible = setup.server === "embedded" ? INTERRUPTIONS.slice(0, 4) : INTERRUPTIONS;
  test.each(possible)("are cancelled, and no others: %s meanwhile", async (what, by, gone, added) => {
    const isFull = what.startsWith("a full");
    await delay(...NUMBERS.map(item));
    const news = NUMBERS.map(item).slice(gone);
    try {
      const { cancelled } = await cancelDelayedJobs(interrupted(by), { class: "News" });
      const alike = what.startsWith("some") ? 2 : 0;
      expect(cancelled).toBe(news.filter((text) => !isOther(text)).length + alike);
    } finally {
      if (isFull) await world.send(["CONFIG", "SET", "maxmemory", 0]);
    }
    expect(await waiting(AT)).toEqual([...news.filter(isOther), ...added]);
    if (gone === 0 && !added.includes("not json")) await expectRightBooks();
  });

  test.each(INTERRUPTIONS.slice(0, 4))("are moved, each once: %s meanwhile", async (what, by, gone, added) => {
    await delay(...NUMBERS.map(item));
    const { rescheduled } = await rescheduleDelayedJobs(interrupted(by), { class: "News" }, TO * 1_000);
    const moved = NUMBERS.map(item)
      .slice(gone)
      .filter((text) => !isOther(text));
    if (what.startsWith("some")) moved.push(item(0), item(3));
    expect(rescheduled).toBe(moved.length);
    expect((await waiting(TO)).toSorted()).toEqual(moved.toSorted());
    expect(await waiting(AT)).toEqual([...NUMBERS.map(item).slice(gone).filter(isOther), ...added]);
    if (gone === 0 && added.length === 0) await expectRightBooks();
  });

  test("the list is not looked through for each of them", async ({ skip }) => {
    skip(setup.server === "embedded", "it counts no commands");
    await delay(...range(3_000).map((n) => item(n * 3 + 7).replace("[5]", `[${n},5]`)));
    await delay(...range(3_000).map((n) => item(n * 3).replace("[5]", `[${n},5]`)));
    await world.send(["CONFIG", "RESETSTAT"]);
    expect(await cancelDelayedJobs(world.context, { class: "News" })).toMatchObject({ cancelled: 3_000 });
    const [info] = await world.send(["INFO", "commandstats"]);
    const calls = (name: string): number =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(Buffer.from(info as Uint8Array).toString())?.[1] ?? 0);
    // Two for each 500 jobs.
    expect(calls("lrem") + calls("lpos")).toBeLessThanOrEqual(12);
  });

  test("one of them is cancelled by its id, and found again by nobody", async () => {
    await delay(...NUMBERS.map(item));
    const text = item(600);
    const digest = await crypto.subtle.digest("SHA-1", Buffer.from(text));
    const id = `${AT}-${Buffer.from(digest).toString("hex").slice(0, 12)}`;
    expect(await cancelDelayedJobs(world.context, { ids: [id] })).toEqual({ cancelled: 1, missing: [] });
    expect(await waiting(AT)).toEqual(NUMBERS.map(item).filter((each) => each !== text));
    expect(await cancelDelayedJobs(world.context, { ids: [id] })).toEqual({ cancelled: 0, missing: [id] });
  });

  // Only a real redis-server has ACLs, and it refuses a command the same way over TCP and HTTP.
  const REFUSED =
    setup.name === "redis-server-tcp"
      ? ["lset", "lrem", "lindex", "lpos", "lrange", "rpush", "rpop", "zadd", "sadd", "srem", "exists", "zrem"]
      : [];
  test.each(REFUSED)("%s, refused: none is lost, doubled or marked", async (command) => {
    await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`]);
    const client = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
    const ways = [0, 7].flatMap((promoted) => [["cancel", promoted] as const, ["move", promoted] as const]);
    for (const [change, promoted] of ways) {
      await world.flush();
      const items = NUMBERS.slice(10, 260).map(item);
      await delay(...items);
      // Some reads are refused already, before anything happens.
      let there = items;
      const promote = async (): Promise<void> => {
        there = items.slice(promoted);
        await world.send(["LTRIM", world.keys.delayed(AT), promoted, -1]);
      };
      const context = interrupted(promote, client);
      const ended = await (change === "cancel"
        ? cancelDelayedJobs(context, { class: "News" })
        : rescheduleDelayedJobs(context, { class: "News" }, TO * 1_000)
      ).catch((error: unknown) => {
        expect(error).toMatchObject({ name: "StoreError" });
      });
      const left = [...(await waiting(AT)), ...(await waiting(TO))];
      if (change === "move") {
        expect(left.toSorted()).toEqual(there.toSorted());
        continue;
      }
      expect(left.filter(isOther)).toEqual(there.filter(isOther));
      expect(there).toEqual(expect.arrayContaining(left));
      if (ended) expect(left.every(isOther)).toBe(true);
    }
    await client.close();
  });
});
