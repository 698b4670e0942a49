import type { Redis } from "ioredis";
import { StoreError } from "../../src/core/errors.ts";
import { OK, RELEASED } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, DrainStore, ExchangeParams } from "../../src/core/store.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { DeadRedisDrain } from "../../src/resque/dead-drain.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { createQueueSelector } from "../../src/resque/queue-selector.ts";
import { createRedisStore } from "../../src/resque/redis-store.ts";
import { carriedClient, type Letter } from "./carried-client.ts";
import type { Fate } from "./protocol-world.ts";

/** What happens next; `drain` counts those that there are at any time. */
export type SingleStep =
  | { readonly kind: "enqueue"; readonly jobs: number }
  | { readonly kind: "enter"; readonly drain: number; readonly fate: Fate }
  | {
      readonly kind: "exchange";
      readonly drain: number;
      readonly settle: number;
      readonly fill: number;
      readonly beats: boolean;
      readonly fate: Fate;
    }
  | { readonly kind: "close"; readonly drain: number; readonly fate: Fate }
  /** Its process is gone; another drain begins in its place. */
  | { readonly kind: "crash"; readonly drain: number }
  /** Nothing was heard of the holder for too long: it froze, or Redis could not be reached. Both of its leases have ended. */
  | { readonly kind: "freeze" }
  | { readonly kind: "recover"; readonly drain: number }
  | { readonly kind: "arrive"; readonly ago: number }
  | { readonly kind: "duplicate"; readonly ago: number };

export const DRAINS = 3;
const SLOTS = 2;
const keys = createKeys();
const lease = keys.single("default");

interface Caller {
  readonly id: string;
  readonly store: DrainStore<DeadRedisDrain>;
  /** It believes that it is the one. */
  hasEntered: boolean;
  /** It has been told that it is not, any more. */
  isLost: boolean;
  readonly free: Set<number>;
  held: Claim[];
  seq: number;
  pending: { readonly params: ExchangeParams; readonly attempt: number } | undefined;
  isClosing: boolean;
  fate: Fate;
}

/** Some single drains over an unreliable network, and what is seen of them in Redis after each request that arrives there. */
export class SingleWorld {
  readonly #redis: Redis;
  readonly #client: RedisClient;
  readonly #callers: Caller[];
  #late: Letter[] = [];
  #arrived: Letter[] = [];
  #drains = 0;
  #jobs = 0;
  /** Every token that was ever in a slot. */
  readonly #tokens = new Set<string>();
  /** Claims seen, of all drains. */
  claims = 0;
  /** How often a drain has claimed after another. */
  turns = 0;
  #lastClaimer = "";

  constructor(redis: Redis, client: RedisClient) {
    this.#redis = redis;
    this.#client = client;
    this.#callers = Array.from({ length: DRAINS }, () => this.#open());
  }

  async run(steps: readonly SingleStep[]): Promise<void> {
    for (const step of steps) await this.#step(step);
  }

  /** All leases end, and one drain on a good network does the rest. Returns how many jobs are left anywhere. */
  async finish(): Promise<number> {
    await this.#freeze();
    const last = this.#open();
    if (!(await last.store.enter?.())) throw new Error("a lease that has ended is not given to the next");
    for (const dead of (await last.store.survey()).dead) await last.store.recover(dead);
    for (let seq = 1, held: readonly Claim[] = []; ; seq++) {
      const settle = held.map((claim) => ({ claim, outcome: OK }));
      held = (await last.store.exchange({ seq, attempt: 1, settle, fill: [0, 1] })).claims;
      if (held.length === 0) break;
    }
    await last.store.close();
    const left = await this.#redis.keys("resque:worker:*");
    return (await this.#redis.llen(keys.queue("q"))) + left.length + (await this.#redis.exists(lease));
  }

  get jobs(): number {
    return this.#jobs;
  }

  #open(): Caller {
    const id = `d${++this.#drains}`;
    const selector = createQueueSelector(["q"]);
    const store = createRedisStore({
      client: carriedClient(this.#client, (letter) => this.#carry(caller, letter)),
      ...{ keys, selector, leaseMs: 60_000, crashLimit: 1_000, bigIntegers: "bigint", onlyClasses: undefined },
      description: { id, host: `airlift-${id}`, pid: 1, slots: SLOTS, queues: "q" },
      ...{ maxClaimBytes: 1_000, failedQueues: false, maxFailed: 0, registry: createRegistry([]) },
      single: { name: "default", ttlMs: 60_000 },
      nowMs: Date.now,
      random: () => 0.5,
    });
    const free = new Set(Array.from({ length: SLOTS }, (_, slot) => slot));
    const caller: Caller = {
      ...{ id, store, hasEntered: false, isLost: false, free, held: [], seq: 0 },
      ...{ pending: undefined, isClosing: false, fate: "delivered" },
    };
    return caller;
  }

  async #carry(caller: Caller, letter: Letter): Promise<unknown> {
    const { fate } = caller;
    if (fate === "request-late") this.#late.push(letter);
    if (fate === "request-lost" || fate === "request-late") throw new StoreError("unavailable", "the request was lost");
    const reply = await this.#deliver(letter);
    if (fate === "reply-lost") throw new StoreError("unavailable", "the reply was lost");
    return reply;
  }

  /** Nobody claims but the drain whose id the lease bore when the request arrived. */
  async #deliver(letter: Letter): Promise<unknown> {
    this.#arrived.push(letter);
    const holder = await this.#redis.get(lease);
    const reply = await letter.deliver();
    const slots = (await this.#redis.keys("resque:worker:*")).filter((key) => !key.endsWith(":started"));
    for (const entry of slots.length > 0 ? await this.#redis.mget(slots) : []) {
      const token = /^\{"claim":"([^"]*)"/.exec(entry ?? "")?.[1];
      if (token === undefined || this.#tokens.has(token)) continue;
      this.#tokens.add(token);
      const claimer = token.split(".")[0] as string;
      if (claimer !== holder) throw new Error(`${claimer} has claimed while the lease was ${holder ?? "nobody"}'s`);
      this.claims++;
      if (claimer !== this.#lastClaimer) this.turns++;
      this.#lastClaimer = claimer;
    }
    return reply;
  }

  async #step(step: SingleStep): Promise<void> {
    const index = "drain" in step ? step.drain : 0;
    const caller = this.#callers[index] as Caller;
    switch (step.kind) {
      case "enqueue":
        for (let n = 0; n < step.jobs; n++) {
          await this.#redis.rpush(keys.queue("q"), `{"class":"Job","args":[${++this.#jobs}]}`);
        }
        return;
      case "enter":
        if (caller.hasEntered) return;
        caller.hasEntered = (await this.#send(caller, step.fate, async () => caller.store.enter?.())) ?? false;
        return;
      case "exchange":
        if (caller.hasEntered && !caller.isClosing) await this.#exchange(caller, step);
        return;
      case "close":
        if (!caller.hasEntered) return;
        caller.isClosing = true;
        if (await this.#send(caller, step.fate, () => caller.store.close())) this.#callers[index] = this.#open();
        return;
      case "crash":
        this.#callers[index] = this.#open();
        return;
      case "freeze":
        return this.#freeze();
      case "recover":
        for (const dead of (await caller.store.survey()).dead) await caller.store.recover(dead);
        return;
      case "arrive": {
        const [old] = this.#late.splice(-1 - (step.ago % Math.max(1, this.#late.length)), 1);
        if (old) await this.#deliver(old);
        return;
      }
      case "duplicate": {
        const old = this.#arrived[this.#arrived.length - 1 - (step.ago % Math.max(1, this.#arrived.length))];
        if (old) await this.#deliver(old);
        return;
      }
    }
  }

  async #exchange(caller: Caller, step: Extract<SingleStep, { kind: "exchange" }>): Promise<void> {
    const { params, attempt } = caller.pending ?? { params: this.#newExchange(caller, step), attempt: 1 };
    caller.pending = { params, attempt: attempt + 1 };
    const result = await this.#send(caller, step.fate, () => caller.store.exchange({ ...params, attempt }));
    if (!result) return;
    caller.pending = undefined;
    for (const { claim } of params.settle) caller.free.add(claim.slot);
    for (const slot of params.fill) caller.free.add(slot);
    for (const claim of result.claims) {
      caller.free.delete(claim.slot);
      caller.held.push(claim);
    }
    // From here on core/exchange-loop.ts gives back what it holds, and claims no more.
    caller.isLost ||= !result.isRegistered;
  }

  #newExchange(caller: Caller, step: Extract<SingleStep, { kind: "exchange" }>): ExchangeParams {
    const settled = caller.held.splice(0, caller.isLost ? SLOTS : step.settle);
    const settle = settled.map((claim) => ({ claim, outcome: caller.isLost ? RELEASED : OK }));
    const fill = caller.isLost ? [] : [...settled.map(({ slot }) => slot), ...caller.free].slice(0, step.fill);
    for (const slot of fill) caller.free.delete(slot);
    return { seq: ++caller.seq, attempt: 1, settle, fill, ...(step.beats && { beat: [] }) };
  }

  async #freeze(): Promise<void> {
    await this.#redis.del(lease);
    for (const member of await this.#redis.zrange(keys.drains, 0, -1)) await this.#redis.zadd(keys.drains, 1, member);
  }

  async #send<T>(caller: Caller, fate: Fate, call: () => Promise<T>): Promise<T | undefined> {
    caller.fate = fate;
    try {
      return await call();
    } catch (error) {
      if (error instanceof StoreError && error.reason === "unavailable") return undefined;
      throw error;
    } finally {
      caller.fate = "delivered";
    }
  }
}
