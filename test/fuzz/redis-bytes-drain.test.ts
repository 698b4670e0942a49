import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cron } from "../../src/cron/cron.ts";
import { connectRaw, type RawCommand } from "../../src/redis/ioredis-connection.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { damaged, hostileJson, hostileObject, mostly, quoted } from "./hostile-json.ts";
import { hostileClass, hostileItem, hostilePayload } from "./hostile-payload.ts";
import { hostileDrain, hostileRecord, hostileWaiting, hostileWorkerEntry } from "./hostile-redis.ts";
import { PayloadWorld, payloadsIn } from "./payload-world.ts";
import { fuzzing } from "./settings.ts";

const good = (n: number): string => `{"class":"Good","args":[${n}]}`;
const delayed = (n: number): string => `{"class":"Good","args":[${n}],"queue":"q"}`;
/** A drain that has died. */
const dead = {
  member: '{"id":"gone","host":"airlift-x-gone","pid":1,"slots":4,"queues":"q"}',
  slot: "airlift-x-gone:1-",
};
const slotKey = ({ keys }: PayloadWorld, slot: number): string => keys.worker(`${dead.slot}${slot}:q`);

/** A good job wherever one may wait: in its queue, for its time, for its next attempt, in the slot of a dead drain. */
const neighbours = (world: PayloadWorld): RawCommand[] => {
  const { keys } = world;
  return [
    ["SADD", keys.queues, "q"],
    ["RPUSH", keys.queue("q"), good(0)],
    ["RPUSH", keys.delayed(1_000), delayed(1)],
    ["SADD", keys.timestamps(delayed(1)), "delayed:1000"],
    ["ZADD", keys.delayedSchedule, 1_000, 1_000],
    ["ZADD", keys.retries, 1_000, `{"id":"x.1","queue":"q","attempt":2,"payload":${good(2)}}`],
    ["ZADD", keys.drains, 5, dead.member],
    ["SET", slotKey(world, 3), `{"claim":"gone.1.1.0","queue":"q","run_at":"x","payload":${good(3)}}`],
  ];
};

type Place = (world: PayloadWorld, texts: readonly Buffer[]) => readonly RawCommand[];
const each = (texts: readonly Buffer[], command: (text: Buffer, index: number) => RawCommand): RawCommand[] =>
  texts.map(command);
const SCORES = ["-inf", "+inf", "1e300", "-5", "0.5", "1"];
const anything = mostly(hostilePayload, damaged(hostileJson));
const schedule = damaged(
  mostly(
    hostileObject({
      ...{ cron: mostly(quoted("* * * * * *"), hostileJson), every: mostly(quoted("1s"), hostileJson) },
      ...{ class: hostileClass, queue: mostly(quoted("q"), hostileJson), args: hostileJson, first_in: hostileJson },
    }),
    hostileJson,
  ),
);
const limited = '{"class":"Limited","args":[{"a":"x"}]}';

/** Where hostile bytes stand, and which. */
const PLACES: Readonly<Record<string, readonly [texts: fc.Arbitrary<Buffer>, place: Place]>> = {
  "among the delayed": [
    hostileItem("q"),
    ({ keys }, texts) => each(texts, (text, n) => [n % 2 ? "LPUSH" : "RPUSH", keys.delayed(1_000), text]),
  ],
  "among those that wait": [
    hostileWaiting("q"),
    ({ keys }, texts) => each(texts, (text, n) => ["ZADD", keys.retries, SCORES[n] ?? n, text]),
  ],
  "among the drains": [
    hostileDrain,
    ({ keys }, texts) => each(texts, (text, n) => ["ZADD", keys.drains, SCORES[n] ?? n, text]),
  ],
  "in the slots of a dead drain": [
    hostileWorkerEntry("gone.1.1.0"),
    (world, texts) => each(texts.slice(0, 3), (text, n) => ["SET", slotKey(world, n), text]),
  ],
  "in the schedule of the delayed": [
    anything,
    ({ keys }, texts) => each(texts, (text, n) => ["ZADD", keys.delayedSchedule, SCORES[n] ?? n, text]),
  ],
  "among the paused classes": [anything, ({ keys }, texts) => each(texts, (text) => ["SET", keys.pausedClasses, text])],
  "among the starts that a rate counts": [
    anything,
    ({ keys }, texts) => [
      ...each(texts, (text, n) => ["HSET", keys.starts, ["until", "Limited\nx", text][n % 3] as string, text]),
      ["RPUSH", keys.queue("q"), limited],
    ],
  ],
  "among those that run under a limit": [
    anything,
    ({ keys }, texts) => [
      ...each(texts, (text, n) => ["HSET", keys.running, text, texts[n - 1] ?? text]),
      ["RPUSH", keys.queue("q"), limited],
    ],
  ],
  "in the lock of a unique job": [
    anything,
    ({ keys }, texts) => [
      ...each(texts, (text) => ["SET", keys.lock("Unique", "q", "[1]"), text]),
      ["RPUSH", keys.queue("q"), '{"class":"Unique","args":[1],"airlift":{"unique":"d0123456789ab"}}'],
    ],
  ],
  "in the check-ins, and the workers": [
    anything,
    ({ keys }, texts) => [
      ...each(texts, (text) => ["HSET", keys.checkins, text, text]),
      ...each(texts, (text) => ["SADD", keys.workers, text]),
    ],
  ],
  "among the queues' names": [anything, ({ keys }, texts) => each(texts, (text) => ["SADD", keys.queues, text])],
  "among the schedules": [
    schedule,
    ({ keys }, texts) => [
      ...each(texts, (text, n) => ["HSET", keys.persistentSchedules, n, text]),
      ...each(texts, (text, n) => ["HSET", keys.cron, n, text]),
      ...each(texts, (text, n) => ["HSET", keys.lastEnqueuedAt, n, text]),
    ],
  ],
  "in the records of other drains": [
    hostileRecord("endedMs", "host", "stopped", "claimed"),
    ({ keys }, texts) =>
      each(texts, (text, n) => [
        "SET",
        [keys.lastDrain, keys.scaling, keys.kick, keys.job("x")][n % 4] as string,
        text,
      ]),
  ],
};

/** Keys of another type than they should be, and more of what nobody can read than one look takes in. */
const ODDITIES: Readonly<Record<string, Place>> = {
  "a second of delayed jobs that is no list": ({ keys }) => [
    ["SET", keys.delayed(999), "x"],
    ["ZADD", keys.delayedSchedule, 999, 999],
  ],
  "a book of a delayed job that is no set": ({ keys }) => [["SET", keys.timestamps(delayed(1)), "x"]],
  "a slot that is a list": (world) => [["RPUSH", slotKey(world, 0), "x"]],
  "a status that is a list": ({ keys }) => [
    ["RPUSH", keys.job("x"), "x"],
    ["RPUSH", keys.queue("q"), '{"class":"Job","args":[],"airlift":{"id":"x"}}'],
  ],
  "a lock that is a list": ({ keys }) => [
    ["RPUSH", keys.lock("Unique", "q", "[1]"), "x"],
    ["RPUSH", keys.queue("q"), '{"class":"Unique","args":[1],"airlift":{"unique":"d0123456789ab"}}'],
  ],
  "a pause that is a list": ({ keys }) => [["RPUSH", keys.pausedClasses, "x"]],
  "drains of another version": ({ keys }) =>
    Array.from({ length: 40 }, (_, n) => ["ZADD", keys.drains, 1, `{"version":2,"id":"${n}"}`]),
  "jobs that wait for queues that have no name": ({ keys }) =>
    Array.from({ length: 600 }, (_, n) => [
      "ZADD",
      keys.retries,
      1,
      Buffer.from(`{"id":"${n}","queue":"${n % 2 ? "\xff" : "\\q"}","attempt":1,"payload":{}}`, "latin1"),
    ]),
};

describe("a drain with hostile bytes", () => {
  let setup: RunningSetup;
  let raw: ReturnType<typeof connectRaw>;
  let worlds = 0;
  beforeAll(async () => {
    const [kind] = setups()
      .toReversed()
      .filter(({ transport }) => transport === "tcp");
    setup = await (kind as NonNullable<typeof kind>).start();
    raw = connectRaw(setup.redis.url);
  });
  afterAll(async () => {
    await raw.close();
    await setup.close();
  });

  /** Fails unless all of the neighbours have run once when some drains are over, and what is in failed can be read. */
  const check = async (place: Place, texts: readonly Buffer[]): Promise<void> => {
    const world = new PayloadWorld(setup, raw, `b${++worlds}`);
    await world.send(...neighbours(world), ...place(world, texts));
    const ran: unknown[] = [];
    for (let drains = 0; drains < 3; drains++) {
      const scheduler = cron({ persistent: true });
      const { report, good: numbers } = await world.drain({ queues: ["*"], scheduler });
      expect(report.stopped).not.toBe("lost");
      ran.push(...numbers.filter((n) => typeof n === "number" && n < 4));
    }
    expect(ran.toSorted()).toEqual([0, 1, 2, 3]);
    for (const entry of await world.list(world.keys.failed)) expect(payloadsIn(entry)).not.toEqual([]);
    await world.flush();
  };

  const keyed = ['"x"', '"\\ud800"', '"\\\\ud800"', '"\\\\\\ud83d"', '"\\ud83d\\ude80"', "1e400", "null"];
  const forms = [
    ...keyed.map((key) => `{"class":"Limited","args":[{"a":${key}}]}`),
    '{"class":"Free","args":[],"class":"Limited"}',
    '{"class":"Free","args":[],"cl\\u0061ss":"Limited"}',
    '{"class":"Limited","args":["\\"class\\":"]}',
    ' { "args" : [ ] , "class" : "Limited" } ',
  ];
  test.each(forms)("counts a job under the limit of its class, however it is written: %s", async (payload) => {
    for (const by of [undefined, [0, "a"]]) {
      const world = new PayloadWorld(setup, raw, `b${++worlds}`);
      await world.send(["RPUSH", world.keys.queue("q"), payload, payload, payload]);
      const limit = { rate: { jobs: 2, periodMs: 3_600_000 }, ...(by && { by }) };
      const perform = (): undefined => undefined;
      const jobs = [
        { class: "Limited", limit, perform },
        { class: "Free", perform },
      ];
      const report = await world.app({ jobs }).drain();
      expect(report).toMatchObject({ stopped: "limited", succeeded: 2, remaining: 1 });
      await world.flush();
    }
  });

  test.each(Object.entries(PLACES))("%s runs what is good", async (_where, [texts, place]) => {
    const property = fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 6 }), (some) => check(place, some));
    await fc.assert(property, fuzzing(40));
  });

  test.each(Object.entries(ODDITIES))("in the form of %s runs what is good", async (_what, place) => {
    await check(place, []);
  });
});
