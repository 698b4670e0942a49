import { UsageError } from "../core/errors.ts";
import type { RedisCommand } from "./client.ts";
import { encodeDelayedItem } from "./delayed-item.ts";
import type { Keys } from "./keys.ts";

/** A job for later, as resque-scheduler keeps it. */
export interface DelayedJob {
  readonly queue: string;
  /** As `encodePayload` writes it. */
  readonly payload: string;
  readonly atSeconds: number;
}

/** The latest instant that a JavaScript date can hold. */
const MAX_MS = 8.64e15;

/**
 * The second under which resque-scheduler keeps a job that is due then: the one in which it is due.
 *
 * @param name of the option that was given, for the message
 * @throws UsageError if it is no instant since 1970
 */
export function toDelayedSeconds(at: Date | number, name = "at"): number {
  // A text, null or true would have a number, too, and be due at once.
  const atMs = at instanceof Date ? at.getTime() : at;
  if (!(typeof atMs === "number" && atMs >= 0 && atMs <= MAX_MS)) {
    const given =
      at instanceof Date ? `a date of ${atMs} ms` : typeof at === "string" ? JSON.stringify(at) : String(at);
    throw new UsageError(`${name}: expected a date or milliseconds since 1970, got ${given}`);
  }
  return Math.floor(atMs / 1_000);
}

/**
 * The commands that put one job where resque-scheduler would, all for one transaction. Those of several jobs may be merged by name and
 * key.
 *
 * @see https://github.com/resque/resque-scheduler/blob/786653ee46448ecf03483315f8c8a770455a7cb2/lib/resque/scheduler/delaying_extensions.rb
 */
export function delayCommands(keys: Keys, { queue, payload, atSeconds }: DelayedJob): RedisCommand[] {
  const item = encodeDelayedItem(payload, queue);
  return [
    ["RPUSH", keys.delayed(atSeconds), item],
    ["SADD", keys.timestamps(item), toListName(atSeconds)],
    ["ZADD", keys.delayedSchedule, atSeconds, atSeconds],
  ];
}

/** How `timestamps:<item>` names the list of a second: without the namespace. */
export function toListName(atSeconds: number | string): string {
  return `delayed:${atSeconds}`;
}
