import { UsageError } from "./errors.ts";
import type { Registry } from "./registry.ts";

/** What a host grants one drain, where it counts. */
export interface HostLimits {
  /**
   * Requests that may be made, to Redis and by jobs. When what is left is needed to keep the lease, to settle and to close, the drain claims no
   * more, and what it then still holds is settled together.
   */
  readonly maxRequests?: number;
  /** Connections that may be open at the same time, that to Redis among them: no more jobs run at once than have one. */
  readonly maxConnections?: number;
  /** Workers that may be called through service bindings. */
  readonly maxInvocations?: number;
}

/** How many jobs may run at once. */
export function concurrencyWithin({ maxConnections }: HostLimits, { mostUses }: Registry, concurrency: number): number {
  if (maxConnections === undefined || mostUses.connections === 0) return concurrency;
  const most = Math.floor((maxConnections - 1) / mostUses.connections);
  if (most >= 1) return Math.min(concurrency, most);
  throw new UsageError(
    `drain: maxConnections: ${maxConnections} are too few for a job that needs ${mostUses.connections}, and Redis 1`,
  );
}
