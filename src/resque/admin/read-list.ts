import type { RedisReply } from "../client.ts";
import { readList as readListScript } from "../generated/read-list.generated.ts";
import type { AdminContext } from "./admin-context.ts";

/** An entry of a list, as text. */
export interface ListedText {
  /** SHA-1 of the entry's bytes: entries that are alike share it. */
  readonly id: string;
  readonly bytes: number;
  /** Bytes that are no UTF-8 show as U+FFFD. */
  readonly text: string;
  /** The entry is so large that `text` has only its short members. */
  readonly isAbridged: boolean;
}

/**
 * Where a walk over a list starts, and where it goes.
 *
 * - `h`: towards the head, from the entry before index `at`. Misses nothing while others push at the tail or remove anywhere
 * - `t`: towards the head, from the tail, passing over `at` entries. Misses nothing while others push at the tail and take from, or
 *   give back to, the head
 * - `u`: towards the tail, from index `at`
 */
export interface ListWalk {
  readonly mode: "h" | "t" | "u";
  readonly at: number;
}

/** The part of a list that a read has looked at. */
export interface ListWindow extends ListWalk {
  readonly looked: number;
}

export interface ReadListOptions {
  /** Most entries to return. */
  readonly limit: number;
  /** Return only entries whose ids begin with one of these. */
  readonly ids?: readonly string[];
  /** Return only entries that hold these texts, upper or lower case. */
  readonly needles?: readonly string[];
}

export interface ListRead {
  readonly length: number;
  readonly entries: readonly ListedText[];
  readonly window: ListWindow;
  /** Where to go on; undefined at the list's end. */
  readonly next: ListWalk | undefined;
}

/** Each call is bounded in entries and in bytes, looked at and returned, so that it blocks Redis for some milliseconds only. */
const MAX_ENTRIES_LOOKED_AT = 5_000;
const MAX_BYTES_LOOKED_AT = 16_000_000;
/** Replies may take twice this, for JSON's escapes, and Upstash allows 10 MB. */
const MAX_BYTES_RETURNED = 4_000_000;
const MAX_WHOLE_ENTRY_BYTES = 1_000_000;

/** Reads the next entries of a list. With ids or needles there may be none, and still more of the list to look at. */
export async function readList(
  { client }: AdminContext,
  key: string,
  walk: ListWalk,
  { limit, ids = [], needles = [] }: ReadListOptions,
): Promise<ListRead> {
  const bounds = [MAX_ENTRIES_LOOKED_AT, MAX_BYTES_LOOKED_AT, limit, MAX_BYTES_RETURNED, MAX_WHOLE_ENTRY_BYTES];
  const reply = await client.script({
    script: readListScript,
    keys: [key],
    args: [walk.mode, walk.at, ...bounds, ids.length, ...ids, ...needles],
  });
  const [, length, looked, flat] = reply as [number, number, number, RedisReply[]];
  const entries: ListedText[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    const [id, bytes, text] = flat.slice(i, i + 3) as [string, number, string];
    entries.push({ id, bytes, text, isAbridged: bytes > MAX_WHOLE_ENTRY_BYTES });
  }
  const at = walk.mode === "h" ? Math.min(walk.at, length) : walk.at;
  const after = walk.mode === "h" ? at - looked : at + looked;
  const isAtEnd = walk.mode === "h" ? after <= 0 : after >= length;
  return {
    length,
    entries,
    window: { mode: walk.mode, at, looked },
    next: isAtEnd ? undefined : { mode: walk.mode, at: after },
  };
}

/** The arguments by which a script finds a window that was read before. */
export function windowArgs({ mode, at, looked }: ListWindow): (string | number)[] {
  return [mode, at, looked, Number.MAX_SAFE_INTEGER];
}

/** What JSON writers leave as it is, all of them. */
const PLAIN_RUN = /[\w.,-]+/g;

/**
 * The longest part of a text that an entry must hold, in whatever encoding of JSON, if a member of it holds the text.
 *
 * @returns no needle for a text without such a part
 */
export function needleOf(text: string): readonly string[] {
  const [longest] = (text.match(PLAIN_RUN) ?? []).toSorted((a, b) => b.length - a.length);
  return longest === undefined ? [] : [longest.toLowerCase()];
}
