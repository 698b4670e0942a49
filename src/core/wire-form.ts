/** Where a job is enqueued to, and when. */
export interface WireTarget {
  readonly queue: string;
  /** When it may run: a date, or ms since the epoch. */
  readonly at?: Date | number;
  /** In ms since the epoch. @default now */
  readonly nowMs?: number;
}

/** How the jobs of a class stand in their payloads, if not under its name and with their arguments as they are. */
export interface WireForm<Input extends readonly unknown[] = readonly unknown[]> {
  /** The class in the payload. */
  readonly class: string;
  /** The payload's `args`. */
  encode(args: Input, target: WireTarget): readonly unknown[];
}
