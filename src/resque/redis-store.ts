import { UsageError } from "../core/errors.ts";
import type { StatusPolicy } from "../core/job-status.ts";
import type { BigIntegers } from "../core/json.ts";
import type { Registry } from "../core/registry.ts";
import type {
  Claim,
  ClaimedJob,
  Detached,
  DrainStore,
  ExchangeParams,
  ExchangeResult,
  Notes,
  Settlement,
  SlotStats,
} from "../core/store.ts";
import { checkTexts } from "./check-texts.ts";
import {
  isScriptCall,
  type RedisClient,
  type RedisCommand,
  type RedisReply,
  type ScriptCall,
  type Usage,
} from "./client.ts";
import { type DeadRedisDrain, readDeadDrains } from "./dead-drain.ts";
import { dirtyExit } from "./dirty-exit.ts";
import { type DrainDescription, drainKeys, encodeDescription } from "./drain-identity.ts";
import { createDrainLocks } from "./drain-locks.ts";
import type { DrainNotes, Riders } from "./drain-notes.ts";
import { createExchangeCall, type ExchangeContext } from "./exchange-call.ts";
import type { ExchangeReply } from "./exchange-reply.ts";
import { beatDrain as beatDrainScript } from "./generated/beat-drain.generated.ts";
import { closeDrain as closeDrainScript } from "./generated/close-drain.generated.ts";
import type { Keys } from "./keys.ts";
import type { Lease } from "./lease.ts";
import { nextDueCommands, readNextDue } from "./next-due.ts";
import { createQueueCursors } from "./queue-cursors.ts";
import type { QueueSelector } from "./queue-selector.ts";
import { createRedisClock } from "./redis-clock.ts";
import { createTailSweep } from "./tail-sweep.ts";
import { toHeartbeat } from "./time-format.ts";

export interface RedisStoreOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly description: DrainDescription;
  readonly selector: QueueSelector;
  readonly leaseMs: number;
  readonly crashLimit: number;
  readonly onlyClasses: readonly string[] | undefined;
  readonly registry: Registry;
  /** Of which jobs the status is kept; undefined for none. */
  readonly status?: StatusPolicy | undefined;
  /** Failures go to the list of their queue. */
  readonly failedQueues: boolean;
  /** Most entries of a failed list; 0 for any number. */
  readonly maxFailed: number;
  /** Of the drains of this name only one claims at a time; one that is silent for `ttlMs` is no more. */
  readonly single?: { readonly name: string; readonly ttlMs: number } | undefined;
  /** Drains may have been kicked: the mark of a kick that is pending is taken away when one has begun. */
  readonly isKicked?: boolean;
  readonly bigIntegers: BigIntegers;
  /** Most payload bytes that one exchange claims. Replies may take twice that, for escapes, and Upstash allows 10 MB. */
  readonly maxClaimBytes: number;
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** How many drains one survey looks at; the next one sees the rest. */
const MAX_DRAINS_SURVEYED = 16;

/** Each queue takes two of the keys of an exchange, and Redis' Lua hands some 7,000 to a command. */
const MAX_QUEUES = 2_000;

/** The store of one drain, on Resque's keys. */
export function createRedisStore(options: RedisStoreOptions): DrainStore<DeadRedisDrain> {
  const { client, keys, description, selector, leaseMs, onlyClasses, bigIntegers, maxClaimBytes } = options;
  const { failedQueues, maxFailed, registry, single, crashLimit } = options;
  const usage: Usage = { commands: 0, requests: 0 };
  const member = encodeDescription(description);
  const own = drainKeys(description, keys);
  const context: ExchangeContext = {
    ...{ keys, description, drainKeys: own, member },
    ...{ leaseMs, onlyClasses, bigIntegers, maxClaimBytes, failedQueues, maxFailed, limits: registry.limits },
  };
  const sweep = createTailSweep(options.nowMs);
  const cursors = createQueueCursors();
  const uniqueLocks = createDrainLocks({ client, keys, registry, usage, bigIntegers });
  const select = (existing: readonly string[]): string[] => {
    const selected = selector.select(existing);
    if (selected.length <= MAX_QUEUES) return selected;
    throw new UsageError(
      `queues: ${JSON.stringify(selector.label.slice(0, 100))} selects ${selected.length} queues; expected at most ${MAX_QUEUES}`,
    );
  };
  let queues = select([]);
  /** Queues that a job of this drain may have come from. */
  const usedQueues = new Set<string>();
  let isRegistered = false;
  let isMaybeRegistered = false;
  /** What we write for others to read is by Redis' clock. */
  const clock = createRedisClock(options.nowMs);
  let bytesPerJob = 0;
  let lease: Lease | undefined;
  const kickMark = options.isKicked ? [keys.kick] : [];
  /** A single drain's mark stands as long as its lease: until then a kicked one could do nothing. */
  let freedAtStart = single ? [] : kickMark;
  const toOurs = (redisMs: number | undefined): number | undefined =>
    redisMs === undefined ? undefined : redisMs - clock.offsetMs;

  const readQueues = (reply: RedisReply): boolean => {
    const before = queues;
    queues = select(reply as string[]);
    return queues.some((queue) => !before.includes(queue));
  };

  const beatCall = (stats: readonly SlotStats[]): ScriptCall => ({
    script: beatDrainScript,
    keys: [
      keys.drains,
      keys.heartbeats,
      own.started[0] as string,
      ...stats.flatMap(({ slot }) => [own.stats[slot] as string, own.stats[description.slots + slot] as string]),
    ],
    args: [
      member,
      leaseMs,
      toHeartbeat(clock.nowMs()),
      own.ids.length,
      ...own.ids,
      ...stats.flatMap(({ processed, failed }) => [processed, failed]),
    ],
  });

  /** Loaded when there is something to note. */
  let drainNotes: DrainNotes | undefined;
  const loadNotes = async (notes: Notes | undefined): Promise<DrainNotes | undefined> => {
    if (drainNotes || !(notes || options.status?.isOn)) return drainNotes;
    const { createDrainNotes } = await import("./drain-notes.ts");
    const { status, nowMs } = options;
    drainNotes = createDrainNotes({ client, keys, own, status, usage, nowMs, clockOffsetMs: () => clock.offsetMs });
    return drainNotes;
  };

  const send = async (
    items: readonly (RedisCommand | ScriptCall)[],
    riders: Riders | undefined,
  ): Promise<readonly RedisReply[]> => {
    const [only] = items;
    if (!riders && items.length === 1 && only && isScriptCall(only)) return [await client.script(only, { usage })];
    if (!riders) return client.pipeline(items, { usage });
    const { before, behind } = riders;
    try {
      const replies = await client.pipeline([...before, ...items, ...behind], { usage });
      riders.read(replies.slice(0, before.length));
      return replies.slice(before.length, before.length + items.length);
    } catch (error) {
      throw drainNotes?.refused(error);
    }
  };

  const exchange = async (params: ExchangeParams): Promise<ExchangeResult> => {
    const notes = await loadNotes(params.notes);
    const riders = await notes?.riding(params);
    const limit = bytesPerJob > 0 ? Math.max(1, Math.floor(maxClaimBytes / bytesPerJob)) : params.fill.length;
    const fill = params.fill.slice(0, limit);
    const tried = sweep.without(selector.order(queues, options.random));
    const isOpening = !isRegistered && fill.length > 0;
    if (isOpening) isMaybeRegistered = true;
    const locks = await uniqueLocks.within(params.settle.map(({ claim }) => claim));
    const held = single && { key: keys.single(single.name), renewMs: params.beat && single.ttlMs };
    const instants = { nowMs: clock.nowMs(), latestMs: clock.latestMs() };
    const at = { ...instants, isOpening, lockOf: locks?.heldBy, cursorOf: cursors.of, lease: held };
    const call = createExchangeCall(context, { ...params, fill }, tried, at);
    const items: (RedisCommand | ScriptCall)[] = [];
    if (selector.isDynamic) items.push(["SMEMBERS", keys.queues]);
    items.push(call.call);
    if (params.beat && isRegistered) items.push(beatCall(params.beat));
    const replies = await send(items, riders);

    const hasNewQueues = selector.isDynamic && readQueues(replies[0] as RedisReply);
    const reply: ExchangeReply = call.read(replies[selector.isDynamic ? 1 : 0] as RedisReply);
    usage.commands += reply.innerCommands;
    notes?.settled(params.settle);
    const beat = params.beat && isRegistered ? (replies.at(-1) as [number, number]) : undefined;
    if (beat) usage.commands += beat[0] - 1;
    isRegistered ||= reply.isRegistered;
    // An earlier request of the same exchange may still arrive.
    if (params.attempt === 1) isMaybeRegistered = isRegistered;
    if (reply.payloadBytes > 0) bytesPerJob = Math.max(bytesPerJob / 2, reply.payloadBytes / reply.claims.length);
    sweep.note(reply);
    const hasMore = fill.length > 0 && cursors.note(reply.cursors, reply.claims.length);
    for (const { queue } of reply.claims) usedQueues.add(queue);
    const checked = await checkTexts(client, reply.claims, own.slots, { usage });
    const claims = checked.map((claim) => refuseCrashed(claim, crashLimit));
    // A repeated request finds its own settlements done: they are lost only if the drain itself is.
    const lost = params.attempt > 1 && reply.isRegistered ? [] : reply.lost;
    await locks?.freeAfter(params.settle, lost);
    await (await uniqueLocks.within(claims))?.freeBefore(claims);
    return {
      claims,
      lost,
      detached: await detachedOf(params.settle, lost),
      isRegistered: (reply.isRegistered || !isRegistered) && reply.holdsLease,
      isDrained: reply.isDrained && !hasNewQueues && !hasMore,
      isPaused: reply.isPaused,
      isLimited: reply.isLimited,
      freesInMs: reply.freesInMs,
    };
  };

  const detachedOf = async (
    settle: readonly Settlement[],
    lost: readonly Settlement[],
  ): Promise<readonly Detached[] | undefined> => {
    if (!settle.some(({ outcome }) => outcome.kind === "detached")) return undefined;
    const acks = await import("./ack.ts");
    const { status } = options;
    const settled = settle.filter((settlement) => !lost.includes(settlement));
    return acks.detachedOf(settled, { failedQueues, maxFailed, status, limits: registry.limits });
  };

  const existing = async (others: readonly string[]): Promise<boolean> => {
    if (selector.isDynamic) readQueues(await client.command(["SMEMBERS", keys.queues], { usage }));
    const candidates = [...queues.map(keys.queue), ...others];
    return candidates.length > 0 && (await client.command(["EXISTS", ...candidates], { usage })) !== 0;
  };

  return {
    drainId: description.id,
    usage,
    exchange,
    hasWork: () => existing([keys.drains, keys.retries, keys.delayedSchedule, ...kickMark]),
    hasQueued: () => existing([]),

    ...(single && {
      async enter() {
        const { createLease } = await import("./lease.ts");
        const of = { key: keys.single(single.name), ttlMs: single.ttlMs, holder: description.id };
        lease ??= createLease({ client, usage, ...of, alsoFreed: kickMark });
        return lease.take();
      },
    }),

    async survey() {
      const drainsRead: RedisCommand = ["ZRANGE", keys.drains, 0, MAX_DRAINS_SURVEYED - 1, "WITHSCORES"];
      const items: RedisCommand[] = [["TIME"], drainsRead, ...nextDueCommands(keys)];
      // Before it looks at the queues: for what is enqueued from now on, another drain is kicked.
      if (freedAtStart.length > 0) items.push(["DEL", ...freedAtStart]);
      const sentAtMs = options.nowMs();
      const [time, drains, ...due] = (await client.pipeline(items, { usage })) as [string[], ...RedisReply[]];
      freedAtStart = [];
      const timeMs = Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000);
      clock.note(timeMs, sentAtMs);
      let dead = readDeadDrains(drains as RedisReply, timeMs);
      if (dead.length === 0 && (drains as RedisReply[]).length === 2 * MAX_DRAINS_SURVEYED) {
        const { readBehindStrangers } = await import("./strange-drains.ts");
        dead = await readBehindStrangers(client, keys, drains as RedisReply, { timeMs, usage });
      }
      const others = dead.filter(({ drainId }) => drainId !== description.id);
      return { dead: others, nextDueMs: toOurs(readNextDue(due)) };
    },

    async settleDetached(ack, { claim, ...ended }) {
      const { createAckStore } = await import("./ack.ts");
      const acks = createAckStore({ client, keys, registry, nowMs: clock.nowMs, usage, bigIntegers });
      const { endedMs } = ended;
      const redisEndedMs = endedMs === undefined ? {} : { endedMs: endedMs + clock.offsetMs };
      const worker = own.ids[claim.slot] as string;
      return acks.settle({ ...ended, ...redisEndedMs, ack, queue: claim.queue, job: claim.job, worker });
    },

    async note(notes) {
      await (await loadNotes(notes))?.note(notes);
    },

    async promote(limits) {
      const { promoteDue } = await import("./promote.ts");
      const sentAtMs = options.nowMs();
      const onTime = (redisMs: number): void => clock.note(redisMs, sentAtMs);
      const settings = { ...limits, redisNowMs: clock.nowMs(), onTime, queues, usage };
      const { promoted, nextDueMs } = await promoteDue(client, keys, settings);
      return { promoted, nextDueMs: toOurs(nextDueMs) };
    },

    async recover(dead) {
      const { recoverDrain } = await import("./recover-drain.ts");
      const statusTtlMs = options.status?.of(undefined)?.ttlMs ?? 0;
      const limits = { crashLimit, failedQueues, maxFailed, statusTtlMs };
      return recoverDrain(client, keys, dead, { ...limits, nowMs: clock.nowMs(), usage });
    },

    async close() {
      const ending = lease?.isTaken ? [lease.releaseCall] : [];
      if (!isMaybeRegistered && ending.length === 0) return { released: 0 };
      const names = [...usedQueues].concat(queues.filter((queue) => !usedQueues.has(queue)));
      const call = {
        script: closeDrainScript,
        keys: [
          keys.drains,
          keys.workers,
          keys.heartbeats,
          keys.running,
          keys.queues,
          ...own.slots,
          ...own.started,
          ...own.stats,
          ...names.map(keys.queue),
        ],
        args: [
          description.id,
          member,
          own.slots.length,
          names.length,
          registry.limits.size > 0 ? 1 : 0,
          ...names.map((name) => JSON.stringify(name)),
          ...own.ids,
        ],
      };
      const calls = isMaybeRegistered ? [call, ...ending] : ending;
      const replies = (await send(calls, drainNotes?.closing())) as [number, number][];
      for (const [commands] of replies) usage.commands += commands - 1;
      const released = isMaybeRegistered ? (replies[0]?.[1] ?? 0) : 0;
      isRegistered = false;
      isMaybeRegistered = false;
      lease = undefined;
      return { released };
    },

    async planSiblings(plan) {
      const { planSiblings } = await import("./plan-siblings.ts");
      return planSiblings(client, keys, { ...plan, drainId: description.id, queues, usage });
    },

    async countQueued() {
      if (selector.isDynamic) readQueues(await client.command(["SMEMBERS", keys.queues], { usage }));
      if (queues.length === 0) return 0;
      const lengths = await client.pipeline(
        queues.map((queue) => ["LLEN", keys.queue(queue)]),
        { usage },
      );
      return lengths.reduce<number>((sum, length) => sum + (length as number), 0);
    },
  };
}

/** A job comes back with as many crashes only from a receiver that did not acknowledge it: the recovery of a dead drain fails it by itself. */
function refuseCrashed(claim: Claim, crashLimit: number): Claim {
  const { job } = claim;
  const crashes = job.kind === "job" ? job.attempt - job.retries - 1 : 0;
  return crashes < crashLimit ? claim : { ...claim, job: { ...job, refusal: dirtyExit(crashes) } as ClaimedJob };
}
