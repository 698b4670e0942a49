import { UsageError } from "../core/errors.ts";
import type { CallOptions, RedisClient, RedisCommand, RedisReply } from "./client.ts";
import type { Keys } from "./keys.ts";
import { encodePayload } from "./payload.ts";

/** One job to enqueue. */
export interface EnqueueRequest {
  readonly queue: string;
  readonly class: string;
  /** JSON values and bigints. @default [] */
  readonly args?: readonly unknown[];
}

/** A request stays under these, so that it fits every Redis and blocks none for long. */
const MAX_REQUEST_CHARS = 1_000_000;
const MAX_REQUEST_JOBS = 5_000;

/** Encodes all jobs before any is sent, so that a wrong one leaves the queues as they were. */
export function encodeRequests(
  jobs: readonly EnqueueRequest[],
): { readonly queue: string; readonly payload: string }[] {
  return jobs.map(({ queue, class: className, args = [] }) => {
    if (typeof queue !== "string" || queue === "") {
      throw new UsageError(`queue: expected a non-empty string, got ${JSON.stringify(queue)} (class ${className})`);
    }
    return { queue, payload: encodePayload(className, args) };
  });
}

/**
 * Puts jobs at the tails of their queues, in order, and the queues' names into `queues`, as Ruby Resque does: in a transaction
 * for each chunk, with one RPUSH for each queue in it.
 *
 * @returns each queue's length after its last job
 */
export async function enqueueJobs(
  client: RedisClient,
  keys: Keys,
  jobs: readonly EnqueueRequest[],
  options: CallOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const lengths = new Map<string, number>();
  let chunk = new Map<string, string[]>();
  let chars = 0;
  let count = 0;
  const flush = async (): Promise<void> => {
    if (count === 0) return;
    const queues = [...chunk.keys()];
    const commands: RedisCommand[] = [
      ["SADD", keys.queues, ...queues],
      ...[...chunk].map(([queue, payloads]) => ["RPUSH", keys.queue(queue), ...payloads]),
    ];
    const replies: RedisReply[] = await client.transaction(commands, options);
    for (const [index, queue] of queues.entries()) lengths.set(queue, replies[index + 1] as number);
    chunk = new Map();
    chars = 0;
    count = 0;
  };
  for (const { queue, payload } of encodeRequests(jobs)) {
    if (count === MAX_REQUEST_JOBS || (count > 0 && chars + payload.length > MAX_REQUEST_CHARS)) await flush();
    const payloads = chunk.get(queue);
    if (payloads) payloads.push(payload);
    else chunk.set(queue, [payload]);
    chars += payload.length;
    count++;
  }
  await flush();
  return lengths;
}
