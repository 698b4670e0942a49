const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|UTC|[+-]\d\d:?\d\d)$/;

/**
 * Reads a time as Ruby writes it: `2026-11-20 18:50:57 +0100`, `2026-11-20 18:50:57 UTC`, `2026-11-20T18:50:57.000Z`.
 *
 * @returns milliseconds since the epoch; undefined for anything else
 */
export function parseRubyTime(text: string): number | undefined {
  const match = TIME.exec(text.trim());
  if (!match) return undefined;
  const [, date, time, zone] = match as unknown as [string, string, string, string];
  const offset = zone === "UTC" ? "Z" : zone.replace(/^([+-]\d\d):?(\d\d)$/, "$1:$2");
  const ms = Date.parse(`${date}T${time}${offset}`);
  return Number.isNaN(ms) ? undefined : Math.floor(ms);
}
