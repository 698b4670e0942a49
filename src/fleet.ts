import type { Clock } from "./core/clock.ts";
import type { DrainOptions } from "./core/drain-deps.ts";
import { guardLogger } from "./core/guard-logger.ts";
import type { Logger } from "./core/job-context.ts";
import { createKicker, DEFAULT_KICK_TTL_MS, type Kicker, type KickOptions } from "./core/kicker.ts";
import { createPeers, type DrainEnd, type DrainPeers } from "./core/peers.ts";
import { createScaleOut, type ScaleOutOptions } from "./core/scale-out.ts";
import { createAskHost, type HereOptions, type StartDrain } from "./core/start-drain.ts";
import type { DrainStore } from "./core/store.ts";
import type { SuccessorOptions } from "./core/successor.ts";
import type { RedisClient, Usage } from "./resque/client.ts";
import type { EnqueueRequest } from "./resque/encoded-job.ts";
import type { Keys } from "./resque/keys.ts";
import { createKickMark } from "./resque/kick-mark.ts";
import { recordDrain } from "./resque/last-drain.ts";

export interface FleetOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** One that nobody else has. */
  readonly newToken: () => string;
  readonly logger: Logger;
  readonly leaseMs: number;
  readonly kick: KickOptions | undefined;
  readonly successor: SuccessorOptions | undefined;
  readonly scaleOut: ScaleOutOptions | undefined;
  /** Drains leave word of their end, and tell of a longer silence than this before their beginning. */
  readonly record: { readonly maxSilenceMs?: number } | undefined;
  /** Whether the app drains a queue. */
  readonly drains: (queue: string) => boolean;
  /** A drain of this app, in this process. */
  readonly drain: (options: DrainOptions) => Promise<unknown>;
}

/** One of the drains. */
export interface FleetDrain extends Pick<DrainOptions, "depth" | "deadlineMs" | "successor"> {
  readonly store: DrainStore;
  readonly host: string;
}

/** Where and when a job is to run. */
type When = Pick<EnqueueRequest, "queue" | "at" | "inMs">;

/** The drains of one app, and what they do about each other. */
export interface Fleet {
  readonly kicker: Kicker | undefined;
  /**
   * Jobs were enqueued. Never rejects.
   *
   * @param start in the place of the app's own; false for none
   */
  noteEnqueued(jobs: readonly When[], start?: StartDrain | false): Promise<void>;
  /** @see createPeers */
  open(drain: FleetDrain): { readonly peers: DrainPeers; readonly store: DrainStore };
}

export function createFleet(options: FleetOptions): Fleet {
  const { client, keys, clock, random, newToken, leaseMs, kick, successor, scaleOut, record } = options;
  const logger = guardLogger(options.logger);
  const drain = (
    depth: number,
    { forMs = Number.POSITIVE_INFINITY, ...others }: HereOptions = {},
    endMs: number,
  ): Promise<unknown> => {
    const deadlineMs = Math.min(clock.nowMs() + forMs, endMs);
    return options.drain({ depth, ...others, ...(Number.isFinite(deadlineMs) && { deadlineMs }) });
  };
  const askHost = createAskHost({ clock, logger, drain });
  const ttlMs = kick?.ttlMs ?? DEFAULT_KICK_TTL_MS;
  const newMark = (usage: Usage = { commands: 0, requests: 0 }) =>
    createKickMark({ client, keys, ttlMs, holder: newToken(), usage, clock, random });
  const kicker = kick && createKicker({ options: kick, newMark: () => newMark(), askHost, clock, logger, leaseMs });

  const recorder = (host: string, usage: Usage) => {
    const startedMs = clock.nowMs();
    return async (end: DrainEnd): Promise<number | undefined> => {
      const { maxSilenceMs = Number.POSITIVE_INFINITY } = record ?? {};
      const asksPrevious = Number.isFinite(maxSilenceMs);
      const previous = await recordDrain(client, keys, { end, host, nowMs: clock.nowMs(), asksPrevious, usage });
      const silentMs = previous ? startedMs - previous.endedMs : 0;
      return silentMs > maxSilenceMs ? silentMs : undefined;
    };
  };

  const isNow = ({ at, inMs = 0 }: When): boolean => inMs < 1_000 && Number(at ?? 0) < clock.nowMs() + 1_000;

  return {
    kicker,
    async noteEnqueued(jobs, start) {
      if (jobs.some((job) => isNow(job) && options.drains(job.queue))) await kicker?.enqueued(start);
    },
    open({ store, host, depth = 0, deadlineMs = Number.POSITIVE_INFINITY, successor: maySucceed = true }) {
      const { usage } = store;
      return createPeers({
        ...{ store, clock, logger, askHost, depth, deadlineMs, kicker },
        successor: maySucceed ? successor : undefined,
        mostSiblings: (scaleOut?.maxDrains ?? 1) - 1,
        siblings: scaleOut && createScaleOut(scaleOut, { store, askHost, logger, depth, deadlineMs }),
        newMark: () => newMark(usage),
        record: record && recorder(host, usage),
      });
    },
  };
}
