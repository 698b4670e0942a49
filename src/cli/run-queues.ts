import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { formatJobText, formatPage } from "./job-text.ts";
import { formatCount } from "./report-text.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";

/** Options of `airlift queues list` and `peek`. */
export interface QueuePageOptions extends ShowOptions {
  readonly offset?: number;
  readonly limit?: number;
}

/** Options of `airlift queues clear`. */
export interface QueueClearOptions extends ShowOptions {
  readonly class?: string;
  readonly args?: readonly unknown[];
  readonly all?: true;
}

/** Options of `airlift queues remove`. */
export interface QueueRemoveOptions extends ShowOptions {
  readonly all?: true;
}

type QueuedJob = Awaited<ReturnType<Airlift["queues"]["peek"]>>["jobs"][number];

const JOB_COLUMNS: readonly Column<QueuedJob>[] = [
  { title: "ID", cell: ({ id }) => id.slice(0, 12) },
  { title: "ATTEMPT", cell: ({ attempt }) => attempt },
  { title: "JOB", cell: formatJobText },
];

/** Prints the queues. */
export async function runQueueList(options: QueuePageOptions): Promise<void> {
  await show(
    options,
    (airlift) => airlift.queues.list(pageOf(options)),
    ({ total, queues, next }) =>
      queues.length === 0 && total === 0
        ? "no queues yet"
        : [
            formatTable(
              [
                { title: "QUEUE", cell: ({ name }) => name },
                { title: "JOBS", cell: ({ size }) => size },
                { title: "", cell: ({ paused }) => (paused ? "paused" : "") },
              ],
              queues,
            ),
            "",
            formatPage({ shown: queues.length, total, noun: "queue" }, { option: "--offset", value: next }),
          ].join("\n"),
  );
}

/** Prints jobs of a queue. */
export async function runQueuePeek(queue: string, options: QueuePageOptions): Promise<void> {
  await show(
    options,
    (airlift) => airlift.queues.peek(queue, pageOf(options)),
    ({ total, jobs, next }) =>
      [
        ...(jobs.length > 0 ? [formatTable(JOB_COLUMNS, jobs), ""] : []),
        formatPage({ shown: jobs.length, total, noun: "job" }, { option: "--offset", value: next }),
      ].join("\n"),
  );
}

/** Removes jobs from a queue, and prints how many. */
export async function runQueueClear(queue: string, ids: readonly string[], options: QueueClearOptions): Promise<void> {
  const { class: className, args, all } = options;
  const ways = [ids.length > 0, className !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1)
    throw new UsageError(`queues clear: expected ids, --class, or --all, got ${ways === 0 ? "none" : "several"}`);
  if (args !== undefined && className === undefined) throw new UsageError("queues clear: --args goes with --class");
  const work = async (airlift: Airlift): Promise<{ readonly removed: number; readonly missing: readonly string[] }> => {
    if (all) return { ...(await airlift.queues.clear(queue)), missing: [] };
    const selection = className === undefined ? { ids } : { class: className, ...(args && { args }) };
    return await airlift.queues.removeJobs(queue, selection);
  };
  const { missing } = await show(
    options,
    work,
    ({ removed }) => `removed ${formatCount(removed, "job")} from ${queue}`,
  );
  reportMissing("job", missing);
}

/** Removes a queue. */
export async function runQueueRemove(queue: string, options: QueueRemoveOptions): Promise<void> {
  const work = async (airlift: Airlift): Promise<{ readonly removed: number }> => {
    const { total } = await airlift.queues.peek(queue, { limit: 1 });
    if (total > 0 && !options.all) {
      throw new UsageError(
        `queues remove: ${queue} holds ${formatCount(total, "job")}; expected --all to remove them, too`,
      );
    }
    return await airlift.queues.remove(queue);
  };
  await show(
    options,
    work,
    ({ removed }) => `removed ${queue}${removed > 0 ? ` with ${formatCount(removed, "job")}` : ""}`,
  );
}

function pageOf({ offset, limit }: QueuePageOptions) {
  return { ...(offset !== undefined && { offset }), ...(limit !== undefined && { limit }) };
}
