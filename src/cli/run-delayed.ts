import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { formatJobText, formatPage, formatTime } from "./job-text.ts";
import { formatCount } from "./report-text.ts";
import type { QueuePageOptions } from "./run-queues.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";

/** Options of `airlift delayed cancel`. */
export interface DelayedChangeOptions extends ShowOptions {
  readonly class?: string;
  readonly args?: readonly unknown[];
  readonly queue?: string;
  readonly at?: number;
}

/** Options of `airlift delayed reschedule`. */
export interface DelayedMoveOptions extends DelayedChangeOptions {
  readonly to?: number;
  readonly in?: number;
}

type DelayedJob = Awaited<ReturnType<Airlift["delayed"]["list"]>>["jobs"][number];

const COLUMNS: readonly Column<DelayedJob>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "DUE", cell: ({ atMs }) => formatTime(atMs) },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "JOB", cell: formatJobText },
];

/** Prints delayed jobs. */
export async function runDelayedList(options: QueuePageOptions): Promise<void> {
  const { offset, limit } = options;
  await show(
    options,
    (airlift) =>
      airlift.delayed.list({ ...(offset !== undefined && { offset }), ...(limit !== undefined && { limit }) }),
    ({ jobs, next }) =>
      [
        ...(jobs.length > 0 ? [formatTable(COLUMNS, jobs), ""] : []),
        formatPage({ shown: jobs.length, noun: "delayed job" }, { option: "--offset", value: next }),
      ].join("\n"),
  );
}

/** Removes delayed jobs, and prints how many. */
export async function runDelayedCancel(ids: readonly string[], options: DelayedChangeOptions): Promise<void> {
  const selection = selectionOf("delayed cancel", ids, options);
  const { missing } = await show(
    options,
    (airlift) => airlift.delayed.cancel(selection),
    ({ cancelled }) => `cancelled ${formatCount(cancelled, "job")}`,
  );
  reportMissing("delayed job", missing);
}

/** Moves delayed jobs, and prints how many. */
export async function runDelayedReschedule(ids: readonly string[], options: DelayedMoveOptions): Promise<void> {
  const selection = selectionOf("delayed reschedule", ids, options);
  const to = options.to ?? (options.in === undefined ? undefined : Date.now() + options.in);
  if (to === undefined || (options.to !== undefined && options.in !== undefined)) {
    throw new UsageError(`delayed reschedule: expected --to or --in, got ${to === undefined ? "neither" : "both"}`);
  }
  const { missing } = await show(
    options,
    (airlift) => airlift.delayed.reschedule(selection, to),
    ({ rescheduled }) => `moved ${formatCount(rescheduled, "job")} to ${formatTime(to)}`,
  );
  reportMissing("delayed job", missing);
}

function selectionOf(
  what: string,
  ids: readonly string[],
  { class: className, args, queue, at }: DelayedChangeOptions,
) {
  if (ids.length > 0 === (className !== undefined)) {
    throw new UsageError(`${what}: expected ids or --class, got ${className === undefined ? "neither" : "both"}`);
  }
  if (className === undefined) {
    if (args || queue !== undefined || at !== undefined)
      throw new UsageError(`${what}: --args, --queue and --at go with --class`);
    return { ids };
  }
  return {
    class: className,
    ...(args && { args }),
    ...(queue !== undefined && { queue }),
    ...(at !== undefined && { at }),
  };
}
