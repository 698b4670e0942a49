import type { Context } from "hono";

/** Lets work go on after the answer, and after a caller has hung up, on hosts that end a request with its connection. */
export function keepAlive(c: Context, work: Promise<unknown>): void {
  const settled = work.catch(() => undefined);
  try {
    c.executionCtx.waitUntil(settled);
  } catch {
    // A host without an execution context lets it go on anyway.
  }
}
