import { StoreError } from "../../core/errors.ts";
import { removeListed as removeListedScript } from "../generated/remove-listed.generated.ts";
import { retryFailed as retryFailedScript } from "../generated/retry-failed.generated.ts";
import { toFailedAt } from "../time-format.ts";
import type { AdminContext } from "./admin-context.ts";
import { type FailedJob, readFailedJob } from "./failed-job.ts";
import { failedListKey } from "./failed-lists.ts";
import { checkFailedSelection, createFailedMatcher, type FailedSelection } from "./failed-selection.ts";
import { checkText } from "./page.ts";
import { type ListedText, type ListWindow, windowArgs } from "./read-list.ts";
import { type ChosenEntry, sweepList } from "./sweep-list.ts";

/** Which failed jobs to retry. By filter or all, those that bear `retried_at` already are left, unless `retried` is given. */
export interface FailedRetry extends FailedSelection {
  /** Put them into this queue instead of those that they came from. */
  readonly toQueue?: string;
}

/** What became of a selection of failed jobs. */
export interface FailedRetried {
  readonly retried: number;
  /** Those of the ids that no entry bears: retried, removed, or never there. */
  readonly missing: readonly string[];
  /** How many could not be retried, as they hold no job or name no queue. */
  readonly refused: number;
  /** The first 100 of them. */
  readonly refusals: readonly { readonly id: string; readonly reason: string }[];
  /** Where to go on, if the deadline came first; give it as `cursor`. */
  readonly next: number | undefined;
}

/** @see FailedRetried */
export interface FailedRemoved {
  readonly removed: number;
  readonly missing: readonly string[];
  readonly next: number | undefined;
}

const MAX_REFUSALS = 100;

/**
 * Puts failed jobs back: the bytes of each payload to the tail of its queue, and `retried_at` into its entry, in one step.
 *
 * @throws StoreError; what was retried before stays so, and what was not can be retried again
 */
export async function retryFailed(context: AdminContext, selection: FailedRetry): Promise<FailedRetried> {
  const what = "failed.retry";
  checkFailedSelection(what, selection, ["toQueue"]);
  const { ids, toQueue, deadlineMs } = selection;
  if (toQueue !== undefined) checkText(what, "toQueue", toQueue);
  const { matches, needles } = createFailedMatcher(what, selection);
  const key = await failedListKey(context, what, selection.list);
  const retriedAt = toFailedAt(context.nowMs());
  const refusals = new Map<string, string>();
  const isWanted = (job: FailedJob): boolean =>
    // What is met a second time bears the mark of this very sweep.
    ids !== undefined || (matches(job) && (selection.retried ? job.retriedAt !== retriedAt : !job.retriedAt));
  const sweep = await sweepList(context, {
    key,
    walk: { mode: "h", at: selection.cursor ?? Number.MAX_SAFE_INTEGER },
    needles,
    ids,
    deadlineMs,
    removes: false,
    chooses(entry) {
      const job = readFailedJob(entry);
      if (!isWanted(job)) return false;
      const refusal = refusalOf(job, toQueue);
      if (refusal !== undefined) refusals.set(job.id, refusal);
      return refusal === undefined;
    },
    change: (window, chosen) => retryEntries(context, { key, window, chosen, retriedAt, toQueue }),
  });
  const refused = [...refusals].map(([id, reason]) => ({ id, reason }));
  const isRefused = (start: string): boolean => refused.some(({ id }) => id.startsWith(start));
  return {
    retried: sweep.changed,
    missing: sweep.missing.filter((id) => !isRefused(id)),
    refused: refused.length,
    refusals: refused.slice(0, MAX_REFUSALS),
    next: sweep.next,
  };
}

/** Removes failed jobs from their list. */
export async function removeFailed(context: AdminContext, selection: FailedSelection): Promise<FailedRemoved> {
  const what = "failed.remove";
  checkFailedSelection(what, selection);
  const { matches, needles } = createFailedMatcher(what, selection);
  const key = await failedListKey(context, what, selection.list);
  const { changed, missing, next } = await sweepList(context, {
    key,
    walk: { mode: "h", at: selection.cursor ?? Number.MAX_SAFE_INTEGER },
    needles,
    ids: selection.ids,
    deadlineMs: selection.deadlineMs,
    removes: true,
    chooses: (entry) => selection.ids !== undefined || matches(readFailedJob(entry)),
    change: (window, chosen) => removeEntries(context, key, window, chosen),
  });
  return { removed: changed, missing, next };
}

/**
 * Empties a failed list, in one step.
 *
 * @returns how many entries there were just before
 */
export async function clearFailed(context: AdminContext, list?: string): Promise<{ readonly removed: number }> {
  const key = await failedListKey(context, "failed.clear", list);
  // No transaction: a full Redis, whose list of failures one may want to empty, refuses to begin one.
  const [removed] = await context.client.pipeline([
    ["LLEN", key],
    ["DEL", key],
  ]);
  return { removed: removed as number };
}

/** Removes chosen entries of any list. */
export async function removeEntries(
  { client }: AdminContext,
  key: string,
  window: ListWindow,
  chosen: ReadonlyMap<string, ChosenEntry>,
): Promise<ReadonlyMap<string, number>> {
  const [, removed] = (await client.script({
    script: removeListedScript,
    keys: [key],
    args: [...windowArgs(window), ...[...chosen].flatMap(([id, { count }]) => [id, count])],
  })) as [number, number[]];
  return new Map([...chosen.keys()].map((id, index) => [id, removed[index] as number]));
}

interface RetryCall {
  readonly key: string;
  readonly window: ListWindow;
  readonly chosen: ReadonlyMap<string, ChosenEntry>;
  readonly retriedAt: string;
  readonly toQueue: string | undefined;
}

async function retryEntries(
  { client, keys }: AdminContext,
  { key, window, chosen, retriedAt, toQueue }: RetryCall,
): Promise<ReadonlyMap<string, number>> {
  const queueOf = (entry: ListedText): string => toQueue ?? (readFailedJob(entry).queue as string);
  const queues = [...new Set([...chosen.values()].map(({ entry }) => queueOf(entry)))];
  const wanted = [...chosen].flatMap(([id, { entry, count }]) => [id, count, queues.indexOf(queueOf(entry)) + 1]);
  const [, retried, problem] = (await client.script({
    script: retryFailedScript,
    keys: [key, keys.queues, ...queues.map(keys.queue)],
    args: [...windowArgs(window), JSON.stringify(retriedAt), queues.length, ...queues, ...wanted],
  })) as [number, number[], string];
  if (problem !== "") throw new StoreError("rejected", `Redis refused to take failed jobs back: ${problem}`);
  return new Map([...chosen.keys()].map((id, index) => [id, retried[index] as number]));
}

function refusalOf({ problem, queue, raw }: FailedJob, toQueue: string | undefined): string | undefined {
  if (problem !== undefined) return problem;
  if (toQueue !== undefined) return undefined;
  if (queue === undefined || queue === "") return "the entry names no queue";
  // What Redis would be told is another name then.
  return queue.includes("\uFFFD") && raw.includes("\uFFFD") ? "the queue's name is not valid UTF-8" : undefined;
}
