/**
 * The three ways in which Ruby Resque writes a time (wire formats as written by Ruby Resque 3.0). All are UTC, whole seconds.
 */

/** `2026-11-20T18:50:57Z`, as in `run_at`. */
export function toRunAt(ms: number): string {
  return `${iso(ms)}Z`;
}

/** `2026-11-20T18:50:57+00:00`, as in `workers:heartbeat`. */
export function toHeartbeat(ms: number): string {
  return `${iso(ms)}+00:00`;
}

/** `2026-11-20 18:50:57 +0000`, as in `worker:<id>:started` (Ruby's `Time#to_s`). */
export function toStarted(ms: number): string {
  return `${iso(ms).replace("T", " ")} +0000`;
}

/** `2026/11/20 18:50:57 UTC`, as in `failed_at`. */
export function toFailedAt(ms: number): string {
  return `${iso(ms).replaceAll("-", "/").replace("T", " ")} UTC`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}
