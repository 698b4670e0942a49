/** What a running job has last told of itself. */
export interface CheckIn {
  /** When it was told, in milliseconds since the epoch. */
  readonly atMs: number;
  /** Of the last `checkin`. */
  readonly message?: string;
  /** Of the last `progress`. */
  readonly done?: number;
  readonly total?: number;
}

/** What one call adds. */
export type CheckInChange = Omit<CheckIn, "atMs">;

/** What is kept of a message; a page that shows all workers has room for less. */
export const MAX_MESSAGE_CHARS = 500;

/** Takes any value: a job must not fail by what it only tells. */
export function messageChange(message: unknown): CheckInChange {
  let text: string;
  try {
    text = String(message);
  } catch {
    text = "a message that cannot be read";
  }
  return { message: text.slice(0, MAX_MESSAGE_CHARS) };
}

/** As above: of numbers that JSON does not know nothing is told. */
export function progressChange(done: unknown, total: unknown): CheckInChange {
  return {
    ...(Number.isFinite(done) && { done: done as number }),
    ...(Number.isFinite(total) && { total: total as number }),
  };
}
