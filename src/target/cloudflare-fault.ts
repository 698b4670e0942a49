import { type Directive, release, retry } from "../core/directive.ts";
import { RemoteJobError } from "../core/remote-job-error.ts";

/** The Worker that drains may call nothing any more; the one that was called has not run. */
const LIMITED = /too many (subrequests|api requests)|worker invocations/i;
/** What a Queue says that takes no more for now. */
const THROTTLED = /too many requests/i;
const FULL = /storage limit exceeded/i;
const FULL_MS = 60_000;

/**
 * What becomes of a job that a binding threw at. One that was not taken waits, no attempt counted. One that may have been is tried again, counted.
 *
 * @param what names the binding in messages
 * @throws RemoteJobError for what the called Worker itself threw
 */
export function afterFault(error: unknown, what: string): Directive {
  const { name, message, remote } = Object(error) as { name?: unknown; message?: unknown; remote?: unknown };
  const text = typeof message === "string" ? message : String(error);
  if (LIMITED.test(text) || THROTTLED.test(text)) return release({ afterMs: wait() });
  if (FULL.test(text)) return release({ afterMs: FULL_MS });
  // Set by the runtime on what has come from another Worker.
  if (remote === true) {
    throw new RemoteJobError({ exception: typeof name === "string" ? name : "Error", message: text, backtrace: [] });
  }
  return retry({ reason: `${what}: ${text.slice(0, MAX_MESSAGE_CHARS)}` });
}

const MAX_MESSAGE_CHARS = 500;

/** Spread, so that what was turned away together does not return together. */
function wait(): number {
  return Math.round(2_500 + 5_000 * Math.random());
}
