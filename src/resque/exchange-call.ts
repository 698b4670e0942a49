import { StoreError } from "../core/errors.ts";
import type { BigIntegers } from "../core/json.ts";
import type { Claim, ExchangeParams, ExchangeResult, Settlement } from "../core/store.ts";
import type { RedisReply, ScriptCall } from "./client.ts";
import { type DrainDescription, type DrainKeys, workerId } from "./drain-identity.ts";
import { failedEntry } from "./failed-entry.ts";
import type { Keys } from "./keys.ts";
import { parsePayload } from "./payload.ts";
import * as scripts from "./scripts.generated.ts";
import { toHeartbeat, toRunAt, toStarted } from "./time-format.ts";

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
  readonly bigIntegers: BigIntegers;
}

/** How many payloads at a queue's head may be of unknown classes before the drain takes the queue for empty. */
const MAX_PAYLOADS_LOOKED_AT = 1_000;

/** One call of the exchange script, and how to read its reply. */
export interface ExchangeCall {
  readonly call: ScriptCall;
  read(reply: RedisReply): ExchangeReply;
}

export interface ExchangeReply extends ExchangeResult {
  /** Commands that the script called itself. */
  readonly innerCommands: number;
  /** Queue → how many jobs it held before this exchange put others back at its tail. */
  readonly requeued: ReadonlyMap<string, number>;
  readonly payloadBytes: number;
}

/**
 * Builds the call for one exchange.
 *
 * @param queues the queues to try, in order
 * @param isOpening whether the drain must be registered by this call if it claims something
 */
export function createExchangeCall(
  context: ExchangeContext,
  { seq, attempt, settle, fill }: ExchangeParams,
  queues: readonly string[],
  { isOpening, nowMs }: { readonly isOpening: boolean; readonly nowMs: number },
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
  const { onlyClasses } = context;
  const runAt = toRunAt(nowMs);

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
    onlyClasses?.length ?? -1,
    MAX_PAYLOADS_LOOKED_AT,
    isOpening ? context.member : "",
    context.leaseMs,
    toStarted(nowMs),
    toHeartbeat(nowMs),
  ];
  for (const queue of allQueues) args.push(`"queue":${JSON.stringify(queue)},"run_at":"${runAt}","payload":`);
  for (let at = 0; at < settled.length; ) {
    const { claim, outcome } = settled[at] as Settlement;
    let count = 1;
    args.push(claim.token.slice(description.id.length + 1));
    if (outcome.kind === "ok") {
      while (isOkWith(settled[at + count], claim.token)) count++;
      args.push("o", count);
    } else if (outcome.kind === "failed") {
      const { job, queue, slot } = claim;
      const entry = failedEntry(outcome.failure, { failedAtMs: nowMs, workerId: workerId(description, slot), queue });
      args.push(job.kind === "job" ? "f" : job.isBinary ? "b" : "m", entry.before, entry.after);
    } else args.push(outcome.kind === "released" ? "r" : "q", numbers.get(claim.queue) as number);
    at += count;
  }
  args.push(...(onlyClasses ?? []));
  if (isOpening) args.push(...drainKeys.ids);

  return {
    call: {
      script: scripts.exchange,
      keys: [
        keys.pauseAll,
        keys.processed,
        keys.failures,
        keys.failed,
        keys.drains,
        keys.workers,
        keys.heartbeats,
        ...allQueues.map(keys.queue),
        ...allQueues.map(keys.queuePause),
        drainKeys.started[0] as string,
        ...slots.map((slot) => drainKeys.slots[slot] as string),
        ...(isOpening ? drainKeys.started.slice(1) : []),
      ],
      args,
    },
    read: (reply) => readReply(reply, { context, slots, queues: allQueues, settled }),
  };
}

function isOkWith(settlement: Settlement | undefined, token: string): boolean {
  return settlement !== undefined && settlement.outcome.kind === "ok" && settlement.claim.token === token;
}

function isGivenBack(kind: Settlement["outcome"]["kind"]): boolean {
  return kind === "released" || kind === "requeued";
}

interface Sent {
  readonly context: ExchangeContext;
  readonly slots: readonly number[];
  readonly queues: readonly string[];
  readonly settled: readonly Settlement[];
}

type ReplyTuple = [
  commands: number,
  registered: number,
  drained: number,
  paused: number,
  lost: number[],
  runs: number[],
  payloads: string[],
  found: (string | number)[],
  requeued: number[],
  problem: string,
  token: string,
];

function readReply(reply: RedisReply, { context, slots, queues, settled }: Sent): ExchangeReply {
  const [innerCommands, registered, drained, paused, lost, runs, payloads, found, requeued, problem, token] =
    reply as ReplyTuple;
  if (problem !== "") throw new StoreError("rejected", `Redis refused to hand out jobs: ${problem}`);
  const claims: Claim[] = [];
  let payloadBytes = 0;
  let next = 0;
  for (let i = 0; i < runs.length; i += 3) {
    const [first, number, count] = runs.slice(i, i + 3) as [number, number, number];
    const queue = queues[number - 1] as string;
    for (let slot = first - 1; slot < first - 1 + count; slot++) {
      const raw = payloads[next++] as string;
      payloadBytes += raw.length;
      claims.push({ slot: slots[slot] as number, token, queue, job: parsePayload(raw, context.bigIntegers) });
    }
  }
  for (let i = 0; i < found.length; i += 2) {
    claims.push(readEntry(found[i + 1] as string, slots[(found[i] as number) - 1] as number, context.bigIntegers));
  }
  const lengths = new Map<string, number>();
  for (let i = 0; i < requeued.length; i += 2) {
    lengths.set(queues[(requeued[i] as number) - 1] as string, requeued[i + 1] as number);
  }
  return {
    claims,
    lost: lost.map((index) => settled[index - 1] as Settlement),
    isRegistered: registered === 1,
    isDrained: drained === 1,
    isPaused: paused === 1,
    innerCommands: innerCommands - 1,
    requeued: lengths,
    payloadBytes,
  };
}

const ENTRY_HEAD = /^\{"claim":"([^"]*)","queue":("(?:[^"\\]|\\.)*"),"run_at":"[^"]*","payload":/s;

/** Takes a slot's entry apart, from its start up to the payload. */
export function readEntryHead(entry: string): {
  readonly head: string;
  readonly token: string;
  readonly queue: string;
} {
  const match = ENTRY_HEAD.exec(entry);
  if (!match) throw new StoreError("rejected", "a worker's entry in Redis is none that Airlift wrote");
  return { head: match[0], token: match[1] as string, queue: JSON.parse(match[2] as string) as string };
}

function readEntry(entry: string, slot: number, bigIntegers: BigIntegers): Claim {
  const { head, token, queue } = readEntryHead(entry);
  return { slot, token, queue, job: parsePayload(entry.slice(head.length, -1), bigIntegers) };
}
