import type { JobUses } from "./job-uses.ts";

/** Takes one line and, if they help, a few fields. A logger that throws breaks nothing. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * What a handler is told of the job that it runs.
 *
 * @typeParam Context what the middleware around it has given
 * @typeParam Resources what the app's jobs share, as `{ db: Db }`
 */
export interface JobContext<Context extends object = object, Resources extends object = object> {
  readonly queue: string;
  readonly class: string;
  /** The payload's `args`, before decoder and schema. */
  readonly args: readonly unknown[];
  /** The payload's exact text, as its producer wrote it. */
  readonly raw: string;
  /** 1 at the first run; each attempt that failed and each drain that died while it held the job adds one. */
  readonly attempt: number;
  /** How many of the earlier attempts failed. */
  readonly retries: number;
  /** When the job's time limit or the drain's budget ends, whichever is sooner, in ms since the epoch. */
  readonly deadlineMs: number;
  /** Aborted when the job's time limit or the drain's budget ends. */
  readonly signal: AbortSignal;
  /** Under which `airlift.job(id)` tells the job's status, if that is kept. */
  readonly id: string | undefined;
  /**
   * Tells how far the job is, for those who look at the workers: `checkin("row 335000")`. It is shown within a second, the latest of several,
   * as long as the job runs; it extends neither the job's time limit nor anything else. Resolves at once, and never rejects.
   */
  checkin(message: string): Promise<void>;
  /** The same in numbers; a message stays beside them. */
  progress(done: number, total?: number): Promise<void>;
  /**
   * Tells what the run uses of what its host counts, if that is not what the class's `uses` says: of jobs that travel together only the first makes a
   * request. What is left out is 0.
   */
  used(uses: JobUses): void;
  /** The app's logger, each line bearing queue and class. */
  readonly log: Logger;
  /** What middleware has given to `next`. */
  readonly context: Context;
  /** The app's `resources`: `await job.resources.db` opens it, or waits for the one that is open already. */
  readonly resources: { readonly [Name in keyof Resources]: Promise<Resources[Name]> };
}
