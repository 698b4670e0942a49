/** Offsets in hours of the zones whose names Ruby's `%Z` writes and JavaScript cannot read; those that mean several are left out. */
const ZONES: Readonly<Record<string, number>> = {
  ...{ WET: 0, WEST: 1, CET: 1, CEST: 2, EET: 2, EEST: 3, MSK: 3 },
  ...{ HKT: 8, AWST: 8, JST: 9, KST: 9, AEST: 10, AEDT: 11, NZST: 12, NZDT: 13 },
};

/**
 * Reads a time as Ruby Resque (`2026/11/20 18:50:57 UTC`, other zones, none, `2026-11-20 18:50:57 +0000`), goworker (RFC 3339 with
 * nanoseconds) or node-resque (`Date#toString`, epoch seconds) writes it; one without a zone is taken for UTC, wherever this runs.
 *
 * @returns milliseconds since the epoch; undefined for anything else
 */
export function readTime(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1_000;
  const [, date, time, zone = "UTC"] =
    /^(\d{4}[-/]\d\d[-/]\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?: ?([A-Z]{1,5}|[+-]\d\d(?::?\d\d)?))?( m=\S+)?$/.exec(
      text,
    ) ?? [];
  const ms = date ? Date.parse(`${date.replaceAll("/", "-")}T${time}${toOffset(zone)}`) : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function toOffset(zone: string): string {
  const hours = ZONES[zone];
  if (hours !== undefined) return `+${String(hours).padStart(2, "0")}:00`;
  if (zone === "UTC" || zone === "GMT") return "Z";
  const [, sign, minutes = "00"] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return sign === undefined ? zone : `${sign}:${minutes}`;
}
