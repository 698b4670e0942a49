/** A cron line, taken apart and in the parser's own words. */
export interface CronText {
  /** Five or six fields. */
  readonly pattern: string;
  /** Days must fit both the day of the month and the day of the week: fugit's `&`. */
  readonly isAnd: boolean;
  /** What stands behind the fields: `Europe/Berlin`, `+09:00`. */
  readonly timezone: string | undefined;
}

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const SIXTY: Field = { min: 0, max: 59 };
const DAY_OF_MONTH: Field = { min: 1, max: 31 };
const DAY_OF_WEEK: Field = { min: 0, max: 6, names: DAYS };
const HOUR: Field = { min: 0, max: 23 };
const FIELDS: readonly Field[] = [SIXTY, SIXTY, HOUR, DAY_OF_MONTH, { min: 1, max: 12, names: MONTHS }, DAY_OF_WEEK];

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@noon": "0 12 * * *",
  "@hourly": "0 * * * *",
};
const ZONE_NAME = /^[A-Z][a-zA-Z0-9+-]+(\/[A-Z][a-zA-Z0-9+_-]+){0,2}$/;
const ZONE_OFFSET = /^[+-]([01]\d|2[0-4]):?(00|15|30|45)$/;
const DAY_NAME = /^(sun|mon|tue|wed|thu|fri|sat)/i;

/**
 * Takes a cron line apart. Besides plain cron it knows what Ruby's schedules may hold (fugit's lines): a time zone at the end, ranges
 * that pass the end (`22-4`, `fri-mon`), hour 24, `-1` and `last` for a month's last day, `mon#-1`, `&`, `@noon`.
 *
 * @throws Error if there are not five or six fields
 * @see https://github.com/floraison/fugit/blob/master/lib/fugit/cron.rb
 */
export function readCronText(text: string): CronText {
  const words = text.trim().split(/\s+/);
  const last = words.at(-1) as string;
  if (text.trim().startsWith("@") && words.length < 3) {
    const pattern = NICKNAMES[words[0] as string];
    if (pattern === undefined) throw new Error(`expected one of ${Object.keys(NICKNAMES).join(", ")}, got ${words[0]}`);
    return { pattern, isAnd: false, timezone: words[1] };
  }
  const timezone = words.length > 5 && isZone(last) ? words.pop() : undefined;
  if (words.length !== 5 && words.length !== 6) {
    throw new Error(`expected 5 or 6 fields, got ${text.trim() === "" ? 0 : words.length}`);
  }
  const fields = words.length === 6 ? FIELDS : FIELDS.slice(1);
  const isAnd = words.slice(-3).some((word) => word.endsWith("&"));
  const pattern = words.map((word, index) => rewriteField(word.replace(/&$/, ""), fields[index] as Field)).join(" ");
  return { pattern, isAnd, timezone };
}

/** `MON` is a day, `MST` and `Europe/Berlin` are zones. */
function isZone(word: string): boolean {
  return ZONE_OFFSET.test(word) || (ZONE_NAME.test(word) && !DAY_NAME.test(word));
}

function rewriteField(text: string, field: Field): string {
  return text
    .split(",")
    .map((part) => {
      if (field === DAY_OF_MONTH && /^(-1|last)$/i.test(part)) return "L";
      if (field === DAY_OF_WEEK) return rewriteRange(part.replace(/#(-1|last)$/i, "#L"), field);
      return rewriteRange(part, field);
    })
    .join(",");
}

/** Spells out a range that passes the field's end; others stay as they are, also wrong ones: the parser says what is wrong. */
function rewriteRange(part: string, field: Field): string {
  if (field === HOUR && part === "24") return "0";
  const match = /^(\w+)-(\w+)(?:\/(\d+))?$/.exec(part);
  const from = match ? numberOf(match[1] as string, field) : -1;
  const to = match ? numberOf(match[2] as string, field) : -1;
  const isTo24 = field === HOUR && to === 24;
  if (!match || from < field.min || from > field.max || to < field.min || (from <= to && !isTo24)) return part;
  if (to > field.max && !isTo24) return part;
  const values: number[] = [];
  for (let value = from; value <= field.max; value++) values.push(value);
  for (let value = field.min; value <= (isTo24 ? 0 : to); value++) values.push(value);
  const step = Math.max(1, Number(match[3] ?? 1));
  return [...new Set(values.filter((_, index) => index % step === 0))].join(",");
}

function numberOf(text: string, { names }: Field): number {
  if (/^\d+$/.test(text)) return Number(text);
  return names?.indexOf(text.toLowerCase()) ?? -1;
}
