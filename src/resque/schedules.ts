import type { RedisClient, RedisCommand, RedisReply, Usage } from "./client.ts";
import { lockValue } from "./encode-unique.ts";
import type { EncodedJob, UniqueJob } from "./encoded-job.ts";
import { enqueueJobs } from "./enqueue.ts";
import { tickSchedules as tickSchedulesScript } from "./generated/tick-schedules.generated.ts";
import type { Keys } from "./keys.ts";
import { parseRubyTime } from "./ruby-time.ts";
import { toStarted } from "./time-format.ts";

/** One schedule to handle: its state as it was read and as it will be, and its jobs. */
export interface ScheduleHandling {
  readonly name: string;
  /** Undefined if there is none. */
  readonly before: string | undefined;
  /** Undefined to forget the schedule. */
  readonly after: string | undefined;
  /** Of a schedule that Ruby's scheduler may lead. */
  readonly isPersistent: boolean;
  readonly queue: string;
  readonly jobs: readonly EncodedJob[];
}

/**
 * What became of a schedule.
 *
 * - `done`: all its jobs were enqueued, or took the places of others, but for those that were dropped: another holds their unique lock
 * - `lost`: somebody else has handled it, or Ruby's scheduler leads it
 * - `refused`: Redis would not take one of its jobs; nothing was done
 */
export type HandlingResult =
  | { readonly kind: "done" /** Numbers of jobs, from 0. */; readonly dropped: ReadonlySet<number> }
  | { readonly kind: "lost" }
  | { readonly kind: "refused"; readonly reason: string };

/** What Redis knows of the schedules. */
export interface SchedulesRead {
  /** By Redis' clock. */
  readonly timeMs: number;
  /** Ruby's scheduler holds its lock. */
  readonly isLedByRuby: boolean;
  readonly states: ReadonlyMap<string, string>;
  /** JSON of definitions. */
  readonly persistent: ReadonlyMap<string, string>;
}

/** The schedules' keys. Each call moves the meter that it is given. */
export interface ScheduleStore {
  /** Two commands for the states of `names`; four with all that is in `persistent_schedules`. */
  read(of: { readonly names: readonly string[]; readonly persistent: boolean }, usage: Usage): Promise<SchedulesRead>;
  /** When schedules were last enqueued, by Ruby's scheduler or by Airlift. */
  readLastEnqueued(names: readonly string[], usage: Usage): Promise<ReadonlyMap<string, number>>;
  /** Handles schedules, each one only if its state is what it was. May be repeated: what is done is then `lost`. */
  handle(handlings: readonly ScheduleHandling[], nowMs: number, usage: Usage): Promise<readonly HandlingResult[]>;
  /** Writes a definition as Ruby's `set_schedule` does with `persist`; with a state, the schedule starts from it. */
  define(name: string, json: string, state: string | undefined, usage: Usage): Promise<void>;
  /** Removes a definition as Ruby's `remove_schedule` does, and the schedule's state. */
  remove(name: string, usage: Usage): Promise<boolean>;
}

/** A call stays under these, so that it fits every Redis and blocks none for long. */
const MAX_CALL_JOBS = 5_000;
const MAX_CALL_SCHEDULES = 1_000;
const MAX_CALL_CHARS = 1_000_000;

export function createScheduleStore(client: RedisClient, keys: Keys, lockPrefix?: string): ScheduleStore {
  const lock = lockPrefix === undefined ? keys.rubySchedulerLock : keys.prefixedSchedulerLock(lockPrefix);

  const handleChunk = async (
    handlings: readonly ScheduleHandling[],
    nowMs: number,
    usage: Usage,
  ): Promise<HandlingResult[]> => {
    const queues = [...new Set(handlings.filter(({ jobs }) => jobs.length > 0).map(({ queue }) => queue))];
    const locks = [...new Set(handlings.flatMap(({ jobs }) => jobs.flatMap(({ lock: held }) => held?.key ?? [])))];
    const jobArgs = (job: EncodedJob): (string | number)[] => {
      if (!isUnique(job)) return [job.payload, 0];
      return [job.payload, locks.indexOf(job.lock.key) + 1, ...lockValue(job, undefined, nowMs)];
    };
    const args = [
      toStarted(nowMs),
      queues.length,
      ...queues,
      ...handlings.flatMap(({ name, before = "", after = "", isPersistent, queue, jobs }) => [
        ...[name, before, after, isPersistent ? 1 : 0, queues.indexOf(queue) + 1, jobs.length],
        ...jobs.flatMap(jobArgs),
      ]),
    ];
    const names = [
      keys.cron,
      keys.queues,
      keys.lastEnqueuedAt,
      lock,
      ...queues.map((queue) => keys.queue(queue)),
      ...locks,
    ];
    const reply = await client.script({ script: tickSchedulesScript, keys: names, args }, { usage });
    const [commands, ends, duplicates] = reply as [number, (number | string)[], number[]];
    usage.commands += commands - 1;
    const results: HandlingResult[] = [];
    for (const [index, end] of ends.entries()) {
      if (end === 1) {
        const numbers = duplicates.flatMap((schedule, i) =>
          i % 2 === 0 && schedule === index + 1 ? [(duplicates[i + 1] as number) - 1] : [],
        );
        results.push({
          kind: "done",
          dropped: await dropOrReplace(handlings[index]?.jobs ?? [], numbers, nowMs, usage),
        });
      } else results.push(end === 0 ? { kind: "lost" } : { kind: "refused", reason: String(end) });
    }
    return results;
  };

  /** Of jobs whose locks are held those that may take the place of the holder do so, as any job of their class; the others are dropped. */
  const dropOrReplace = async (
    jobs: readonly EncodedJob[],
    numbers: readonly number[],
    nowMs: number,
    usage: Usage,
  ): Promise<ReadonlySet<number>> => {
    const dropped = new Set(numbers);
    const replacing = numbers.filter((number) => jobs[number]?.lock?.replaces);
    if (replacing.length === 0) return dropped;
    const outcome = await enqueueJobs(
      client,
      keys,
      replacing.map((number) => jobs[number] as EncodedJob),
      { nowMs, usage },
    );
    for (const [index, number] of replacing.entries()) if (!outcome.dropped.has(index)) dropped.delete(number);
    return dropped;
  };

  return {
    async read({ names, persistent }, usage) {
      const items: RedisCommand[] = [["TIME"]];
      // The lock comes first: what Ruby has enqueued before it let go of it is seen by what is read later.
      if (persistent) items.push(["EXISTS", lock], ["HGETALL", keys.persistentSchedules], ["HGETALL", keys.cron]);
      else if (names.length > 0) items.push(["HMGET", keys.cron, ...names]);
      const replies = await client.pipeline(items, { usage });
      const time = replies[0] as string[];
      return {
        timeMs: Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000),
        isLedByRuby: persistent && replies[1] === 1,
        states: persistent ? pairs(replies[3]) : zip(names, replies[1]),
        persistent: persistent ? pairs(replies[2]) : new Map(),
      };
    },

    async readLastEnqueued(names, usage) {
      if (names.length === 0) return new Map();
      const texts = zip(names, await client.command(["HMGET", keys.lastEnqueuedAt, ...names], { usage }));
      return new Map(
        [...texts].flatMap(([name, text]) => {
          const ms = parseRubyTime(text);
          return ms === undefined ? [] : [[name, ms] as const];
        }),
      );
    },

    async handle(handlings, nowMs, usage) {
      const results: HandlingResult[] = [];
      for (const chunk of chunks(handlings)) results.push(...(await handleChunk(chunk, nowMs, usage)));
      return results;
    },

    async define(name, json, state, usage) {
      const commands: RedisCommand[] = [
        ["HSET", keys.persistentSchedules, name, json],
        ["SADD", keys.schedulesChanged, name],
      ];
      if (state !== undefined) commands.push(["HSET", keys.cron, name, state]);
      await client.transaction(commands, { usage });
    },

    async remove(name, usage) {
      const replies = await client.transaction(
        [
          ["HDEL", keys.persistentSchedules, name],
          ["SADD", keys.schedulesChanged, name],
          ["HDEL", keys.cron, name],
        ],
        { usage },
      );
      return replies[0] === 1;
    },
  };
}

function* chunks(handlings: readonly ScheduleHandling[]): Generator<ScheduleHandling[]> {
  let chunk: ScheduleHandling[] = [];
  let jobs = 0;
  let chars = 0;
  for (const handling of handlings) {
    const itsChars = handling.jobs.reduce((sum, { payload }) => sum + payload.length, 0);
    const isFull =
      chunk.length === MAX_CALL_SCHEDULES ||
      jobs + handling.jobs.length > MAX_CALL_JOBS ||
      chars + itsChars > MAX_CALL_CHARS;
    if (isFull && chunk.length > 0) {
      yield chunk;
      chunk = [];
      jobs = 0;
      chars = 0;
    }
    chunk.push(handling);
    jobs += handling.jobs.length;
    chars += itsChars;
  }
  if (chunk.length > 0) yield chunk;
}

function isUnique(job: EncodedJob): job is UniqueJob {
  return job.lock !== undefined;
}

function pairs(reply: RedisReply | undefined): Map<string, string> {
  const flat = (reply ?? []) as string[];
  const map = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i] as string, flat[i + 1] as string);
  return map;
}

function zip(names: readonly string[], reply: RedisReply | undefined): Map<string, string> {
  const values = (reply ?? []) as (string | null)[];
  return new Map(
    names.flatMap((name, index) => {
      const value = values[index];
      return value == null ? [] : [[name, value] as const];
    }),
  );
}
