import { UsageError } from "../core/errors.ts";
import type { CallOptions, RedisClient, RedisReply } from "./client.ts";
import { type DelayedItem, readDelayedItem } from "./delayed-item.ts";
import { readDelayed as readDelayedScript } from "./generated/read-delayed.generated.ts";
import type { Keys } from "./keys.ts";
import { readScore } from "./score.ts";

/** A delayed item and when it is due. `cut` and `raw` are for whoever handles it further. */
export type DelayedEntry = DelayedItem & {
  /** As the list's key has it. */
  readonly atSeconds: string;
  readonly atMs: number;
};

export interface DelayedPage extends CallOptions {
  /** @default 0 */
  readonly offset?: number;
  /** @default 50 */
  readonly limit?: number;
}

export interface DelayedRead {
  readonly entries: readonly DelayedEntry[];
  /** There were no more than these. */
  readonly isEnd: boolean;
}

/** Seconds that are looked at in one request. */
const MAX_LISTS = 500;
const MAX_LIMIT = 1_000;
const MAX_READ_BYTES = 1_000_000;

/**
 * Delayed jobs of all producers in the order of their time, a page at a time. What is no job is among them, as `malformed`.
 *
 * Costs a command for each second that the page or what is before it holds, so a far page of jobs that are spread over time is dear.
 *
 * @throws UsageError for a page that is none
 */
export async function listDelayed(client: RedisClient, keys: Keys, page: DelayedPage = {}): Promise<DelayedRead> {
  const { offset = 0, limit = 50, ...options } = page;
  checkCount("offset", offset, 0, Number.MAX_SAFE_INTEGER);
  checkCount("limit", limit, 1, MAX_LIMIT);
  const entries: DelayedEntry[] = [];
  let passed = 0;
  for (let start = 0; ; ) {
    // Each list holds one item at least, as a rule.
    const count = Math.min(MAX_LISTS, offset + limit - passed);
    const seconds = await readSeconds(client, keys, { start, count }, options);
    const lengths = await readLengths(client, keys, seconds, options);
    const parts: { readonly second: Second; readonly first: number; readonly last: number }[] = [];
    for (const [index, second] of seconds.entries()) {
      const first = Math.max(0, offset - passed);
      const last = Math.min(lengths[index] as number, offset + limit - passed) - 1;
      if (first <= last) parts.push({ second, first, last });
      passed += lengths[index] as number;
    }
    const reads = parts.map(({ second, first, last }) => ["LRANGE", keys.delayed(second.name), first, last]);
    const lists = reads.length > 0 ? ((await client.pipeline(reads, options)) as string[][]) : [];
    for (const [index, raws] of lists.entries()) entries.push(...toEntries(parts[index]?.second as Second, raws));
    // Told by how many there were, not by how many could be read: meanwhile they may have come to their queues.
    if (passed >= offset + limit) return { entries, isEnd: false };
    if (seconds.length < count) return { entries, isEnd: true };
    start += count;
  }
}

/** How many delayed jobs there are. Costs a command for each second that holds some. */
export async function countDelayed(client: RedisClient, keys: Keys, options: CallOptions = {}): Promise<number> {
  let total = 0;
  for (let start = 0; ; start += MAX_LISTS) {
    const seconds = await readSeconds(client, keys, { start, count: MAX_LISTS }, options);
    for (const length of await readLengths(client, keys, seconds, options)) total += length;
    if (seconds.length < MAX_LISTS) return total;
  }
}

/** Every delayed item in the order of time, or those of the given seconds; as many at a time as one reply should hold. */
export async function* scanDelayed(
  client: RedisClient,
  keys: Keys,
  { only, usage }: CallOptions & { readonly only?: readonly string[] } = {},
): AsyncGenerator<readonly DelayedEntry[]> {
  const options = usage ? { usage } : {};
  if (only) {
    yield* scanLists(
      client,
      keys,
      only.map((name) => toSecond(name, name)),
      options,
    );
    return;
  }
  for (let after = "-inf"; ; ) {
    const range = ["ZRANGEBYSCORE", keys.delayedSchedule, after, "+inf", "WITHSCORES", "LIMIT", 0, MAX_LISTS];
    const seconds = toSeconds(await client.command(range, options));
    yield* scanLists(client, keys, seconds, options);
    if (seconds.length < MAX_LISTS) return;
    after = `(${seconds.at(-1)?.score}`;
  }
}

async function* scanLists(
  client: RedisClient,
  keys: Keys,
  seconds: readonly Second[],
  options: CallOptions,
): AsyncGenerator<readonly DelayedEntry[]> {
  let skip = 0;
  for (let at = 0; at < seconds.length; ) {
    const some = seconds.slice(at);
    const args = [skip, MAX_LIMIT, MAX_READ_BYTES];
    const call = { script: readDelayedScript, keys: some.map(({ name }) => keys.delayed(name)), args };
    const [commands, lists, isCut] = (await client.script(call, options)) as [number, string[][], number];
    if (options.usage) options.usage.commands += commands - 1;
    yield lists.flatMap((raws, index) => toEntries(some[index] as Second, raws));
    const ended = lists.length - isCut;
    // Of the list that was cut short, the next call passes over what has been seen.
    skip = isCut === 0 ? 0 : (lists.at(-1)?.length ?? 0) + (ended === 0 ? skip : 0);
    at += ended;
  }
}

function toEntries({ name, atMs }: Second, raws: readonly string[]): DelayedEntry[] {
  return raws.map((raw) => ({ ...readDelayedItem(raw), atSeconds: name, atMs }));
}

interface Second {
  readonly name: string;
  readonly score: string;
  readonly atMs: number;
}

function toSecond(name: string, score: string | number): Second {
  return { name, score: String(score), atMs: readScore(score) * 1_000 };
}

function toSeconds(reply: RedisReply): Second[] {
  const flat = reply as string[];
  return flat.flatMap((name, i) => (i % 2 === 0 ? [toSecond(name, flat[i + 1] as string)] : []));
}

async function readSeconds(
  client: RedisClient,
  keys: Keys,
  { start, count }: { readonly start: number; readonly count: number },
  options: CallOptions,
): Promise<readonly Second[]> {
  const range = ["ZRANGE", keys.delayedSchedule, start, start + count - 1, "WITHSCORES"];
  return toSeconds(await client.command(range, options));
}

async function readLengths(
  client: RedisClient,
  keys: Keys,
  seconds: readonly Second[],
  options: CallOptions,
): Promise<readonly number[]> {
  if (seconds.length === 0) return [];
  const commands = seconds.map(({ name }) => ["LLEN", keys.delayed(name)]);
  return (await client.pipeline(commands, options)) as number[];
}

function checkCount(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new UsageError(`${name}: expected a whole number from ${least} to ${most}, got ${value}`);
}
