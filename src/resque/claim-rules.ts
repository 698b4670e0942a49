import type { LimitOptions } from "../core/limit.ts";
import type { Claim, Settlement } from "../core/store.ts";
import type { QueueCursor } from "./queue-cursors.ts";

/** The limits of the classes that have one. */
export type ClassLimits = ReadonlyMap<string, LimitOptions>;

export interface ClaimRules {
  /** Only jobs of these classes are claimed; undefined claims any. */
  readonly onlyClasses: readonly string[] | undefined;
  readonly limits: ClassLimits;
  /** The slots of the call, in its order; the settled ones come first. */
  readonly slots: readonly number[];
  readonly settled: readonly Settlement[];
  /** For some of the queues to try, in their order, where to go on looking. */
  readonly past: readonly (QueueCursor | undefined)[];
}

/** What the exchange script is told of the jobs that it may claim; "" if it may claim any. */
export function encodeClaimRules({ onlyClasses, limits, slots, settled, past }: ClaimRules): string {
  const cursors = past.flatMap((cursor, index) =>
    cursor ? [[index + 1, [cursor.depth, ...cursor.names]] as const] : [],
  );
  if (!onlyClasses && limits.size === 0 && cursors.length === 0) return "";
  const hasPlaces = [...limits.values()].some(({ running }) => running !== undefined);
  return JSON.stringify({
    ...(onlyClasses && { classes: Object.fromEntries(onlyClasses.map((name) => [name, 1])) }),
    ...(limits.size > 0 && { limits: Object.fromEntries([...limits].map(([name, limit]) => [name, encode(limit)])) }),
    ...(hasPlaces && {
      slots,
      ended: settled.flatMap((settlement, index) => (mayHold(settlement, limits) ? index + 1 : [])),
    }),
    ...(cursors.length > 0 && { past: Object.fromEntries(cursors) }),
  });
}

/** Lua counts from 1. */
function encode({ running, rate, by }: LimitOptions) {
  const path = by?.map((step) => (typeof step === "number" ? step + 1 : step));
  return { running, jobs: rate?.jobs, ms: rate?.periodMs, by: path };
}

/** Whether a job holds a place in `airlift:running`. */
export function holdsPlace({ job }: Claim, limits: ClassLimits): boolean {
  return job.kind === "job" && limits.get(job.class)?.running !== undefined;
}

/** What is no job to us may be one to Redis, which reads less of it. */
function mayHold({ claim }: Settlement, limits: ClassLimits): boolean {
  return claim.job.kind !== "job" || holdsPlace(claim, limits);
}
