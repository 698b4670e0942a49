import { UsageError } from "../../core/errors.ts";
import { parseJson, stringifyJson } from "../../core/json.ts";
import { clearList as clearListScript } from "../generated/clear-list.generated.ts";
import { isSameJson } from "../same-json.ts";
import type { AdminContext } from "./admin-context.ts";
import { removeEntries } from "./change-failed.ts";
import { checkIds } from "./failed-selection.ts";
import { checkGiven, checkNames, checkText } from "./page.ts";
import { type QueuedJob, readQueuedJob } from "./queues.ts";
import { needleOf } from "./read-list.ts";
import { forgetJobs } from "./removed-jobs.ts";
import { sweepList } from "./sweep-list.ts";

/** Which jobs of a queue: by their ids, or of a class, or of a class with exactly these args. */
export interface QueuedSelection {
  /** Ids, or their first 12 digits and more. Of jobs that are alike one is meant. At most 1,000. */
  readonly ids?: readonly string[];
  /** The class, whole; of a Rails job the one that is wrapped. */
  readonly class?: string;
  readonly args?: readonly unknown[];
}

/** What became of a selection of queued jobs. */
export interface QueuedRemoved {
  readonly removed: number;
  /** Those of the ids that no job bears: taken by a worker, removed, or never there. */
  readonly missing: readonly string[];
}

/** Most entries of a list that one step removes. */
const MAX_CLEARED = 10_000;
const MAX_CLEARED_BYTES = 16_000_000;

/** Removes jobs from a queue wherever they stand in it, whoever wrote them, and frees the unique locks that they hold. */
export async function removeQueuedJobs(
  context: AdminContext,
  queue: string,
  selection: QueuedSelection,
): Promise<QueuedRemoved> {
  const what = "queues.removeJobs";
  checkText(what, "queue", queue);
  const chooses = createMatcher(what, selection);
  const key = context.keys.queue(queue);
  const { changed, missing } = await sweepList(context, {
    key,
    walk: { mode: "t", at: 0 },
    needles: selection.class === undefined ? [] : needleOf(selection.class),
    ids: selection.ids,
    removes: true,
    chooses: (entry) => chooses(readQueuedJob(entry)),
    async change(window, chosen) {
      const removed = await removeEntries(context, key, window, chosen);
      const gone = [...chosen.values()].filter(({ entry }) => (removed.get(entry.id) ?? 0) > 0);
      await forgetJobs(
        context,
        queue,
        gone.map(({ entry }) => entry.text),
      );
      return removed;
    },
  });
  return { removed: changed, missing };
}

/** Removes all jobs of a queue, and frees the unique locks that they hold. */
export function clearQueue(context: AdminContext, queue: string): Promise<{ readonly removed: number }> {
  checkText("queues.clear", "queue", queue);
  return emptyQueue(context, queue, "");
}

/** Removes a queue with all its jobs, as Ruby's `remove_queue`. It is there again as soon as somebody puts a job into it. */
export function removeQueue(context: AdminContext, queue: string): Promise<{ readonly removed: number }> {
  checkText("queues.remove", "queue", queue);
  return emptyQueue(context, queue, queue);
}

async function emptyQueue(context: AdminContext, queue: string, name: string): Promise<{ readonly removed: number }> {
  const { client, keys } = context;
  let removed = 0;
  let most = Number.POSITIVE_INFINITY;
  // What is put into the queue meanwhile goes, too, but whoever puts in more than this removes does not hold it up for ever.
  for (let left = 1; left > 0 && removed < most; ) {
    const reply = await client.script({
      script: clearListScript,
      keys: [keys.queue(queue), keys.queues],
      args: ["u", 0, MAX_CLEARED, MAX_CLEARED_BYTES, name],
    });
    const [, count, rest, locked] = reply as [number, number, number, string[]];
    removed += count;
    left = rest;
    most = Math.min(most, 2 * (removed + rest));
    await forgetJobs(context, queue, locked);
  }
  return { removed };
}

function createMatcher(what: string, selection: QueuedSelection): (job: QueuedJob) => boolean {
  checkNames(what, selection, ["ids", "class", "args"]);
  checkGiven(what, selection, ["args"]);
  const { ids, class: className, args } = selection;
  if ((ids === undefined) === (className === undefined)) {
    throw new UsageError(`${what}: expected ids or a class, got ${ids ? "both" : "neither"}`);
  }
  if (ids) {
    if (args !== undefined) throw new UsageError(`${what}: args: expected with a class only`);
    checkIds(what, ids);
    return () => true;
  }
  checkText(what, "class", className);
  if (args !== undefined && !Array.isArray(args)) throw new UsageError(`${what}: args: expected an array`);
  // As values: producers write the same arguments in different ways.
  const wanted = args && parseJson(stringifyJson(args));
  return (job) => job.class === className && (wanted === undefined || isSameJson(job.args, wanted));
}
