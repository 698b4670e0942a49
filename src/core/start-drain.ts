import type { Clock } from "./clock.ts";
import type { HostLimits } from "./host-limits.ts";
import type { Logger } from "./job-context.ts";
import { within } from "./within.ts";

/** What asks for another drain: jobs were enqueued; a drain has left jobs behind; there are too many jobs for the drains that run. */
export type StartReason = "kick" | "successor" | "sibling";

/** What a host is told of the drain that it is to start. */
export interface StartRequest {
  readonly reason: StartReason;
  /** How many drains have started one another up to the new one. It must be given to that one as its option `depth`. */
  readonly depth: number;
  /** Jobs that wait, as far as is known. */
  readonly remaining?: number;
}

/** What can be said to a drain that runs in the process that asks for it. */
export interface HereOptions extends HostLimits {
  /** How long it may take. */
  readonly forMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Starts another drain, by the means of its host: a function is invoked, a message sent, a request made. The drain that asks waits, for 5
 * seconds at most, until it is certain that the other will begin, not until that has ended.
 *
 * @param drain runs it here, in this process; never rejects. A kick or a sibling that a drain asks for ends when that must, as the host ends both; it
 * throws if no time is left
 */
export type StartDrain = (request: StartRequest, drain: (options?: HereOptions) => Promise<unknown>) => unknown;

/**
 * A `start` that drains in this very process, for hosts that go on after an answer.
 *
 * @param waitUntil how the host is told that it must wait for the drain
 * @param forMs how long that may take
 * @example
 * ```ts
 * import { waitUntil } from "@vercel/functions";
 * import { createAirlift, drainInBackground } from "airlift";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const kick = drainInBackground(waitUntil, 50_000);
 * export const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [], kick });
 * ```
 */
export function drainInBackground(waitUntil: (work: Promise<unknown>) => unknown, forMs = 50_000): StartDrain {
  return (_request, drain) => {
    waitUntil(drain({ forMs }));
  };
}

/** Drains that may start one another in a row: hosts that look for endless recursion allow 16 (AWS Lambda). */
export const DEFAULT_MAX_DEPTH = 10;

/** How long is waited for a host. */
const START_LIMIT_MS = 5_000;

/** What a drain that asks must keep to. */
export interface AskLimits {
  /** How long the host is waited for. */
  readonly limitMs?: number;
  /** When a drain in this process must have ended, in ms since the epoch. */
  readonly hereEndMs?: number;
}

/** Asks a host. False if it refuses, which is logged, or takes too long. */
export type AskHost = (start: StartDrain, request: StartRequest, limits?: AskLimits) => Promise<boolean>;

export interface AskHostOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drain: (depth: number, options: HereOptions | undefined, endMs: number) => Promise<unknown>;
}

export function createAskHost({ clock, logger, drain }: AskHostOptions): AskHost {
  return async (start, request, { limitMs = START_LIMIT_MS, hereEndMs = Number.POSITIVE_INFINITY } = {}) => {
    const { reason, depth } = request;
    const drainUntilEnd = async (options?: HereOptions): Promise<unknown> => {
      try {
        return await drain(depth, options, hereEndMs);
      } catch (error) {
        // Whoever keeps the process alive for it need not know of its end.
        logger.error("a drain that was started here failed", { reason, error });
        return undefined;
      }
    };
    const drainHere = (options?: HereOptions): Promise<unknown> => {
      if (hereEndMs > clock.nowMs()) return drainUntilEnd(options);
      throw new Error("no time is left in this process");
    };
    try {
      const answer = Promise.resolve(start(request, drainHere));
      if (await within(clock, Math.min(limitMs, START_LIMIT_MS), answer)) return true;
      logger.warn("the host did not say in time whether it starts a drain", { reason, depth });
    } catch (error) {
      logger.warn("the host could not start a drain", { reason, depth, error });
    }
    return false;
  };
}

/** Reads a request that came with an event, a message or a query, as a host has passed it on; undefined if it is none. */
export function readStartRequest(value: unknown): StartRequest | undefined {
  const { reason, depth, remaining } = Object(value) as Record<string, unknown>;
  const isReason = reason === "kick" || reason === "successor" || reason === "sibling";
  if (!isReason || !Number.isSafeInteger(depth) || (depth as number) < 0) return undefined;
  return { reason, depth: depth as number, ...(Number.isSafeInteger(remaining) && { remaining: remaining as number }) };
}
