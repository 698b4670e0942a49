import { parseJson, stringifyJson } from "../core/json.ts";
import type { CallOptions, RedisClient } from "./client.ts";
import { toDelayedSeconds, toListName } from "./delay.ts";
import { type DelayedItem, encodeItemForms } from "./delayed-item.ts";
import { type DelayedEntry, scanDelayed } from "./delayed-list.ts";
import { moveDelayed as moveDelayedScript } from "./generated/move-delayed.generated.ts";
import type { Keys } from "./keys.ts";
import { readOwn } from "./payload.ts";
import { isSameJson } from "./same-json.ts";

/** Which delayed jobs are meant. */
export interface DelayedMatch {
  /** @default any; all delayed jobs are looked at then */
  readonly queue?: string;
  readonly class: string;
  /** @default [] */
  readonly args?: readonly unknown[];
  /** When it is due, as it was enqueued: whole seconds count, cut or, for a job of node-resque, rounded. @default any time */
  readonly atMs?: number;
  /**
   * Finds jobs by what they say, not by their text: also those that bear a member of Airlift's own (unique jobs, jobs with a status), or
   * that a producer wrote in other ways (`1.0`, `\u003c`). Costs a command for each second that holds delayed jobs.
   *
   * @default false if `queue` is given
   */
  readonly isThorough?: boolean;
}

/** A delayed item that was taken out. */
export interface TakenItem {
  /** Its text: a payload with the member `queue`. */
  readonly raw: string;
  readonly queue: string;
}

/** One item in one list. */
export interface Place extends TakenItem {
  readonly atSeconds: string;
  /** Where it was seen in a long list, if it was seen there once. */
  readonly seen?: { readonly index: number; readonly list: SeenList };
}

/** A list as it was seen. */
interface SeenList {
  length: number;
}

/** From so many items on it is worth while to know where in a list an item is. */
const LONG_LIST = 200;

/** Gathers the places of some of the items that are looked through, in their order. */
export class Places {
  readonly #found = new Map<string, Place>();
  readonly #lists = new Map<string, SeenList>();

  /** @param isMeant whether it is one of them */
  note({ atSeconds, raw, queue = "" }: DelayedEntry, isMeant: boolean): void {
    const list = this.#lists.get(atSeconds) ?? { length: 0 };
    this.#lists.set(atSeconds, list);
    const index = list.length++;
    if (!isMeant) return;
    const key = `${atSeconds} ${raw}`;
    const place = { raw, queue, atSeconds };
    // Of those that are alike the first one stands for all.
    this.#found.set(key, this.#found.has(key) ? place : { ...place, seen: { index, list } });
  }

  list(): readonly Place[] {
    return [...this.#found.values()];
  }
}

/** Items that one call of the script handles. */
const MAX_PLACES = 500;

/**
 * Removes delayed jobs, whoever of resque-scheduler, node-resque and Airlift wrote them, with all that is kept of them.
 *
 * @returns each that was removed, so that its lock can be freed; a job that was promoted meanwhile is not among them
 */
export async function cancelDelayed(
  client: RedisClient,
  keys: Keys,
  match: DelayedMatch,
  options: CallOptions = {},
): Promise<readonly TakenItem[]> {
  return takeDelayed(client, keys, await findPlaces(client, keys, match, options), options);
}

/**
 * Moves delayed jobs to another time, each in one step: one that was promoted meanwhile stays promoted. Those that are due then anyway
 * do not count.
 *
 * @returns each that was moved
 * @throws UsageError if the time is none
 */
export async function rescheduleDelayed(
  client: RedisClient,
  keys: Keys,
  match: DelayedMatch,
  toMs: Date | number,
  options: CallOptions = {},
): Promise<readonly TakenItem[]> {
  const toSeconds = String(toDelayedSeconds(toMs, "to"));
  const places = await findPlaces(client, keys, match, options);
  const others = places.filter(({ atSeconds }) => atSeconds !== toSeconds);
  return takeDelayed(client, keys, others, { ...options, toSeconds });
}

async function findPlaces(
  client: RedisClient,
  keys: Keys,
  match: DelayedMatch,
  options: CallOptions,
): Promise<readonly Place[]> {
  const { queue, class: className, args = [], atMs } = match;
  const cut = atMs === undefined ? undefined : String(toDelayedSeconds(atMs));
  const rounded = atMs === undefined ? undefined : String(Math.round(atMs / 1_000));
  if (queue === undefined || match.isThorough) return findByContent(client, keys, match, { cut, rounded, options });
  const { ruby, node } = encodeItemForms(queue, className, args);
  if (cut !== undefined && rounded !== undefined) {
    return [
      { raw: ruby, queue, atSeconds: cut },
      { raw: node, queue, atSeconds: rounded },
    ];
  }
  const books = [ruby, node].map((raw) => ["SMEMBERS", keys.timestamps(raw)]);
  const [rubys, nodes] = (await client.pipeline(books, options)) as [string[], string[]];
  const places = (raw: string, lists: readonly string[]): Place[] =>
    lists.flatMap((list) => {
      const atSeconds = list.startsWith(toListName("")) ? list.slice(toListName("").length) : undefined;
      return atSeconds === undefined ? [] : [{ raw, queue, atSeconds }];
    });
  return [...places(ruby, rubys), ...places(node, nodes)];
}

async function findByContent(
  client: RedisClient,
  keys: Keys,
  { queue, class: className, args = [] }: DelayedMatch,
  {
    cut,
    rounded,
    options,
  }: { readonly cut: string | undefined; readonly rounded: string | undefined; readonly options: CallOptions },
): Promise<readonly Place[]> {
  const wanted = parseJson(stringifyJson(args));
  const isMeant = (item: DelayedItem, atSeconds: string): boolean =>
    item.kind === "job" &&
    item.class === className &&
    (queue === undefined || item.queue === queue) &&
    (cut === undefined || atSeconds === (item.isNodes ? rounded : cut)) &&
    isSameJson(item.args, wanted);
  const only = cut === undefined || rounded === undefined ? {} : { only: [...new Set([cut, rounded])] };
  const places = new Places();
  for await (const entries of scanDelayed(client, keys, { ...options, ...only })) {
    for (const entry of entries) places.note(entry, isMeant(entry, entry.atSeconds));
  }
  return places.list();
}

/**
 * Takes items out of the lists that they stand in, or with `toSeconds` moves them, by their text as it was read.
 *
 * @returns each that was there
 */
export async function takeDelayed(
  client: RedisClient,
  keys: Keys,
  places: readonly Place[],
  { toSeconds, usage }: CallOptions & { readonly toSeconds?: string },
): Promise<readonly TakenItem[]> {
  const prefixBytes = new TextEncoder().encode(keys.delayed("")).length - toListName("").length;
  const taken: TakenItem[] = [];
  const gone = new Map<string, number>();
  const goneOf = (atSeconds: string): number => gone.get(atSeconds) ?? 0;
  for (let at = 0; at < places.length; at += MAX_PLACES) {
    const some = places.slice(at, at + MAX_PLACES);
    const items = [...new Set(some.map(({ raw }) => raw))];
    const lists = [...new Set(some.map(({ atSeconds }) => atSeconds))];
    const call = {
      script: moveDelayedScript,
      keys: [
        keys.delayedSchedule,
        toSeconds === undefined ? keys.delayedSchedule : keys.delayed(toSeconds),
        ...items.map(keys.timestamps),
        ...lists.map(keys.delayed),
      ],
      args: [
        ...[prefixBytes, items.length, toSeconds ?? "", lists.length],
        ...lists.map((list) => lengthOf(some, list) - goneOf(list)),
        ...some.flatMap(({ raw, atSeconds, seen }) => [
          ...[items.indexOf(raw) + 1, lists.indexOf(atSeconds) + 1],
          seen && seen.list.length >= LONG_LIST ? seen.index - goneOf(atSeconds) : "",
        ]),
      ],
    };
    const [commands, counts] = (await client.script(call, usage ? { usage } : {})) as [number, number[]];
    if (usage) usage.commands += commands - 1;
    for (const [index, count] of counts.entries()) {
      const { raw, queue, atSeconds } = some[index] as Place;
      gone.set(atSeconds, goneOf(atSeconds) + count);
      for (let n = 0; n < count; n++) taken.push({ raw, queue });
    }
  }
  if (toSeconds !== undefined) await moveLocksOf(client, keys, taken, { toSeconds, usage });
  return taken;
}

function lengthOf(places: readonly Place[], list: string): number {
  return places.find(({ atSeconds, seen }) => seen && atSeconds === list)?.seen?.list.length ?? 0;
}

/** A unique job's lock, and the status of a job, must outlive its new time. Not in the same step: until it is done they tell the old one. */
async function moveLocksOf(
  client: RedisClient,
  keys: Keys,
  items: readonly TakenItem[],
  { toSeconds, usage }: { readonly toSeconds: string; readonly usage: CallOptions["usage"] | undefined },
): Promise<void> {
  if (!items.some(({ raw }) => raw.endsWith("}}"))) return;
  const { lockOf, moveLocks } = await import("./unique-lock.ts");
  const statuses = items.flatMap(({ raw }) => readOwn(raw).id ?? []).map((id) => ({ key: keys.job(id), id: "" }));
  const locks = [...items.flatMap(({ raw, queue }) => lockOf(raw, queue, keys) ?? []), ...statuses];
  if (locks.length > 0) await moveLocks(client, locks, toSeconds, usage ? { usage } : {});
}
