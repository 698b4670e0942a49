import type { BigIntegers } from "../core/json.ts";
import { isOver } from "../core/outcome.ts";
import type { Claim, ExchangeParams, Settlement } from "../core/store.ts";
import { type ClassLimits, encodeClaimRules } from "./claim-rules.ts";
import type { RedisReply, ScriptCall } from "./client.ts";
import { detachedEntry } from "./detached-entry.ts";
import { type DrainDescription, type DrainKeys, workerId } from "./drain-identity.ts";
import { type ExchangeReply, readExchangeReply } from "./exchange-reply.ts";
import { failedEntry, toFailedQueue } from "./failed-entry.ts";
import { exchange as exchangeScript } from "./generated/exchange.generated.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, forgetAttempts, readOwn } from "./payload.ts";
import type { QueueCursor } from "./queue-cursors.ts";
import { toHeartbeat, toRunAt, toStarted } from "./time-format.ts";
import { waitingEntry } from "./waiting-entry.ts";

/** What stays the same over the exchanges of one drain. */
export interface ExchangeContext {
  readonly keys: Keys;
  readonly description: DrainDescription;
  readonly drainKeys: DrainKeys;
  /** The drain's description as a member of `airlift:drains`. */
  readonly member: string;
  readonly leaseMs: number;
  /** Most payload bytes that one exchange claims; a larger payload is claimed alone. */
  readonly maxClaimBytes: number;
  /** Only jobs of these classes are claimed, the others stay where they are; undefined claims any. */
  readonly onlyClasses: readonly string[] | undefined;
  readonly limits: ClassLimits;
  /** Failures go to the list of their queue, `<queue>_failed`, as with Ruby's multi-queue backend. */
  readonly failedQueues: boolean;
  /** Most entries of a failed list, the oldest going first; 0 for any number. */
  readonly maxFailed: number;
  readonly bigIntegers: BigIntegers;
}

export interface ExchangeOptions {
  /** Whether the drain must be registered by this call if it claims something. */
  readonly isOpening: boolean;
  /** By Redis' clock, as near as is known. */
  readonly nowMs: number;
  /** By Redis' clock, at most: no lease may end too early. @default nowMs */
  readonly latestMs?: number;
  /** Where to go on looking in a queue whose head is full of jobs that may not start. */
  readonly cursorOf?: (queue: string) => QueueCursor | undefined;
  /** The unique lock that a job gives back when it has ended for good; none of the jobs holds one without it. */
  readonly lockOf?: ((claim: Claim) => { readonly key: string; readonly id: string } | undefined) | undefined;
  /** The lease without which a single drain claims nothing. */
  readonly lease?: { readonly key: string; readonly renewMs: number | undefined } | undefined;
}

/** How many payloads of a queue one exchange looks at behind those that may not start. */
const MAX_PAYLOADS_LOOKED_AT = 1_000;

/** One call of the exchange script, and how to read its reply. */
export interface ExchangeCall {
  readonly call: ScriptCall;
  read(reply: RedisReply): ExchangeReply;
}

/**
 * Builds the call for one exchange.
 *
 * @param queues the queues to try, in order
 */
export function createExchangeCall(
  context: ExchangeContext,
  { seq, attempt, settle, fill }: ExchangeParams,
  queues: readonly string[],
  { isOpening, nowMs, latestMs = nowMs, lockOf, cursorOf, lease }: ExchangeOptions,
): ExchangeCall {
  const { keys, drainKeys, description } = context;
  const toFill = new Set(fill);
  const settled = [
    ...settle.filter(({ claim }) => !toFill.has(claim.slot)),
    ...settle.filter(({ claim }) => toFill.has(claim.slot)),
  ];
  const settledSlots = settled.map(({ claim }) => claim.slot);
  const isSettled = new Set(settledSlots);
  const slots = [...settledSlots, ...fill.filter((slot) => !isSettled.has(slot))];
  const known = new Set(queues);
  const givenBackTo = settle.filter(({ outcome }) => isGivenBack(outcome.kind)).map(({ claim }) => claim.queue);
  const allQueues = [...queues, ...new Set(givenBackTo.filter((queue) => !known.has(queue)))];
  const numbers = new Map(allQueues.map((queue, index) => [queue, index + 1]));
  const { onlyClasses, limits } = context;
  const runAt = toRunAt(nowMs);
  const lists = context.failedQueues ? [...new Set(settle.flatMap(failedQueueOf))] : [];
  const freed = lockOf ? settled.flatMap((settlement, index) => freedLock(settlement, index, lockOf)) : [];
  const locks = [...freed, ...(lease ? [{ settlement: -1, key: lease.key, id: lease.renewMs ?? "" }] : [])];

  const args: (string | number)[] = [
    description.id,
    // A late original must not claim under its repetition's token.
    `${seq}.${attempt}`,
    allQueues.length,
    queues.length,
    slots.length,
    settled.length,
    slots.length - fill.length + 1,
    context.maxClaimBytes,
    encodeClaimRules({ onlyClasses, limits, slots, settled, past: cursorOf ? queues.map(cursorOf) : [] }),
    MAX_PAYLOADS_LOOKED_AT,
    isOpening ? context.member : "",
    context.leaseMs,
    toStarted(nowMs),
    toHeartbeat(nowMs),
    locks.length,
    lists.length,
    context.maxFailed,
  ];
  for (const queue of allQueues) args.push(`"queue":${JSON.stringify(queue)},"run_at":"${runAt}","payload":`);
  for (let at = 0; at < settled.length; ) {
    const settlement = settled[at] as Settlement;
    const { token, queue } = settlement.claim;
    let count = 1;
    args.push(token.slice(description.id.length + 1));
    if (isDone(settlement)) {
      while (isDoneWith(settled[at + count], token)) count++;
      args.push("o", count);
    } else args.push(...settlementArgs(context, settlement, { nowMs, latestMs, queue: numbers.get(queue), lists }));
    at += count;
  }
  for (const { settlement, id } of locks) args.push(settlement + 1, id);
  args.push(...lists.map(toFailedQueue));
  if (isOpening) args.push(...drainKeys.ids);

  return {
    call: {
      script: exchangeScript,
      keys: [
        keys.pauseAll,
        keys.processed,
        keys.failures,
        keys.failed,
        keys.drains,
        keys.workers,
        keys.heartbeats,
        keys.retries,
        keys.pausedClasses,
        keys.running,
        keys.starts,
        keys.failedQueues,
        keys.queues,
        ...allQueues.map(keys.queue),
        ...allQueues.map(keys.queuePause),
        drainKeys.started[0] as string,
        ...slots.map((slot) => drainKeys.slots[slot] as string),
        ...locks.map(({ key }) => key),
        ...lists.map(keys.failedOf),
        ...(isOpening ? drainKeys.started.slice(1) : []),
      ],
      args,
    },
    read: (reply) => readExchangeReply(reply, { slots, queues: allQueues, settled, bigIntegers: context.bigIntegers }),
  };
}

function isDone({ outcome }: Settlement): boolean {
  return outcome.kind === "ok" || outcome.kind === "discarded";
}

function isDoneWith(settlement: Settlement | undefined, token: string): boolean {
  return settlement !== undefined && isDone(settlement) && settlement.claim.token === token;
}

/** A job that waits for another attempt, or goes back to its queue, keeps its lock. */
function freedLock(settlement: Settlement, index: number, lockOf: NonNullable<ExchangeOptions["lockOf"]>) {
  const lock = isOver(settlement.outcome) ? lockOf(settlement.claim) : undefined;
  return lock ? [{ settlement: index, ...lock }] : [];
}

function failedQueueOf({ claim, outcome }: Settlement): readonly string[] {
  return outcome.kind === "failed" ? [claim.queue] : [];
}

/** What the script is told of one settlement that is not simply done: its kind, and what the kind needs. */
function settlementArgs(
  { description, limits }: ExchangeContext,
  { claim, outcome }: Settlement,
  {
    nowMs,
    latestMs,
    queue,
    lists,
  }: {
    readonly nowMs: number;
    readonly latestMs: number;
    readonly queue: number | undefined;
    readonly lists: readonly string[];
  },
): (string | number)[] {
  const { job, slot } = claim;
  switch (outcome.kind) {
    case "failed": {
      const at = { failedAtMs: nowMs, workerId: workerId(description, slot), queue: claim.queue };
      const { before, after } = failedEntry(outcome.failure, at);
      const isText = job.kind === "job" || !job.isBinary;
      const { cutBytes, append } = isText ? forgetAttempts(job.raw) : NO_CHANGE;
      const kind = job.kind === "job" ? "f" : isText ? "m" : "b";
      return [kind, before, after, lists.indexOf(claim.queue) + 1, cutBytes, append];
    }
    case "retrying":
    case "postponed": {
      const isRetry = outcome.kind === "retrying";
      const own = readOwn(job.raw);
      const change = isRetry ? changeOwn(job.raw, { ...own, retries: (own.retries ?? 0) + 1 }) : NO_CHANGE;
      const { cutBytes, append } = change ?? NO_CHANGE;
      const head = waitingEntry({
        id: `${claim.token}-${slot}`,
        queue: claim.queue,
        attempt: job.kind === "job" ? job.attempt + (isRetry ? 1 : 0) : 1,
        ...(isRetry && { failure: outcome.failure, failedAtMs: nowMs }),
      });
      // What is to come at once must not wait for a clock that is not known well: this drain would end before.
      const dueMs = nowMs + (outcome.afterMs || nowMs - latestMs);
      return ["w", head, Math.ceil(dueMs), cutBytes, append, isRetry ? 1 : 0];
    }
    case "detached": {
      const { head, cutBytes, append } = detachedEntry(claim, limits);
      return ["w", head, Math.ceil(latestMs + outcome.afterMs), cutBytes, append, 0];
    }
    case "dropped":
      return ["x"];
    case "released":
      return ["r", queue as number];
    case "requeued":
      return ["q", queue as number];
    default:
      throw new TypeError(`no settlement of its own: ${outcome.kind}`);
  }
}

const NO_CHANGE = { cutBytes: 0, append: "" };

function isGivenBack(kind: Settlement["outcome"]["kind"]): boolean {
  return kind === "released" || kind === "requeued";
}
