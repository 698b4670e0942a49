import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, ClaimedJob, DrainStore, Settlement } from "../../src/core/store.ts";
import { connectRaw, type RawCommand, type RawRedis, type RawReply } from "../../src/redis/ioredis-connection.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { DeadRedisDrain } from "../../src/resque/dead-drain.ts";
import {
  type DrainDescription,
  type DrainKeys,
  drainKeys,
  encodeDescription,
} from "../../src/resque/drain-identity.ts";
import type { ExchangeContext } from "../../src/resque/exchange-call.ts";
import { createKeys, type Keys } from "../../src/resque/keys.ts";
import { createQueueSelector } from "../../src/resque/queue-selector.ts";
import { createRedisStore, type RedisStoreOptions } from "../../src/resque/redis-store.ts";
import { PATIENT, type RunningSetup, type Setup } from "../support/setups.ts";

/** A key's value: a text, a list's array, a set's or a hash's or a sorted set's object; with its TTL if it has one. */
export type Value = string | readonly string[] | Record<string, string | true> | { ttlMs: number; value: Value };

/** One drain of a test: its store, and everything that tells it apart. */
export interface TestDrain {
  readonly store: DrainStore<DeadRedisDrain>;
  readonly description: DrainDescription;
  readonly member: string;
  readonly own: DrainKeys;
  readonly context: ExchangeContext;
}

export interface TestDrainOptions extends Partial<Omit<RedisStoreOptions, "description" | "selector" | "keys">> {
  readonly id?: string;
  readonly queues?: readonly string[];
  /** @default 4 */
  readonly slots?: number;
}

/** A Redis with what a test does to it around the drain, over a connection of its own that no meter sees. */
export interface World extends AsyncDisposable {
  readonly setup: RunningSetup;
  readonly client: RedisClient;
  readonly keys: Keys;
  /** Sends commands over TCP whatever the setup; rejects with the first error reply. */
  send(...commands: RawCommand[]): Promise<RawReply[]>;
  flush(): Promise<void>;
  /** As a Ruby producer does: SADD `queues`, RPUSH. */
  push(queue: string, ...payloads: (string | Uint8Array)[]): Promise<void>;
  queued(queue: string): Promise<string[]>;
  failed(): Promise<FailedEntry[]>;
  get(key: string): Promise<string | null>;
  /** Everything in Redis, by key. */
  everything(): Promise<Record<string, Value>>;
  keyNames(): Promise<string[]>;
  drain(options?: TestDrainOptions): TestDrain;
  /** Ends the leases of all drains, as if they had been silent for long. */
  endLeases(): Promise<void>;
  /** Commands that the server has carried out since the last call, those inside scripts included; only of a real redis-server. */
  countCommands(): Promise<number>;
}

export interface FailedEntry {
  readonly failed_at: string;
  readonly payload: { readonly class: string; readonly args: readonly unknown[] };
  readonly exception: string;
  readonly error: string;
  readonly backtrace: readonly string[];
  readonly worker: string;
  readonly queue: string;
}

export const NOW_MS: number = Date.UTC(2026, 10, 20, 18, 50, 57, 123);

export async function openWorld(kind: Setup): Promise<World> {
  const setup = await kind.start();
  const raw: RawRedis = connectRaw(setup.redis.url, PATIENT);
  const keys = createKeys();
  const { client } = setup;
  let drains = 0;

  const send = async (...commands: RawCommand[]): Promise<RawReply[]> => {
    const replies = await raw.send(commands);
    const error = replies.find((reply) => reply instanceof Error);
    if (error) throw error;
    return replies;
  };
  const texts = async (...command: RawCommand): Promise<string[]> => {
    const [reply] = await send(command);
    return (reply as RawReply[]).map(text);
  };
  const readValue = async (key: string): Promise<Value> => {
    const [type, ttl] = await send(["TYPE", key], ["PTTL", key]);
    const value = await contentOf(key, text(type ?? null));
    return Number(ttl) === -1 ? value : { ttlMs: Number(ttl), value };
  };
  const contentOf = async (key: string, type: string): Promise<Value> => {
    if (type === "string") return text((await send(["GET", key]))[0] ?? null);
    if (type === "list") return texts("LRANGE", key, 0, -1);
    if (type === "set") return Object.fromEntries((await texts("SMEMBERS", key)).map((member) => [member, true]));
    const flat = type === "hash" ? await texts("HGETALL", key) : await texts("ZRANGE", key, 0, -1, "WITHSCORES");
    return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] as string]] : [])));
  };

  return {
    setup,
    client,
    keys,
    send,
    async flush() {
      await send(["FLUSHALL"]);
    },
    async push(queue, ...payloads) {
      await send(["SADD", keys.queues, queue], ["RPUSH", keys.queue(queue), ...payloads]);
    },
    queued: (queue) => texts("LRANGE", keys.queue(queue), 0, -1),
    failed: async () => (await texts("LRANGE", keys.failed, 0, -1)).map((entry) => JSON.parse(entry) as FailedEntry),
    async get(key) {
      const [reply] = await send(["GET", key]);
      return reply === null || reply === undefined ? null : text(reply);
    },
    async everything() {
      const names = (await texts("KEYS", "*")).sort();
      return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readValue(name)] as const)));
    },
    keyNames: async () => (await texts("KEYS", "*")).sort(),
    drain(options = {}) {
      const { id = `d${++drains}`, queues = ["q"], slots = 4, ...rest } = options;
      const selector = createQueueSelector(queues);
      const description = { id, host: `airlift-test-${id}`, pid: 7, slots, queues: selector.label };
      const settings: RedisStoreOptions = {
        client,
        keys,
        description,
        selector,
        leaseMs: 60_000,
        crashLimit: 3,
        onlyClasses: undefined,
        registry: createRegistry([]),
        failedQueues: false,
        maxFailed: 0,
        bigIntegers: "bigint",
        maxClaimBytes: 4_000_000,
        nowMs: () => NOW_MS,
        random: Math.random,
        ...rest,
      };
      const own = drainKeys(description, keys);
      const member = encodeDescription(description);
      const { leaseMs, onlyClasses, failedQueues, maxFailed, bigIntegers, maxClaimBytes } = settings;
      const context = {
        ...{ keys, description, drainKeys: own, member, leaseMs, onlyClasses, limits: settings.registry.limits },
        ...{ failedQueues, maxFailed, bigIntegers, maxClaimBytes },
      };
      return { store: createRedisStore(settings), description, member, own, context };
    },
    async endLeases() {
      for (const member of await texts("ZRANGE", keys.drains, 0, -1)) await send(["ZADD", keys.drains, 1, member]);
    },
    async countCommands() {
      const [info] = await send(["INFO", "commandstats"], ["CONFIG", "RESETSTAT"]);
      let calls = 0;
      for (const [, name, count] of text(info ?? null).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
        if (name !== "info" && name !== "config|resetstat") calls += Number(count);
      }
      return calls;
    },
    async [Symbol.asyncDispose]() {
      await raw.close();
      await setup.close();
    },
  };
}

function text(reply: RawReply): string {
  return reply instanceof Uint8Array ? Buffer.from(reply).toString("utf8") : String(reply);
}

/** `{"class":"Noop","args":[…]}` */
export function payload(...args: unknown[]): string {
  return `{"class":"Noop","args":${JSON.stringify(args)}}`;
}

export function payloads(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => payload(from + i));
}

export const ok = (claim: Claim): Settlement => ({ claim, outcome: { kind: "ok" } });
export const released = (claim: Claim): Settlement => ({ claim, outcome: { kind: "released" } });
export const requeued = (claim: Claim): Settlement => ({ claim, outcome: { kind: "requeued" } });
export const failed = (claim: Claim, message = "boom"): Settlement => ({
  claim,
  outcome: { kind: "failed", failure: { exception: "ArgumentError", message, backtrace: ["a.ts:1"] } },
});

export const raws = (claims: readonly { readonly job: ClaimedJob }[]): string[] => claims.map(({ job }) => job.raw);

/** `0 … count-1` */
export const slots = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);
