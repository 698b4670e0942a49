import { UsageError } from "../core/errors.ts";
import type { JobAck } from "../core/job-ack.ts";
import type { StatusOptions, StatusPolicy } from "../core/job-status.ts";
import type { BigIntegers } from "../core/json.ts";
import { isOver, type Outcome } from "../core/outcome.ts";
import type { Registry } from "../core/registry.ts";
import type { Claim, ClaimedJob, Detached, Settlement } from "../core/store.ts";
import { countsAttempt, countsFailure } from "../core/tally.ts";
import type { ClassLimits } from "./claim-rules.ts";
import type { RedisClient, Usage } from "./client.ts";
import { detachedEntry } from "./detached-entry.ts";
import { createDrainLocks } from "./drain-locks.ts";
import { failedEntry, toFailedQueue } from "./failed-entry.ts";
import { ackJob as ackJobScript } from "./generated/ack-job.generated.ts";
import { endedText } from "./job-status.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, forgetAttempts, readOwn, type TailChange } from "./payload.ts";
import { waitingEntry } from "./waiting-entry.ts";

/** What the settlement of a detached job needs to know of the drain that it left. */
interface AckSettings {
  /** Failures go to the list of their queue. */
  readonly failedQueues: boolean;
  /** Most entries of a failed list; 0 for any number. */
  readonly maxFailed: number;
  /** If the job's status is kept. */
  readonly status: StatusOptions | undefined;
  readonly limits: ClassLimits;
}

/** An acknowledgement's JSON. With the job's payload it holds all that settles the job as its drain would have. */
interface AckText {
  /** The text before the payload in the job's entry in `airlift:retries`, how much of the payload's end is cut off there, and what follows it. */
  readonly head: string;
  readonly cut: number;
  readonly append: string;
  readonly leaseMs: number;
  readonly failedQueues?: true;
  readonly maxFailed?: number;
  readonly status?: StatusOptions;
}

/** Of settlements that took effect those that are detached now, each with how its claim is found again by who acknowledges it. */
export function detachedOf(
  settlements: readonly Settlement[],
  settings: Omit<AckSettings, "status"> & { readonly status: StatusPolicy | undefined },
): readonly Detached[] {
  return settlements.filter(isDetached).map((settlement) => {
    const { job } = settlement.claim;
    const status = job.kind === "job" && job.id !== undefined ? settings.status?.of(job.class) : undefined;
    return { settlement, ack: createAck(settlement.claim, settlement.outcome.afterMs, { ...settings, status }) };
  });
}

function createAck(claim: Claim, leaseMs: number, settings: AckSettings): JobAck {
  const { failedQueues, maxFailed, status, limits } = settings;
  const { head, cutBytes: cut, append } = detachedEntry(claim, limits);
  const ack: AckText = {
    ...{ head, cut, append, leaseMs },
    ...(failedQueues && { failedQueues }),
    ...(maxFailed > 0 && { maxFailed }),
    ...(status && { status: { ttlMs: status.ttlMs, ...(status.results && { results: true }) } }),
  };
  return { ...ack };
}

function isDetached(settlement: Settlement): settlement is Detached["settlement"] {
  return settlement.outcome.kind === "detached";
}

export interface AckStoreOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly registry: Registry;
  /** By Redis' clock, or nearly so. */
  readonly nowMs: () => number;
  readonly usage?: Usage;
  /** As the jobs' arguments were read. @default "bigint" */
  readonly bigIntegers?: BigIntegers;
}

/** A job that was detached, as its receiver got it. */
export interface DetachedJob {
  readonly ack: JobAck;
  readonly queue: string;
  readonly job: ClaimedJob;
}

export type EndedJob = DetachedJob &
  Pick<Settlement, "endedMs" | "durationMs"> & {
    readonly outcome: Outcome;
    /** Who ran it, for those who look at failures. */
    readonly worker: string;
  };

/** Settles jobs that were detached. */
export interface AckStore {
  /** How long the job's lease still lasts, by Redis' clock; undefined if it does not wait for its acknowledgement any more. Two commands. */
  leaseLeftMs(job: DetachedJob): Promise<number | undefined>;
  /**
   * Ends a job, or gives it back, as the exchange of a drain does. May be repeated.
   *
   * @returns false if it was settled before, or its lease has ended: then nothing was done
   */
  settle(job: EndedJob): Promise<boolean>;
}

export function createAckStore(options: AckStoreOptions): AckStore {
  const { client, keys, registry, nowMs, usage = { commands: 0, requests: 0 } } = options;
  const locks = createDrainLocks({ client, keys, registry, usage, bigIntegers: options.bigIntegers });
  return {
    async leaseLeftMs({ ack, job: { raw } }) {
      const { head, cut, append } = readAck(ack);
      const entry = `${head}${withEnd(raw, { cutBytes: cut, append })}}`;
      const [endMs, time] = await client.pipeline([["ZSCORE", keys.retries, entry], ["TIME"]], { usage });
      if (endMs === null) return undefined;
      const [seconds, micros] = time as string[];
      return Number(endMs) - Number(seconds) * 1_000 - Math.floor(Number(micros) / 1_000);
    },
    async settle(ended) {
      const { queue, job, outcome } = ended;
      const { raw } = job;
      const ack = readAck(ended.ack);
      const settlement: Settlement = { ...ended, claim: { slot: 0, token: ack.id, queue, job } };
      const held = await locks.within([settlement.claim]);
      const lock = isOver(outcome) ? held?.heldBy(settlement.claim) : undefined;
      const to = destinationOf(ended, ack, keys, nowMs());
      const same = raw.length - Math.max(ack.cut, to.change.cutBytes);
      const endOf = (change: TailChange): string => withEnd(raw, change).slice(same);
      const status = statusOf(settlement, ack, ended.worker, nowMs());
      const reply = await client.script(
        {
          script: ackJobScript,
          keys: [
            ...[keys.retries, keys.processed, keys.failures, keys.running, ...to.keys],
            ...(lock ? [lock.key] : []),
            ...(status ? [keys.job(status.id)] : []),
          ],
          args: [
            ...[raw.slice(0, same), ack.head, `${endOf({ cutBytes: ack.cut, append: ack.append })}}`],
            ...[countsAttempt(outcome) ? 1 : 0, countsFailure(outcome) ? 1 : 0],
            ...[to.kind, to.before, endOf(to.change) + to.after, to.limit, to.name],
            ...[lock?.id ?? "", status?.text ?? "", status?.ttlMs ?? 0],
          ],
        },
        { usage },
      );
      const [commands, isSettled] = reply as [number, number];
      usage.commands += commands - 1;
      if (isSettled === 1) await held?.freeAfter([settlement], []);
      return isSettled === 1;
    },
  };
}

/** Where a job goes, and what the script puts around its payload there. */
interface Destination {
  readonly kind: "failed" | "queue" | "wait" | "";
  readonly keys: readonly string[];
  readonly before: string;
  readonly change: TailChange;
  readonly after: string;
  readonly limit: number;
  readonly name: string;
}

const NO_CHANGE: TailChange = { cutBytes: 0, append: "" };
const NOWHERE: Destination = { kind: "", keys: [], before: "", change: NO_CHANGE, after: "", limit: 0, name: "" };

function destinationOf(
  { outcome, queue, job, worker }: EndedJob,
  ack: ReadAck,
  keys: Keys,
  nowMs: number,
): Destination {
  switch (outcome.kind) {
    case "failed": {
      const entry = failedEntry(outcome.failure, { failedAtMs: nowMs, workerId: worker, queue });
      const list = ack.failedQueues ? keys.failedOf(queue) : keys.failed;
      return {
        ...{ kind: "failed", keys: [list, keys.failedQueues], ...entry, change: forgetAttempts(job.raw) },
        ...{ limit: ack.maxFailed ?? 0, name: ack.failedQueues ? toFailedQueue(queue) : "" },
      };
    }
    case "retrying":
    case "postponed": {
      const isRetry = outcome.kind === "retrying";
      const own = readOwn(job.raw);
      const attempt = (job.kind === "job" ? job.attempt : 1) + (isRetry ? 1 : 0);
      const entry = { id: ack.id, queue, attempt, ...(isRetry && { failure: outcome.failure, failedAtMs: nowMs }) };
      const change = isRetry ? changeOwn(job.raw, { ...own, retries: (own.retries ?? 0) + 1 }) : undefined;
      const limit = Math.ceil(outcome.afterMs);
      return { ...NOWHERE, kind: "wait", before: waitingEntry(entry), change: change ?? NO_CHANGE, after: "}", limit };
    }
    case "released":
    case "requeued":
      return { ...NOWHERE, kind: "queue", keys: [keys.queue(queue), keys.queues], name: queue };
    default:
      return NOWHERE;
  }
}

function statusOf(settlement: Settlement, { status }: ReadAck, worker: string, nowMs: number) {
  const { claim, outcome } = settlement;
  const { id } = readOwn(claim.job.raw);
  if (!status || id === undefined) return undefined;
  const text = endedText(settlement, status, { worker, toRedisMs: Math.round, nowMs });
  return { id, text, ttlMs: status.ttlMs + ("afterMs" in outcome ? Math.ceil(outcome.afterMs) : 0) };
}

function withEnd(raw: string, { cutBytes, append }: TailChange): string {
  return raw.slice(0, raw.length - cutBytes) + append;
}

type ReadAck = AckText & { readonly id: string };

/** @throws UsageError if it is none that this version understands */
function readAck(ack: JobAck): ReadAck {
  const { head, cut, append } = ack;
  const id = /^\{"id":"([^"]+)"/.exec(String(head))?.[1];
  if (id === undefined || !Number.isSafeInteger(cut) || typeof append !== "string") {
    throw new UsageError("ack: expected what the message of the job bore under this name, unchanged");
  }
  // Whoever wrote these wrote the rest.
  return { ...(ack as unknown as AckText), id };
}
