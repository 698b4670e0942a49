const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;

/** Ruby's units, the first that fits; `M` is a month and `m` a minute. */
const UNITS: readonly (readonly [name: RegExp, ms: number])[] = [
  [/^y(ears?)?$/i, YEAR_MS],
  [/^(M|months?)$/, MONTH_MS],
  [/^w(eeks?)?$/i, 7 * DAY_MS],
  [/^d(ays?)?$/i, DAY_MS],
  [/^h(ours?)?$/i, HOUR_MS],
  [/^m(in(ute)?s?)?$/, MINUTE_MS],
  [/^s(ec(ond)?)?s?$/i, SECOND_MS],
];
const PART = /(\d+\.\d*|\.\d+|\d+) *([a-z]*?)(?:$|(?:[ \t,]|\band\b)*(?=[\d.]))/iy;
const ISO = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d*\.?\d+)S)?)?$/i;
const MAX_CHARS = 200;
const ISO_MS = [YEAR_MS, MONTH_MS, 7 * DAY_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS];

/**
 * Reads a duration as Ruby's schedulers write it: `30s`, `1h30m`, `1 day and 12 hours`, `90` (seconds), `PT5M`. A month has 30 days, a
 * year 365.
 *
 * @returns milliseconds; undefined for what is no duration
 * @see https://github.com/floraison/fugit/blob/master/lib/fugit/duration.rb
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  // What is longer is none, and might take long to tell from one.
  if (trimmed.length > MAX_CHARS) return undefined;
  const iso = ISO.exec(trimmed);
  if (iso && /\d/.test(trimmed)) {
    return iso.slice(1).reduce((sum, digits, index) => sum + Number(digits ?? 0) * (ISO_MS[index] as number), 0);
  }
  let sumMs = 0;
  PART.lastIndex = 0;
  for (let at = 0; at < trimmed.length; at = PART.lastIndex) {
    const part = PART.exec(trimmed);
    if (!part) return undefined;
    const [, digits, name] = part as unknown as [string, string, string];
    // Without a unit the last number is one of seconds.
    const isLast = PART.lastIndex === trimmed.length;
    const ms = name === "" ? (isLast ? SECOND_MS : undefined) : UNITS.find(([unit]) => unit.test(name))?.[1];
    if (ms === undefined) return undefined;
    sumMs += Number(digits) * ms;
  }
  return trimmed === "" ? undefined : Math.round(sumMs);
}
