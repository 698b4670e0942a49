import type { Redis } from "ioredis";
import { StoreError } from "../../src/core/errors.ts";
import { OK, type Outcome, RELEASED, REQUEUED } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, DrainStore, ExchangeParams, Settlement } from "../../src/core/store.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { DeadRedisDrain } from "../../src/resque/dead-drain.ts";
import { type DrainDescription, drainKeys } from "../../src/resque/drain-identity.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { createQueueSelector } from "../../src/resque/queue-selector.ts";
import { createRedisStore } from "../../src/resque/redis-store.ts";
import { carriedClient, type Letter } from "./carried-client.ts";
import { type Cause, Ledger, QUEUES } from "./ledger.ts";
import { idIn, payloadBytes } from "./payload-forms.ts";

/** What happens to a request: it arrives and is answered; it never arrives, or later than its sender waits; its answer is lost. */
export type Fate = "delivered" | "request-lost" | "request-late" | "reply-lost";

export type Step =
  | { readonly kind: "enqueue"; readonly queue: number; readonly forms: readonly number[] }
  | {
      readonly kind: "exchange";
      readonly drain: number;
      /** For each claim held, oldest first; null and none: it goes on running. */
      readonly outcomes: readonly (Outcome["kind"] | null)[];
      readonly fill: number;
      readonly beats: boolean;
      readonly fate: Fate;
    }
  | { readonly kind: "close"; readonly drain: number; readonly fate: Fate }
  | { readonly kind: "crash"; readonly drain: number }
  | { readonly kind: "expire"; readonly drain: number }
  | { readonly kind: "recover"; readonly drain: number; readonly meanwhile: readonly Step[]; readonly fate: Fate }
  /** A late request arrives, long after its sender has repeated it, closed or died; counted from the latest. */
  | { readonly kind: "arrive"; readonly ago: number }
  /** A request that has arrived arrives once more, as it is; a claiming one only of a drain that is over, if not said otherwise. */
  | { readonly kind: "duplicate"; readonly ago: number; readonly evenOfLiving?: true };

const SLOTS = 3;
const CRASH_LIMIT = 2;
const SELECTORS = [["a", "b"], ["*"], ["b=3", "a"]] as const;
const ONLY_CLASSES = [undefined, undefined, ["Job"]] as const;
export const DRAINS: number = SELECTORS.length;

const keys = createKeys();

/** One drain as its caller sees it: what core/exchange-loop.ts would remember. */
interface Caller {
  readonly id: string;
  readonly store: DrainStore<DeadRedisDrain>;
  readonly member: string;
  readonly free: Set<number>;
  held: Claim[];
  seq: number;
  /** Sent, not answered: nothing else may be sent but the same again, or a close. */
  pending: { readonly params: ExchangeParams; readonly attempt: number } | undefined;
  isClosing: boolean;
  fates: Fate[];
  cause: Cause;
  beforeRecovery: (() => Promise<void>) | undefined;
}

/** A request, and what its sender meant it to do. */
interface Sent {
  readonly letter: Letter;
  readonly caller: Caller;
  readonly cause: Cause;
}

/** Some drains, their producer and an unreliable network, on one real Redis. */
export class World {
  readonly #redis: Redis;
  readonly #client: RedisClient;
  #late: Sent[] = [];
  #arrived: Sent[] = [];
  readonly #callers: Caller[];
  readonly ledger: Ledger;
  #nextId = 1;
  #nextDrain = 1;

  constructor(redis: Redis, client: RedisClient) {
    this.#redis = redis;
    this.#client = client;
    this.ledger = new Ledger(redis, CRASH_LIMIT);
    this.#callers = SELECTORS.map((_, index) => this.#open(index));
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step);
  }

  /** Every lease ends, and one good drain does what is left. */
  async finish(): Promise<void> {
    const last = this.#open(0, true);
    const drains = await this.#redis.zrange(keys.drains, 0, -1);
    for (const member of drains) await this.#redis.zadd(keys.drains, "XX", 1, member);
    for (;;) {
      last.cause = { kind: "recover" };
      const { dead } = await last.store.survey();
      if (dead.length === 0) break;
      for (const drain of dead) await last.store.recover(drain);
    }
    do await this.#exchange(last, { outcomes: Array(SLOTS).fill("ok"), fill: SLOTS, beats: false, fate: "delivered" });
    while (last.held.length > 0);
    await this.#close(last, "delivered");
  }

  #open(index: number, isLast = false): Caller {
    const id = `d${this.#nextDrain++}`;
    const selector = createQueueSelector(SELECTORS[index] ?? ["*"]);
    const description: DrainDescription = { id, host: `airlift-${id}`, pid: 1, slots: SLOTS, queues: selector.label };
    const store = createRedisStore({
      client: carriedClient(this.#client, (letter) => this.#carry(caller, letter)),
      ...{ keys, description, selector, leaseMs: 60_000, crashLimit: CRASH_LIMIT, bigIntegers: "bigint" },
      onlyClasses: isLast ? undefined : ONLY_CLASSES[index],
      ...{ maxClaimBytes: 120, failedQueues: false, maxFailed: 0, registry: createRegistry([]) },
      nowMs: Date.now,
      random: () => 0.5,
    });
    const caller: Caller = {
      ...{ id, store, held: [], seq: 0, pending: undefined, isClosing: false, fates: [], cause: { kind: "read" } },
      member: JSON.stringify(description),
      free: new Set(Array.from({ length: SLOTS }, (_, slot) => slot)),
      beforeRecovery: undefined,
    };
    const slots = drainKeys(description, keys).slots;
    this.ledger.watch(slots.map((key, slot) => ({ drain: id, slot, key })));
    return caller;
  }

  async #carry(caller: Caller, letter: Letter): Promise<unknown> {
    const { cause } = caller;
    if (letter.names.includes("recover-drain")) await caller.beforeRecovery?.();
    const fate = caller.fates.shift() ?? "delivered";
    if (fate === "request-late") this.#late.push({ letter, caller, cause });
    if (fate === "request-lost" || fate === "request-late") throw new StoreError("unavailable", "the request was lost");
    const reply = await this.#deliver({ letter, caller, cause });
    if (fate === "reply-lost") throw new StoreError("unavailable", "the reply was lost");
    return reply;
  }

  async #deliver(sent: Sent): Promise<unknown> {
    this.#arrived.push(sent);
    const reply = await sent.letter.deliver();
    await this.ledger.check(sent.cause);
    return reply;
  }

  async #step(step: Step): Promise<void> {
    const index = "drain" in step ? step.drain % DRAINS : 0;
    const caller = this.#callers[index] as Caller;
    switch (step.kind) {
      case "enqueue":
        for (const form of step.forms) {
          const id = this.#nextId++;
          await this.ledger.enqueue(QUEUES[step.queue % QUEUES.length] ?? "a", id, payloadBytes(form, id));
        }
        return;
      case "exchange":
        if (!caller.isClosing) await this.#exchange(caller, step);
        return;
      case "close":
        if (await this.#close(caller, step.fate)) this.#callers[index] = this.#open(index);
        return;
      case "crash":
        this.#callers[index] = this.#open(index);
        return;
      case "expire":
        await this.#redis.zadd(keys.drains, "XX", 1, caller.member);
        return;
      case "recover":
        return this.#recover(caller, step.meanwhile, step.fate);
      case "arrive": {
        const [old] = this.#late.splice(-1 - (step.ago % Math.max(1, this.#late.length)), 1);
        if (old) await this.#deliver(old);
        return;
      }
      case "duplicate": {
        const old = this.#arrived[this.#arrived.length - 1 - (step.ago % Math.max(1, this.#arrived.length))];
        if (!old) return;
        if (mayClaim(old.cause) && !step.evenOfLiving) {
          // Airlift sends no request twice. Should a proxy, its claims bear the token of the first copy's as long as no job has
          // ended since, and a job that was given back has not: so here such a copy is the last that arrives of its drain.
          if (this.#callers.includes(old.caller)) return;
          this.#late = this.#late.filter(({ caller }) => caller !== old.caller);
          this.#arrived = this.#arrived.filter(({ caller }) => caller !== old.caller);
        }
        await this.#deliver(old);
        return;
      }
    }
  }

  async #exchange(caller: Caller, step: Omit<Extract<Step, { kind: "exchange" }>, "kind" | "drain">): Promise<void> {
    const { params, attempt } = caller.pending ?? { params: this.#newExchange(caller, step), attempt: 1 };
    caller.pending = { params, attempt: attempt + 1 };
    caller.cause = { kind: "exchange", drain: caller.id, settle: params.settle, fill: params.fill };
    const settled = await this.#send(caller, step.fate, () => caller.store.exchange({ ...params, attempt }));
    if (!settled) return;
    caller.pending = undefined;
    for (const { claim } of params.settle) caller.free.add(claim.slot);
    for (const slot of params.fill) caller.free.add(slot);
    for (const claim of settled.claims) {
      if (!caller.free.delete(claim.slot))
        throw new Error(`${caller.id} was given a job for slot ${claim.slot}, which is not free`);
      caller.held.push(claim);
    }
    for (const { claim, outcome } of params.settle) {
      const id = idIn(claim.job.raw) ?? -1;
      const isOver = ["done", "failed"].includes(this.ledger.placeOf(id) ?? "");
      const isLost = settled.lost.some((lost) => lost.claim === claim);
      const shouldBeOver = outcome.kind === "ok" || outcome.kind === "failed";
      if (!isLost && shouldBeOver && !isOver) throw new Error(`${caller.id} was not told that job ${id} was lost`);
    }
  }

  #newExchange(
    caller: Caller,
    step: Pick<Extract<Step, { kind: "exchange" }>, "outcomes" | "fill" | "beats">,
  ): ExchangeParams {
    const settle: Settlement[] = [];
    const running: Claim[] = [];
    for (const [index, claim] of caller.held.entries()) {
      const kind = step.outcomes[index];
      if (kind) settle.push({ claim, outcome: outcomeOf(kind) });
      else running.push(claim);
    }
    caller.held = running;
    const fill = [...settle.map(({ claim }) => claim.slot), ...caller.free].slice(0, step.fill);
    for (const slot of fill) caller.free.delete(slot);
    const beat = step.beats ? { beat: settle.map(({ claim }) => ({ slot: claim.slot, processed: 1, failed: 0 })) } : {};
    return { seq: ++caller.seq, attempt: 1, settle, fill, ...beat };
  }

  async #close(caller: Caller, fate: Fate): Promise<boolean> {
    caller.isClosing = true;
    caller.cause = { kind: "close", drain: caller.id };
    if (!(await this.#send(caller, fate, () => caller.store.close()))) return false;
    const kept = this.ledger.idsIn(`slot:${caller.id}:`);
    if (kept.length > 0) throw new Error(`${caller.id} has closed and keeps ${kept}`);
    return true;
  }

  async #recover(caller: Caller, meanwhile: readonly Step[], fate: Fate): Promise<void> {
    caller.cause = { kind: "recover" };
    const { dead } = await caller.store.survey();
    let rest = meanwhile;
    caller.beforeRecovery = async () => {
      const { cause } = caller;
      const steps = rest;
      rest = [];
      // A drain does one thing at a time.
      await this.run(steps.filter((step) => !("drain" in step) || this.#callers[step.drain % DRAINS] !== caller));
      caller.cause = cause;
    };
    for (const drain of dead) {
      caller.cause = { kind: "recover" };
      // The fate is the second request's: the first only reads.
      caller.fates = ["delivered"];
      await this.#send(caller, "delivered", async () => {
        caller.fates = ["delivered", fate];
        return caller.store.recover(drain);
      });
    }
    caller.beforeRecovery = undefined;
    caller.fates = [];
  }

  async #send<T>(caller: Caller, fate: Fate, call: () => Promise<T>): Promise<T | undefined> {
    caller.fates = [fate];
    try {
      return await call();
    } catch (error) {
      if (error instanceof StoreError && error.reason === "unavailable") return undefined;
      throw error;
    }
  }
}

function mayClaim(cause: Cause): boolean {
  return cause.kind === "exchange" && cause.fill.length > 0;
}

function outcomeOf(kind: Outcome["kind"]): Outcome {
  switch (kind) {
    case "ok":
      return OK;
    case "released":
      return RELEASED;
    case "requeued":
      return REQUEUED;
    case "failed":
      return {
        kind,
        failure: { exception: "Declined", message: 'no "money"\nleft é', backtrace: ["at pay (pay.ts:1:1)"] },
      };
    default:
      throw new Error(`no ${kind} in this world`);
  }
}
