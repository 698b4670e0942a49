import { UsageError } from "./errors.ts";

/** Of the drains with one name, only one claims at a time. */
export interface SingleOptions {
  /** Drains of another name are none of its concern. @default "default" */
  readonly name?: string;
  /**
   * After so long without a sign of life a drain is no more the one, in milliseconds; not less than `leaseMs`.
   *
   * @default leaseMs
   */
  readonly ttlMs?: number;
}

/** Each drain leaves word of its end. */
export interface RecordOptions {
  /**
   * A longer silence, in milliseconds, is told: by the next drain as an event, by `/health` as a failure.
   *
   * @default any length is fine
   */
  readonly maxSilenceMs?: number;
}

/** What an option of the form `true | { … }` stands for; undefined if it is off. */
export function optionsOf<T extends object>(option: boolean | T | undefined): Partial<T> | undefined {
  if (option === true) return {};
  return option || undefined;
}

/**
 * What `single` stands for.
 *
 * @param what whose option it is
 * @throws UsageError if the lease would end before it is renewed
 */
export function resolveSingle(
  what: string,
  single: boolean | SingleOptions | undefined,
  leaseMs: number,
): Required<SingleOptions> | undefined {
  const options = optionsOf(single);
  if (!options) return undefined;
  const { name = "default", ttlMs = leaseMs } = options;
  if (ttlMs >= leaseMs) return { name, ttlMs };
  throw new UsageError(`${what}: single.ttlMs: expected at least leaseMs, which is ${leaseMs}, got ${ttlMs}`);
}

/** @throws UsageError if `single` and `scaleOut` are both there */
export function checkFleet({ single, scaleOut }: { readonly single?: unknown; readonly scaleOut?: unknown }): void {
  if (!single || !scaleOut) return;
  throw new UsageError(
    "createAirlift: single, scaleOut: expected only one of them, as several drains are not a single one",
  );
}
