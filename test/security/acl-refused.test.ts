import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisClient } from "../../src/resque/client.ts";
import { payload } from "../conformance/world.ts";
import { linesOf, optionsOf } from "./acl-lines.ts";
import { type AclWorld, aclSetup, openAclWorld } from "./acl-world.ts";

/** What nobody may do whom docs/security.md makes. */
const NOBODY = [
  ["KEYS", "*"],
  ["SCAN", "0"],
  ["RANDOMKEY"],
  ["DBSIZE"],
  ["FLUSHALL"],
  ["FLUSHDB"],
  ["SWAPDB", "0", "1"],
  ["CONFIG", "GET", "*"],
  ["CONFIG", "SET", "maxmemory", "1"],
  ["ACL", "LIST"],
  ["ACL", "SETUSER", "someone", "on", "nopass", "~*", "+@all"],
  ["ACL", "WHOAMI"],
  ["CLIENT", "LIST"],
  ["CLIENT", "KILL", "TYPE", "normal"],
  ["INFO"],
  ["MONITOR"],
  ["SLOWLOG", "GET"],
  ["DEBUG", "SLEEP", "0"],
  ["SHUTDOWN", "NOSAVE"],
  ["SAVE"],
  ["REPLICAOF", "NO", "ONE"],
  ["MODULE", "LIST"],
  ["SCRIPT", "FLUSH"],
  ["SCRIPT", "LOAD", "return 1"],
  ["FUNCTION", "LIST"],
  ["SUBSCRIBE", "c"],
  ["PUBLISH", "c", "m"],
  ["GET", "other"],
  ["SET", "other", "x"],
  ["DEL", "other"],
  ["RPUSH", "other:queue:q", "x"],
  ["RENAME", "resque:queue:q", "resque:queue:r"],
  ["COPY", "resque:queue:q", "resque:queue:r"],
  ["DUMP", "resque:queue:q"],
  ["EXPIRE", "resque:queue:q", "1"],
  ["PERSIST", "resque:queue:q"],
  ["UNLINK", "resque:queue:q"],
  ["BLPOP", "resque:queue:q", "1"],
  ["LINSERT", "resque:queue:q", "BEFORE", "x", "y"],
  ["SORT", "resque:queue:q"],
  ["EVAL", "return redis.call('GET', KEYS[1])", "1", "other"],
  ["EVAL", "return redis.call('GET', 'other')", "0"],
  ["EVAL", "return redis.call('KEYS', '*')", "0"],
  ["EVAL", "return redis.call('FLUSHALL')", "0"],
  ["EVAL", "return redis.call('CONFIG', 'GET', '*')", "0"],
] as const;

/** The same command by itself, and inside a script that names its key, and inside one that does not. */
function* inEachWay(command: readonly string[]): Generator<readonly string[]> {
  yield command;
  const [name = "", key = "", ...args] = command;
  yield ["EVAL", `return redis.call('${name}', KEYS[1], unpack(ARGV))`, "1", key, ...args];
  yield ["EVAL", `return redis.call('${name}', unpack(ARGV))`, "0", key, ...args];
}

const READ_QUEUE = [
  ["LRANGE", "resque:queue:q", "0", "-1"],
  ["GET", "resque:worker:airlift-test-held:7-0:q"],
] as const;
const POP = [
  ["LPOP", "resque:queue:q"],
  ["RPOP", "resque:queue:q"],
  ["LREM", "resque:queue:q", "0", "x"],
  ["LTRIM", "resque:queue:q", "1", "0"],
  ["LMOVE", "resque:queue:q", "resque:queue:r", "LEFT", "RIGHT"],
  ["DEL", "resque:queue:q"],
  ["SET", "resque:queue:q", "x"],
] as const;
const READ_FAILED = [["LRANGE", "resque:failed", "0", "-1"]] as const;
const CHANGE_FAILED = [
  ["LPOP", "resque:failed"],
  ["LSET", "resque:failed", "0", "x"],
  ["LREM", "resque:failed", "0", "x"],
  ["DEL", "resque:failed"],
  ["SET", "resque:failed", "x"],
] as const;
const CHANGE_QUEUES = [
  ["SREM", "resque:queues", "q"],
  ["DEL", "resque:queues"],
] as const;
const PAUSE = [
  ["SET", "resque:pause-all-workers", "true"],
  ["SET", "resque:pause:queue:q", "true"],
  ["SET", "resque:airlift:paused-classes", "[]"],
] as const;
const BOOKS_OF_DRAINS = [
  ["ZADD", "resque:airlift:drains", "1", "m"],
  ["ZREM", "resque:airlift:drains", "m"],
  ["SET", "resque:worker:airlift-test-held:7-0:q", "x"],
  ["SADD", "resque:workers", "w"],
  ["INCRBY", "resque:stat:processed", "1"],
] as const;
const WAITING = [
  ["ZRANGE", "resque:airlift:retries", "0", "-1"],
  ["ZADD", "resque:airlift:retries", "1", "m"],
] as const;
const RUBYS_WORKERS = [
  ["SET", "resque:worker:host:1:q", "x"],
  ["DEL", "resque:worker:host:1:q"],
  ["MSET", "resque:stat:processed:host:1:q", "1"],
] as const;
const SCHEDULES = [
  ["HSET", "resque:persistent_schedules", "s", "{}"],
  ["HDEL", "resque:persistent_schedules", "daily"],
] as const;
const DELAY = [
  ["ZADD", "resque:delayed_queue_schedule", "1", "1"],
  ["RPUSH", "resque:delayed:1", "x"],
] as const;
const DELAYED = [
  ["LRANGE", "resque:delayed:4000000000", "0", "-1"],
  ["ZREM", "resque:delayed_queue_schedule", "4000000000"],
  ["DEL", "resque:delayed:4000000000"],
] as const;
const WRITE = [
  ["RPUSH", "resque:queue:q", "x"],
  ["SADD", "resque:queues", "x"],
  ["HSET", "resque:workers:heartbeat", "w", "x"],
] as const;

/** What each may not do, beside that. */
const REFUSED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  enqueue: [
    ...[...READ_QUEUE, ...POP, ...READ_FAILED, ...CHANGE_FAILED, ...CHANGE_QUEUES, ...PAUSE, ...BOOKS_OF_DRAINS],
    ...[...WAITING, ...RUBYS_WORKERS, ...SCHEDULES, ...DELAYED],
    ["SMEMBERS", "resque:queues"],
    ["LPUSH", "resque:queue:q", "x"],
    ["RPUSH", "resque:failed", "x"],
    ["RPUSH", "resque:delayed:last_enqueued_at", "x"],
    ["GET", "resque:lock:Noop:q:[1]"],
    ["GET", "resque:airlift:idempotency:Noop:x"],
  ],
  drain: [
    ...[...READ_FAILED, ...CHANGE_FAILED, ...CHANGE_QUEUES, ...PAUSE, ...RUBYS_WORKERS, ...SCHEDULES, ...DELAY],
    ["DEL", "resque:queue:q"],
    ["SET", "resque:queue:q", "x"],
    ["DEL", "resque:airlift:drains"],
    ["DEL", "resque:airlift:retries"],
    ["SET", "resque:stat:processed", "0"],
    ["GET", "resque:worker:host:1:q"],
  ],
  receive: [
    ...[...READ_QUEUE, ...POP, ...READ_FAILED, ...CHANGE_FAILED, ...CHANGE_QUEUES, ...PAUSE, ...RUBYS_WORKERS],
    ...[...SCHEDULES, ...DELAY, ...DELAYED],
    ["ZRANGE", "resque:airlift:retries", "0", "-1"],
    ["ZADD", "resque:airlift:drains", "1", "m"],
  ],
  operate: [],
  look: [
    ...[...POP, ...CHANGE_FAILED, ...CHANGE_QUEUES, ...PAUSE, ...BOOKS_OF_DRAINS, ...RUBYS_WORKERS, ...SCHEDULES],
    ...[...DELAY, ...WRITE],
  ],
};

/** As Redis words it, to who sends a command and to scripts. */
const REFUSAL = /NOPERM|no permissions|can't (?:run|access)|not allowed/;

describe.skipIf(!aclSetup).each(Object.keys(REFUSED))("airlift-%s, with all its lines", (name) => {
  let world: AclWorld;
  let client: RedisClient;
  beforeAll(async () => {
    world = await openAclWorld();
    const blocks = [
      name,
      ...optionsOf(name)
        .filter((option) => option !== "replaced")
        .map((option) => `${name} ${option}`),
    ];
    for (const line of blocks.flatMap(linesOf)) await world.setUser(line);
    client = await world.clientOf(`airlift-${name}`);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("is refused all else, and what it tries changes nothing", async () => {
    const { keys } = world;
    await world.push("q", payload(1), payload(2));
    const held = world.drain({ id: "held", slots: 1 });
    await held.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    await world.send(
      ["SET", "other", "x"],
      ["RPUSH", keys.failed, '{"payload":{}}'],
      ["SADD", keys.workers, "host:1:q"],
      ["SET", keys.worker("host:1:q"), "{}"],
      ["HSET", keys.persistentSchedules, "daily", "{}"],
      ["RPUSH", keys.delayed(4_000_000_000), "{}"],
      ["ZADD", keys.delayedSchedule, 4_000_000_000, 4_000_000_000],
      ["SET", "resque:lock:Noop:q:[1]", "1.x"],
    );
    const before = await world.everything();
    const allowed: string[] = [];
    for (const command of [...NOBODY, ...(REFUSED[name] ?? []).flatMap((each) => [...inEachWay(each)])]) {
      const reply = await client.command(command).catch((error: unknown) => error as Error);
      const isRefused = reply instanceof Error && REFUSAL.test(reply.message);
      if (!isRefused)
        allowed.push(`${command.join(" ")}: ${reply instanceof Error ? reply.message : JSON.stringify(reply)}`);
    }
    expect(allowed).toEqual([]);
    expect(await world.everything()).toEqual(before);
  });
});
