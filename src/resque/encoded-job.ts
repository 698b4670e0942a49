import type { RedisCommand } from "./client.ts";
import { delayCommands } from "./delay.ts";
import type { Keys } from "./keys.ts";

/** One job to enqueue. */
export interface EnqueueRequest {
  readonly queue: string;
  readonly class: string;
  /** JSON values and bigints. @default [] */
  readonly args?: readonly unknown[];
  /** When the job may run: a date, or ms since the epoch; Resque keeps whole seconds. A time that has passed is now. */
  readonly at?: Date | number;
  /** In how many ms the job may run. Not together with `at`. */
  readonly inMs?: number;
  /**
   * Under which the job's status is kept, if the app keeps any: up to 100 letters, digits and `_ . : -`. One that is in use takes the earlier
   * job's status over.
   *
   * @default a UUID whose order is that of time
   */
  readonly id?: string;
}

/** A job as it is sent. */
export interface EncodedJob {
  readonly queue: string;
  readonly payload: string;
  /** When it is due; a job without it is put into its queue. */
  readonly atSeconds?: number | undefined;
  readonly lock?: LockRequest | undefined;
  readonly status?: KeptStatus | undefined;
}

/** What is written of a job whose status is kept. The payload bears the id, too. */
export interface KeptStatus {
  readonly id: string;
  /** Writes it, with a TTL, for a job that is due then, or is in its queue. */
  write(atSeconds: number | undefined): RedisCommand;
}

/** The lock without which a job is not enqueued. */
export interface LockRequest {
  readonly key: string;
  /** The payload bears it, too. */
  readonly id: string;
  /** From when the job is due. */
  readonly ttlMs: number;
  /** Whether the job takes the place of another that waits under the lock. */
  readonly replaces: boolean;
}

/** A job with its lock. */
export type UniqueJob = EncodedJob & { readonly lock: LockRequest };

/** Where a job waits: until these seconds, or in its queue. */
export interface Place {
  readonly atSeconds: number | undefined;
}

/** What became of jobs, by their numbers in the list that was given, from 0. */
export interface EnqueueOutcome {
  /** Each queue's length after the last job that was put into it, by the queue's key. */
  readonly lengths: ReadonlyMap<string, number>;
  /** Jobs that were not enqueued, another holding their lock. */
  readonly dropped: ReadonlySet<number>;
  /** Jobs that took the place of another, and where that is. */
  readonly replaced: ReadonlyMap<number, Place>;
}

/** What puts a job where it waits: commands that may be merged by name and key, and whose effect can be undone. */
export function jobCommands(keys: Keys, { queue, payload, atSeconds, status }: EncodedJob): readonly RedisCommand[] {
  const commands: RedisCommand[] =
    atSeconds === undefined
      ? [
          ["SADD", keys.queues, queue],
          ["RPUSH", keys.queue(queue), payload],
        ]
      : delayCommands(keys, { queue, payload, atSeconds });
  // A status that outlives a refused job does no harm: it has a TTL.
  if (status) commands.push(status.write(atSeconds));
  return commands;
}
