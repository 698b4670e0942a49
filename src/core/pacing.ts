/**
 * When the next exchange is worth its price. An exchange costs about five commands however many jobs it moves, so finished jobs
 * are let gather for a moment that is short against the jobs themselves, while jobs held in hand keep every unit of concurrency busy.
 */
export interface Pacing {
  /** One job has ended after `durationMs`. */
  noteJob(durationMs: number): void;
  /** One exchange took `durationMs`. */
  noteExchange(durationMs: number): void;
  /** How many jobs to hold in hand beyond the running ones. */
  readonly hand: number;
  /** How long finished jobs may gather, counted from the first. */
  readonly gatherMs: number;
  /** How many finished jobs are worth an exchange at once. */
  readonly gatherJobs: number;
}

/** Five commands over 32 jobs are 0.16 commands a job. */
const JOBS_WORTH_AN_EXCHANGE = 32;
/** A job's end waits at most this share of the jobs' own time, or this long … */
const GATHER_SHARE = 0.3;
const MAX_GATHER_MS = 50;
/** … and for long jobs, none of which is held in hand meanwhile, this share, or this long. */
const LONG_SHARE = 0.04;
const MAX_LONG_GATHER_MS = 200;
/** Where exchanges are few, so long and no longer, whatever the jobs take. */
const SCARCE_GATHER_MS = 250;
/** Jobs that take longer are not held in hand: another drain could be running them. */
const MAX_HAND_JOB_MS = 1_000;
/** The hand changes by this part of the concurrency at least: each change by one would empty a slot, and that is a command. */
const HAND_STEPS = 16;
const SMOOTHING = 0.05;
/** Clocks of whole milliseconds call a no-op job 0. */
const SHORTEST_MS = 0.05;

/** The most jobs in hand for a concurrency: the drain has this many slots more. */
export function maxHand(concurrency: number): number {
  return Math.ceil(concurrency / 2);
}

/** @param isScarce whether an exchange is so precious that finished jobs should wait for each other */
export function createPacing(concurrency: number, isScarce: () => boolean = () => false): Pacing {
  let jobs = 0;
  let logJobMs = 0;
  let jobMs: number | undefined;
  let exchangeMs = 1;
  const gatherJobs = Math.max(1, Math.min(JOBS_WORTH_AN_EXCHANGE, Math.ceil(concurrency / 2)));
  const smooth = (old: number, value: number): number => old + (value - old) * SMOOTHING;
  return {
    noteJob(durationMs) {
      // The geometric mean: one job of a minute among many of milliseconds must not make these wait.
      logJobMs += (Math.log(durationMs + SHORTEST_MS) - logJobMs) * Math.max(SMOOTHING, 1 / ++jobs);
      jobMs = Math.max(0, Math.exp(logJobMs) - SHORTEST_MS);
    },
    noteExchange(durationMs) {
      exchangeMs = smooth(exchangeMs, Math.min(durationMs, 1_000));
    },
    get hand() {
      // Nothing is known before the first job has ended: a job held then might wait behind hours of work.
      if (jobMs === undefined || jobMs > MAX_HAND_JOB_MS) return 0;
      const share = (this.gatherMs + exchangeMs) / Math.max(jobMs, 0.001);
      const step = Math.ceil(concurrency / HAND_STEPS);
      return Math.min(maxHand(concurrency), Math.ceil((concurrency * share * 1.2) / step) * step);
    },
    get gatherMs() {
      if (isScarce()) return SCARCE_GATHER_MS;
      if (jobMs === undefined) return 0;
      const longMs = Math.min(jobMs * LONG_SHARE, MAX_LONG_GATHER_MS);
      return Math.max(Math.min(jobMs * GATHER_SHARE, MAX_GATHER_MS), longMs);
    },
    get gatherJobs() {
      return isScarce() ? concurrency : gatherJobs;
    },
  };
}
