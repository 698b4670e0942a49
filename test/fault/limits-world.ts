import type { Redis } from "ioredis";
import { StoreError } from "../../src/core/errors.ts";
import type { LimitOptions } from "../../src/core/limit.ts";
import { OK, type Outcome, RELEASED, REQUEUED } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, Detached, DrainStore, ExchangeParams, Settlement } from "../../src/core/store.ts";
import { removeRetries, runRetries } from "../../src/resque/admin/retries.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import type { DeadRedisDrain } from "../../src/resque/dead-drain.ts";
import { type DrainKeys, drainKeys } from "../../src/resque/drain-identity.ts";
import { createKeys, type Keys } from "../../src/resque/keys.ts";
import { createQueueSelector } from "../../src/resque/queue-selector.ts";
import { createRedisStore } from "../../src/resque/redis-store.ts";
import { carriedClient, type Letter } from "./carried-client.ts";
import { idIn } from "./payload-forms.ts";

export type LimitedClass = "One" | "Tenant" | "Rate" | "Both" | "Free";
export type LimitFate = "delivered" | "request-lost" | "request-late" | "reply-lost";
type Ended = "ok" | "released" | "requeued" | "detached" | "detached-briefly";

export type LimitStep =
  | { readonly kind: "enqueue"; readonly queue: number; readonly jobs: readonly (readonly [LimitedClass, number])[] }
  | {
      readonly kind: "exchange";
      readonly drain: number;
      readonly outcomes: readonly (Ended | null)[];
      readonly fill: number;
      readonly beats: boolean;
      readonly fate: LimitFate;
    }
  | { readonly kind: "close"; readonly drain: number; readonly fate: LimitFate }
  /** The drain speaks no more. */
  | { readonly kind: "crash"; readonly drain: number }
  /** The lease of a drain that may only be late has just ended. */
  | { readonly kind: "oversleep"; readonly drain: number }
  /** The lease of every drain that crashed has ended long since. */
  | { readonly kind: "expire" }
  | { readonly kind: "recover"; readonly drain: number }
  /** A receiver tells how its job ended, or tells it again. */
  | {
      readonly kind: "acknowledge";
      readonly ago: number;
      readonly outcome: "ok" | "released" | "requeued" | "postponed";
      readonly fate: LimitFate;
    }
  /** What is due goes back to its queue. */
  | { readonly kind: "promote"; readonly drain: number }
  /** Someone makes all that waits due, or removes it. */
  | { readonly kind: "admin"; readonly change: "run" | "remove" }
  /** A late request arrives. */
  | { readonly kind: "arrive"; readonly ago: number };

const PERIOD_MS = 15;
const OUTCOMES: Readonly<Record<Ended | "postponed", Outcome>> = {
  ...{ ok: OK, released: RELEASED, requeued: REQUEUED, postponed: { kind: "postponed", afterMs: 5 } },
  detached: { kind: "detached", afterMs: 60_000, dispatch: async () => undefined },
  "detached-briefly": { kind: "detached", afterMs: 5, dispatch: async () => undefined },
};
const rate = (jobs: number): NonNullable<LimitOptions["rate"]> => ({ jobs, periodMs: PERIOD_MS });
/** Two versions of one app. */
const VERSIONS: readonly Readonly<Partial<Record<LimitedClass, LimitOptions>>>[] = [
  {
    One: { running: 1 },
    Tenant: { running: 2, by: [1, "t"] },
    Rate: { rate: rate(3) },
    Both: { running: 2, rate: rate(3) },
  },
  {
    One: { running: 1 },
    Tenant: { running: 1, by: [1, "t"] },
    Rate: { rate: rate(2) },
    Both: { running: 3, rate: rate(3) },
  },
];
const SELECTORS = [["a", "b"], ["*"], ["b=3", "a"]] as const;
export const LIMITED_DRAINS: number = SELECTORS.length;
const QUEUES = ["a", "b"] as const;
const SLOTS = 3;

interface Caller {
  readonly id: string;
  readonly member: string;
  readonly own: DrainKeys;
  readonly store: DrainStore<DeadRedisDrain>;
  readonly limits: (typeof VERSIONS)[number];
  readonly free: Set<number>;
  held: Claim[];
  seq: number;
  /** Sent, not answered: nothing else may be sent but the same again, or a close. */
  pending: { readonly params: ExchangeParams; readonly attempt: number } | undefined;
  isClosing: boolean;
  isCrashed: boolean;
  /** It looks at a queue only until it has seen each job that was there once. */
  hasRequeued: boolean;
  fate: LimitFate;
}

interface Job {
  readonly class: LimitedClass;
  readonly tenant: number;
}

/** What is in Redis at one moment. */
interface Picture {
  readonly queues: ReadonlyMap<string, readonly number[]>;
  /** Drain's id → slot → job. */
  readonly slots: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly running: Readonly<Record<string, string>>;
  readonly drains: ReadonlyMap<string, number>;
  /** Id of the entry of a detached job that waits → job. */
  readonly detached: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

/** Drains of an app with limits, its producer and an unreliable network, on one real Redis; every step is checked from outside. */
export class LimitsWorld {
  readonly #redis: Redis;
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #all: Caller[] = [];
  readonly #callers: Caller[];
  readonly #jobs = new Map<number, Job>();
  readonly #late: { readonly letter: Letter; readonly caller: Caller }[] = [];
  /** Starts of jobs of a rate: between which two moments, by Redis' clock. */
  readonly #starts: { readonly job: Job; readonly fromMs: number; readonly toMs: number }[] = [];
  readonly #detached: { readonly caller: Caller; readonly detached: Detached }[] = [];
  /** Id of the entry of a detached job → when its lease ends. */
  readonly #leaseEnds = new Map<string, number>();
  #before: Picture | undefined;
  /** Just before the last request was carried out, by Redis' clock. */
  #sentMs = 0;

  constructor(redis: Redis, client: RedisClient, namespace: string) {
    this.#redis = redis;
    this.#client = client;
    this.#keys = createKeys(namespace);
    this.#callers = SELECTORS.map((_, index) => this.#open(index));
  }

  async run(steps: readonly LimitStep[]): Promise<void> {
    this.#before = await this.#look();
    for (const step of steps) await this.#step(step);
  }

  /** All drains die, and one good drain does what is left. Returns the keys that it leaves beside those that a Resque always has. */
  async finish(): Promise<string[]> {
    for (const caller of this.#callers) caller.isCrashed = true;
    await this.#expire();
    const last = this.#open(0);
    for (const dead of (await last.store.survey()).dead) await last.store.recover(dead);
    await runRetries(this.#context(), { all: true });
    while ((await this.#redis.zcard(this.#keys.retries)) > 0) await last.store.promote();
    this.#before = await this.#look();
    for (let exchanges = 0; ; exchanges++) {
      if (exchanges > 1_000) throw new Error("jobs are left that never start");
      const step = { outcomes: Array<Ended>(SLOTS).fill("ok"), fill: SLOTS, beats: false };
      const freesInMs = await this.#exchange(last, { ...step, fate: "delivered" });
      if (last.held.length > 0) continue;
      if (freesInMs === undefined) break;
      await new Promise((resolve) => setTimeout(resolve, freesInMs));
    }
    await last.store.close();
    const { queues, processed, failures, starts } = this.#keys;
    if ((await this.#redis.pttl(starts)) === -1) throw new Error("the starts would be kept for ever");
    const usual = [queues, processed, failures, starts];
    return (await this.#redis.keys(`${processed.replace("stat:processed", "")}*`)).filter(
      (key) => !usual.includes(key),
    );
  }

  #open(index: number): Caller {
    const id = `d${this.#all.length}`;
    const limits = VERSIONS[index % VERSIONS.length] as Caller["limits"];
    const selector = createQueueSelector(SELECTORS[index] ?? ["*"]);
    const description = { id, host: `airlift-${id}`, pid: 1, slots: SLOTS, queues: selector.label };
    const registry = createRegistry(
      Object.entries(limits).map(([name, limit]) => ({ class: name, limit, perform: () => undefined })),
    );
    const store = createRedisStore({
      client: carriedClient(this.#client, (letter) => this.#carry(caller, letter)),
      ...{ keys: this.#keys, description, selector, registry, leaseMs: 60_000, crashLimit: 1_000 },
      ...{ onlyClasses: undefined, bigIntegers: "bigint", failedQueues: false, maxFailed: 0, maxClaimBytes: 4_000_000 },
      nowMs: Date.now,
      random: () => 0.5,
    });
    const caller: Caller = {
      ...{ id, store, limits, member: JSON.stringify(description), own: drainKeys(description, this.#keys) },
      free: new Set(Array.from({ length: SLOTS }, (_, slot) => slot)),
      ...{
        held: [],
        seq: 0,
        pending: undefined,
        isClosing: false,
        isCrashed: false,
        hasRequeued: false,
        fate: "delivered",
      },
    };
    this.#all.push(caller);
    return caller;
  }

  async #step(step: LimitStep): Promise<void> {
    const index = "drain" in step ? step.drain % LIMITED_DRAINS : 0;
    const caller = this.#callers[index] as Caller;
    switch (step.kind) {
      case "enqueue": {
        const queue = QUEUES[step.queue % QUEUES.length] ?? "a";
        const payloads = step.jobs.map(([name, tenant]) => {
          const id = this.#jobs.size + 1;
          this.#jobs.set(id, { class: name, tenant });
          return `{"class":"${name}","args":["#${id}#",{"t":"t${tenant}"}]}`;
        });
        await this.#redis
          .multi()
          .sadd(this.#keys.queues, queue)
          .rpush(this.#keys.queue(queue), ...payloads)
          .exec();
        this.#before = await this.#look();
        return;
      }
      case "exchange":
        if (!caller.isClosing) await this.#exchange(caller, step);
        return;
      case "close":
        caller.isClosing = true;
        if (!(await this.#send(caller, step.fate, () => caller.store.close()))) return;
        // Its first request may still arrive, and register it once more.
        caller.isCrashed = true;
        this.#callers[index] = this.#open(index);
        return;
      case "crash":
        caller.isCrashed = true;
        this.#callers[index] = this.#open(index);
        return;
      case "oversleep":
        await this.#redis.zadd(this.#keys.drains, "XX", Date.now() - 5, caller.member);
        return;
      case "expire":
        return this.#expire();
      case "recover": {
        caller.fate = "delivered";
        const { dead } = await caller.store.survey();
        for (const drain of dead) await this.#send(caller, "delivered", () => caller.store.recover(drain));
        return;
      }
      case "acknowledge": {
        const told = this.#detached.at(-1 - (step.ago % Math.max(1, this.#detached.length)));
        if (!told) return;
        const { ack, settlement } = told.detached;
        const ended = { ...settlement, outcome: OUTCOMES[step.outcome] };
        await this.#send(told.caller, step.fate, () => told.caller.store.settleDetached(ack, ended));
        return;
      }
      case "promote":
        await this.#send(caller, "delivered", () => caller.store.promote());
        return;
      case "admin": {
        const change = step.change === "run" ? runRetries : removeRetries;
        await change(this.#context(), { all: true });
        this.#before = await this.#look();
        this.#checkPlaces(this.#before);
        return;
      }
      case "arrive": {
        const [old] = this.#late.splice(-1 - (step.ago % Math.max(1, this.#late.length)), 1);
        if (old) await this.#deliver(old.letter, old.caller);
      }
    }
  }

  #context() {
    return { client: this.#client, keys: this.#keys, nowMs: Date.now };
  }

  async #expire(): Promise<void> {
    for (const { isCrashed, member } of this.#all) {
      if (isCrashed) await this.#redis.zadd(this.#keys.drains, "XX", 1, member);
    }
  }

  async #exchange(
    caller: Caller,
    step: Omit<Extract<LimitStep, { kind: "exchange" }>, "kind" | "drain">,
  ): Promise<number | undefined> {
    const { params, attempt } = caller.pending ?? { params: this.#newExchange(caller, step), attempt: 1 };
    caller.pending = { params, attempt: attempt + 1 };
    const result = await this.#send(caller, step.fate, () => caller.store.exchange({ ...params, attempt }));
    if (!result) return undefined;
    caller.pending = undefined;
    for (const { claim } of params.settle) caller.free.add(claim.slot);
    for (const slot of params.fill) caller.free.add(slot);
    for (const detached of result.detached ?? []) this.#detached.push({ caller, detached });
    for (const claim of result.claims) {
      caller.free.delete(claim.slot);
      caller.held.push(claim);
    }
    const isTold = result.isRegistered && result.isDrained && params.fill.length > 0;
    if (isTold && !caller.hasRequeued) this.#checkNoneIsPassedOver(caller);
    return result.isLimited ? (result.freesInMs ?? 1) : undefined;
  }

  #newExchange(
    caller: Caller,
    step: Pick<Extract<LimitStep, { kind: "exchange" }>, "outcomes" | "fill" | "beats">,
  ): ExchangeParams {
    const settle: Settlement[] = [];
    const goesOn: Claim[] = [];
    for (const [index, claim] of caller.held.entries()) {
      const kind = step.outcomes[index];
      if (kind === "requeued") caller.hasRequeued = true;
      if (kind) settle.push({ claim, outcome: OUTCOMES[kind] });
      else goesOn.push(claim);
    }
    caller.held = goesOn;
    const fill = [...settle.map(({ claim }) => claim.slot), ...caller.free].slice(0, step.fill);
    for (const slot of fill) caller.free.delete(slot);
    return { seq: ++caller.seq, attempt: 1, settle, fill, ...(step.beats && { beat: [] }) };
  }

  async #send<T>(caller: Caller, fate: LimitFate, call: () => Promise<T>): Promise<T | undefined> {
    caller.fate = fate;
    try {
      return await call();
    } catch (error) {
      if (error instanceof StoreError && error.reason === "unavailable") return undefined;
      throw error;
    }
  }

  async #carry(caller: Caller, letter: Letter): Promise<unknown> {
    const { fate } = caller;
    if (fate === "request-late") this.#late.push({ letter, caller });
    if (fate === "request-lost" || fate === "request-late") throw new StoreError("unavailable", "the request was lost");
    const reply = await this.#deliver(letter, caller);
    if (fate === "reply-lost") throw new StoreError("unavailable", "the reply was lost");
    return reply;
  }

  async #deliver(letter: Letter, caller: Caller): Promise<unknown> {
    const fromMs = await this.#nowMs();
    this.#sentMs = fromMs;
    const reply = await letter.deliver();
    const before = this.#before as Picture;
    const after = await this.#look();
    this.#before = after;
    if (letter.names.includes("exchange")) {
      this.#checkOrder(before, after);
      this.#checkStarts(caller, before, after, fromMs);
    }
    this.#checkPlaces(after);
    return reply;
  }

  async #nowMs(): Promise<number> {
    const [seconds, micros] = await this.#redis.time();
    return Number(seconds) * 1_000 + Number(micros) / 1_000;
  }

  async #look(): Promise<Picture> {
    const { drains, running, retries } = this.#keys;
    const slotKeys = this.#all.flatMap(({ own }) => own.slots);
    const pipeline = this.#redis.pipeline().hgetall(running).zrange(drains, 0, -1, "WITHSCORES").mget(slotKeys);
    pipeline.zrange(retries, 0, -1, "WITHSCORES");
    for (const queue of QUEUES) pipeline.lrange(this.#keys.queue(queue), 0, -1);
    const [fields, flat, entries, waiting, ...lists] = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
    const texts = entries as (string | null)[];
    const slots = this.#all.map(({ id, own }, index) => {
      const held = own.slots.flatMap((_, slot) => {
        const job = idIn(texts[index * SLOTS + slot] ?? "");
        return job === undefined ? [] : [[slot, job] as const];
      });
      return [id, new Map(held)] as const;
    });
    const members = flat as string[];
    const leases = members.flatMap((member, i) =>
      i % 2 === 0 ? [[JSON.parse(member).id, Number(members[i + 1])] as const] : [],
    );
    const detached = new Map<string, number>();
    for (const [i, member] of (waiting as string[]).entries()) {
      const id = /^\{"id":"([^"]*)".*"detached":true/.exec(member)?.[1];
      if (i % 2 !== 0 || id === undefined) continue;
      detached.set(id, idIn(member) ?? -1);
      if (!this.#leaseEnds.has(id)) this.#leaseEnds.set(id, Number((waiting as string[])[i + 1]));
    }
    return {
      detached,
      queues: new Map(QUEUES.map((queue, i) => [queue, (lists[i] as string[]).map((raw) => idIn(raw) ?? -1)])),
      slots: new Map(slots),
      running: fields as Record<string, string>,
      drains: new Map(leases as [string, number][]),
      nowMs: await this.#nowMs(),
    };
  }

  #nameOf(id: number, limits: Caller["limits"]): string | undefined {
    const job = this.#jobs.get(id) as Job;
    if (limits[job.class]?.running === undefined) return undefined;
    return `${job.class}\n${job.class === "Tenant" ? `t${job.tenant}` : ""}`;
  }

  /** A place for each job that is in a slot, and for each that is detached until its lease ends, and none for any other. */
  #checkPlaces({ slots, running, drains, detached, nowMs }: Picture): void {
    const expected: Record<string, string> = {};
    for (const { id, limits } of this.#all) {
      for (const [slot, job] of slots.get(id) ?? []) {
        const name = this.#nameOf(job, limits);
        if (name !== undefined && drains.has(id)) expected[`${id}.${slot}`] = name;
      }
    }
    for (const [id, job] of detached) {
      const { limits } = this.#all.find((caller) => id.startsWith(`${caller.id}.`)) as Caller;
      const name = this.#nameOf(job, limits);
      const endMs = this.#leaseEnds.get(id) as number;
      if (name !== undefined && (endMs > nowMs || id in running)) expected[id] = `${name}\n${endMs}`;
    }
    const same = (a: object, b: object) =>
      JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
    if (!same(expected, running))
      throw new Error(`places ${JSON.stringify(running)}, jobs ${JSON.stringify(expected)}`);
  }

  #checkStarts(caller: Caller, before: Picture, after: Picture, fromMs: number): void {
    const wasThere = new Set([...(before.slots.get(caller.id) ?? new Map<number, number>()).values()]);
    const started = [...(after.slots.get(caller.id) ?? new Map<number, number>()).values()].filter(
      (id) => !wasThere.has(id),
    );
    for (const id of started) {
      const job = this.#jobs.get(id) as Job;
      const limit = caller.limits[job.class];
      const name = this.#nameOf(id, caller.limits);
      if (limit?.running !== undefined && name !== undefined) {
        const count = this.#countRunning(after, name, after.nowMs);
        if (count > limit.running)
          throw new Error(`${count} of ${JSON.stringify(name)} run, at most ${limit.running} may`);
      }
      if (limit?.rate) this.#noteStart(job, { fromMs, toMs: after.nowMs }, limit.rate);
    }
  }

  #noteStart(
    job: Job,
    { fromMs, toMs }: { fromMs: number; toMs: number },
    { jobs, periodMs }: { jobs: number; periodMs: number },
  ): void {
    this.#starts.push({ job, fromMs, toMs });
    const same = this.#starts.filter((start) => start.job.class === job.class);
    const first = same.at(-1 - jobs);
    if (first && toMs - first.fromMs < periodMs) {
      throw new Error(
        `${jobs + 1} of ${job.class} started within ${toMs - first.fromMs} ms, at most ${jobs} may in ${periodMs} ms`,
      );
    }
  }

  /** Of drains whose leases have not ended long since, and of detached jobs whose leases have not ended. */
  #countRunning({ slots, drains, detached }: Picture, name: string, nowMs: number): number {
    let count = 0;
    for (const { id, limits } of this.#all) {
      if ((drains.get(id) ?? 0) + 60_000 < nowMs) continue;
      for (const job of slots.get(id)?.values() ?? []) if (this.#nameOf(job, limits) === name) count++;
    }
    for (const [id, job] of detached) {
      const { limits } = this.#all.find((caller) => id.startsWith(`${caller.id}.`)) as Caller;
      if ((this.#leaseEnds.get(id) as number) > nowMs && this.#nameOf(job, limits) === name) count++;
    }
    return count;
  }

  /** What stays in a queue stays in its order, and of each name the first are taken. */
  #checkOrder(before: Picture, after: Picture): void {
    for (const queue of QUEUES) {
      const old = before.queues.get(queue) ?? [];
      const now = after.queues.get(queue) ?? [];
      const isLeft = new Set(now);
      const wasThere = new Set(old);
      const left = old.filter((id) => isLeft.has(id));
      const stayed = now.filter((id) => wasThere.has(id));
      if (left.join() !== stayed.join()) throw new Error(`of queue ${queue} ${old} was left ${now}`);
      const seen = new Set<string>();
      for (const id of old) {
        const { class: name, tenant } = this.#jobs.get(id) as Job;
        const key = name === "Tenant" ? `${name}${tenant}` : name;
        if (isLeft.has(id)) seen.add(key);
        else if (seen.has(key)) throw new Error(`job ${id} was taken before another of ${key}`);
      }
    }
  }

  /** A drain that is told that there is no more has left only jobs that limits hold back. */
  #checkNoneIsPassedOver(caller: Caller): void {
    const picture = this.#before as Picture;
    for (const id of [...picture.queues.values()].flat()) {
      const { class: className } = this.#jobs.get(id) as Job;
      const { running, rate: limitingRate } = caller.limits[className] ?? {};
      const name = this.#nameOf(id, caller.limits);
      const isFull =
        running !== undefined && name !== undefined && this.#countRunning(picture, name, this.#sentMs) >= running;
      if (!isFull && !limitingRate) throw new Error(`job ${id} of ${className} was passed over`);
    }
  }
}
