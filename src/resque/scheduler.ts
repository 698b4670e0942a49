import type { Logger } from "../core/job.ts";
import type { ScheduleTicker } from "../core/scheduler.ts";
import type { RedisClient, Usage } from "./client.ts";
import type { EncodedJob, EnqueueRequest } from "./encoded-job.ts";
import type { Keys } from "./keys.ts";

/** What `createAirlift({ scheduler })` takes; `cron()` of `airlift/cron` makes one. */
export interface Scheduler {
  /** @throws UsageError if a schedule has no queue */
  bind(deps: SchedulerDeps): BoundScheduler;
}

/** What a scheduler is given by the app that it belongs to. */
export interface SchedulerDeps {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly logger: Logger;
  /** This host's clock. */
  readonly nowMs: () => number;
  /** The queue of a class, if the app defines it with one. */
  readonly queueOf: (className: string) => string | undefined;
  /**
   * Encodes a job as the definition of its class wants it.
   *
   * @default as it is given
   * @returns undefined if the app refuses the job
   */
  readonly encode?: (job: EnqueueRequest) => Promise<EncodedJob | undefined>;
  /** Told, and waited for, when jobs have been enqueued. Never rejects. */
  readonly onEnqueued?: (jobs: readonly EnqueueRequest[]) => Promise<unknown> | undefined;
}

/** The schedules of one app. */
export interface BoundScheduler extends ScheduleBook {
  /**
   * For one drain, whose meter it moves.
   *
   * @param nowMs the drain's clock. @default the app's
   */
  ticker(usage: Usage, nowMs?: () => number): ScheduleTicker;
}

/** A schedule, as it is shown. Instants are in milliseconds since the epoch, by Redis' clock. */
export interface ScheduleInfo {
  readonly name: string;
  /** In code, or in Redis' `persistent_schedules`. */
  readonly source: "code" | "persistent";
  /**
   * - `on`: Airlift enqueues its ticks
   * - `ruby`: Ruby's scheduler holds its lock and enqueues them
   * - `unread`: it is in Redis, and this app does not run those (`persistent`)
   * - `elsewhere`: it is meant for other environments
   * - `replaced`: it is in code, and one in Redis has its name
   * - `problem`: it cannot be run
   */
  readonly state: "on" | "ruby" | "unread" | "elsewhere" | "replaced" | "problem";
  /** Why it cannot be run. */
  readonly problem?: string;
  /** `0 30 9 * * 1-5 (Europe/Berlin)`, `every 30s`. */
  readonly when?: string;
  readonly class?: string;
  readonly queue?: string;
  /** Those of the next tick. */
  readonly args?: readonly unknown[];
  readonly description?: string;
  /** The next tick; unknown for an interval that Ruby counts, or that no drain has seen yet. */
  readonly nextMs?: number;
  readonly lastEnqueuedMs?: number;
}

/** Looks at an app's schedules, and changes those in Redis. */
export interface ScheduleBook {
  /** All of them, by name. One that cannot be read is shown with what is wrong with it. */
  list(): Promise<readonly ScheduleInfo[]>;
  /**
   * Writes a schedule to Redis, in Ruby's exact form, in the place of one with the same name. It starts now.
   *
   * @throws UsageError if Airlift could not run it
   */
  set(name: string, config: RubyScheduleConfig): Promise<void>;
  /** Removes one from Redis, and what is remembered of its ticks. False if there is none. */
  remove(name: string): Promise<boolean>;
}

/**
 * A schedule as resque-scheduler keeps it in `persistent_schedules`. Members that are not named here are Ruby's own and are kept.
 *
 * @see https://github.com/resque/resque-scheduler#dynamic-schedules
 */
export interface RubyScheduleConfig {
  /** A cron line, its time zone at the end; or a pair of it and Rufus' options. Comes before `every`. */
  readonly cron?: string | readonly [string, RufusOptions];
  /** A duration; or a pair of it and Rufus' options. */
  readonly every?: string | readonly [string | number, RufusOptions];
  readonly class?: string;
  readonly queue?: string;
  /** One argument, several in an array, or an object as the only one. */
  readonly args?: unknown;
  readonly description?: string;
  /** The environments in which it runs, with commas between them. */
  readonly rails_env?: string | null;
  readonly env?: string | null;
  readonly [member: string]: unknown;
}

/** What Rufus takes behind a cron line or a duration; others have no meaning for Resque. */
export interface RufusOptions {
  /** When it is due for the first time: a time, or a duration or seconds from when it is first seen. */
  readonly first?: string | number;
  readonly first_at?: string | number;
  readonly first_in?: string | number;
  readonly [option: string]: unknown;
}
