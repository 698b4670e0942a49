import type { Failure } from "../core/outcome.ts";
import { toFailedAt } from "./time-format.ts";

/** A job that waits in `airlift:retries`, without its payload. */
export interface WaitingEntry {
  /** Makes the entry unlike any other: jobs may have the same payload. */
  readonly id: string;
  readonly queue: string;
  /** The number of the attempt that it waits for. */
  readonly attempt: number;
  /** The last attempt's; none if the job was only postponed. */
  readonly failure?: Failure;
  readonly failedAtMs?: number;
  /** It runs at a receiver; what it waits for is the end of its lease there. */
  readonly isDetached?: true;
  /** … and keeps its place under the limit of its class meanwhile, in `airlift:running` under the entry's id. */
  readonly isLimited?: boolean;
}

/** Enough to tell why; the whole text would be kept once for each job that waits. */
const MAX_ERROR_CHARS = 500;

/** The JSON of an entry up to its payload, which follows by the script that has its bytes, and a brace. */
export function waitingEntry({ id, queue, attempt, failure, failedAtMs, isDetached, isLimited }: WaitingEntry): string {
  const entry = {
    ...{ id, queue, attempt },
    ...(isDetached && { detached: true }),
    ...(isLimited && { limited: true }),
    ...(failedAtMs !== undefined && { failed_at: toFailedAt(failedAtMs) }),
    ...(failure && { exception: failure.exception, error: failure.message.slice(0, MAX_ERROR_CHARS) }),
  };
  return `${JSON.stringify(entry).slice(0, -1)},"payload":`;
}
