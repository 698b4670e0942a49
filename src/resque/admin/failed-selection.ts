import { UsageError } from "../../core/errors.ts";
import type { FailedJob } from "./failed-job.ts";
import { checkGiven, checkIndex, checkInstant, checkNames, checkText } from "./page.ts";
import { needleOf } from "./read-list.ts";

/** Which failed jobs: those that meet all that is given. */
export interface FailedFilter {
  /** The class, whole; of a Rails job the one that is wrapped. */
  readonly class?: string;
  /** The queue that the job came from, whole. */
  readonly queue?: string;
  /** Part of `<exception>: <error>`, upper or lower case. */
  readonly error?: string;
  /** Failed at this instant (ms since the epoch, or a Date) or later. An entry whose time cannot be read does not meet it. */
  readonly since?: number | Date;
  /** Failed before this instant. */
  readonly until?: number | Date;
  /** Whether the job has been retried from the list. */
  readonly retried?: boolean;
}

/** What to retry or remove: entries by their ids, by a filter, or all. */
export interface FailedSelection extends FailedFilter {
  /** `failed`, or one of the lists of Ruby's multi-queue backend, as `mail_failed`. @default "failed" */
  readonly list?: string;
  /** Ids, or their first 12 digits and more. Of entries that are alike one is meant. At most 1,000. */
  readonly ids?: readonly string[];
  readonly all?: true;
  /** Go on from here: the `next` of a result. */
  readonly cursor?: number;
  /** Stop at this instant, in ms since the epoch; the result's `next` says where to go on. */
  readonly deadlineMs?: number;
}

const FILTER_NAMES = ["class", "queue", "error", "since", "until", "retried"] as const;
const MAX_IDS = 1_000;

/** A filter that is checked, and ready to be asked. */
export interface FailedMatcher {
  matches(job: FailedJob): boolean;
  readonly needles: readonly string[];
}

/** @throws UsageError */
export function createFailedMatcher(what: string, filter: FailedFilter): FailedMatcher {
  for (const name of ["class", "queue", "error"] as const) {
    if (filter[name] !== undefined) checkText(what, name, filter[name]);
  }
  if (filter.retried !== undefined && typeof filter.retried !== "boolean") {
    throw new UsageError(`${what}: retried: expected true or false, got ${JSON.stringify(filter.retried)}`);
  }
  const sinceMs = checkInstant(what, "since", filter.since) ?? Number.NEGATIVE_INFINITY;
  const untilMs = checkInstant(what, "until", filter.until) ?? Number.POSITIVE_INFINITY;
  const isTimed = filter.since !== undefined || filter.until !== undefined;
  const error = filter.error?.toLowerCase();
  return {
    matches: (job) =>
      (filter.class === undefined || job.class === filter.class) &&
      (filter.queue === undefined || job.queue === filter.queue) &&
      (error === undefined || `${job.exception ?? ""}: ${job.error ?? ""}`.toLowerCase().includes(error)) &&
      (!isTimed || (job.failedAtMs !== undefined && job.failedAtMs >= sinceMs && job.failedAtMs < untilMs)) &&
      (filter.retried === undefined || (job.retriedAt !== undefined) === filter.retried),
    needles: [
      ...(filter.class === undefined ? [] : needleOf(filter.class)),
      ...(filter.queue === undefined ? [] : needleOf(filter.queue)),
      ...(filter.error === undefined ? [] : needleOf(filter.error)),
      ...(filter.retried === true ? ["retried_at"] : []),
    ],
  };
}

/** @throws UsageError unless it is ids, a filter, or all */
export function checkFailedSelection(what: string, selection: FailedSelection, more: readonly string[] = []): void {
  checkNames(what, selection, [...FILTER_NAMES, "list", "ids", "all", "cursor", "deadlineMs", ...more]);
  checkGiven(what, selection, FILTER_NAMES);
  const filters = FILTER_NAMES.filter((name) => selection[name] !== undefined);
  if (selection.cursor !== undefined) checkIndex(what, "cursor", selection.cursor);
  if (selection.all !== undefined && selection.all !== true) {
    throw new UsageError(`${what}: all: expected true, or nothing, got ${JSON.stringify(selection.all)}`);
  }
  if (selection.ids === undefined) {
    if (selection.all || filters.length > 0) return;
    throw new UsageError(`${what}: expected ids, a filter (${FILTER_NAMES.join(", ")}), or all: true`);
  }
  if (selection.all || filters.length > 0) throw new UsageError(`${what}: expected ids or a filter, got both`);
  checkIds(what, selection.ids);
}

/** @throws UsageError */
export function checkIds(what: string, ids: readonly unknown[]): void {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MAX_IDS) {
    throw new UsageError(`${what}: ids: expected 1 to ${MAX_IDS} of them`);
  }
  const wrong = ids.find((id) => typeof id !== "string" || !/^[0-9a-f]{12,40}$/.test(id));
  if (wrong === undefined) return;
  throw new UsageError(`${what}: ids: expected 12 to 40 digits 0-9 a-f, got ${JSON.stringify(wrong)}`);
}
