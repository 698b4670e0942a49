import type { CheckIn } from "../../core/checkins.ts";
import { readCheckins } from "../checkins.ts";
import { readCount } from "../stat.ts";
import type { AdminContext } from "./admin-context.ts";
import { isRecord, type JobSummary, readText, summarize } from "./listed-job.ts";
import { checkNames, checkPage, type PageOptions } from "./page.ts";
import { readTime } from "./read-time.ts";
import { nodeNameOf, parseWorkerId, type WorkerName } from "./worker-id.ts";

/** What a worker is doing. */
export interface WorkingOn extends JobSummary {
  readonly queue?: string;
  /** As it was written. */
  readonly runAt?: string;
  readonly runAtMs?: number;
  /** For how long, by Redis' clock. */
  readonly runningMs?: number;
  /** What the job has told last of how far it is. */
  readonly checkin?: CheckIn;
}

/** A worker of any Resque program. */
export interface WorkerStatus extends WorkerName {
  readonly id: string;
  /** Since when, as it was written. */
  readonly started?: string;
  readonly startedMs?: number;
  /** The last sign of life; none of programs that give none. */
  readonly heartbeatMs?: number;
  /** Finished attempts, as the program counts them. */
  readonly processed: number;
  readonly failed: number;
  /** Undefined while it waits. */
  readonly job?: WorkingOn;
}

/** A page of workers, sorted by id. */
export interface WorkerPage {
  readonly total: number;
  readonly workers: readonly WorkerStatus[];
  /** The offset of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** Shows the workers that are registered, of whatever program, and what they do. */
export async function listWorkers({ client, keys }: AdminContext, options: PageOptions = {}): Promise<WorkerPage> {
  checkNames("workers.list", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("workers.list", options);
  const all = ((await client.command(["SMEMBERS", keys.workers])) as string[]).sort();
  const ids = all.slice(offset, offset + limit);
  const next = offset + limit < all.length ? offset + limit : undefined;
  return { total: all.length, workers: await readWorkers({ client, keys }, ids), next };
}

/** Reads what is known of these workers, in one request, or two if some of them are of drains and at work. */
export async function readWorkers(
  { client, keys }: Pick<AdminContext, "client" | "keys">,
  ids: readonly string[],
): Promise<readonly WorkerStatus[]> {
  if (ids.length === 0) return [];
  // node-resque counts under a worker's name, which is its id without the queues.
  const names = ids.map(nodeNameOf);
  const [time, heartbeats, texts] = (await client.pipeline([
    ["TIME"],
    ["HMGET", keys.heartbeats, ...ids],
    [
      "MGET",
      ...[keys.worker, keys.started, keys.processedBy, keys.failedBy].flatMap((key) => ids.map(key)),
      ...[keys.processedBy, keys.failedBy, keys.nodePing].flatMap((key) => names.map(key)),
    ],
  ])) as [string[], (string | null)[], (string | null)[]];
  const nowMs = Number(time[0]) * 1_000;
  const claims = ids.flatMap((id, index) => {
    const token = CLAIM.exec(texts[index] ?? "")?.[1];
    return token === undefined ? [] : [{ id, token }];
  });
  const checkins = await readCheckins(client, keys, claims);
  return ids.map((id, index) => {
    const at = (column: number): string | undefined => texts[column * ids.length + index] ?? undefined;
    const checkin = checkins.get(id);
    const [entry, started] = [at(0), at(1)];
    const startedMs = readTime(started);
    const heartbeatMs = readTime(heartbeats[index]) ?? readNodePing(at(6));
    return {
      id,
      ...parseWorkerId(id),
      ...(started !== undefined && { started }),
      ...(startedMs !== undefined && { startedMs }),
      ...(heartbeatMs !== undefined && { heartbeatMs }),
      processed: readCount(at(2) ?? at(4)),
      failed: readCount(at(3) ?? at(5)),
      ...(entry !== undefined && { job: { ...readWorkingOn(entry, nowMs), ...(checkin && { checkin }) } }),
    };
  });
}

/** When a worker of node-resque has shown a sign of life: `{"time":1795204161,…}`. */
export function readNodePing(text: string | null | undefined): number | undefined {
  return readTime(/"time":(\d+)/.exec(text ?? "")?.[1]);
}

/** The beginning of an entry that Airlift wrote. */
const CLAIM = /^\{"claim":"([^"]*)"/;

/** Reads a worker's entry. Never throws: one that is none has a `problem`. */
export function readWorkingOn(entry: string, nowMs: number): WorkingOn {
  const read = readText(entry);
  if ("problem" in read) return { problem: `the worker's entry ${read.problem}` };
  if (!isRecord(read.value)) return { problem: "the worker's entry is no object" };
  const { queue, run_at: runAt, payload } = read.value;
  const { problem, ...job } = summarize(payload);
  const runAtMs = readTime(runAt);
  return {
    ...(typeof queue === "string" && { queue }),
    ...job,
    ...(typeof runAt === "string" && { runAt }),
    ...(runAtMs !== undefined && { runAtMs, runningMs: Math.max(0, nowMs - runAtMs) }),
    ...(problem !== undefined && { problem: `the payload ${problem}` }),
  };
}
