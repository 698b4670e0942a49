import type { Failure } from "../core/outcome.ts";
import { toFailedAt } from "./time-format.ts";

/**
 * The JSON around a payload in the `failed` list, members in Ruby Resque's order. The payload itself is put between by the script
 * that has its bytes.
 *
 * @see https://github.com/resque/resque/blob/master/lib/resque/failure/redis.rb
 */
export function failedEntry(
  failure: Failure,
  { failedAtMs, workerId, queue }: { readonly failedAtMs: number; readonly workerId: string; readonly queue: string },
): { readonly before: string; readonly after: string } {
  const rest = {
    exception: failure.exception.replace(MARKUP, "_"),
    error: failure.message,
    backtrace: failure.backtrace,
    worker: workerId,
    queue,
  };
  return {
    before: `{"failed_at":"${toFailedAt(failedAtMs)}","payload":`,
    after: `,${JSON.stringify(rest).slice(1)}`,
  };
}

/** In no language does a class's name bear these. resque-web writes it into its pages as it is, and a receiver may have said it. */
const MARKUP = /[<>"'&]/g;

/** The name of the list that Ruby's multi-queue backend keeps a queue's failures in. */
export function toFailedQueue(queue: string): string {
  return `${queue}_failed`;
}
