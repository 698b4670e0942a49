import { UsageError } from "../../core/errors.ts";
import { parseDescription } from "../drain-identity.ts";
import { failedEntry, toFailedQueue } from "../failed-entry.ts";
import { pruneWorker as pruneWorkerScript } from "../generated/prune-worker.generated.ts";
import { freeLocks, lockOf } from "../unique-lock.ts";
import type { AdminContext } from "./admin-context.ts";
import { checkNames, checkText } from "./page.ts";
import { readTime } from "./read-time.ts";
import { nodeNameOf, parseWorkerId } from "./worker-id.ts";
import { readNodePing, readWorkingOn } from "./workers.ts";

/** How a worker's removal went. */
export interface WorkerPruned {
  /** False if there was no such worker, or it showed a sign of life at that very moment. */
  readonly pruned: boolean;
  /** The job that it held is in `failed` now. */
  readonly jobFailed: boolean;
}

/** As Ruby Resque's `prune_interval`. */
const SILENT_MS = 300_000;

/**
 * Removes the registration of a dead worker of another program, and puts the job that it held into `failed` as Ruby Resque does, as
 * `Resque::PruneDeadWorkerDirtyExit`.
 *
 * @throws UsageError for a worker of a drain, which Airlift recovers by itself, and, without `force`, for one that has shown a sign of
 *   life in the last 300 s: its job would fail while it still runs
 */
export async function pruneWorker(
  context: AdminContext,
  id: string,
  options: { readonly force?: boolean } = {},
): Promise<WorkerPruned> {
  const what = "workers.prune";
  checkText(what, "id", id);
  checkNames(what, options, ["force"]);
  const { client, keys } = context;
  const ping = keys.nodePing(nodeNameOf(id));
  const [time, heartbeat, [entry, pinged], drains] = (await client.pipeline([
    ["TIME"],
    ["HGET", keys.heartbeats, id],
    ["MGET", keys.worker(id), ping],
    ["ZRANGE", keys.drains, 0, -1],
  ])) as [string[], string | null, [string | null, string | null], string[]];
  const nowMs = Number(time[0]) * 1_000;
  const { host } = parseWorkerId(id);
  if (drains.some((member) => parseDescription(member)?.host === host)) {
    throw new UsageError(
      `${what}: ${JSON.stringify(id)} belongs to a drain; its jobs are taken back when its lease ends`,
    );
  }
  const silentMs = nowMs - (readTime(heartbeat) ?? readNodePing(pinged) ?? Number.NEGATIVE_INFINITY);
  if (silentMs < SILENT_MS && !options.force) {
    const seconds = Math.max(0, Math.round(silentMs / 1_000));
    throw new UsageError(
      `${what}: ${JSON.stringify(id)} gave a sign of life ${seconds} s ago; expected none for 300 s, or force`,
    );
  }
  const job = entry === null ? undefined : readWorkingOn(entry, nowMs);
  const message = `Worker ${id} did not gracefully exit while processing ${job?.class ?? ""}`.trimEnd();
  const failure = { exception: "Resque::PruneDeadWorkerDirtyExit", message, backtrace: [] };
  const { before, after } = failedEntry(failure, { failedAtMs: nowMs, workerId: id, queue: "" });
  const queue = job?.queue ?? "";
  const isOfQueue = context.failedQueues && queue !== "";
  const own = [keys.started(id), keys.processedBy(id), keys.failedBy(id), ping];
  const [, pruned, failed] = (await client.script({
    script: pruneWorkerScript,
    keys: [
      ...[keys.workers, keys.heartbeats, keys.worker(id)],
      ...[isOfQueue ? keys.failedOf(queue) : keys.failed, keys.failedQueues, ...own],
    ],
    // The queue's name is the entry's last member.
    args: [id, heartbeat ?? "", before, after.slice(0, -'""}'.length), '""', isOfQueue ? toFailedQueue(queue) : ""],
  })) as [number, number, number];
  // Other programs know nothing of the lock that a job of Airlift's may hold.
  const payload = failed === 1 ? /"payload":(\{.*\})\}$/s.exec(entry ?? "")?.[1] : undefined;
  const lock = payload === undefined ? undefined : lockOf(payload, queue, keys);
  if (lock) await freeLocks(client, [lock]);
  return { pruned: pruned === 1, jobFailed: failed === 1 };
}
