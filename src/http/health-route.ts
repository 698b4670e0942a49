import type { Context } from "hono";
import type { Airlift, LastDrain } from "../airlift.ts";
import { isStoreError } from "../core/errors.ts";
import type { ResolvedHttpAppOptions } from "./options.ts";
import { problem } from "./problem.ts";

/** What was seen of Redis, and of the drains if they are recorded. */
interface Seen {
  readonly atMs: number;
  readonly isReachable: boolean;
  readonly last?: LastDrain | undefined;
}

/**
 * Handles `/health`: whether Redis answers, and whether drains still run, if they leave word of it. What was seen is remembered for
 * `healthMaxAgeMs`; the look itself is not shared between requests, as Workers forbid to wait for the I/O of another request.
 */
export function createHealthRoute(
  airlift: Airlift,
  { healthMaxAgeMs, logger, ...options }: ResolvedHttpAppOptions,
): (c: Context) => Promise<Response> {
  const { recordDrains = false, redis } = airlift.options;
  const maxSilenceMs =
    options.maxSilenceMs ?? (typeof recordDrains === "object" ? recordDrains.maxSilenceMs : undefined);
  const looksAtDrains = recordDrains !== false || maxSilenceMs !== undefined;
  let seen: Seen | undefined;

  const look = async (): Promise<Seen> => {
    const atMs = Date.now();
    try {
      if (looksAtDrains) return { atMs, isReachable: true, last: await airlift.lastDrain() };
      await redis.command(["PING"]);
      return { atMs, isReachable: true };
    } catch (error) {
      if (!isStoreError(error)) throw error;
      logger.warn(`health: ${error.message}`);
      return { atMs, isReachable: false };
    }
  };

  return async (c) => {
    if (seen === undefined || Date.now() - seen.atMs >= healthMaxAgeMs) seen = await look();
    const { isReachable, last } = seen;
    if (!isReachable) return problem({ kind: "store", status: 503, title: "The store cannot be used" });
    const silentMs = last ? Math.max(0, Date.now() - last.endedMs) : Number.POSITIVE_INFINITY;
    if (maxSilenceMs !== undefined && silentMs > maxSilenceMs) {
      const when = last ? `The last one ended ${Math.floor(silentMs / 1_000)} s ago` : "None has left word of its end";
      return problem({
        kind: "silent",
        status: 503,
        title: "No drain has run for too long",
        detail: `${when}; expected one every ${maxSilenceMs / 1_000} s.`,
      });
    }
    return c.json({ status: "ok", ...(last && { lastDrain: { endedMs: last.endedMs, stopped: last.stopped } }) });
  };
}
