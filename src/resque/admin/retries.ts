import { UsageError } from "../../core/errors.ts";
import { changeRetries as changeRetriesScript } from "../generated/change-retries.generated.ts";
import type { AdminContext } from "./admin-context.ts";
import { checkGiven, checkNames, checkPage, checkText, type PageOptions } from "./page.ts";
import { needleOf } from "./read-list.ts";
import { type RetryCursor, readRetries, type WaitingJob } from "./read-retries.ts";
import { forgetJobs } from "./removed-jobs.ts";

/** A page of the jobs that wait for their next attempt, the one that is due first at the front. */
export interface WaitingPage {
  readonly total: number;
  readonly jobs: readonly WaitingJob[];
  /** The offset of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** Which waiting jobs: by their ids, those that meet what is given, or all. */
export interface WaitingSelection {
  readonly ids?: readonly string[];
  /** The class, whole; of a Rails job the one that is wrapped. */
  readonly class?: string;
  readonly queue?: string;
  readonly all?: true;
}

/** What became of a selection of waiting jobs. */
export interface WaitingChanged {
  readonly changed: number;
  /** Those of the ids that no job bears: come to their queue, removed, or never there. */
  readonly missing: readonly string[];
}

const START: RetryCursor = { score: "-inf", ties: 0 };
const READ_LIMIT = 1_000;
/** How often others may have changed what was read before it is passed over. */
const MAX_FRUITLESS = 3;

/** Shows the jobs that wait for their next attempt. */
export async function listRetries(context: AdminContext, options: PageOptions = {}): Promise<WaitingPage> {
  checkNames("retries.list", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("retries.list", options);
  const { total, jobs, looked } = await readRetries(context, { ...START, ties: offset }, { limit });
  return { total, jobs, next: offset + looked < total ? offset + looked : undefined };
}

/** Counts them. */
export async function countRetries({ client, keys }: AdminContext): Promise<number> {
  return (await client.command(["ZCARD", keys.retries])) as number;
}

/** Makes waiting jobs due now: the next drain takes them to their queues. */
export function runRetries(context: AdminContext, selection: WaitingSelection): Promise<WaitingChanged> {
  return changeRetries(context, "run", selection);
}

/** Removes waiting jobs, and frees what they hold: unique locks, and places under limits. They run no more. */
export function removeRetries(context: AdminContext, selection: WaitingSelection): Promise<WaitingChanged> {
  return changeRetries(context, "remove", selection);
}

async function changeRetries(
  context: AdminContext,
  change: "run" | "remove",
  selection: WaitingSelection,
): Promise<WaitingChanged> {
  checkSelection(`retries.${change}`, selection);
  const { client, keys } = context;
  const { ids, class: className, queue } = selection;
  const wanted = ids && new Set(ids);
  const needles = [className, queue].flatMap((text) => (text === undefined ? [] : needleOf(text)));
  const changed = new Set<string>();
  const doneHere = new Set<string>();
  let fruitless = 0;
  let cursor: RetryCursor | undefined = START;
  while (cursor && wanted?.size !== 0) {
    const read = await readRetries(context, cursor, {
      limit: READ_LIMIT,
      needles,
      ...(wanted && { ids: [...wanted] }),
    });
    const chosen = new Map(
      read.jobs
        .filter(({ id }) => !doneHere.has(id) && (wanted === undefined || wanted.has(id)))
        .filter((job) => className === undefined || job.class === className)
        .filter((job) => queue === undefined || job.queue === queue)
        .map((job) => [job.id, job]),
    );
    let gone = 0;
    let left = 0;
    if (chosen.size > 0) {
      const window = [cursor.score, cursor.ties, read.looked, Number.MAX_SAFE_INTEGER];
      const args = [...window, change, ...chosen.keys()];
      const call = { script: changeRetriesScript, keys: [keys.retries, keys.running], args };
      const [, done, moved] = (await client.script(call)) as [number, string[], string[]];
      for (const id of done) {
        changed.add(id);
        doneHere.add(id);
        wanted?.delete(id);
      }
      left = [...chosen.keys()].filter((id) => !doneHere.has(id)).length;
      fruitless = done.length > 0 ? 0 : fruitless + 1;
      const jobs = moved.flatMap((id) => chosen.get(id) ?? []);
      // Those that have left the score at which the walk stands are behind it no more.
      gone = jobs.filter(({ dueMs }) => dueMs === Number(read.next?.score)).length;
      if (change === "remove") await forget(context, jobs);
    }
    // Others have been put before those that were seen last, or were taken: what is left is looked for again.
    if (left > 0 && fruitless < MAX_FRUITLESS) continue;
    cursor = read.next && { ...read.next, ties: read.next.ties - gone };
    doneHere.clear();
    fruitless = 0;
  }
  return { changed: changed.size, missing: [...(wanted ?? [])] };
}

async function forget(context: AdminContext, jobs: readonly WaitingJob[]): Promise<void> {
  const byQueue = Map.groupBy(jobs, ({ queue = "" }) => queue);
  for (const [queue, some] of byQueue)
    await forgetJobs(
      context,
      queue,
      some.flatMap(({ raw }) => raw ?? []),
    );
}

function checkSelection(what: string, selection: WaitingSelection): void {
  checkNames(what, selection, ["ids", "class", "queue", "all"]);
  checkGiven(what, selection, ["class", "queue"]);
  const { ids, class: className, queue, all } = selection;
  if (className !== undefined) checkText(what, "class", className);
  if (queue !== undefined) checkText(what, "queue", queue);
  if (all !== undefined && all !== true) throw new UsageError(`${what}: all: expected true, or nothing`);
  const isFiltered = className !== undefined || queue !== undefined;
  if (ids === undefined && !isFiltered && !all)
    throw new UsageError(`${what}: expected ids, class, queue, or all: true`);
  if (ids === undefined) return;
  if (isFiltered || all) throw new UsageError(`${what}: expected ids or a filter, got both`);
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > 1_000)
    throw new UsageError(`${what}: ids: expected 1 to 1000`);
  for (const id of ids) checkText(what, "ids", id);
}
