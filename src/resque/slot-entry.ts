import { StoreError } from "../core/errors.ts";
import type { BigIntegers } from "../core/json.ts";
import type { Claim } from "../core/store.ts";
import { parsePayload } from "./payload.ts";

/** No name can hold the quotes behind it: in a JSON text there is a backslash before them. */
const ENTRY_HEAD = /^\{"claim":"([^"]*)","queue":(".*?"),"run_at":"[^"]*","payload":/s;

/** A slot's entry up to the payload, taken apart. */
export interface EntryHead {
  readonly head: string;
  readonly token: string;
  readonly queue: string;
}

/** Undefined for an entry that Airlift did not write. */
export function findEntryHead(entry: string): EntryHead | undefined {
  const match = ENTRY_HEAD.exec(entry);
  if (!match) return undefined;
  try {
    return { head: match[0], token: match[1] as string, queue: JSON.parse(match[2] as string) as string };
  } catch {
    return undefined;
  }
}

/**
 * Reads what a slot holds.
 *
 * @throws StoreError for an entry that Airlift did not write
 */
export function readEntry(entry: string, slot: number, bigIntegers: BigIntegers): Claim {
  const found = findEntryHead(entry);
  if (!found) throw new StoreError("rejected", "a worker's entry in Redis is none that Airlift wrote");
  const { head, token, queue } = found;
  return { slot, token, queue, job: parsePayload(entry.slice(head.length, -1), bigIntegers) };
}
