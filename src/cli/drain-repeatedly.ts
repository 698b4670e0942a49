import { setTimeout as sleep } from "node:timers/promises";
import type { Airlift, DrainOptions } from "../airlift.ts";
import { isStoreError } from "../core/errors.ts";
import type { Logger } from "../core/job.ts";
import type { DrainReport } from "../core/report.ts";

export interface DrainRepeatedlyParams {
  readonly airlift: Airlift;
  readonly intervalMs: number;
  /** Ends it: the drain under way ends as its grace allows, and no other begins. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly onReport: (report: DrainReport) => void;
  /** Of each drain. */
  readonly drain: Pick<DrainOptions, "onEvent" | "runHandler">;
}

/**
 * Drains, waits, drains again, until it is told to stop. An outage of Redis is logged once and waited out.
 *
 * @throws what waiting cannot mend: wrong credentials, a refused command, wrong usage
 */
export async function drainRepeatedly(params: DrainRepeatedlyParams): Promise<void> {
  const { airlift, intervalMs, signal, logger, onReport } = params;
  let isOut = false;
  while (!signal.aborted) {
    try {
      onReport(await airlift.drain({ ...params.drain, signal }));
      if (isOut) logger.info("Redis answers again");
      isOut = false;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (!isOut) logger.error(`${error.message}; trying again every ${intervalMs / 1_000} s`);
      isOut = true;
    }
    // An aborted wait rejects; the loop's condition tells.
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
  }
}

/** A drain that gave up names the store's error as its cause. */
function isOutage(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const cause = isStoreError(error) ? error : error.cause;
  return isStoreError(cause) && cause.retryable;
}
