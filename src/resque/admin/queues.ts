import type { RedisCommand } from "../client.ts";
import { readOwn } from "../payload.ts";
import { readEach } from "../read-each.ts";
import type { QueueStatus } from "../status.ts";
import type { AdminContext } from "./admin-context.ts";
import { type JobSummary, readText, summarize } from "./listed-job.ts";
import { checkNames, checkPage, checkText, type PageOptions } from "./page.ts";
import { type ListedText, readList } from "./read-list.ts";

/** A page of queues, sorted by name. */
export interface QueuePage {
  readonly total: number;
  readonly queues: readonly QueueStatus[];
  /** The offset of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** A job that waits in a queue. */
export interface QueuedJob extends JobSummary {
  /** SHA-1 of the payload's bytes: jobs that are alike share it. */
  readonly id: string;
  /** The payload's own text. */
  readonly raw: string;
  readonly bytes: number;
  /** True for a payload of more than 1 MB: `raw` then holds only its short members, and `args` is not here. */
  readonly isAbridged: boolean;
  /** The number of the attempt that it waits for, from 1. */
  readonly attempt: number;
}

/** A page of a queue, the job that is next first. */
export interface QueuedPage {
  readonly total: number;
  readonly jobs: readonly QueuedJob[];
  readonly next: number | undefined;
}

/** Shows the queues that somebody has put jobs into, with their sizes. */
export async function listQueues({ client, keys }: AdminContext, options: PageOptions = {}): Promise<QueuePage> {
  checkNames("queues.list", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("queues.list", options);
  const all = ((await client.command(["SMEMBERS", keys.queues])) as string[]).sort();
  const names = all.slice(offset, offset + limit);
  const next = offset + limit < all.length ? offset + limit : undefined;
  if (names.length === 0) return { total: all.length, queues: [], next };
  const sizes: RedisCommand[] = names.map((name) => ["LLEN", keys.queue(name)]);
  const replies = await readEach(client, [["MGET", ...names.map(keys.queuePause)], ...sizes]);
  const [pauses, ...lengths] = replies as [(string | null)[], ...number[]];
  const queues = names.map((name, i) => ({ name, size: lengths[i] as number, paused: pauses[i] !== null }));
  return { total: all.length, queues, next };
}

/** Shows the jobs of a queue without taking them. */
export async function peekQueue(context: AdminContext, queue: string, options: PageOptions = {}): Promise<QueuedPage> {
  checkText("queues.peek", "queue", queue);
  checkNames("queues.peek", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("queues.peek", options);
  const { length, entries, next } = await readList(
    context,
    context.keys.queue(queue),
    { mode: "u", at: offset },
    { limit },
  );
  return { total: length, jobs: entries.map(readQueuedJob), next: next?.at };
}

/** Reads a payload. Never throws: one that is no job has a `problem`. */
export function readQueuedJob({ id, text, bytes, isAbridged }: ListedText): QueuedJob {
  const { crashes = 0, retries = 0 } = readOwn(text);
  const head = { id, raw: text, bytes, isAbridged, attempt: 1 + crashes + retries };
  const read = readText(text);
  if ("problem" in read) return { ...head, problem: `the payload ${read.problem}` };
  const { args, problem, ...job } = summarize(read.value);
  return {
    ...head,
    ...job,
    ...(args && !isAbridged && { args }),
    ...(problem !== undefined && { problem: `the payload ${problem}` }),
  };
}
