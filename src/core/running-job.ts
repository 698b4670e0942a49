import { type CheckInChange, messageChange, progressChange } from "./checkins.ts";
import { guardLogger } from "./guard-logger.ts";
import type { JobContext, Logger } from "./job-context.ts";
import { isUses, type JobUses, NO_USES, usesOf } from "./job-uses.ts";
import type { AnyJobDefinition } from "./registry.ts";
import type { Claim, ClaimedJob } from "./store.ts";

export type JobOf<Kind extends ClaimedJob["kind"]> = Extract<ClaimedJob, { kind: Kind }>;

/**
 * What a job's runner knows of its run. Not on the job object, which is the handler's to keep, to freeze and to spoil: neither must keep the job
 * from ending, or let one that is over reach whoever has its slot next.
 */
export interface RunState {
  /** The job has ended, and what its handler goes on to tell is not heard. */
  isOver: boolean;
  /** … but is on its way to a receiver, and tells what that uses. */
  isDispatching?: boolean;
  /** Why it was aborted. */
  reason?: Error;
  controller?: AbortController;
}

export function abortRun(state: RunState, reason: Error): void {
  state.reason = reason;
  state.controller?.abort(reason);
}

export interface RunningJobOptions<C extends Claim> {
  readonly logger: Logger;
  readonly onCheckIn?: (claim: C, change: CheckInChange) => void;
  readonly onUsed?: (from: Required<JobUses>, to: Required<JobUses>) => void;
  readonly deadlineMs: number;
  readonly state: RunState;
}

const NOTHING: object = Object.freeze({});
const TOLD = Promise.resolve();

/** What a handler is given. Made for each job, so the signal and the logger are made only when they are asked for. */
export class RunningJob<C extends Claim> implements JobContext {
  readonly queue: string;
  readonly deadlineMs: number;
  /** Set by who performs the job. */
  context: object = NOTHING;
  resources: object = NOTHING;
  readonly #claim: C;
  readonly #job: JobOf<"job">;
  readonly #definition: AnyJobDefinition;
  readonly #options: RunningJobOptions<C>;
  #uses: Required<JobUses> | undefined;

  constructor(claim: C, job: JobOf<"job">, definition: AnyJobDefinition, options: RunningJobOptions<C>) {
    this.queue = claim.queue;
    this.deadlineMs = options.deadlineMs;
    this.#claim = claim;
    this.#job = job;
    this.#definition = definition;
    this.#options = options;
  }

  get class(): string {
    return this.#job.class;
  }
  get args(): readonly unknown[] {
    return this.#job.args;
  }
  get raw(): string {
    return this.#job.raw;
  }
  get attempt(): number {
    return this.#job.attempt;
  }
  get retries(): number {
    return this.#job.retries;
  }
  get signal(): AbortSignal {
    const { state } = this.#options;
    if (!state.controller) {
      state.controller = new AbortController();
      if (state.reason) state.controller.abort(state.reason);
    }
    return state.controller.signal;
  }
  get log(): Logger {
    return guardLogger(this.#options.logger, { queue: this.queue, class: this.class });
  }
  get id(): string | undefined {
    return this.#job.id;
  }
  checkin(message: string): Promise<void> {
    this.#tell(() => messageChange(message));
    return TOLD;
  }
  progress(done: number, total?: number): Promise<void> {
    this.#tell(() => progressChange(done, total));
    return TOLD;
  }
  used(uses: JobUses): void {
    const to = { ...NO_USES, ...uses };
    const { state, onUsed } = this.#options;
    // What is said after the job's end, or is no count, is not heard: all jobs of the drain live of the same budget.
    if ((state.isOver && !state.isDispatching) || !isUses(to)) return;
    onUsed?.(this.#uses ?? usesOf(this.#definition), to);
    this.#uses = to;
  }
  #tell(change: () => CheckInChange): void {
    const { state, onCheckIn } = this.#options;
    if (!state.isOver) onCheckIn?.(this.#claim, change());
  }
}
