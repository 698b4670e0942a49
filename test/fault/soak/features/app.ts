import type { AirliftOptions } from "../../../../src/index.ts";
import { delayed, delayedJobs } from "./delayed.ts";
import { detached, handedJobs } from "./detached.ts";
import type { Feature } from "./feature.ts";
import { limitedJobs, limits } from "./limits.ts";
import { RECEIVER_SECRET } from "./receiver.ts";
import { retries, retryJobs } from "./retries.ts";
import type { RecordRun } from "./run-records.ts";
import { schedules, soakScheduler, tickJobs } from "./schedules.ts";
import { statuses, toldJobs } from "./statuses.ts";
import { unique, uniqueJobs } from "./unique.ts";

/** The app of this soak, the same in all its processes. */
export function featureApp(
  record: RecordRun,
  receiverUrl: string,
): Required<Pick<AirliftOptions, "jobs" | "scheduler">> {
  return {
    jobs: [
      ...[...retryJobs(record), ...delayedJobs(record), ...tickJobs(record), ...uniqueJobs(record)],
      ...[...limitedJobs(record), ...toldJobs(record), ...handedJobs(receiverUrl, RECEIVER_SECRET)],
    ],
    scheduler: soakScheduler(),
  };
}

export function allFeatures(): readonly Feature[] {
  return [retries(), delayed(), schedules(), unique(), limits(), detached(), statuses()];
}
