import type { Clock } from "../core/clock.ts";
import type { Hooks } from "../core/hooks.ts";
import type { Logger } from "../core/job-context.ts";
import type { RepliedOutcome } from "../core/job-message.ts";
import type { PerformJob } from "../core/job-runner.ts";
import type { BigIntegers } from "../core/json.ts";
import { mayPassMidway } from "../core/passing.ts";
import type { Registry } from "../core/registry.ts";
import { type RepeatOptions, repeat } from "../core/repeat.ts";
import type { Settlement } from "../core/store.ts";
import { createAckStore, type DetachedJob } from "../resque/ack.ts";
import type { RedisClient } from "../resque/client.ts";
import { createKeys } from "../resque/keys.ts";
import type { ReceivedJob } from "./read-message.ts";
import { statedOutcome } from "./replied-outcome.ts";
import type { RunHost } from "./replied-run.ts";
import { type EndedRun, runJob } from "./run-job.ts";

export interface AcknowledgedRunDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly perform: PerformJob;
  readonly hooks: Hooks | undefined;
  readonly timeoutMs: number;
  readonly marginMs: number;
  readonly client: RedisClient;
  readonly namespace: string;
  readonly bigIntegers: BigIntegers;
  /** Names this function where failures are looked at. */
  readonly worker: string;
}

/** For how long a Redis that does not answer is asked again. */
const PATIENCE_MS = 10_000;
/** … also if the host's time is up: it may give us a moment more. */
const MIN_PATIENCE_MS = 1_000;
/** A job that came so late that less than this share of its time is left would be stopped in the middle: it goes back at once. */
const LATE_SHARE = 0.5;
const LATE: EndedRun["outcome"] = { kind: "postponed", afterMs: 1_000 };

/** Runs one job that its drain has detached, and settles it as the drain would have. */
export function createAcknowledgedRun(
  deps: AcknowledgedRunDeps,
): (job: ReceivedJob, host: RunHost) => Promise<RepliedOutcome> {
  const { clock, random, logger, registry, timeoutMs, marginMs } = deps;
  const { nowMs } = clock;
  const { client, bigIntegers } = deps;
  const acks = createAckStore({ client, keys: createKeys(deps.namespace), registry, nowMs, bigIntegers });

  const patiently = <T>(
    call: (attempt: number) => Promise<T>,
    hostEndMs: number,
    options: Pick<RepeatOptions, "mayPass"> = {},
  ): Promise<T> => {
    const startMs = nowMs();
    const untilMs = Math.max(startMs + MIN_PATIENCE_MS, Math.min(startMs + PATIENCE_MS, hostEndMs));
    return repeat(call, { ...options, clock, random, untilMs: () => untilMs, onRetry: () => undefined });
  };

  const isLate = ({ job }: DetachedJob, leaseMs: number, leaseEndMs: number): boolean => {
    const definition = job.kind === "job" ? registry.find(job.class) : undefined;
    const wantedMs = Math.min(definition?.timeoutMs ?? timeoutMs, leaseMs - marginMs);
    return leaseEndMs - marginMs - nowMs() < wantedMs * LATE_SHARE;
  };

  /** When the job's lease ends, by our clock: the drain's may show another time. Undefined if it waits no more. */
  const leaseEndOf = (job: DetachedJob, hostEndMs: number): Promise<number | undefined> =>
    patiently(async () => {
      const askedMs = nowMs();
      const leftMs = await acks.leaseLeftMs(job);
      return leftMs === undefined ? undefined : askedMs + leftMs;
    }, hostEndMs);

  return async (received, { hostEndMs, maxResultChars, ...host }) => {
    const { queue, job, ack = {} } = received;
    const detached = { queue, job, ack };
    const say = (message: string, fields: Record<string, unknown> = {}): void =>
      logger.warn(message, { queue, ...(job.kind === "job" && { class: job.class }), ...fields });
    const leaseEndMs = await leaseEndOf(detached, hostEndMs);
    if (leaseEndMs === undefined) {
      // A host that delivers twice, or late: it runs, or ran, elsewhere.
      say("a job came that is not waiting to be acknowledged any more; it was not run");
      return { kind: "release" };
    }
    const hooks = deps.hooks?.openDrain();
    const { status, leaseMs } = ack as { status?: { results?: boolean }; leaseMs?: number };
    const hasNoTime = hostEndMs - marginMs <= nowMs();
    if (hasNoTime) say("a job came when its host's time was over, less the margin; it goes back");
    const run: EndedRun =
      hasNoTime || isLate(detached, leaseMs ?? 0, leaseEndMs)
        ? { outcome: LATE, endedMs: nowMs(), durationMs: 0 }
        : await runJob(
            received,
            { ...deps, hooks, keepsResult: (definition) => status?.results || hooks?.keepsResult(definition) || false },
            { timeoutMs, endMs: Math.min(leaseEndMs, hostEndMs) - marginMs, ...host },
          );
    const ended = { ...detached, ...run, worker: `${deps.worker}:1:${queue}` };
    try {
      // A repeated request may find that it has settled the job already.
      const settle = async (attempt: number): Promise<boolean> => (await acks.settle(ended)) || attempt > 1;
      const isSettled = await patiently(settle, hostEndMs, { mayPass: mayPassMidway });
      if (!isSettled) say("a job's end came too late to be acknowledged: it runs again");
      const settlement: Settlement = { claim: { slot: 0, token: "", queue, job }, ...run };
      hooks?.completed([settlement], isSettled ? [] : [settlement]);
    } catch (error) {
      // To tell the host would have it deliver the job once more, at once.
      say("a job's end could not be acknowledged: it runs again when its lease has ended", { error });
    }
    await hooks?.end(undefined, hostEndMs);
    return statedOutcome(run.outcome, maxResultChars);
  };
}
