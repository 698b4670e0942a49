import type { RedisClient } from "../client.ts";
import type { Keys } from "../keys.ts";

/** What every operation of the admin API works on. */
export interface AdminContext {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly nowMs: () => number;
  /** Failures go into a list for each queue. */
  readonly failedQueues?: boolean;
}
