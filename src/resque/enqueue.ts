import type { CallOptions, RedisClient, RedisCommand } from "./client.ts";
import { type EncodedJob, type EnqueueOutcome, jobCommands, type Place } from "./encoded-job.ts";
import type { Keys } from "./keys.ts";

export type { EnqueueRequest } from "./encoded-job.ts";

/** A request stays under these, so that it fits every Redis and blocks none for long. */
const MAX_REQUEST_CHARS = 1_000_000;
const MAX_REQUEST_JOBS = 5_000;

/**
 * Puts jobs at the tails of their queues, in order, and the queues' names into `queues`, as Ruby Resque does; delayed ones where
 * resque-scheduler keeps them. One transaction for each chunk, with one RPUSH for each list in it. A chunk that holds a unique job is
 * one script.
 *
 * @param options.nowMs what locks tell of when they end goes by it
 */
export async function enqueueJobs(
  client: RedisClient,
  keys: Keys,
  jobs: readonly EncodedJob[],
  options: CallOptions & { readonly nowMs: number },
): Promise<EnqueueOutcome> {
  const all = { lengths: new Map<string, number>(), dropped: new Set<number>(), replaced: new Map<number, Place>() };
  for (const { first, chunk } of chunksOf(jobs)) {
    if (!chunk.some(({ lock }) => lock)) {
      const commands = mergeCommands(chunk.flatMap((job) => jobCommands(keys, job)));
      const replies = await client.transaction(commands, options);
      for (const [index, [name, key]] of commands.entries()) {
        if (name === "RPUSH") all.lengths.set(key as string, replies[index] as number);
      }
      continue;
    }
    const { enqueueUnique } = await import("./enqueue-unique.ts");
    const { lengths, dropped, replaced } = await enqueueUnique(client, keys, chunk, options);
    for (const [key, length] of lengths) all.lengths.set(key, length);
    for (const index of dropped) all.dropped.add(first + index);
    for (const [index, place] of replaced) all.replaced.set(first + index, place);
  }
  return all;
}

function mergeCommands(commands: readonly RedisCommand[]): RedisCommand[] {
  const merged = new Map<string, (string | number)[]>();
  for (const command of commands) {
    const id = `${command[0]} ${command[1]}`;
    const same = merged.get(id);
    if (!same) merged.set(id, [...command]);
    else if (command[0] !== "SADD" || !same.includes(command[2] as string)) same.push(...command.slice(2));
  }
  return [...merged.values()];
}

interface Chunk {
  /** Number of its first job. */
  readonly first: number;
  readonly chunk: readonly EncodedJob[];
}

function* chunksOf(jobs: readonly EncodedJob[]): Generator<Chunk> {
  let first = 0;
  let chars = 0;
  for (const [index, { payload }] of jobs.entries()) {
    const isFull = index - first === MAX_REQUEST_JOBS || chars + payload.length > MAX_REQUEST_CHARS;
    if (isFull && index > first) {
      yield { first, chunk: jobs.slice(first, index) };
      first = index;
      chars = 0;
    }
    chars += payload.length;
  }
  if (first < jobs.length) yield { first, chunk: jobs.slice(first) };
}
