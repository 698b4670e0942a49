import { isStoreError, StoreError } from "../core/errors.ts";
import type { StatusPolicy } from "../core/job-status.ts";
import type { Claim, ExchangeParams, Notes, Settlement } from "../core/store.ts";
import { CHECKINS_TTL_MS, checkInCommand } from "./checkins.ts";
import type { RedisClient, RedisCommand, RedisReply, ScriptCall, Usage } from "./client.ts";
import type { DrainKeys } from "./drain-identity.ts";
import { writeStatuses as writeStatusesScript } from "./generated/write-statuses.generated.ts";
import { endedText, queuedText, runningText } from "./job-status.ts";
import type { Keys } from "./keys.ts";
import { readOwn } from "./payload.ts";

export interface DrainNotesOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly own: DrainKeys;
  readonly status: StatusPolicy | undefined;
  readonly usage: Usage;
  readonly nowMs: () => number;
  /** Redis' clock minus ours. */
  readonly clockOffsetMs: () => number;
}

type Items = readonly (RedisCommand | ScriptCall)[];

/** What rides on a request of the drain, before and behind its own items. */
export interface Riders {
  readonly before: Items;
  readonly behind: Items;
  /** Told the replies to what went before. */
  read(replies: readonly RedisReply[]): void;
}

/**
 * Statuses and check-ins of one drain's jobs. A status is written while the drain holds the job: just before the exchange that settles it, in the
 * same request. A settlement that turns out lost was refused its status, too, or whoever took the job back has written after it.
 */
export interface DrainNotes {
  /** What rides on an exchange. */
  riding(params: ExchangeParams): Promise<Riders | undefined>;
  /** The exchange was carried out. */
  settled(settlements: readonly Settlement[]): void;
  note(notes: Notes): Promise<void>;
  /** What rides on the close. */
  closing(): Riders | undefined;
  /** What the drain is told of an error of a request with riders: it must not fail because these are refused. */
  refused(error: unknown): unknown;
}

interface StatusWrite {
  readonly claim: Claim;
  readonly ttlMs: number;
  readonly text: string;
  /** Whether what the same claim has written before stays. */
  readonly isFirst: boolean;
}

/** Statuses that one request carries beside what it is sent for. */
const MAX_REQUEST_CHARS = 1_000_000;

export function createDrainNotes({ client, keys, own, status, usage, ...clocks }: DrainNotesOptions): DrainNotes {
  /** By slot: the claim of whose job a status may have been written, until it is settled. */
  const written: (Claim | undefined)[] = [];
  /** By slot: whether there may be a check-in. */
  const shown: boolean[] = [];
  /** By our clock. */
  let expireAtMs = Number.NEGATIVE_INFINITY;
  let isGivenUp = false;
  const toRedisMs = (ourMs: number): number => Math.round(ourMs + clocks.clockOffsetMs());

  const idOf = ({ job }: Claim): string | undefined => (job.kind === "job" ? job.id : readOwn(job.raw).id);
  const optionsOf = ({ job }: Claim) => status?.of(job.kind === "job" ? job.class : undefined);
  const attempt = ({ slot }: Claim) => ({ worker: own.ids[slot] as string, toRedisMs });

  const ended = (settlement: Settlement): readonly StatusWrite[] => {
    const { claim, outcome } = settlement;
    const options = idOf(claim) === undefined ? undefined : optionsOf(claim);
    if (!options) return [];
    const waitMs = "afterMs" in outcome ? Math.ceil(outcome.afterMs) : 0;
    const text = endedText(settlement, options, { ...attempt(claim), nowMs: toRedisMs(clocks.nowMs()) });
    return [{ claim, ttlMs: options.ttlMs + waitMs, text, isFirst: false }];
  };

  const started = ({ claim, startedMs }: Notes["started"][number]): readonly StatusWrite[] => {
    const options = optionsOf(claim);
    if (!options) return [];
    return [{ claim, ttlMs: options.ttlMs, text: runningText(claim, startedMs, attempt(claim)), isFirst: true }];
  };

  const statusCall = (writes: readonly StatusWrite[]): ScriptCall => {
    for (const { claim } of writes) written[claim.slot] = claim;
    return {
      script: writeStatusesScript,
      keys: [
        ...writes.map(({ claim }) => own.slots[claim.slot] as string),
        ...writes.map(({ claim }) => keys.job(idOf(claim) as string)),
      ],
      args: writes.flatMap(({ claim, ttlMs, isFirst, text }) => [claim.token, ttlMs, isFirst ? 1 : 0, text]),
    };
  };

  const checkInItems = ({ checkins }: Notes): Items => {
    if (checkins.length === 0) return [];
    for (const { claim } of checkins) shown[claim.slot] = true;
    const items = [checkInCommand(keys, checkins, { workers: own.ids, toRedisMs })];
    const nowMs = clocks.nowMs();
    if (nowMs < expireAtMs) return items;
    // Far more often than it must be, and still rarely.
    expireAtMs = nowMs + CHECKINS_TTL_MS / 24;
    return [...items, ["PEXPIRE", keys.checkins, CHECKINS_TTL_MS]];
  };

  const clearItems = (slots: readonly number[]): Items => {
    const ids = slots.filter((slot) => shown[slot]).map((slot) => own.ids[slot] as string);
    return ids.length > 0 ? [["HDEL", keys.checkins, ...ids]] : [];
  };

  const read = (replies: readonly RedisReply[]): void => {
    for (const reply of replies) usage.commands += (reply as [number, number])[0] - 1;
  };

  const ride = (before: Items, behind: Items): Riders | undefined =>
    before.length + behind.length > 0 ? { before, behind, read } : undefined;

  const refused = (error: unknown): unknown => {
    if (!isStoreError(error) || error.reason !== "rejected") return error;
    isGivenUp = true;
    const message = `${error.message}; going on without statuses and check-ins`;
    return new StoreError("unavailable", message, { cause: error });
  };

  /**
   * What goes before the request that ends these jobs' claims. In full: a Redis that has forgotten this script alone would otherwise be told it
   * behind that, when nobody holds the jobs any more.
   */
  const beforeEnd = (writes: readonly StatusWrite[]): readonly ScriptCall[] =>
    chunksOf(writes).map((chunk) => ({ ...statusCall(chunk), inFull: true }));

  /** Writes all but what one request may carry, and returns that. */
  const writeMost = async (writes: readonly StatusWrite[]): Promise<readonly ScriptCall[]> => {
    const calls = beforeEnd(writes);
    for (const call of calls.slice(0, -1)) read([await client.script(call, { usage })]);
    return calls.slice(-1);
  };

  return {
    async riding({ settle, notes }) {
      if (isGivenUp) return undefined;
      const writes = [...(status?.isOn ? settle.flatMap(ended) : []), ...(notes?.started.flatMap(started) ?? [])];
      const behind = [...(notes ? checkInItems(notes) : []), ...clearItems(settle.map(({ claim }) => claim.slot))];
      try {
        return ride(await writeMost(writes), behind);
      } catch (error) {
        throw refused(error);
      }
    },
    settled(settlements) {
      for (const { claim } of settlements) {
        if (written[claim.slot] === claim) written[claim.slot] = undefined;
        shown[claim.slot] = false;
      }
    },
    async note(notes) {
      if (isGivenUp) return;
      const calls = chunksOf(notes.started.flatMap(started)).map(statusCall);
      try {
        const replies = await client.pipeline([...calls, ...checkInItems(notes)], { usage });
        read(replies.slice(0, calls.length));
      } catch (error) {
        throw refused(error);
      }
    },
    closing() {
      if (isGivenUp) return undefined;
      const writes = written.flatMap((claim) => {
        const ttlMs = claim && optionsOf(claim)?.ttlMs;
        return !claim || ttlMs === undefined ? [] : [{ claim, ttlMs, text: queuedText(claim), isFirst: false }];
      });
      return ride(beforeEnd(writes), clearItems([...shown.keys()]));
    },
    refused,
  };
}

function chunksOf(writes: readonly StatusWrite[]): (readonly StatusWrite[])[] {
  const chunks: StatusWrite[][] = [];
  let chars = 0;
  for (const write of writes) {
    chars += write.text.length;
    if (chunks.length === 0 || chars > MAX_REQUEST_CHARS) {
      chunks.push([]);
      chars = write.text.length;
    }
    chunks.at(-1)?.push(write);
  }
  return chunks;
}
