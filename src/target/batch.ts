import { UsageError } from "../core/errors.ts";
import type { BatchEnding } from "../core/job-message.ts";

/** How jobs that run at the same time are joined into one call. */
export interface BatchOptions {
  /** At most this many. A drain runs no more jobs at once than its `concurrency`, so that is a limit as well. */
  readonly size: number;
  /** How long the first job waits for others, in milliseconds. */
  readonly maxWaitMs: number;
}

/** A job that waits for others. */
export interface BatchItem {
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export interface BatcherOptions<Item extends BatchItem> extends BatchOptions {
  /** What a call can carry, and what an item takes of it. An item that is too large by itself travels alone. */
  readonly maxChars: number;
  readonly charsOf: (item: Item) => number;
  /**
   * Makes one call; resolves with how each of its jobs ended, in their order. If it rejects, all have failed by that error.
   *
   * @param signal aborted when nobody waits for any of them any more
   */
  readonly send: (items: readonly Item[], signal: AbortSignal) => Promise<readonly BatchEnding[]>;
  /** What a job ends with that is aborted before it was sent. @default its signal's reason is thrown */
  readonly unsent?: unknown;
}

interface Waiting<Item> {
  readonly item: Item;
  readonly chars: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The job is over for its drain. */
  isGone: boolean;
  /** Called when it is. */
  onGone: () => void;
}

/**
 * Joins jobs into calls.
 *
 * @returns takes a job, and ends as it does. A job that is aborted ends at once; if it has been sent, it may run on where it is.
 */
export function createBatcher<Item extends BatchItem>(options: BatcherOptions<Item>): (item: Item) => Promise<unknown> {
  const { size, maxWaitMs, maxChars, charsOf, send, unsent } = options;
  let waiting: Waiting<Item>[] = [];
  let chars = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    chars = 0;
    if (batch.length > 0) void sendBatch(batch, send);
  };

  const leave = (entry: Waiting<Item>): void => {
    waiting = waiting.filter((each) => each !== entry);
    chars -= entry.chars;
    if (waiting.length === 0) flush();
  };

  return (item) =>
    new Promise((resolve, reject) => {
      const { signal } = item;
      signal.throwIfAborted();
      const entry: Waiting<Item> = {
        item,
        chars: charsOf(item),
        resolve,
        reject,
        isGone: false,
        onGone() {
          leave(entry);
          if (unsent !== undefined) resolve(unsent);
        },
      };
      const onAbort = (): void => {
        entry.isGone = true;
        entry.onGone();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      if (waiting.length > 0 && chars + entry.chars > maxChars) flush();
      waiting.push(entry);
      chars += entry.chars;
      if (waiting.length >= size || chars >= maxChars) flush();
      else timer ??= setTimeout(flush, maxWaitMs);
    });
}

async function sendBatch<Item extends BatchItem>(
  batch: readonly Waiting<Item>[],
  send: BatcherOptions<Item>["send"],
): Promise<void> {
  const controller = new AbortController();
  for (const entry of batch) {
    entry.onGone = () => {
      if (batch.every(({ isGone }) => isGone)) controller.abort(entry.item.signal.reason);
    };
  }
  try {
    const endings = await send(
      batch.map(({ item }) => item),
      controller.signal,
    );
    for (const [index, { resolve, reject }] of batch.entries()) {
      try {
        resolve((endings[index] as BatchEnding)());
      } catch (error) {
        reject(error);
      }
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

/** @throws UsageError */
export function checkBatchOptions(what: string, batch: BatchOptions): void {
  const { size, maxWaitMs, ...others } = Object(batch) as BatchOptions;
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) {
    throw new UsageError(`${what}: batch.size: expected an integer from 1 to ${MAX_SIZE}, got ${String(size)}`);
  }
  if (!Number.isFinite(maxWaitMs) || maxWaitMs < 0 || maxWaitMs > MAX_WAIT_MS) {
    throw new UsageError(`${what}: batch.maxWaitMs: expected 0 to ${MAX_WAIT_MS} ms, got ${String(maxWaitMs)}`);
  }
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new UsageError(`${what}: batch.${unknown}: unknown option`);
}

const MAX_SIZE = 1_000;
/** A job's time limit runs while it waits. */
const MAX_WAIT_MS = 60_000;
