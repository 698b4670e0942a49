import { StoreError } from "../core/errors.ts";
import type { BigIntegers } from "../core/json.ts";
import type { Claim, ExchangeResult, Settlement } from "../core/store.ts";
import type { RedisReply } from "./client.ts";
import { parsePayload } from "./payload.ts";
import type { QueueCursor } from "./queue-cursors.ts";
import { readEntry } from "./slot-entry.ts";

/** What one exchange has come to. */
export interface ExchangeReply extends ExchangeResult {
  /** Commands that the script called itself. */
  readonly innerCommands: number;
  /** Queue → how many jobs it held before this exchange put others back at its tail. */
  readonly requeued: ReadonlyMap<string, number>;
  readonly payloadBytes: number;
  /** Queues of which it has not seen the end, because too many jobs in them may not start. */
  readonly cursors: ReadonlyMap<string, QueueCursor>;
  /** False for a single drain whose lease has ended, or passed to another. */
  readonly holdsLease: boolean;
}

/** What was sent, whose numbers the reply's refer to. */
interface Sent {
  readonly slots: readonly number[];
  readonly queues: readonly string[];
  readonly settled: readonly Settlement[];
  readonly bigIntegers: BigIntegers;
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
  limited?: number,
  freesInMs?: number,
  cursors?: [queue: number, depth: number, ...names: string[]][],
];

/** @throws StoreError if Redis refused to hand out jobs */
export function readExchangeReply(reply: RedisReply, { slots, queues, settled, bigIntegers }: Sent): ExchangeReply {
  const [innerCommands, registered, drained, paused, lost, runs, payloads, found, requeued, problem, token, ...limits] =
    reply as ReplyTuple;
  const [limited, freesInMs, cursors = []] = limits;
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
      claims.push({ slot: slots[slot] as number, token, queue, job: parsePayload(raw, bigIntegers) });
    }
  }
  for (let i = 0; i < found.length; i += 2) {
    claims.push(readEntry(found[i + 1] as string, slots[(found[i] as number) - 1] as number, bigIntegers));
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
    isLimited: limited === 1,
    freesInMs: freesInMs || undefined,
    innerCommands: innerCommands - 1,
    requeued: lengths,
    payloadBytes,
    cursors: new Map(cursors.map(([queue, depth, ...names]) => [queues[queue - 1] as string, { depth, names }])),
    holdsLease: token !== "",
  };
}
