import type { AppEvent } from "./app-event.ts";
import type { CheckIn } from "./checkins.ts";
import type { StoreError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import type { DrainReport } from "./report.ts";
import type { TickedSchedule } from "./scheduler.ts";
import type { StartRequest } from "./start-drain.ts";

/** Everything that a drain tells while it runs. A listener that throws breaks nothing. */
export type DrainEvent =
  | AppEvent
  | { readonly kind: "drain-started"; readonly drainId: string }
  | { readonly kind: "job-claimed"; readonly queue: string; readonly class: string | undefined; readonly slot: number }
  | {
      readonly kind: "job-ended";
      readonly queue: string;
      /** Undefined for a payload that is not a job. */
      readonly class: string | undefined;
      readonly outcome: Outcome;
      readonly durationMs: number;
    }
  /** A running job has told how far it is. */
  | ({
      readonly kind: "job-checkin";
      readonly queue: string;
      readonly class: string | undefined;
      readonly slot: number;
    } & CheckIn)
  /** The end of a job could not be written: another drain had taken it back. It runs again. */
  | { readonly kind: "job-lost"; readonly queue: string; readonly class: string | undefined }
  | { readonly kind: "drain-recovered"; readonly drainId: string; readonly requeued: number; readonly failed: number }
  /** Jobs came to their queues because they were due. */
  | { readonly kind: "jobs-promoted"; readonly promoted: number }
  | ({ readonly kind: "schedule-ticked" } & TickedSchedule)
  /** The host was asked to start another drain. */
  | ({ readonly kind: "drain-requested" } & StartRequest)
  /** For so long no drain had ended before this one began: longer than `maxSilenceMs`. */
  | { readonly kind: "ticks-missed"; readonly silentMs: number }
  /** A call to the store failed and is sent again after `delayMs`. */
  | { readonly kind: "store-retry"; readonly error: StoreError; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: "drain-ended"; readonly drainId: string; readonly report: DrainReport }
  /** The drain threw. */
  | { readonly kind: "drain-failed"; readonly drainId: string; readonly error: unknown };

export type OnEvent = (event: DrainEvent) => void;
