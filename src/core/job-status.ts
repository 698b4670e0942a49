import { type Failure, isOver, type Outcome } from "./outcome.ts";
import type { Settlement } from "./store.ts";

/** That the status of each job is kept, and for how long. */
export interface StatusOptions {
  /**
   * How long a status is kept after it was last written, in milliseconds; that of a job which waits for its time, from that time on. So
   * longer than a job may wait in its queue.
   */
  readonly ttlMs: number;
  /** Keeps what the handler returned, as JSON of at most 16,000 characters. @default false */
  readonly results?: boolean;
}

/**
 * What becomes of a job.
 *
 * - `queued`: in its queue; also after it was given back, and after its drain died
 * - `delayed`: waits for its time, `dueMs`; once that has come, in its queue or on its way there
 * - `running`: its handler runs, or it was handed to a function that has not told its end yet
 * - `retrying`: an attempt has failed, the next one waits for `dueMs`, as above
 * - `done`, `discarded`: it is over, and well
 * - `failed`: it is over, in the failed list
 * - `dropped`: it has failed and is kept nowhere
 */
export type JobState = "queued" | "delayed" | "running" | "retrying" | "done" | "discarded" | "failed" | "dropped";

/** What is known of a job by its id. Instants are in milliseconds since the epoch. */
export interface JobStatus {
  readonly id: string;
  readonly state: JobState;
  readonly queue: string;
  /** Undefined for a payload that is not a job. */
  readonly class: string | undefined;
  readonly enqueuedMs?: number;
  /** The attempt that runs, or ran last. */
  readonly attempt?: number;
  /** Its start; as long as it runs, by its worker's clock. */
  readonly startedMs?: number;
  /** Its end. */
  readonly endedMs?: number;
  readonly durationMs?: number;
  /** The worker that runs it, or did. */
  readonly worker?: string;
  /** When it comes to its queue. */
  readonly dueMs?: number;
  /** Why its last attempt failed. */
  readonly failure?: Pick<Failure, "exception" | "message">;
  /** Why it was discarded. */
  readonly reason?: string;
  /** What the handler returned, if `results` is on and it has a JSON form. */
  readonly result?: unknown;
  /** Why there is no result, though there was one. */
  readonly resultProblem?: string;
}

/** A class that may differ from its app; `false` keeps none. */
export interface StatusClass {
  readonly class: string;
  readonly status?: StatusOptions | false;
}

/** Of which jobs the status is kept. */
export interface StatusPolicy {
  /** Of any. */
  readonly isOn: boolean;
  of(className: string | undefined): StatusOptions | undefined;
}

/** What a class says by its `status` goes before what the app says. */
export function createStatusPolicy(app: StatusOptions | undefined, classes: readonly StatusClass[]): StatusPolicy {
  const own = new Map<string, StatusOptions | undefined>();
  for (const { class: name, status } of classes) if (status !== undefined) own.set(name, status || undefined);
  return {
    isOn: app !== undefined || [...own.values()].some((status) => status !== undefined),
    of: (className) => (className !== undefined && own.has(className) ? own.get(className) : app),
  };
}

const STATES = {
  ok: "done",
  discarded: "discarded",
  failed: "failed",
  dropped: "dropped",
  retrying: "retrying",
  postponed: "delayed",
  detached: "running",
  released: "queued",
  requeued: "queued",
} as const satisfies Record<Outcome["kind"], JobState>;

/** What a job is once its attempt has ended so. */
export function stateAfter({ kind }: Outcome): JobState {
  return STATES[kind];
}

/** A job that is over for good. */
export interface CompletedJob {
  /** If its status is kept. */
  readonly id?: string;
  readonly state: "done" | "discarded" | "failed" | "dropped";
  readonly queue: string;
  readonly class: string;
  /** The payload's `args`. */
  readonly args: readonly unknown[];
  readonly attempt: number;
  /** Of the last attempt. */
  readonly durationMs: number;
  /** What the handler returned. */
  readonly result?: unknown;
  /** Why it has failed. */
  readonly failure?: Failure;
  /** Why it was discarded. */
  readonly reason?: string;
}

/** What is told of a job that has ended so; undefined if it is not over, or if its payload was no job. */
export function completedJob({ claim, outcome, durationMs = 0 }: Settlement): CompletedJob | undefined {
  const { queue, job } = claim;
  if (job.kind !== "job" || !isOver(outcome)) return undefined;
  const { id, class: className, args, attempt } = job;
  return {
    ...(id !== undefined && { id }),
    ...{ state: stateAfter(outcome) as CompletedJob["state"], queue, class: className, args, attempt, durationMs },
    ...("result" in outcome && { result: outcome.result }),
    ...("failure" in outcome && { failure: outcome.failure }),
    ...("reason" in outcome && outcome.reason !== undefined && { reason: outcome.reason }),
  };
}
