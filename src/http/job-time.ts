/** A duration as `500ms`, `30s`, `5m`, `1.5h` or `7d`. */
export const DURATION: RegExp = /^\d{1,12}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/;

/** A hundred years: no job waits longer, and no clock ends before. */
export const MAX_DELAY_MS: number = 36_500 * 86_400_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns milliseconds; undefined if the text is no {@link DURATION} */
export function readDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  const [, count, unit] = /^([\d.]+)(\w+)$/.exec(text) as unknown as [string, string, string];
  return Math.ceil(Number(count) * (UNIT_MS[unit] as number));
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Reads a time of RFC 3339, its seconds optional: `2026-11-20T18:00Z`. @returns ms since the epoch; undefined if it is none */
export function readInstant(text: string): number | undefined {
  const atMs = INSTANT.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** False for `2026-02-30`, which V8 takes for a day in March. */
export function isDay(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}
