import type { JobAck } from "./job-ack.ts";
import { MAX_WAIT_MS } from "./retry.ts";

/**
 * What a handler may return to say how its job goes on. A job that merely failed throws instead; these are expected endings.
 */
export type Directive =
  | { readonly kind: "retry"; readonly afterMs: number | undefined; readonly reason: string | undefined }
  | { readonly kind: "discard"; readonly reason: string | undefined }
  | { readonly kind: "release"; readonly afterMs: number }
  | { readonly kind: "detach"; readonly leaseMs: number; readonly dispatch: Dispatch };

/**
 * Sends a job to who will acknowledge its end. Returns {@link ACCEPTED} if that is to come; anything else, or a throw, ends the job as it would in a
 * handler.
 *
 * @param ack what the receiver needs to find the job
 * @param options.signal aborted when the drain ends: then nobody waits any more
 */
export type Dispatch = (ack: JobAck, options: { readonly signal: AbortSignal }) => unknown;

/** @see Dispatch */
export const ACCEPTED: unique symbol = Symbol.for("airlift.accepted") as never;

/** What a dispatch returns that was aborted before anything was sent: the job goes back at once. */
export const UNSENT: unique symbol = Symbol.for("airlift.unsent") as never;

/** Known by a symbol of all copies of this package, so that a handler may return an object of any other shape. */
const BRAND: unique symbol = Symbol.for("airlift.directive") as never;

/** Without it a job that is always released would be claimed again at once, for as long as the drain lasts. */
const DEFAULT_RELEASE_AFTER_MS = 1_000;
/** What is kept of a reason; it stands where errors' messages do. */
const MAX_REASON_CHARS = 4_000;

/**
 * Runs the job again later, as if it had failed: the attempt counts, and when the class's `retry.limit` is reached the job has failed.
 *
 * @param options.afterMs how long it waits; by default as long as the class's backoff says
 * @param options.reason shown where the job waits
 */
export function retry(options: { readonly afterMs?: number; readonly reason?: string } = {}): Directive {
  return brand({ kind: "retry", afterMs: checkMs("retry", options.afterMs), reason: toText(options.reason) });
}

/** Ends the job without a failure: there is nothing to do any more. */
export function discard(reason?: string): Directive {
  return brand({ kind: "discard", reason: toText(reason) });
}

/**
 * Gives the job back, unchanged, no attempt counted: not now. It waits, and then goes to the tail of its queue.
 *
 * @param options.afterMs how long it waits; 1 s by default
 */
export function release(options: { readonly afterMs?: number } = {}): Directive {
  return brand({ kind: "release", afterMs: checkMs("release", options.afterMs) ?? DEFAULT_RELEASE_AFTER_MS });
}

/**
 * For targets: hands the job to a receiver that tells its end by itself, while the drain goes on. The job first leaves the drain, in the step that frees
 * its slot, and waits; only then it is dispatched. If it is not acknowledged before its lease ends, it goes back to its queue, as from a drain
 * that died.
 *
 * @param options.leaseMs how long the receiver has
 */
export function detach(options: { readonly leaseMs: number; readonly dispatch: Dispatch }): Directive {
  const { dispatch } = options;
  const leaseMs = checkMs("detach", options.leaseMs, "leaseMs");
  if (leaseMs === undefined) throw new TypeError("detach: leaseMs: missing");
  if (typeof dispatch !== "function") throw new TypeError("detach: dispatch: expected a function");
  return brand({ kind: "detach", leaseMs, dispatch });
}

/** True for what {@link retry}, {@link discard}, {@link release} and {@link detach} make. What it says may be wrong: others can make the like. */
export function isDirective(value: unknown): value is Directive {
  try {
    return typeof value === "object" && value !== null && BRAND in value;
  } catch {
    // A proxy that does not want to be asked.
    return false;
  }
}

/**
 * The same, each member read once and checked: any object may bear the symbol.
 *
 * @throws TypeError if it is none that this version understands
 */
export function readDirective(directive: Directive): Directive {
  switch (directive.kind) {
    case "retry":
      // Members that are there but undefined are left out, too.
      return retry(directive as Parameters<typeof retry>[0]);
    case "discard":
      return discard(directive.reason);
    case "release":
      return release(directive);
    case "detach":
      return detach(directive);
    default:
      throw new TypeError("a directive of an unknown kind");
  }
}

function brand(directive: Directive): Directive {
  return Object.defineProperty(directive, BRAND, { value: true });
}

function checkMs(name: string, ms: number | undefined, option = "afterMs"): number | undefined {
  if (ms === undefined) return undefined;
  if (Number.isFinite(ms) && ms >= 0) return Math.min(ms, MAX_WAIT_MS);
  throw new TypeError(`${name}: ${option}: expected a number of milliseconds from 0 on, got ${String(ms)}`);
}

/** An error will do for a reason, too. */
function toText(reason: unknown): string | undefined {
  return reason === undefined ? undefined : String(reason).slice(0, MAX_REASON_CHARS).toWellFormed();
}
