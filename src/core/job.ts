import type { RetryOptions } from "./retry.ts";

/** Takes one line and, if they help, a few fields. A logger that throws breaks nothing. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What a handler is told of the job that it runs. */
export interface JobContext {
  readonly queue: string;
  readonly class: string;
  readonly args: readonly unknown[];
  /** The payload's exact text, as its producer wrote it. */
  readonly raw: string;
  /** 1 at the first run; each attempt that failed and each drain that died while it held the job adds one. */
  readonly attempt: number;
  /** Aborted when the job's time limit or the drain's budget ends. */
  readonly signal: AbortSignal;
  /** The app's logger, each line bearing queue and class. */
  readonly log: Logger;
}

/**
 * Runs one job. It has failed if this throws or rejects; then the class's `retry` decides. It may return what `retry()`,
 * `discard()` or `release()` make (core/directive.ts); anything else that it returns means that the job is done.
 *
 * @param args the payload's `args`
 */
export type Perform<Args extends readonly unknown[]> = (args: Args, job: JobContext) => unknown;

/** Which handler runs the jobs of a class. */
export interface JobDefinition<Args extends readonly unknown[] = readonly unknown[]> {
  /** The class name in the payload: for Ruby producers the Ruby class. */
  readonly class: string;
  /** The queue that `enqueue` uses when it is given this definition. */
  readonly queue?: string;
  /**
   * How long a run may take, in milliseconds. One that takes longer is failed, its signal aborted. A drain claims nothing when
   * less than this is left of its time, and refuses to start when it cannot fit.
   *
   * @default the app's `timeoutMs`, as a limit of the run alone: claiming goes on as long as the longest run so far would fit
   */
  readonly timeoutMs?: number;
  /** Whether and when a failed attempt is followed by another. @default it is not: a failed job goes to the failed list */
  readonly retry?: RetryOptions;
  readonly perform: Perform<Args>;
}

/** Types its argument, and returns it as it is. */
export function defineJob<const Args extends readonly unknown[] = readonly unknown[]>(
  definition: JobDefinition<Args>,
): JobDefinition<Args> {
  return definition;
}
