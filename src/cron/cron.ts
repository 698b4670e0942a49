import { UsageError } from "../core/errors.ts";
import type { EncodedJob, EnqueueRequest } from "../resque/encoded-job.ts";
import { encodePayload } from "../resque/payload.ts";
import type { RubyScheduleConfig, RufusOptions, ScheduleInfo, Scheduler } from "../resque/scheduler.ts";
import { createScheduleStore } from "../resque/schedules.ts";
import { parseRubySchedule, type RubySchedule } from "./ruby-schedule.ts";
import {
  checkMembers,
  MISSED_CHECKS,
  type MissedOptions,
  type MissedTicks,
  missedPolicy,
  readSchedule,
  type ScheduleOptions,
} from "./schedule.ts";
import { createScheduleBook } from "./schedule-book.ts";
import { createTicker, type TickerContext, type TickerMemory } from "./ticker.ts";
import { checkTimezone } from "./timetable.ts";

export type { MissedOptions, MissedTicks, RubyScheduleConfig, RufusOptions, ScheduleInfo, ScheduleOptions, Scheduler };

/** What {@link cron} takes; the policies for missed ticks are the defaults of all schedules, those in Redis too. */
export interface CronOptions extends MissedOptions {
  /** The schedules in code. */
  readonly schedules?: readonly ScheduleOptions[];
  /**
   * Runs the schedules in Redis, too: resque-scheduler's dynamic schedules. While Ruby's scheduler holds its lock it runs them, and
   * Airlift leaves them alone. One with the name of a schedule in code takes its place.
   *
   * @default false
   */
  readonly persistent?: boolean;
  /** The time zone of cron lines that name none. @default "UTC" */
  readonly timezone?: string;
  /** The environment, as Ruby's `Resque::Scheduler.env`: schedules in Redis that name others are left out. */
  readonly env?: string;
  /** The `RESQUE_SCHEDULER_MASTER_LOCK_PREFIX` of Ruby's scheduler. */
  readonly lockPrefix?: string;
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const CHECKS = {
  ...MISSED_CHECKS,
  schedules: [Array.isArray, "an array of schedules"],
  persistent: [(value: unknown) => typeof value === "boolean", "true or false"],
  timezone: [isText, "the name of a time zone"],
  env: [isText, "a text that is not empty"],
  lockPrefix: [isText, "a text that is not empty"],
} as const;

/**
 * Schedules for `createAirlift({ scheduler })`: jobs that are enqueued again and again, by cron lines with seconds and time zones, or at
 * intervals. Drains look at them; each tick is enqueued once, however many drains there are.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { cron } from "airlift/cron";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const scheduler = cron({
 *   timezone: "Europe/Berlin",
 *   schedules: [
 *     { name: "report", cron: "30 9 * * 1-5", class: "SendReport", queue: "mail", args: ["daily"] },
 *     { name: "sweep", every: "30s", class: "Sweep", queue: "low", missed: "skip" },
 *   ],
 * });
 * const airlift = createAirlift({ redis: upstash(), queues: ["*"], jobs: [], scheduler });
 * ```
 * @throws UsageError naming the schedule, the member, what was given and what was expected
 */
export function cron(options: CronOptions): Scheduler {
  checkMembers("cron", options, CHECKS);
  const { persistent = false, timezone = "UTC", env, lockPrefix } = options;
  try {
    checkTimezone(timezone);
  } catch (error) {
    throw new UsageError(`cron: timezone: ${(error as Error).message}`, { cause: error });
  }
  const defined = (options.schedules ?? []).map((schedule) => readSchedule(schedule, { ...options, timezone }));
  const names = new Set<string>();
  for (const { name } of defined) {
    if (names.has(name)) throw new UsageError(`cron: the schedule ${JSON.stringify(name)} is defined twice`);
    names.add(name);
  }
  const policy = missedPolicy(options);

  return {
    bind({ client, keys, logger, nowMs, queueOf, encode = encodePlain, onEnqueued }) {
      const schedules = defined.map((schedule) => {
        const queue = schedule.queue ?? queueOf(schedule.class);
        if (queue !== undefined) return { ...schedule, queue };
        const { name, class: className } = schedule;
        throw new UsageError(
          `cron: schedule ${JSON.stringify(name)}: queue: missing, and no definition of class ${JSON.stringify(className)} has one`,
        );
      });
      const context = { timezone, env, policy, queueOf };
      const store = createScheduleStore(client, keys, lockPrefix);
      const memory: TickerMemory = { quiet: undefined, warned: new Set() };
      const parsed = new Map<string, { readonly json: string; readonly schedule: RubySchedule }>();
      const parse = (name: string, json: string): RubySchedule => {
        const known = parsed.get(name);
        if (known?.json === json) return known.schedule;
        const schedule = parseRubySchedule(name, json, context);
        parsed.set(name, { json, schedule });
        return schedule;
      };
      const tickerContext: TickerContext = {
        ...{ store, schedules, persistent, parse, encode, memory, logger, nowMs },
        ...(onEnqueued && { onEnqueued }),
      };
      return {
        ticker: (usage, ofDrain = nowMs) => createTicker({ ...tickerContext, nowMs: ofDrain }, usage),
        ...createScheduleBook(store, schedules, persistent, context),
      };
    },
  };
}

async function encodePlain({ queue, class: className, args = [] }: EnqueueRequest): Promise<EncodedJob> {
  return { queue, payload: encodePayload(className, args) };
}
