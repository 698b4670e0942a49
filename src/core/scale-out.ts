import type { Emit } from "./guard-listeners.ts";
import type { Logger } from "./job-context.ts";
import { type AskHost, DEFAULT_MAX_DEPTH, type StartDrain, type StartRequest } from "./start-drain.ts";
import type { DrainStore, ExchangeResult } from "./store.ts";

/** Starts more drains while there is too much for those that run. */
export interface ScaleOutOptions {
  /** How many waiting jobs are enough for a drain more. */
  readonly threshold: number;
  /** How many drains there may be at the same time, whoever started them. */
  readonly maxDrains: number;
  readonly start: StartDrain;
  /**
   * No drain with a greater `depth` is started.
   *
   * @default 10
   */
  readonly maxDepth?: number;
}

/** For so long after some were started no others are: a cold start takes a few seconds, and ticks come each minute. */
const PLAN_TTL_MS = 60_000;

export interface ScaleOutDeps {
  readonly store: Pick<DrainStore, "planSiblings">;
  readonly askHost: AskHost;
  readonly logger: Logger;
  /** Of this drain. */
  readonly depth: number;
  readonly deadlineMs: number;
}

export interface ScaleOut {
  /** Looks, once, when an exchange has brought jobs and left others behind. */
  exchanged(result: ExchangeResult, emit: Emit): void;
  /** How many drains the host was asked to start so far. */
  readonly started: number;
  /** Ends when it has been asked for all. Never rejects. */
  ended(): Promise<void>;
}

export function createScaleOut(
  { threshold, maxDrains, start, maxDepth = DEFAULT_MAX_DEPTH }: ScaleOutOptions,
  { store, askHost, logger, depth, deadlineMs }: ScaleOutDeps,
): ScaleOut {
  let started = 0;
  let starting: Promise<void> | undefined;

  const startMissing = async (emit: Emit): Promise<void> => {
    try {
      const { missing, queued } = await store.planSiblings({ threshold, maxDrains, ttlMs: PLAN_TTL_MS });
      const request: StartRequest = { reason: "sibling", depth: depth + 1, remaining: queued };
      const startOne = async (): Promise<void> => {
        if (!(await askHost(start, request, { hereEndMs: deadlineMs }))) return;
        started++;
        emit?.({ kind: "drain-requested", ...request });
      };
      await Promise.all(Array.from({ length: missing }, startOne));
    } catch (error) {
      logger.warn("it is not known whether more drains are needed", { error });
    }
  };

  return {
    exchanged({ claims, isDrained }, emit) {
      if (starting || isDrained || claims.length === 0 || depth >= maxDepth) return;
      starting = startMissing(emit);
    },
    get started() {
      return started;
    },
    async ended() {
      await starting;
    },
  };
}
