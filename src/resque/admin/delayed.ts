import { UsageError } from "../../core/errors.ts";
import {
  cancelDelayed,
  type DelayedMatch,
  type Place,
  Places,
  rescheduleDelayed,
  type TakenItem,
  takeDelayed,
} from "../cancel-delayed.ts";
import { toDelayedSeconds } from "../delay.ts";
import { countDelayed, type DelayedEntry, listDelayed, scanDelayed } from "../delayed-list.ts";
import type { AdminContext } from "./admin-context.ts";
import { isTooDeep, type JobSummary } from "./listed-job.ts";
import { checkGiven, checkInstant, checkNames, checkPage, checkText, type PageOptions } from "./page.ts";
import { forgetJobs } from "./removed-jobs.ts";

/** A delayed job, whoever of resque-scheduler, node-resque and Airlift wrote it. */
export interface DelayedJob extends JobSummary {
  /** The second at which it is due, and the beginning of the SHA-1 of its text; jobs that are alike share it. */
  readonly id: string;
  readonly atMs: number;
  readonly queue?: string;
  /** The item's own text: a payload with the member `queue`. */
  readonly raw: string;
}

/** A page of the delayed jobs, the one that is due first at the front. */
export interface DelayedJobPage {
  readonly jobs: readonly DelayedJob[];
  /** The offset of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** Which delayed jobs: by their ids, or of a class, and more closely with exactly these args, of a queue, at a time. */
export interface DelayedSelection {
  /** At most 1,000. */
  readonly ids?: readonly string[];
  readonly class?: string;
  readonly args?: readonly unknown[];
  readonly queue?: string;
  /** When they are due, as they were enqueued: a Date, or ms since the epoch. */
  readonly at?: number | Date;
}

const MAX_IDS = 1_000;
const ID = /^(\d+)-([0-9a-f]{12})$/;

/** Shows the delayed jobs. Costs a command for each second that the page, or what is before it, holds. */
export async function listDelayedJobs(context: AdminContext, options: PageOptions = {}): Promise<DelayedJobPage> {
  checkNames("delayed.list", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("delayed.list", options);
  const { entries, isEnd } = await listDelayed(context.client, context.keys, { offset, limit });
  const jobs = await Promise.all(entries.map(toDelayedJob));
  return { jobs, next: isEnd ? undefined : offset + limit };
}

/** Counts them. Costs a command for each second that holds some. */
export function countDelayedJobs({ client, keys }: AdminContext): Promise<number> {
  return countDelayed(client, keys);
}

/** Removes delayed jobs, with all that is kept of them, and frees the unique locks that they hold. */
export async function cancelDelayedJobs(
  context: AdminContext,
  selection: DelayedSelection,
): Promise<{ readonly cancelled: number; readonly missing: readonly string[] }> {
  const { client, keys } = context;
  const match = checkSelection("delayed.cancel", selection);
  const { places, missing } = match ? { missing: [] } : await findPlaces(context, selection);
  const taken = match ? await cancelDelayed(client, keys, match) : await takeDelayed(client, keys, places ?? [], {});
  for (const [queue, items] of Map.groupBy(taken, (item: TakenItem) => item.queue)) {
    const raws = items.map(({ raw }) => raw);
    await forgetJobs(context, queue, raws);
  }
  return { cancelled: taken.length, missing };
}

/**
 * Moves delayed jobs to another time.
 *
 * @param to a Date, or ms since the epoch
 */
export async function rescheduleDelayedJobs(
  context: AdminContext,
  selection: DelayedSelection,
  to: number | Date,
): Promise<{ readonly rescheduled: number; readonly missing: readonly string[] }> {
  const { client, keys } = context;
  const toSeconds = String(toDelayedSeconds(to, "to"));
  const match = checkSelection("delayed.reschedule", selection);
  if (match) return { rescheduled: (await rescheduleDelayed(client, keys, match, to)).length, missing: [] };
  const { places, missing } = await findPlaces(context, selection);
  const others = places.filter(({ atSeconds }) => atSeconds !== toSeconds);
  return { rescheduled: (await takeDelayed(client, keys, others, { toSeconds })).length, missing };
}

/** Finds items by their ids, or of a class with whatever args. */
async function findPlaces(
  { client, keys }: AdminContext,
  { ids = [], class: className, queue, at }: DelayedSelection,
): Promise<{ readonly places: readonly Place[]; readonly missing: readonly string[] }> {
  const missing = new Set(ids);
  const seconds = at === undefined ? undefined : [Math.floor(Number(at) / 1_000), Math.round(Number(at) / 1_000)];
  const only = className === undefined ? ids.map((id) => ID.exec(id)?.[1] as string) : seconds?.map(String);
  const found = new Places();
  const isMeant = async (entry: DelayedEntry): Promise<boolean> =>
    className === undefined
      ? missing.delete(await idOf(entry))
      : entry.kind === "job" &&
        entry.class === className &&
        (queue === undefined || entry.queue === queue) &&
        (seconds === undefined || entry.atSeconds === String(seconds[entry.isNodes ? 1 : 0]));
  for await (const entries of scanDelayed(client, keys, only ? { only: [...new Set(only)] } : {})) {
    for (const entry of entries) found.note(entry, await isMeant(entry));
  }
  return { places: found.list(), missing: [...missing] };
}

async function toDelayedJob(entry: DelayedEntry): Promise<DelayedJob> {
  const { raw, atMs, queue } = entry;
  const head = { id: await idOf(entry), atMs, ...(queue !== undefined && { queue }), raw };
  if (entry.kind === "malformed") return { ...head, problem: `the item is no job: ${entry.reason}` };
  if (isTooDeep(entry.args)) return { ...head, problem: "the item is nested too deeply" };
  return { ...head, class: entry.class, args: entry.args };
}

async function idOf({ raw, atSeconds }: DelayedEntry): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(raw)));
  const hex = [...digest.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${atSeconds}-${hex}`;
}

/** @returns undefined unless it is a class with args: others are found one by one */
function checkSelection(what: string, selection: DelayedSelection): DelayedMatch | undefined {
  checkNames(what, selection, ["ids", "class", "args", "queue", "at"]);
  checkGiven(what, selection, ["args", "queue", "at"]);
  const { ids, class: className, args, queue, at } = selection;
  if ((ids === undefined) === (className === undefined)) {
    throw new UsageError(`${what}: expected ids or a class, got ${ids ? "both" : "neither"}`);
  }
  if (queue !== undefined) checkText(what, "queue", queue);
  if (args !== undefined && !Array.isArray(args)) throw new UsageError(`${what}: args: expected an array`);
  checkInstant(what, "at", at);
  if (ids !== undefined) {
    if (args ?? queue ?? at) throw new UsageError(`${what}: args, queue and at: expected with a class only`);
    checkIds(what, ids);
    return undefined;
  }
  checkText(what, "class", className);
  return (
    args && {
      ...{ class: className as string, args: args as readonly unknown[], isThorough: true },
      ...(queue !== undefined && { queue }),
      ...(at !== undefined && { atMs: Number(at) }),
    }
  );
}

function checkIds(what: string, ids: readonly unknown[]): void {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MAX_IDS) {
    throw new UsageError(`${what}: ids: expected 1 to ${MAX_IDS} of them`);
  }
  const wrong = ids.find((id) => typeof id !== "string" || !ID.test(id));
  if (wrong === undefined) return;
  throw new UsageError(`${what}: ids: expected <seconds>-<12 digits 0-9 a-f>, got ${JSON.stringify(wrong)}`);
}
