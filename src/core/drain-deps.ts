import type { Clock } from "./clock.ts";
import type { OnEvent } from "./events.ts";
import type { DrainHooks } from "./hooks.ts";
import type { HostLimits } from "./host-limits.ts";
import type { Logger } from "./job-context.ts";
import type { PerformJob, RunHandler } from "./job-runner.ts";
import type { StatusPolicy } from "./job-status.ts";
import type { DrainPeers } from "./peers.ts";
import type { Registry } from "./registry.ts";
import type { ScheduleTicker } from "./scheduler.ts";
import type { DrainStore } from "./store.ts";

/** What becomes of a job whose class the app does not know; `leave` is the store's matter, which then hands out none. */
export type UnknownClassPolicy = "fail" | "leave" | "requeue";

export interface DrainSettings {
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly graceMs: number;
  readonly unknownClass: UnknownClassPolicy;
}

/** All that one drain is given. */
export interface DrainDeps {
  readonly store: DrainStore;
  readonly registry: Registry;
  readonly settings: DrainSettings;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly listeners: readonly OnEvent[];
  readonly runHandler: RunHandler;
  readonly perform: PerformJob;
  readonly hooks?: DrainHooks | undefined;
  /** Of which jobs the store keeps the status. */
  readonly status?: StatusPolicy | undefined;
  readonly ticker?: ScheduleTicker;
  /** What is done about other drains. */
  readonly peers?: DrainPeers | undefined;
}

export interface DrainOptions extends HostLimits {
  /** When the host ends us: an instant, in milliseconds since the epoch. Without it a drain ends when the queues are empty. */
  readonly deadlineMs?: number;
  /** Aborting it stops claiming; running jobs may end within `graceMs`, the others are released. */
  readonly signal?: AbortSignal;
  /** Claims at most this many jobs. */
  readonly maxJobs?: number;
  /** How many drains have started one another up to this one, as {@link StartRequest} tells it. @default 0 */
  readonly depth?: number;
  /** Whether it may be followed by another if it leaves jobs behind. @default the app's `successor` */
  readonly successor?: false;
}
