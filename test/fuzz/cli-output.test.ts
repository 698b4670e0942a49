import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectRaw, type RawCommand } from "../../src/redis/ioredis-connection.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { damaged, hostileJson, hostileObject, hostileString, mostly, quoted } from "./hostile-json.ts";
import { hostileClass, hostileItem, hostilePayload } from "./hostile-payload.ts";
import {
  hostileDrain,
  hostileFailedEntry,
  hostileRecord,
  hostileWaiting,
  hostileWorkerEntry,
} from "./hostile-redis.ts";
import { PayloadWorld } from "./payload-world.ts";
import { runHere, UNSAFE_OUTPUT } from "./run-here.ts";
import { fuzzing } from "./settings.ts";

/** Of queues, workers, schedules. */
const name = fc.oneof(
  damaged(fc.oneof(hostileString, hostileClass)),
  fc.constantFrom("\u001B[2Jq", "a\nb", "\u009B31m", "\u202Eq", "q").map((text) => Buffer.from(text)),
);
const score = fc.constantFrom(
  ..."1 -inf +inf 1e300 -5 0.5 99999999999999 4102444800000 4102444800 8640000000001".split(" "),
);
const some = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 4 });
const schedule = hostileObject({
  ...{ cron: mostly(quoted("* * * * *"), hostileJson), every: hostileJson, class: hostileClass },
  ...{ queue: mostly(quoted("q"), hostileJson), args: hostileJson, description: hostileJson },
});
const statusMembers =
  "state queue class enqueuedMs attempt startedMs endedMs durationMs worker dueMs failure reason result";

const content = fc.record({
  ...{ failed: some(hostileFailedEntry), queued: some(hostilePayload), queues: some(name), lists: some(name) },
  ...{ retries: some(fc.tuple(score, hostileWaiting("q"))), delayed: some(fc.tuple(score, hostileItem("q"))) },
  ...{ workers: some(fc.tuple(name, hostileWorkerEntry("t"))), drains: some(fc.tuple(score, hostileDrain)) },
  entry: hostileWorkerEntry("t"),
  checkins: some(hostileRecord("token", "at", "message", "done", "total")),
  status: hostileRecord(...statusMembers.split(" ")),
  last: hostileRecord("endedMs", "host", "stopped", "claimed", "succeeded"),
  classes: damaged(
    mostly(
      some(hostileString).map((classes) => `[${classes}]`),
      hostileJson,
    ),
  ),
  schedules: some(fc.tuple(name, damaged(mostly(schedule, hostileJson)))),
  ...{ enqueued: some(fc.tuple(name, name)), counts: some(name) },
});
type Content = typeof content extends fc.Arbitrary<infer Value> ? Value : never;

const concat = (...parts: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

function fill({ keys }: PayloadWorld, { entry, status, last, classes, ...lists }: Content): RawCommand[] {
  const slot = "airlift-x-dead:1-0:q";
  return [
    ["SADD", keys.queues, "q"],
    ["SET", keys.job("victim"), status],
    ["SET", keys.lastDrain, last],
    ["SET", keys.pausedClasses, classes],
    ["ZADD", keys.drains, 1, '{"id":"dead","host":"airlift-x-dead","pid":1,"slots":1,"queues":"q"}'],
    ["SET", keys.worker(slot), entry],
    ...lists.failed.map((text): RawCommand => ["RPUSH", keys.failed, text]),
    ...lists.queued.map((text): RawCommand => ["RPUSH", keys.queue("q"), text]),
    ...lists.queues.map((text): RawCommand => ["SADD", keys.queues, text]),
    ...lists.lists.map((text): RawCommand => ["SADD", keys.failedQueues, concat(text, "_failed")]),
    ...lists.retries.map(([at, text]): RawCommand => ["ZADD", keys.retries, at, text]),
    ...lists.delayed.flatMap(([at, text]): RawCommand[] => [
      ["ZADD", keys.delayedSchedule, at, at],
      ["RPUSH", keys.delayed(at), text],
    ]),
    ...lists.workers.flatMap(([id, text]): RawCommand[] => [
      ["SADD", keys.workers, id],
      ["HSET", keys.heartbeats, id, text],
      ["MSET", concat(keys.worker(""), id), text, concat(keys.worker(""), id, ":started"), text],
    ]),
    ...lists.drains.map(([at, text]): RawCommand => ["ZADD", keys.drains, at, text]),
    ...lists.checkins.map((text): RawCommand => ["HSET", keys.checkins, slot, text]),
    ...lists.schedules.map(([id, text]): RawCommand => ["HSET", keys.persistentSchedules, id, text]),
    ...lists.enqueued.map(([id, text]): RawCommand => ["HSET", keys.lastEnqueuedAt, id, text]),
    ...lists.counts.map((text): RawCommand => ["MSET", keys.processed, text, keys.failures, text]),
  ];
}

const LOOKS = ["status", "failed", "failed lists", "queues", "queues peek q", "retries", "delayed", "workers"].concat(
  ...["workers --by-drain", "schedule", "job victim"],
);
/** In this order; what one has changed the next may find. */
const CHANGES = [
  "failed retry --all",
  "retries run --all",
  "retries remove --all",
  "delayed cancel --class Job",
].concat(
  ...[
    "delayed reschedule --class Unique --in 5m",
    "queues clear q --class Job",
    "failed remove --all",
    "queues clear q --all",
  ],
);

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

/** Fails unless a command ends well, or says in a line why not, and prints nothing that a terminal acts on. */
const check = async (line: string, ...more: string[]): Promise<void> => {
  const at = ["--redis", setup.redis.url, "--namespace", `o${worlds}`];
  const { status, stdout, stderr } = await runHere([...line.split(" "), ...at, ...more]);
  expect({ line, status }).toEqual({ line, status: expect.toBeOneOf([0, 1]) });
  expect(stdout + stderr).not.toMatch(UNSAFE_OUTPUT);
  expect(stderr).toMatch(/^(?:airlift: [^\n]+\n)*$/);
  if (status === 1) expect(stderr).not.toBe("");
  if (status === 0 && more.includes("--json")) JSON.parse(stdout);
};

test("what stands in Redis is shown as text, whatever it is", async () => {
  const property = fc.asyncProperty(content, async (all) => {
    const world = new PayloadWorld(setup, raw, `o${++worlds}`);
    await world.send(...fill(world, all));
    for (const look of LOOKS) {
      await check(look);
      await check(look, "--json");
    }
    for (const change of CHANGES) await check(change);
    await world.flush();
  });
  await fc.assert(property, fuzzing(25));
});
