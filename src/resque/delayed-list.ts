import { UsageError } from "../core/errors.ts";
import type { CallOptions, RedisClient, RedisReply } from "./client.ts";
import { type DelayedItem, readDelayedItem } from "./delayed-item.ts";
import type { Keys } from "./keys.ts";
import * as scripts from "./scripts.generated.ts";

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
export async function listDelayed(
  client: RedisClient,
  keys: Keys,
  page: DelayedPage = {},
): Promise<readonly DelayedEntry[]> {
  const { offset = 0, limit = 50, ...options } = page;
  checkCount("offset", offset, 0, Number.MAX_SAFE_INTEGER);
  checkCount("limit", limit, 1, MAX_LIMIT);
  const entries: DelayedEntry[] = [];
  let passed = 0;
  for (let start = 0; entries.length < limit; ) {
    // Each list holds one item at least, as a rule.
    const count = Math.min(MAX_LISTS, offset + limit - passed);
    const seconds = await readSeconds(client, keys, { start, count }, options);
    const lengths = await readLengths(client, keys, seconds, options);
    const wanted = [];
    for (const [index, { name, atMs }] of seconds.entries()) {
      const length = lengths[index] as number;
      const first = Math.max(0, offset - passed);
      const last = Math.min(length, offset + limit - passed) - 1;
      if (first <= last) wanted.push({ name, atMs, first, last });
      passed += length;
    }
    const lists =
      wanted.length > 0
        ? await client.pipeline(
            wanted.map(({ name, first, last }) => ["LRANGE", keys.delayed(name), first, last]),
            options,
          )
        : [];
    for (const [index, raws] of (lists as string[][]).entries()) {
      const { name, atMs } = wanted[index] as (typeof wanted)[number];
      for (const raw of raws) entries.push({ ...readDelayedItem(raw), atSeconds: name, atMs });
    }
    if (seconds.length < count || passed >= offset + limit) break;
    start += seconds.length;
  }
  return entries.slice(0, limit);
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

/** Every delayed item, or those of the given seconds, as lists and their items; as much at a time as one reply should hold. */
export async function* scanDelayed(
  client: RedisClient,
  keys: Keys,
  { only, usage }: CallOptions & { readonly only?: readonly (string | number)[] } = {},
): AsyncGenerator<readonly DelayedEntry[]> {
  const options = usage ? { usage } : {};
  let after = "-inf";
  for (;;) {
    const range = ["ZRANGEBYSCORE", keys.delayedSchedule, after, "+inf", "WITHSCORES", "LIMIT", 0, MAX_LISTS];
    const seconds = only
      ? only.map((name) => ({ name: String(name), atMs: Number(name) * 1_000, score: "" }))
      : toSeconds(await client.command(range, options));
    for (let list = 0, skip = 0; list < seconds.length; ) {
      const some = seconds.slice(list);
      const args = [skip, MAX_LIMIT, MAX_READ_BYTES];
      const call = { script: scripts.readDelayed, keys: some.map(({ name }) => keys.delayed(name)), args };
      const [commands, lists, isCut] = (await client.script(call, options)) as [number, string[][], number];
      if (usage) usage.commands += commands - 1;
      yield lists.flatMap((raws, index) => {
        const { name, atMs } = some[index] as (typeof some)[number];
        return raws.map((raw) => ({ ...readDelayedItem(raw), atSeconds: name, atMs }));
      });
      const ended = lists.length - isCut;
      skip = isCut === 1 ? (ended === 0 ? skip : 0) + (lists.at(-1)?.length ?? 0) : 0;
      list += ended;
    }
    if (only || seconds.length < MAX_LISTS) return;
    after = `(${seconds.at(-1)?.score}`;
  }
}

interface Second {
  readonly name: string;
  readonly score: string;
  readonly atMs: number;
}

function toSeconds(reply: RedisReply): Second[] {
  const flat = reply as string[];
  return flat.flatMap((name, i) => {
    const score = String(flat[i + 1]);
    return i % 2 === 0 ? [{ name, score, atMs: Number(score) * 1_000 }] : [];
  });
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
