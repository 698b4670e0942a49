import type { Airlift } from "../airlift.ts";
import { formatJobText, formatPage, formatTime } from "./job-text.ts";
import { formatDuration } from "./report-text.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";
import { toLine } from "./terminal-text.ts";

/** Options of `airlift workers list`. */
export interface WorkerListOptions extends ShowOptions {
  readonly byDrain?: true;
  readonly offset?: number;
  readonly limit?: number;
}

/** Options of `airlift workers prune`. */
export interface PruneOptions extends ShowOptions {
  readonly force?: true;
}

type Worker = Awaited<ReturnType<Airlift["workers"]["list"]>>["workers"][number];
type Drain = Awaited<ReturnType<Airlift["workers"]["drains"]>>["drains"][number];

const doing: readonly Column<Worker>[] = [
  { title: "FOR", cell: ({ job }) => (job?.runningMs === undefined ? "" : formatDuration(job.runningMs)) },
  { title: "QUEUE", cell: ({ job }) => job?.queue },
  { title: "JOB", cell: ({ job }) => job && formatJobText(job) },
  { title: "TELLS", cell: ({ job }) => job?.checkin && formatCheckIn(job.checkin) },
];
const WORKER_COLUMNS: readonly Column<Worker>[] = [
  { title: "WORKER", cell: ({ id }) => id || '""' },
  { title: "HEARTBEAT", cell: ({ heartbeatMs }) => formatTime(heartbeatMs) },
  { title: "DONE", cell: ({ processed }) => processed },
  { title: "FAILED", cell: ({ failed }) => failed },
  ...doing,
];

/** Prints the workers, or the drains. */
export async function runWorkerList(options: WorkerListOptions): Promise<void> {
  const { offset, limit, byDrain } = options;
  const page = { ...(offset !== undefined && { offset }), ...(limit !== undefined && { limit }) };
  if (byDrain) {
    await show(
      options,
      (airlift) => airlift.workers.drains(page),
      ({ total, drains, next }) =>
        [
          ...drains.map((drain) => `${formatDrain(drain)}\n`),
          formatPage({ shown: drains.length, total, noun: "drain" }, { option: "--offset", value: next }),
        ].join("\n"),
    );
    return;
  }
  await show(
    options,
    (airlift) => airlift.workers.list(page),
    ({ total, workers, next }) =>
      [
        ...(workers.length > 0 ? [formatTable(WORKER_COLUMNS, workers), ""] : []),
        formatPage({ shown: workers.length, total, noun: "worker" }, { option: "--offset", value: next }),
      ].join("\n"),
  );
}

/** Removes a dead worker. */
export async function runPrune(id: string, options: PruneOptions): Promise<void> {
  const { pruned } = await show(
    options,
    (airlift) => airlift.workers.prune(id, { ...(options.force && { force: true }) }),
    ({ pruned, jobFailed }) =>
      pruned ? `removed ${id}${jobFailed ? "; its job is in failed" : ""}` : "nothing was removed",
  );
  reportMissing("worker", pruned ? [] : [id]);
}

function formatDrain({ host, pid, slots, queues, leaseEndMs, isAlive, working }: Drain): string {
  const state = isAlive ? `lease until ${formatTime(leaseEndMs)}` : `silent, lease ended ${formatTime(leaseEndMs)}`;
  const head = toLine(`${host} pid ${pid}: ${working.length} of ${slots} workers at work on ${queues}, ${state}`);
  const slot: Column<Worker> = { title: "SLOT", cell: (worker) => worker.slot };
  return working.length > 0 ? `${head}\n${formatTable([slot, ...doing], working)}` : head;
}

function formatCheckIn({ message, done, total }: NonNullable<NonNullable<Worker["job"]>["checkin"]>): string {
  const progress = done === undefined ? undefined : `${done}${total === undefined ? "" : `/${total}`}`;
  return [progress, message].filter((part) => part !== undefined).join(" ");
}
