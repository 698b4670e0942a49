/**
 * What a handler may return to say how its job goes on. A job that merely failed throws instead; these are expected endings.
 */
export type Directive =
  | { readonly kind: "retry"; readonly afterMs: number | undefined; readonly reason: string | undefined }
  | { readonly kind: "discard"; readonly reason: string | undefined }
  | { readonly kind: "release"; readonly afterMs: number };

/** Known by a symbol of all copies of this package, so that a handler may return an object of any other shape. */
const BRAND: unique symbol = Symbol.for("airlift.directive") as never;

/** Without it a job that is always released would be claimed again at once, for as long as the drain lasts. */
const DEFAULT_RELEASE_AFTER_MS = 1_000;

/**
 * Runs the job again later, as if it had failed: the attempt counts, and when the class's `retry.limit` is reached the job has failed.
 *
 * @param options.afterMs how long it waits; by default as long as the class's backoff says
 * @param options.reason shown where the job waits
 */
export function retry(options: { readonly afterMs?: number; readonly reason?: string } = {}): Directive {
  return brand({ kind: "retry", afterMs: checkMs("retry", options.afterMs), reason: options.reason });
}

/** Ends the job without a failure: there is nothing to do any more. */
export function discard(reason?: string): Directive {
  return brand({ kind: "discard", reason });
}

/**
 * Gives the job back, unchanged, no attempt counted: not now. It waits, and then goes to the tail of its queue.
 *
 * @param options.afterMs how long it waits; 1 s by default
 */
export function release(options: { readonly afterMs?: number } = {}): Directive {
  return brand({ kind: "release", afterMs: checkMs("release", options.afterMs) ?? DEFAULT_RELEASE_AFTER_MS });
}

/** True for what {@link retry}, {@link discard} and {@link release} make. */
export function isDirective(value: unknown): value is Directive {
  return typeof value === "object" && value !== null && BRAND in value;
}

function brand(directive: Directive): Directive {
  return Object.defineProperty(directive, BRAND, { value: true });
}

function checkMs(name: string, afterMs: number | undefined): number | undefined {
  if (afterMs === undefined || (Number.isFinite(afterMs) && afterMs >= 0)) return afterMs;
  throw new TypeError(`${name}: afterMs: expected a number of milliseconds from 0 on, got ${afterMs}`);
}
