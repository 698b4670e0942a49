import { InvalidArgumentError } from "commander";
import ms from "ms";
import { isDay, MAX_DELAY_MS } from "../http/job-time.ts";

/** Node's timers hold no more; a longer one would fire at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/**
 * A duration such as `30s`, `5m` or `1.5h`; a bare number is seconds.
 *
 * @returns milliseconds
 */
export function parseDuration(text: string): number {
  const durationMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : toMilliseconds(text);
  if (!Number.isFinite(durationMs) || durationMs <= 0) {
    throw new InvalidArgumentError("Expected a duration such as 30s, 5m or 1.5h, or a number of seconds.");
  }
  if (durationMs > MAX_DURATION_MS) throw new InvalidArgumentError("Expected at most 24 days.");
  return Math.ceil(durationMs);
}

function toMilliseconds(text: string): number {
  // ms() throws on texts that are empty or longer than 100 characters; in the others it returns undefined or NaN.
  if (text === "" || text.length > 100) return Number.NaN;
  return (ms as (value: string) => number | undefined)(text) ?? Number.NaN;
}

/**
 * How long to wait: as a duration, also of none, and up to a hundred years.
 *
 * @returns milliseconds
 */
export function parseDelay(text: string): number {
  const delayMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : toMilliseconds(text);
  if (delayMs > MAX_DELAY_MS) throw new InvalidArgumentError("Expected at most 36500d.");
  if (delayMs >= 0) return Math.ceil(delayMs);
  throw new InvalidArgumentError("Expected a duration such as 30s, 5m or 7d, or a number of seconds.");
}

const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * A time as `2026-11-20T18:00:00Z` or `2026-11-20 18:00`; without an offset it is this machine's.
 *
 * @returns milliseconds since the epoch
 */
export function parseTime(text: string): number {
  // A date alone would be taken for one in UTC.
  const full = text.length === 10 ? `${text}T00:00` : text.replace(" ", "T");
  const atMs = TIME.test(text) && isDay(text.slice(0, 10)) ? Date.parse(full) : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw new InvalidArgumentError("Expected a time such as 2026-11-20T18:00:00Z or 2026-11-20 18:00.");
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

/** A TCP port; 0 lets the system choose one. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError("Expected a port from 0 to 65535.");
}

/** Queue names, patterns and weights, separated by commas; the option may be given several times. */
export function collectQueues(text: string, previous: readonly string[] | undefined): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("Expected queue names separated by commas.");
  return [...(previous ?? []), ...names];
}
