/** Offsets in hours of the zones whose names Ruby's `%Z` writes; those that mean several places far apart are left out. */
const ZONES: Readonly<Record<string, number>> = {
  ...{ UTC: 0, GMT: 0, Z: 0, WET: 0, WEST: 1, CET: 1, CEST: 2, EET: 2, EEST: 3, MSK: 3 },
  ...{ EST: -5, EDT: -4, CST: -6, CDT: -5, MST: -7, MDT: -6, PST: -8, PDT: -7 },
  ...{ HKT: 8, AWST: 8, JST: 9, KST: 9, AEST: 10, AEDT: 11, NZST: 12, NZDT: 13 },
};
/** `2026/11/20 18:50:57`, a fraction, a zone; Go's `Time.String` has its zone twice, and its monotonic clock. */
const NUMERIC =
  /^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?: ?([A-Z]{1,5}|[+-]\d\d(?::?\d\d)?))?(?: [A-Z]+)?(?: m=\S+)?$/;
const MAX_CHARS = 100;
const WITH_WEEKDAY = /^[A-Z][a-z]{2},? .* (?:GMT)?[+-]\d{4}(?: \(.*\))?$/;

/**
 * Reads a time as Ruby Resque (`2026/11/20 18:50:57 UTC`, other zones, none, `2026-11-20 18:50:57 +0000`), goworker (RFC 3339 with
 * nanoseconds) or node-resque (`Date#toString`, epoch seconds) writes it; one without a zone is taken for UTC, wherever this runs.
 *
 * @returns milliseconds since the epoch, whole seconds; undefined for anything else
 */
export function readTime(text: unknown): number | undefined {
  // Longer ones are none, and might take long to tell from one.
  if (typeof text !== "string" || text.length > MAX_CHARS) return undefined;
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1_000;
  const [, year, month, day, time, zone = "UTC"] = NUMERIC.exec(text) ?? [];
  const ms = time
    ? Date.parse(`${year}-${month}-${day}T${time}Z`) - toOffsetMs(zone)
    : WITH_WEEKDAY.test(text)
      ? Date.parse(text)
      : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function toOffsetMs(zone: string): number {
  const [, sign, hours = Number.NaN, minutes = 0] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  const minutesEast = sign === undefined ? (ZONES[zone] ?? Number.NaN) * 60 : Number(hours) * 60 + Number(minutes);
  return minutesEast * 60_000 * (sign === "-" ? -1 : 1);
}
