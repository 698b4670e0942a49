import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisReply } from "../../src/resque/client.ts";
import { createRedisClock } from "../../src/resque/redis-clock.ts";
import { openWorld, payload, type World } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";

test("Redis' clock is known within the time that its reply took", () => {
  let nowMs = 1_000;
  const clock = createRedisClock(() => nowMs);
  nowMs = 1_100;
  clock.note(5_060, 1_000);
  expect([clock.nowMs(), clock.latestMs()]).toEqual([5_110, 5_160]);
  nowMs = 1_200;
  expect([clock.nowMs(), clock.latestMs(), clock.offsetMs]).toEqual([5_210, 5_260, 4_010]);
});

describe.each(setups().slice(0, 2))("over $name, with a clock that is not Redis'", (setup) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("nothing comes to its queue before Redis' clock shows its time, though ours was set ahead meanwhile", async () => {
    const { keys, send } = world;
    const inAMinute = Math.floor(Date.now() / 1_000) + 60;
    const item = `{"class":"Noop","args":[1],"queue":"q"}`;
    await send(
      ["RPUSH", keys.delayed(inAMinute), item],
      ["SADD", keys.timestamps(item), `delayed:${inAMinute}`],
      ["ZADD", keys.delayedSchedule, inAMinute, inAMinute],
      ["ZADD", keys.retries, inAMinute * 1_000, `{"id":"d.1","queue":"q","attempt":2,"payload":${payload(2)}}`],
    );
    let aheadMs = 0;
    const { store } = world.drain({ nowMs: () => Date.now() + aheadMs });
    await store.survey();
    aheadMs = 3_600_000;
    const { promoted, nextDueMs = 0 } = await store.promote();
    expect(promoted).toBe(0);
    expect(await world.queued("q")).toEqual([]);
    // It is asked again when it is time, not at once.
    expect(nextDueMs - Date.now() - aheadMs).toBeGreaterThan(30_000);
  });

  test("a receiver's lease does not end too early because Redis' answer came late", async () => {
    const lateMs = 10_000;
    // As if the first reply had been under way for so long, and Redis' clock had gone on meanwhile.
    const client = carriedClient(world.client, async ({ deliver }) => {
      const reply = (await deliver()) as RedisReply[];
      const [time] = reply;
      if (Array.isArray(time)) reply[0] = [String(Number(time[0]) - lateMs / 1_000), time[1] as string];
      return reply;
    });
    let nowMs = () => Date.now() - lateMs;
    const { store } = world.drain({ client, nowMs: () => nowMs() });
    await world.push("q", payload(1));
    const surveying = store.survey();
    nowMs = Date.now;
    await surveying;
    const { claims } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    const outcome = { kind: "detached", afterMs: 60_000, dispatch: async () => undefined } as const;
    const settledMs = Date.now();
    const settle = claims.map((claim) => ({ claim, outcome }));
    await store.exchange({ seq: 2, attempt: 1, settle, fill: [] });
    const [waiting] = await world.send(["ZRANGE", world.keys.retries, 0, -1, "WITHSCORES"]);
    expect(Number((waiting as Uint8Array[])[1])).toBeGreaterThanOrEqual(settledMs + 60_000);
  });

  test("what is known of it gets no worse by a promotion of many jobs that takes long", async () => {
    const { keys, send } = world;
    const longMs = 10_000;
    const due = Array.from(
      { length: 600 },
      (_, n) => `{"id":"d.${n}","queue":"q","attempt":2,"payload":${payload(n)}}`,
    );
    await send(["ZADD", keys.retries, ...due.flatMap((member) => [1, member])]);
    let nowMs = () => Date.now() - longMs;
    // As if the second batch had been under way for so long, and Redis' clock had gone on meanwhile.
    const client = carriedClient(world.client, async ({ names, deliver }) => {
      const reply = (await deliver()) as RedisReply[];
      if (names[0] === "ZRANGE") {
        const retries = reply[2] as RedisReply[];
        retries[5] = String(Number(retries[5]) - longMs);
      } else if (names[0] === "promote-retries") nowMs = Date.now;
      return reply;
    });
    const { store } = world.drain({ client, nowMs: () => nowMs() });
    expect((await store.promote()).promoted).toBe(600);
    const { claims } = await store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    const failure = { exception: "Error", message: "", backtrace: [] };
    const outcome = { kind: "retrying", failure, afterMs: 60_000 } as const;
    const settledMs = Date.now();
    await store.exchange({ seq: 2, attempt: 1, settle: claims.map((claim) => ({ claim, outcome })), fill: [] });
    const [waiting] = await send(["ZRANGE", keys.retries, 0, -1, "WITHSCORES"]);
    expect(Number((waiting as Uint8Array[])[1])).toBeGreaterThan(settledMs + 60_000 - longMs / 4);
  });
});
