import type { Claim } from "../core/store.ts";
import { type ClassLimits, holdsPlace } from "./claim-rules.ts";
import { changeOwn, readOwn, type TailChange } from "./payload.ts";
import { waitingEntry } from "./waiting-entry.ts";

/** A detached job as it waits in `airlift:retries` for its lease to end, without the payload: that is what it was, but for its end. */
export interface DetachedEntry extends TailChange {
  /** The entry's text before the payload. */
  readonly head: string;
}

/**
 * It says the same however often it is asked for, as it is also how the entry is found again. If the job comes back from here, its receiver was not
 * heard of, and that counts as a crash.
 */
export function detachedEntry(claim: Claim, limits: ClassLimits): DetachedEntry {
  const { token, slot, queue, job } = claim;
  const own = readOwn(job.raw);
  // Whatever is run bears a class, so its end can be changed.
  const change = changeOwn(job.raw, { ...own, crashes: (own.crashes ?? 0) + 1 }) as TailChange;
  const attempt = job.kind === "job" ? job.attempt + 1 : 1;
  const id = `${token}-${slot}`;
  const isLimited = holdsPlace(claim, limits);
  return { head: waitingEntry({ id, queue, attempt, isDetached: true, isLimited }), ...change };
}
