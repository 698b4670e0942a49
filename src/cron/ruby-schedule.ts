import { parseJson, stringifyJson } from "../core/json.ts";
import { encodePayload } from "../resque/payload.ts";
import { parseRubyTime } from "../resque/ruby-time.ts";
import type { RubyScheduleConfig } from "../resque/scheduler.ts";
import { parseDuration } from "./duration.ts";
import type { MissedTicks, Schedule } from "./schedule.ts";
import { cronTimetable, durationTimetable, everyTimetable, type Timetable } from "./timetable.ts";

/** What a host has to say about all persistent schedules. */
export interface RubyScheduleContext {
  /** Ruby's is the time zone of its server, which is not in Redis. */
  readonly timezone: string;
  /** As Ruby's `Resque::Scheduler.env`. */
  readonly env: string | undefined;
  readonly policy: { readonly missed: MissedTicks; readonly maxMissed: number; readonly lateMs: number };
  readonly queueOf: (className: string) => string | undefined;
}

export type RubySchedule =
  | { readonly kind: "schedule"; readonly schedule: Schedule; readonly config: RubyScheduleConfig }
  /** Meant for other environments. */
  | { readonly kind: "elsewhere"; readonly config: RubyScheduleConfig }
  | { readonly kind: "problem"; readonly problem: string; readonly config: RubyScheduleConfig | undefined };

/** Options of Rufus that end a schedule: Ruby counts them anew with each start of its scheduler, so nobody else can know. */
const ENDS = ["times", "last", "last_at", "last_in", "last_time"];
const FIRSTS = ["first", "first_time", "first_at", "first_in"];

/** Reads a persistent schedule. Never throws: what cannot be run is told with the reason. */
export function parseRubySchedule(name: string, json: string, context: RubyScheduleContext): RubySchedule {
  let config: unknown;
  try {
    config = parseJson(json);
  } catch {
    return { kind: "problem", problem: "it is not valid JSON", config: undefined };
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    return { kind: "problem", problem: "expected an object", config: undefined };
  }
  return readRubySchedule(name, config as RubyScheduleConfig, context);
}

/** The same of a schedule that is not yet in Redis. */
export function readRubySchedule(name: string, config: RubyScheduleConfig, context: RubyScheduleContext): RubySchedule {
  try {
    const environments = config.rails_env ?? config.env;
    if (environments !== undefined && environments !== null) {
      if (typeof environments !== "string") throw new Error("rails_env: expected a text");
      const { env } = context;
      if (env === undefined || !environments.split(/[\s,]+/).includes(env)) return { kind: "elsewhere", config };
    }
    return { kind: "schedule", schedule: toSchedule(name, config, context), config };
  } catch (error) {
    return { kind: "problem", problem: (error as Error).message, config };
  }
}

function toSchedule(name: string, config: RubyScheduleConfig, context: RubyScheduleContext): Schedule {
  const { class: className = name, custom_job_class: customClass, description } = config;
  if (typeof className !== "string" || className === "") throw new Error("class: expected a text");
  // Its jobs are made by a method of the Ruby class, not by Resque.
  if (customClass !== undefined && customClass !== null && customClass !== "Resque::Job") {
    throw new Error(`custom_job_class: only Ruby knows what ${written(customClass)} enqueues`);
  }
  const queue = config.queue ?? context.queueOf(className);
  if (typeof queue !== "string" || queue === "") {
    throw new Error(
      `queue: missing; Ruby takes it from the class ${className}, which this app does not define with a queue`,
    );
  }
  const args = toArgs(config.args);
  encodePayload(className, args);
  const { timetable, first } = readInterval(config, context.timezone);
  return {
    name,
    source: "persistent",
    timetable,
    spec: first === undefined ? timetable.spec : `${timetable.spec} first ${JSON.stringify(first)}`,
    class: className,
    queue,
    argsAt: () => args,
    ...context.policy,
    firstMs: (nowMs) => (first === undefined ? undefined : "atMs" in first ? first.atMs : nowMs + first.inMs),
    description: typeof description === "string" ? description : undefined,
  };
}

const MAX_WRITTEN_CHARS = 200;

/** What a message, or a list of schedules, shows of a value that anybody may have written. */
export function written(value: unknown): string {
  let text: string;
  try {
    text = String(stringifyJson(value));
  } catch {
    return "something nested too deeply";
  }
  return text.length > MAX_WRITTEN_CHARS ? `${text.slice(0, MAX_WRITTEN_CHARS)}…` : text;
}

/** Ruby's `args.is_a?(Hash) ? [args] : Array(args)`. */
function toArgs(args: unknown): readonly unknown[] {
  if (args === undefined || args === null) return [];
  return Array.isArray(args) ? args : [args];
}

type First = { readonly atMs: number } | { readonly inMs: number };

/** `cron` comes before `every`; an empty one is none. */
function readInterval(
  config: RubyScheduleConfig,
  timezone: string,
): { timetable: Timetable; first: First | undefined } {
  for (const member of ["cron", "every"] as const) {
    const value: unknown = config[member];
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)) continue;
    const [text, options] = Array.isArray(value) ? (value as unknown[]) : [value];
    try {
      return { timetable: readTimetable(member, text, Array.isArray(value), timezone), first: readFirst(options) };
    } catch (error) {
      throw new Error(`${member}: ${written(value)}: ${(error as Error).message}`, { cause: error });
    }
  }
  throw new Error("expected cron or every");
}

function readTimetable(member: "cron" | "every", text: unknown, isPair: boolean, timezone: string): Timetable {
  // Rufus takes a number for seconds; Ruby's scheduler lets one through only as the first of a pair.
  if (member === "every" && typeof text === "number" && isPair) return everyTimetable(text * 1_000, `${text}s`);
  if (typeof text !== "string") throw new Error("expected a text");
  return member === "cron" ? cronTimetable(text, timezone) : durationTimetable(text);
}

function readFirst(options: unknown): First | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  const has = (name: string): boolean => (options as Record<string, unknown>)[name] != null;
  const end = ENDS.find(has);
  if (end !== undefined) throw new Error(`${end}: only Ruby's scheduler knows when that is`);
  const name = FIRSTS.find(has);
  if (name === undefined) return undefined;
  const first = (options as Record<string, unknown>)[name];
  if (typeof first === "number") return { inMs: first * 1_000 };
  const inMs = typeof first === "string" ? parseDuration(first) : undefined;
  const atMs = typeof first === "string" ? parseRubyTime(first) : undefined;
  if (inMs !== undefined) return { inMs };
  if (atMs !== undefined) return { atMs };
  throw new Error(`${name}: expected a duration or a time`);
}
