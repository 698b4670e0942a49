import type { AdminContext } from "./admin-context.ts";
import { type ListedText, type ListRead, type ListWalk, type ListWindow, readList } from "./read-list.ts";

/** What to look for in a list, and what to do with it. */
export interface ListSweep {
  readonly key: string;
  readonly walk: ListWalk;
  readonly needles: readonly string[];
  /** The only ids to look for, or their beginnings; undefined for any. */
  readonly ids: readonly string[] | undefined;
  /** Stop at this instant, in ms since the epoch; a first step is always done. */
  readonly deadlineMs?: number | undefined;
  chooses(entry: ListedText): boolean;
  /**
   * Changes the chosen entries of a window, those that are still there.
   *
   * @returns for each id how many entries were changed, and whether they have left the list
   */
  change(window: ListWindow, chosen: ReadonlyMap<string, ChosenEntry>): Promise<ReadonlyMap<string, number>>;
  readonly removes: boolean;
}

/** An entry with how many alike were chosen. */
export interface ChosenEntry {
  readonly entry: ListedText;
  readonly count: number;
}

export interface SweepResult {
  readonly changed: number;
  /** Those of `ids` that no entry bears. */
  readonly missing: readonly string[];
  /** Where to go on, if the deadline came first. */
  readonly next: number | undefined;
}

const READ_LIMIT = 1_000;
/** Each of them is a write that takes a way through the list, so fewer at once than are read. */
const CHANGE_LIMIT = 500;

/**
 * Walks over a list once and changes what is chosen, by content: what is changed or removed by others meanwhile is not changed again,
 * and what they move is met later.
 */
export async function sweepList(
  context: AdminContext,
  { key, needles, ids, deadlineMs, ...sweep }: ListSweep,
): Promise<SweepResult> {
  const wanted = ids && new Set(ids);
  const bearsWanted = (id: string): string | undefined => [...(wanted ?? [])].find((start) => id.startsWith(start));
  let changed = 0;
  let walk: ListWalk | undefined = sweep.walk;
  do {
    const read: ListRead = await readList(context, key, walk, {
      limit: READ_LIMIT,
      needles,
      ...(wanted && { ids: [...wanted] }),
    });
    let removed = 0;
    let left = 0;
    for (const chosen of batches(read.entries.filter(sweep.chooses), wanted === undefined)) {
      for (const [id, count] of await sweep.change(read.window, chosen)) {
        changed += count;
        left += (chosen.get(id)?.count ?? 0) - count;
        removed += sweep.removes ? count : 0;
        const found = count > 0 ? bearsWanted(id) : undefined;
        if (found !== undefined) wanted?.delete(found);
      }
    }
    const { mode, at, looked } = read.window;
    // Counted from the tail: what others have added there has moved the last ones that were seen beyond the window, and the list's end with them.
    walk = read.next ?? (mode === "t" && left > 0 ? { mode, at: at + looked } : undefined);
    // What follows has come nearer.
    if (walk?.mode === "t") walk = { mode, at: walk.at - removed };
  } while (walk && wanted?.size !== 0 && (deadlineMs === undefined || context.nowMs() < deadlineMs));
  const isComplete = walk === undefined || wanted?.size === 0;
  return { changed, missing: isComplete ? [...(wanted ?? [])] : [], next: isComplete ? undefined : walk?.at };
}

/** @param all whether all that are alike are chosen, or one of them */
function* batches(entries: readonly ListedText[], all: boolean): Generator<ReadonlyMap<string, ChosenEntry>> {
  const counts = new Map<string, ChosenEntry>();
  for (const entry of entries) {
    const count = counts.get(entry.id)?.count ?? 0;
    counts.set(entry.id, { entry, count: all ? count + 1 : 1 });
  }
  const chosen = [...counts];
  for (let at = 0; at < chosen.length; at += CHANGE_LIMIT) yield new Map(chosen.slice(at, at + CHANGE_LIMIT));
}
