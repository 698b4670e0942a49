import { Cron } from "croner";
import { readCronText } from "./cron-text.ts";
import { parseDuration } from "./duration.ts";

/** When something is due. Instants are in milliseconds since the epoch. */
export interface Timetable {
  /** For people: `0 30 9 * * 1-5 (Europe/Berlin)`, `every 30s`. */
  readonly text: string;
  /** Equal for timetables with the same ticks. */
  readonly spec: string;
  /** The time zone that its ticks follow; undefined where there is none. */
  readonly timezone: string | undefined;
  /** The first tick after an instant. Ticks of an interval are counted from `anchorMs`, others are by the calendar. */
  next(afterMs: number, anchorMs: number): number | undefined;
  /** The last tick at or before an instant. */
  last(untilMs: number, anchorMs: number): number | undefined;
}

/** Timers of most hosts, and Ruby's scheduler, are no finer. */
const MIN_EVERY_MS = 1_000;
/** A hundred years. */
const MAX_EVERY_MS = 3_153_600_000_000;
/** From here a line is asked for its next tick, to see that there is one. */
const SOME_MS = Date.UTC(2024, 0, 1);

/**
 * A cron line of five or six fields, seconds first, with a time zone at its end or not.
 *
 * Times that a change of clocks skips or repeats: a line without `*` and `/` in seconds, minutes and hours names times of a day; each of
 * them is due once, one that is skipped at the end of the gap, one that comes twice the first time. Other lines name what recurs, which
 * goes on through both.
 *
 * @param timezone for a line that names none
 * @throws Error saying what is wrong with the line
 */
export function cronTimetable(line: string, timezone: string): Timetable {
  const { pattern, isAnd, timezone: ownZone } = readCronText(line);
  const zone = ownZone ?? timezone;
  checkTimezone(zone);
  const cron = parse(pattern, zone, isAnd);
  const next = (afterMs: number): number | undefined => cron.nextRun(new Date(afterMs))?.getTime();
  if (next(SOME_MS) === undefined) throw new Error("there is no such day");
  return {
    text: `${ownZone === undefined ? line.trim() : line.trim().slice(0, -ownZone.length).trimEnd()} (${zone})`,
    spec: `cron ${pattern}${isAnd ? " &" : ""} ${zone}`,
    timezone: zone,
    next,
    // The parser leaves out the whole second that it starts from.
    last: (untilMs) => cron.previousRuns(1, new Date(Math.floor(untilMs / 1_000 + 1) * 1_000))[0]?.getTime(),
  };
}

/** @throws Error if the interval is too short or too long */
export function everyTimetable(everyMs: number, text: string): Timetable {
  if (!(everyMs >= MIN_EVERY_MS && everyMs <= MAX_EVERY_MS)) throw new Error("expected 1 second to 100 years");
  const last = (untilMs: number, anchorMs: number): number | undefined =>
    untilMs < anchorMs ? undefined : anchorMs + Math.floor((untilMs - anchorMs) / everyMs) * everyMs;
  return {
    text: `every ${text}`,
    spec: `every ${everyMs}`,
    timezone: undefined,
    next: (afterMs, anchorMs) => (last(afterMs, anchorMs) ?? anchorMs - everyMs) + everyMs,
    last,
  };
}

/** @throws Error if the text is no duration */
export function durationTimetable(text: string): Timetable {
  const everyMs = parseDuration(text);
  if (everyMs === undefined) throw new Error('expected a duration, as "30s" or "1h30m"');
  return everyTimetable(everyMs, text.trim());
}

/** @throws Error if this host does not know the zone */
export function checkTimezone(zone: string): void {
  if (offsetMinutes(zone) !== undefined) return;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    throw new Error(`unknown time zone ${JSON.stringify(zone)}`);
  }
}

function parse(pattern: string, zone: string, isAnd: boolean): Cron {
  const utcOffset = offsetMinutes(zone);
  try {
    return new Cron(pattern, {
      paused: true,
      mode: "5-or-6-parts",
      // `5/10` and `/10`, as Ruby's schedules may have them.
      sloppyRanges: true,
      domAndDow: isAnd,
      // Vixie's rule, so that `30 2,14 * * *` is not due twice on the day with 25 hours.
      fixedTimeRule: "no-wildcard",
      ...(utcOffset === undefined ? { timezone: zone } : { utcOffset }),
    });
  } catch (error) {
    throw new Error((error as Error).message.replace(/^Cron\w+: /, ""), { cause: error });
  }
}

/** `+09:00` and `-0330`, which not every host takes for a time zone. */
function offsetMinutes(zone: string): number | undefined {
  const match = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (!match) return undefined;
  return Number(`${match[1]}1`) * (Number(match[2]) * 60 + Number(match[3]));
}
