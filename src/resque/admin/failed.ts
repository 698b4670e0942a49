import { UsageError } from "../../core/errors.ts";
import type { AdminContext } from "./admin-context.ts";
import { type FailedJob, readFailedJob } from "./failed-job.ts";
import { failedListKey } from "./failed-lists.ts";
import { createFailedMatcher, type FailedFilter } from "./failed-selection.ts";
import { checkIndex, checkLimit, checkNames } from "./page.ts";
import { type ListWalk, readList } from "./read-list.ts";

/** Which failed jobs to show. */
export interface FailedPageOptions extends FailedFilter {
  /** `failed`, or one of the lists of Ruby's multi-queue backend, as `mail_failed`. @default "failed" */
  readonly list?: string;
  /** @default "newest" */
  readonly order?: "newest" | "oldest";
  /** Where to go on: the `next` of the page before. @default the newest, or the oldest */
  readonly cursor?: number;
  /** How many jobs to return, 1 to 1000. @default 50 */
  readonly limit?: number;
}

/** A page of failed jobs. */
export interface FailedPage {
  /** Entries in the list, whatever the filter. */
  readonly total: number;
  readonly jobs: readonly FailedJob[];
  /**
   * The cursor of the next page; undefined at the end. A filter that few jobs meet may give a page without any, and a `next`: each
   * call looks at 5,000 entries at most.
   */
  readonly next: number | undefined;
}

/** Shows a page of a failed list. */
export async function listFailed(context: AdminContext, options: FailedPageOptions = {}): Promise<FailedPage> {
  const what = "failed.list";
  checkNames(what, options, [
    "list",
    "order",
    "cursor",
    "limit",
    "class",
    "queue",
    "error",
    "since",
    "until",
    "retried",
  ]);
  const { order = "newest", cursor } = options;
  if (order !== "newest" && order !== "oldest") {
    throw new UsageError(`${what}: order: expected "newest" or "oldest", got ${JSON.stringify(order)}`);
  }
  if (cursor !== undefined) checkIndex(what, "cursor", cursor);
  const limit = checkLimit(what, options.limit);
  const { matches, needles } = createFailedMatcher(what, options);
  const key = await failedListKey(context, what, options.list);
  const walk: ListWalk =
    order === "newest" ? { mode: "h", at: cursor ?? Number.MAX_SAFE_INTEGER } : { mode: "u", at: cursor ?? 0 };
  const { length, entries, next } = await readList(context, key, walk, { limit, needles });
  return { total: length, jobs: entries.map(readFailedJob).filter(matches), next: next?.at };
}
