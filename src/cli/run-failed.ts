import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { formatJobText, formatPage, formatTime } from "./job-text.ts";
import { formatCount } from "./report-text.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";
import { toLine } from "./terminal-text.ts";

type FailedJob = Awaited<ReturnType<Airlift["failed"]["list"]>>["jobs"][number];

interface FilterOptions extends ShowOptions {
  readonly list?: string;
  readonly class?: string;
  readonly queue?: string;
  readonly error?: string;
  readonly since?: number;
  readonly until?: number;
  readonly retried?: boolean;
}

/** Options of `airlift failed list`. */
export interface FailedListOptions extends FilterOptions {
  readonly oldest?: true;
  readonly cursor?: number;
  readonly limit?: number;
}

/** Options of `airlift failed remove`. */
export interface FailedChangeOptions extends FilterOptions {
  readonly all?: true;
}

/** Options of `airlift failed retry`. */
export interface FailedRetryOptions extends FailedChangeOptions {
  readonly to?: string;
}

const SHOWN_ID_DIGITS = 12;

const COLUMNS: readonly Column<FailedJob>[] = [
  { title: "ID", cell: ({ id }) => id.slice(0, SHOWN_ID_DIGITS) },
  { title: "FAILED AT", cell: ({ failedAtMs, failedAt }) => formatTime(failedAtMs) || failedAt },
  { title: "RETRIED AT", cell: ({ retriedAtMs, retriedAt }) => formatTime(retriedAtMs) || retriedAt },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "JOB", cell: formatJobText },
  {
    title: "ERROR",
    cell: ({ exception, error }) =>
      [exception, error?.split("\n", 1)[0]].filter((part) => part !== undefined).join(": "),
  },
];

/** Prints a page of failed jobs. */
export async function runFailedList(options: FailedListOptions): Promise<void> {
  await show(
    options,
    (airlift) => readPage(airlift, options),
    ({ total, jobs, next }) =>
      [
        ...(jobs.length > 0 ? [formatTable(COLUMNS, jobs), ""] : []),
        formatPage({ shown: jobs.length, total, noun: "failed job" }, { option: "--cursor", value: next }),
      ].join("\n"),
  );
}

/** Prints the lists of failed jobs. */
export async function runFailedLists(options: ShowOptions): Promise<void> {
  await show(
    options,
    async (airlift) => ({ lists: await airlift.failed.lists() }),
    ({ lists }) =>
      formatTable(
        [
          { title: "LIST", cell: ({ name }) => name },
          { title: "JOBS", cell: ({ size }) => size },
        ],
        lists,
      ),
  );
}

/** Retries failed jobs, and prints how many. */
export async function runFailedRetry(ids: readonly string[], options: FailedRetryOptions): Promise<void> {
  const selection = { ...selectionOf("failed retry", ids, options), ...(options.to && { toQueue: options.to }) };
  const { missing, refusals } = await show(
    options,
    (airlift) => airlift.failed.retry(selection),
    ({ retried, refused }) =>
      `retried ${formatCount(retried, "job")}${refused > 0 ? `; ${refused.toLocaleString("en-US")} cannot be` : ""}`,
  );
  reportMissing("failed job", missing);
  for (const { id, reason } of refusals)
    process.stderr.write(`airlift: cannot be retried: ${id} (${toLine(reason)})\n`);
  if (ids.length > 0 && refusals.length > 0) process.exitCode = 1;
}

/** Removes failed jobs, and prints how many. */
export async function runFailedRemove(ids: readonly string[], options: FailedChangeOptions): Promise<void> {
  const selection = selectionOf("failed remove", ids, options);
  const { missing } = await show(
    options,
    (airlift) => airlift.failed.remove(selection),
    ({ removed }) => `removed ${formatCount(removed, "failed job")}`,
  );
  reportMissing("failed job", missing);
}

/** A filter that few jobs meet gives short pages: this goes on until there are enough. */
async function readPage(airlift: Airlift, { oldest, cursor, limit = 50, ...options }: FailedListOptions) {
  const filter = { ...filterOf(options), ...listOf(options), ...(oldest && { order: "oldest" as const }) };
  let page = await airlift.failed.list({ ...filter, limit, ...(cursor !== undefined && { cursor }) });
  const jobs = [...page.jobs];
  while (page.next !== undefined && jobs.length < limit) {
    page = await airlift.failed.list({ ...filter, limit: limit - jobs.length, cursor: page.next });
    jobs.push(...page.jobs);
  }
  return { ...page, jobs };
}

function selectionOf(what: string, ids: readonly string[], options: FailedChangeOptions) {
  const filter = filterOf(options);
  const isFiltered = Object.keys(filter).length > 0;
  if (ids.length > 0 && (isFiltered || options.all))
    throw new UsageError(`${what}: expected ids or a filter, got both`);
  if (ids.length === 0 && !isFiltered && !options.all) {
    throw new UsageError(`${what}: expected ids, a filter such as --class or --until, or --all`);
  }
  return { ...listOf(options), ...filter, ...(options.all && { all: true as const }), ...(ids.length > 0 && { ids }) };
}

function listOf({ list }: FilterOptions) {
  return list === undefined ? {} : { list };
}

function filterOf({ class: className, queue, error, since, until, retried }: FilterOptions) {
  return {
    ...(className !== undefined && { class: className }),
    ...(queue !== undefined && { queue }),
    ...(error !== undefined && { error }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(retried !== undefined && { retried }),
  };
}
