/** A schedule whose tick was handled, by this drain and no other. */
export interface TickedSchedule {
  readonly name: string;
  readonly class: string;
  readonly queue: string;
  /**
   * Jobs that were enqueued: more than 1 if missed ticks are made up for, 0 if the tick came to light too late, another job holds the
   * unique lock, or a hook refused it.
   */
  readonly jobs: number;
  /** The latest tick that was due, in milliseconds since the epoch. */
  readonly tickMs: number;
}

/** What one look at the schedules found. Instants are by the clock of this host, not the store's. */
export interface TickResult {
  readonly ticked: readonly TickedSchedule[];
  /** Jobs of all of them. */
  readonly enqueued: number;
  /** When the next schedule comes due, as far as is known. */
  readonly nextDueMs: number | undefined;
  /** When a drain that still runs should look again; not later than `nextDueMs`. */
  readonly againMs: number | undefined;
}

/** The schedules of an app, as one drain sees them. */
export interface ScheduleTicker {
  /**
   * Enqueues what has come due. Each tick is enqueued once, whatever the number of drains that look at the same time, and whatever
   * their clocks say. May be repeated after an error, with the same effect.
   *
   * @throws StoreError that may pass; one that would only come again is logged, for the queues must not wait for it
   */
  tick(): Promise<TickResult>;
}
