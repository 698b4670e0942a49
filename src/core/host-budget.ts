import type { Clock } from "./clock.ts";
import type { DrainSettings } from "./drain-deps.ts";
import { UsageError } from "./errors.ts";
import type { HostLimits } from "./host-limits.ts";
import { type JobUses, NO_USES, usesOf } from "./job-uses.ts";
import type { AnyJobDefinition, Registry } from "./registry.ts";
import type { DrainStore } from "./store.ts";

/** What is left of a host's limits. Without limits there is always room. */
export interface HostBudget {
  /** What is left is needed for what has been begun. */
  readonly isShort: boolean;
  /** Requests that may be made beside what has been begun. */
  readonly spare: number;
  /** So few requests are left that each should move as many jobs as it can. */
  readonly isScarce: boolean;
  /** For how many more claims there is room, beside some that were claimed but not begun. */
  roomBeside(waiting: number): number;
  /** A job of this class is begun, and taken to use what that says. */
  begin(definition: AnyJobDefinition): void;
  /** It has used something else. */
  correct(from: Required<JobUses>, to: Required<JobUses>): void;
  /** An exchange has made so many requests. */
  noteExchange(requests: number): void;
}

export interface HostBudgetOptions {
  readonly limits: HostLimits;
  readonly store: Pick<DrainStore, "usage">;
  readonly registry: Registry;
  readonly settings: Pick<DrainSettings, "timeoutMs" | "leaseMs">;
  readonly clock: Clock;
  readonly budgetEndMs: number;
  /** Requests that the drain may have to make for other drains. @default 0 */
  readonly forPeers?: number | undefined;
}

/** To close, to count what is left, and one that has to be repeated, each with a script that Redis may not know yet. */
const TO_END = 5;
const SCARCE = 100;
/** The exchange that claims, and the one that settles what has ended last. */
const EXCHANGES_AROUND = 2;

/** @throws UsageError if the limits are too narrow for any job to be claimed */
export function createHostBudget(options: HostBudgetOptions): HostBudget {
  const { limits, store, registry, settings, clock, budgetEndMs, forPeers = 0 } = options;
  if (limits.maxRequests === undefined && limits.maxInvocations === undefined) return UNLIMITED;
  const { maxRequests = Number.POSITIVE_INFINITY, maxInvocations = Number.POSITIVE_INFINITY } = limits;
  const most = registry.mostUses;
  const longestMs = Math.max(registry.longestTimeoutMs, registry.hasDefaultTimeout ? settings.timeoutMs : 0);
  let begunRequests = 0;
  let begunInvocations = 0;
  /** Most requests that an exchange has made so far; but the first, whose script Redis may not know. */
  let exchangeRequests = 1;
  let isFirst = true;

  /** A job that has just been begun may take all its time, and meanwhile the lease is renewed. */
  const reserved = (): number => {
    const longestLeftMs = Math.max(0, Math.min(longestMs, budgetEndMs - clock.nowMs()));
    const beats = Math.floor(longestLeftMs / (settings.leaseMs / 3));
    return (EXCHANGES_AROUND + beats) * exchangeRequests + TO_END + forPeers;
  };
  const spare = (): number => maxRequests - store.usage.requests - begunRequests - reserved();

  const budget: HostBudget = {
    get isShort() {
      return spare() < most.requests || maxInvocations - begunInvocations < most.invocations;
    },
    get spare() {
      return Math.max(0, spare());
    },
    get isScarce() {
      return spare() < SCARCE;
    },
    roomBeside(waiting) {
      const byRequests = most.requests > 0 ? spare() / most.requests : Number.POSITIVE_INFINITY;
      const byInvocations =
        most.invocations > 0 ? (maxInvocations - begunInvocations) / most.invocations : Number.POSITIVE_INFINITY;
      return Math.max(0, Math.floor(Math.min(byRequests, byInvocations)) - waiting);
    },
    begin: (definition) => budget.correct(NO_USES, usesOf(definition)),
    correct(from, to) {
      begunRequests += to.requests - from.requests;
      begunInvocations += to.invocations - from.invocations;
    },
    noteExchange(requests) {
      if (!isFirst) exchangeRequests = Math.max(exchangeRequests, requests);
      isFirst = false;
    },
  };
  if (!budget.isShort) return budget;
  throw new UsageError(
    spare() < most.requests
      ? `drain: maxRequests: ${maxRequests} are too few for a job that may take ${longestMs} ms and make ${most.requests}: ` +
          `its drain needs ${reserved()} of its own, one for each third of leaseMs (${settings.leaseMs}) among them`
      : `drain: maxInvocations: ${maxInvocations} are too few for a job that needs ${most.invocations}`,
  );
}

const UNLIMITED: HostBudget = {
  isShort: false,
  spare: Number.POSITIVE_INFINITY,
  isScarce: false,
  roomBeside: () => Number.POSITIVE_INFINITY,
  begin: () => undefined,
  correct: () => undefined,
  noteExchange: () => undefined,
};
