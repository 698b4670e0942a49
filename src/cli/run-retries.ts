import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { formatJobText, formatPage, formatTime } from "./job-text.ts";
import { formatCount } from "./report-text.ts";
import type { QueuePageOptions } from "./run-queues.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";

/** Options of `airlift retries run` and `remove`. */
export interface RetryChangeOptions extends ShowOptions {
  readonly class?: string;
  readonly queue?: string;
  readonly all?: true;
}

type WaitingJob = Awaited<ReturnType<Airlift["retries"]["list"]>>["jobs"][number];

const COLUMNS: readonly Column<WaitingJob>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "DUE", cell: ({ dueMs }) => formatTime(dueMs) },
  { title: "ATTEMPT", cell: ({ attempt }) => attempt },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "JOB", cell: formatJobText },
  {
    title: "ERROR",
    cell: ({ exception, error = "" }) =>
      exception === undefined ? undefined : `${exception}: ${error.split("\n", 1)[0]}`,
  },
];

/** Prints waiting jobs. */
export async function runRetryList(options: QueuePageOptions): Promise<void> {
  const { offset, limit } = options;
  await show(
    options,
    (airlift) =>
      airlift.retries.list({ ...(offset !== undefined && { offset }), ...(limit !== undefined && { limit }) }),
    ({ total, jobs, next }) =>
      [
        ...(jobs.length > 0 ? [formatTable(COLUMNS, jobs), ""] : []),
        formatPage({ shown: jobs.length, total, noun: "waiting job" }, { option: "--offset", value: next }),
      ].join("\n"),
  );
}

/** Runs or removes waiting jobs, and prints how many. */
export async function runRetryChange(
  change: "run" | "remove",
  ids: readonly string[],
  options: RetryChangeOptions,
): Promise<void> {
  const { class: className, queue, all } = options;
  const isFiltered = className !== undefined || queue !== undefined;
  if (ids.length > 0 && (isFiltered || all))
    throw new UsageError(`retries ${change}: expected ids or a filter, got both`);
  if (ids.length === 0 && !isFiltered && !all) {
    throw new UsageError(`retries ${change}: expected ids, --class, --queue, or --all`);
  }
  const selection = {
    ...(ids.length > 0 && { ids }),
    ...(className !== undefined && { class: className }),
    ...(queue !== undefined && { queue }),
    ...(all && { all }),
  };
  const { missing } = await show(
    options,
    (airlift) => airlift.retries[change](selection),
    ({ changed }) =>
      change === "run" ? `${formatCount(changed, "job")} due now` : `removed ${formatCount(changed, "job")}`,
  );
  reportMissing("waiting job", missing);
}
