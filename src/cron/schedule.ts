import { UsageError } from "../core/errors.ts";
import { encodePayload } from "../resque/payload.ts";
import { checkTimezone, cronTimetable, durationTimetable, everyTimetable, type Timetable } from "./timetable.ts";

/**
 * What becomes of ticks that nobody was there to see, when a drain looks again:
 *
 * - `skip`: they are dropped, unless the last of them is not older than `lateMs`
 * - `one`: one job is enqueued for all of them
 * - `all`: each is enqueued, the latest `maxMissed` of them
 */
export type MissedTicks = "skip" | "one" | "all";

/** What is said of a schedule's missed ticks; in `cron({ … })` the default of all schedules. */
export interface MissedOptions {
  /** @default "one" */
  readonly missed?: MissedTicks;
  /** Ticks that `all` makes up for at most, 1 to 1000. @default 100 */
  readonly maxMissed?: number;
  /** Ticks older than this when they come to light are dropped, in milliseconds. @default 300_000 for `skip`, else there is no limit */
  readonly lateMs?: number;
}

/** A schedule in code: what is enqueued, and by exactly one of `cron`, `every` and `everyMs` when. */
export interface ScheduleOptions extends MissedOptions {
  /** Unique, and lasting: under it Redis remembers the last tick. */
  readonly name: string;
  /** Five fields, or six, seconds first; a time zone may stand at the end. @example "0 30 9 * * 1-5" */
  readonly cron?: string;
  /** As `30s`, `1h30m`, `2 days`, counted from when a drain first sees the schedule. */
  readonly every?: string;
  /** The same in milliseconds. */
  readonly everyMs?: number;
  /** For `cron`: the IANA name of the zone whose clocks are meant. @default that of `cron({ timezone })` */
  readonly timezone?: string;
  /** The class of the job. */
  readonly class: string;
  /** @default the queue of the class' definition in `jobs` */
  readonly queue?: string;
  /** What the job is given, or a function of the tick that makes it. @default [] */
  readonly args?: readonly unknown[] | ((tick: Date) => readonly unknown[]);
  /** For people who list the schedules. */
  readonly description?: string;
}

/** A schedule that can be run, wherever it is defined. */
export interface Schedule {
  readonly name: string;
  readonly source: "code" | "persistent";
  readonly timetable: Timetable;
  /** Equal for definitions with the same ticks. */
  readonly spec: string;
  readonly class: string;
  readonly queue: string | undefined;
  /** The arguments of the job of a tick. */
  readonly argsAt: (tickMs: number) => readonly unknown[];
  readonly missed: MissedTicks;
  readonly maxMissed: number;
  readonly lateMs: number;
  /** A tick before those of the timetable, if the schedule is first seen at `nowMs`. */
  readonly firstMs: (nowMs: number) => number | undefined;
  readonly description: string | undefined;
}

/** @see MissedOptions */
export const DEFAULT_MISSED_OPTIONS: { readonly missed: "one"; readonly maxMissed: 100 } = {
  missed: "one",
  maxMissed: 100,
};
const DEFAULT_SKIP_LATE_MS = 300_000;
const MAX_MISSED = 1_000;

type Check = readonly [isRight: (value: unknown) => boolean, expected: string];
const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";
const TEXT: Check = [isText, "a text that is not empty"];

/** Also those of `cron({ … })` itself. */
export const MISSED_CHECKS: Readonly<Record<keyof MissedOptions, Check>> = {
  missed: [(value) => ["skip", "one", "all"].includes(value as string), '"skip", "one" or "all"'],
  maxMissed: [
    (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_MISSED,
    `an integer from 1 to ${MAX_MISSED}`,
  ],
  lateMs: [(value) => Number.isFinite(value) && (value as number) > 0, "milliseconds, more than 0"],
};
const CHECKS: Readonly<Record<keyof ScheduleOptions, Check>> = {
  ...MISSED_CHECKS,
  name: TEXT,
  cron: TEXT,
  every: TEXT,
  everyMs: [(value) => Number.isInteger(value), "an integer of milliseconds"],
  timezone: TEXT,
  class: TEXT,
  queue: TEXT,
  args: [(value) => Array.isArray(value) || typeof value === "function", "an array, or a function that returns one"],
  description: [(value) => typeof value === "string", "a text"],
};

/** @throws UsageError naming the member, what was given and what was expected */
export function checkMembers(where: string, value: unknown, checks: Readonly<Record<string, Check>>): void {
  if (typeof value !== "object" || value === null)
    throw new UsageError(`${where}: expected an object, got ${show(value)}`);
  for (const [key, given] of Object.entries(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (!check) throw new UsageError(`${where}: ${key}: unknown option`);
    if (given !== undefined && !check[0](given)) {
      throw new UsageError(`${where}: ${key}: expected ${check[1]}, got ${show(given)}`);
    }
  }
}

/**
 * Reads a schedule's definition.
 *
 * @param defaults of `cron({ … })`
 * @throws UsageError naming the schedule, the member, what was given and what was expected
 */
export function readSchedule(
  options: ScheduleOptions,
  defaults: MissedOptions & { readonly timezone: string },
): Schedule {
  const name = (options as ScheduleOptions | undefined)?.name;
  const where = `cron: schedule ${isText(name) ? JSON.stringify(name) : "without a name"}`;
  checkMembers(where, options, CHECKS);
  for (const member of ["name", "class"] as const) {
    if (options[member] === undefined)
      throw new UsageError(`${where}: ${member}: missing, expected ${CHECKS[member][1]}`);
  }
  const { args = [] } = options;
  if (typeof args !== "function") {
    // What has no JSON form is told now, and not at the first tick.
    at(where, "", () => encodePayload(options.class, args));
  }
  const timetable = readTimetable(where, options, defaults.timezone);
  return {
    name: options.name,
    source: "code",
    timetable,
    spec: timetable.spec,
    class: options.class,
    queue: options.queue,
    argsAt: typeof args === "function" ? (tickMs) => args(new Date(tickMs)) : () => args,
    ...missedPolicy(options, defaults),
    firstMs: () => undefined,
    description: options.description,
  };
}

/** The policy of a schedule, each member from the first of the options that has it. */
export function missedPolicy(...options: readonly MissedOptions[]): Required<MissedOptions> {
  const first = <K extends keyof MissedOptions>(member: K): MissedOptions[K] | undefined =>
    options.find((each) => each[member] !== undefined)?.[member];
  const missed = first("missed") ?? DEFAULT_MISSED_OPTIONS.missed;
  const lateMs = first("lateMs") ?? (missed === "skip" ? DEFAULT_SKIP_LATE_MS : Number.POSITIVE_INFINITY);
  return { missed, maxMissed: first("maxMissed") ?? DEFAULT_MISSED_OPTIONS.maxMissed, lateMs };
}

function readTimetable(where: string, options: ScheduleOptions, defaultTimezone: string): Timetable {
  const { cron, every, everyMs, timezone } = options;
  const given = (["cron", "every", "everyMs"] as const).filter((member) => options[member] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? "none" : given.join(" and ");
    throw new UsageError(`${where}: expected one of cron, every and everyMs, got ${got}`);
  }
  if (timezone !== undefined) {
    if (cron === undefined) throw new UsageError(`${where}: timezone: an interval has none`);
    at(where, "timezone: ", () => checkTimezone(timezone));
  }
  if (cron !== undefined) {
    return at(where, `cron: ${JSON.stringify(cron)}: `, () => {
      const timetable = cronTimetable(cron, timezone ?? defaultTimezone);
      if (timezone !== undefined && timetable.timezone !== timezone) {
        throw new Error("its time zone and the option timezone exclude each other");
      }
      return timetable;
    });
  }
  if (every !== undefined) return at(where, `every: ${JSON.stringify(every)}: `, () => durationTimetable(every));
  const ms = everyMs as number;
  return at(where, `everyMs: ${ms}: `, () => everyTimetable(ms, `${ms} ms`));
}

/** Says where an error is. */
function at<T>(where: string, member: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${where}: ${member}${(error as Error).message}`, { cause: error });
  }
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null
    ? "an object"
    : typeof value === "function"
      ? "a function"
      : String(value);
}
