import { expect } from "vitest";
import type { Airlift } from "../../src/airlift.ts";
import { StoreError } from "../../src/core/errors.ts";
import { defineJob } from "../../src/core/job.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim } from "../../src/core/store.ts";
import { removeQueuedJobs } from "../../src/resque/admin/change-queue.ts";
import { cancelDelayed } from "../../src/resque/cancel-delayed.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { promoteDue } from "../../src/resque/promote.ts";
import { freeLocks, lockOf, type UniqueLock } from "../../src/resque/unique-lock.ts";
import { failed, type TestDrain } from "../conformance/world.ts";
import { type AppWorld, type Fate, fatedClient } from "../core/app-world.ts";

export const CLASSES = ["Start", "Done", "Newest"] as const;
export const KEYS = 2;
export const DRAINS = 2;
const FAR_MS = 100 * 365 * 86_400_000;
const HOUR_MS = 3_600_000;

/** What a call of the producer, or of a drain, meets: `at` is the number of the call that is lost, from 1. */
export interface Loss {
  readonly at: number;
  readonly carriedOut: boolean;
}

export type Step =
  | { kind: "enqueue"; class: (typeof CLASSES)[number]; key: number; isDelayed: boolean; loss: Loss | undefined }
  | { kind: "claim"; drain: number; count: number; loss: Loss | undefined }
  | {
      kind: "end";
      drain: number;
      outcome: "ok" | "failed" | "retrying" | "postponed" | "released" | "requeued" | "discarded";
    }
  | { kind: "crash"; drain: number }
  | { kind: "recover" }
  | { kind: "promote" }
  | { kind: "cancel"; class: (typeof CLASSES)[number]; key: number; isDelayed: boolean }
  | { kind: "expire"; class: (typeof CLASSES)[number] };

const by = ([key]: readonly unknown[]): string => String(key);
const perform = (): undefined => undefined;
const DEFINITIONS = [
  defineJob({ class: "Start", queue: "q", unique: { until: "start" }, perform }),
  defineJob({ class: "Done", queue: "q", unique: { until: "done" }, perform }),
  defineJob({ class: "Newest", queue: "q", unique: { until: "start", key: by, onConflict: "replace" }, perform }),
];

interface Living extends UniqueLock {
  readonly raw: string;
  readonly isClaimed: boolean;
}

/** Unique jobs under producers and drains that lose replies and die, with a look at everything after each step. */
export class UniqueWorld {
  readonly #world: AppWorld;
  readonly #client: RedisClient;
  readonly #app: Airlift;
  readonly #drains: (TestDrain | undefined)[] = [];
  readonly #claims = new Map<TestDrain, Claim[]>();
  readonly #seqs = new Map<TestDrain, number>();
  #loss: Loss | undefined;
  #calls = 0;
  /** Jobs that a drain has begun to run: they hold no lock of a start. */
  readonly #started = new Set<string>();
  /** Jobs whose lock has ended before them: others may live beside them. */
  readonly #outlived = new Set<string>();
  #counter = 0;

  constructor(world: AppWorld) {
    this.#world = world;
    const fateOf = (): Fate => {
      if (!this.#loss || ++this.#calls !== this.#loss.at) return "ok";
      return { carriedOut: this.#loss.carriedOut, error: new StoreError("unavailable", "lost") };
    };
    this.#client = fatedClient(world.client, fateOf);
    this.#app = world.app({ jobs: DEFINITIONS, redis: this.#client });
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#take(step);
      await this.#check();
    }
  }

  /** Lets everything that lives come to its end. */
  async finish(): Promise<void> {
    this.#drains.length = 0;
    await this.#world.endLeases();
    for (let round = 0; round < 3; round++) {
      await this.#promote();
      await this.#app.drain();
    }
    await this.#check();
    const { locks, living } = await this.#look();
    expect({ locks: [...locks.keys()], living }).toEqual({ locks: [], living: [] });
  }

  async #take(step: Step): Promise<void> {
    const { keys, client } = this.#world;
    switch (step.kind) {
      case "enqueue": {
        const job = { queue: "q", class: step.class, args: argsOf(step, this.#counter++) };
        await this.#losing(step.loss, () => this.#app.enqueue({ ...job, ...(step.isDelayed && { inMs: HOUR_MS }) }));
        // One that a drain has claimed cannot be replaced any more, even if that drain died before it freed the lock.
        if (step.class === "Newest") await this.#markClaimed(this.#outlived, "Newest");
        return;
      }
      case "claim":
        return this.#claim(step.drain, step.count, step.loss);
      case "end":
        return this.#end(step.drain, step.outcome);
      case "crash":
        return this.#crash(step.drain);
      case "recover": {
        const { store } = this.#world.drain({ crashLimit: 2 });
        for (const dead of (await store.survey()).dead) await store.recover(dead);
        return;
      }
      case "promote":
        return this.#promote();
      case "cancel": {
        const { class: className } = step;
        if (!step.isDelayed) {
          const context = { client, keys, nowMs: Date.now };
          await removeQueuedJobs(context, "q", {
            class: className,
            ...(className !== "Newest" && { args: [step.key] }),
          });
          return;
        }
        if (className === "Newest") return;
        const taken = await cancelDelayed(client, keys, {
          queue: "q",
          class: className,
          args: [step.key],
          isThorough: true,
        });
        await freeLocks(
          client,
          taken.flatMap(({ raw, queue }) => lockOf(raw, queue, keys) ?? []),
        );
        return;
      }
      case "expire": {
        const { locks, living } = await this.#look();
        const own = living.filter(({ raw, key }) => raw.startsWith(`{"class":"${step.class}"`) && locks.has(key));
        for (const { id, key } of own) {
          this.#outlived.add(id);
          await this.#world.send(["DEL", key]);
        }
        return;
      }
      default:
        return step satisfies never;
    }
  }

  async #claim(index: number, count: number, loss: Loss | undefined): Promise<void> {
    const registry = createRegistry(DEFINITIONS);
    const drain = this.#drains[index] ?? this.#world.drain({ client: this.#client, registry, crashLimit: 2 });
    this.#drains[index] = drain;
    const claims = this.#claims.get(drain) ?? [];
    const free = [0, 1, 2, 3].filter((slot) => !claims.some((claim) => claim.slot === slot)).slice(0, count);
    const result = await this.#losing(loss, () =>
      drain.store.exchange({ seq: this.#next(drain), attempt: 1, settle: [], fill: free }),
    );
    if (!result) {
      // It does not know what it holds. Of what it holds it may have freed the locks, no more than that.
      const { locks, living } = await this.#look();
      for (const { key, id, isClaimed } of living)
        if (isClaimed && !locks.get(key)?.endsWith(id)) this.#started.add(id);
      return this.#crash(index);
    }
    this.#began(drain, result.claims);
  }

  async #end(index: number, kind: Extract<Step, { kind: "end" }>["outcome"]): Promise<void> {
    const drain = this.#drains[index];
    const [claim, ...rest] = (drain && this.#claims.get(drain)) ?? [];
    if (!drain || !claim) return;
    this.#claims.set(drain, rest);
    const { outcome: failure } = failed(claim);
    const outcomes: Record<typeof kind, Outcome> = {
      ok: { kind: "ok" },
      failed: failure,
      retrying: { ...(failure as Extract<Outcome, { kind: "failed" }>), kind: "retrying", afterMs: HOUR_MS },
      postponed: { kind: "postponed", afterMs: HOUR_MS },
      released: { kind: "released" },
      requeued: { kind: "requeued" },
      discarded: { kind: "discarded", reason: "gone" },
    };
    const settle = [{ claim, outcome: outcomes[kind] }];
    const result = await drain.store.exchange({ seq: this.#next(drain), attempt: 1, settle, fill: [] });
    this.#began(drain, result.claims);
  }

  #began(drain: TestDrain, claims: readonly Claim[]): void {
    this.#claims.set(drain, [...(this.#claims.get(drain) ?? []), ...claims]);
    for (const { job, queue } of claims) {
      const lock = lockOf(job.raw, queue, this.#world.keys);
      if (lock) this.#started.add(lock.id);
    }
  }

  /** Adds the claimed jobs that hold their lock no more. */
  async #markClaimed(to: Set<string>, className = ""): Promise<void> {
    const { locks, living } = await this.#look();
    for (const { key, id, raw, isClaimed } of living) {
      if (isClaimed && !locks.get(key)?.endsWith(id) && raw.startsWith(`{"class":"${className}`)) to.add(id);
    }
  }

  async #crash(index: number): Promise<void> {
    const drain = this.#drains[index];
    this.#drains[index] = undefined;
    if (drain) await this.#world.send(["ZADD", this.#world.keys.drains, "XX", "1", drain.member]);
  }

  async #promote(): Promise<void> {
    const usage = { commands: 0, requests: 0 };
    const { client, keys } = this.#world;
    await promoteDue(client, keys, { redisNowMs: Date.now() + FAR_MS, queues: ["q"], usage });
  }

  async #losing<T>(loss: Loss | undefined, call: () => Promise<T>): Promise<T | undefined> {
    this.#loss = loss;
    this.#calls = 0;
    try {
      return await call();
    } catch (error) {
      if (!loss || !(error instanceof StoreError)) throw error;
      return undefined;
    } finally {
      this.#loss = undefined;
    }
  }

  #next(drain: TestDrain): number {
    const seq = (this.#seqs.get(drain) ?? 0) + 1;
    this.#seqs.set(drain, seq);
    return seq;
  }

  /** Every lock, and every job that may still run. */
  async #look(): Promise<{ readonly locks: ReadonlyMap<string, string>; readonly living: readonly Living[] }> {
    const { keys } = this.#world;
    const locks = new Map<string, string>();
    const living: Living[] = [];
    const add = (raws: readonly string[], isClaimed = false): void => {
      for (const raw of raws) living.push({ ...(lockOf(raw, "q", keys) as UniqueLock), raw, isClaimed });
    };
    const payloadOf = (entry: string): string => /"payload":(.*)\}$/s.exec(entry)?.[1] ?? "";
    for (const [name, value] of Object.entries(await this.#world.everything())) {
      if (/:(lock|airlift:unique):/.test(name)) locks.set(name, (value as unknown as { readonly value: string }).value);
      if (name === keys.queue("q") || /:delayed:\d+$/.test(name)) add(value as readonly string[]);
      if (/:worker:.*\d:q$/.test(name)) add([payloadOf(value as string)], true);
      if (name === keys.retries) add(Object.keys(value).map(payloadOf));
    }
    return { locks, living };
  }

  async #check(): Promise<void> {
    const { locks, living } = await this.#look();
    const holders = living.filter(({ id, until }) => until === "done" || !this.#started.has(id));
    const guarded = holders.filter(({ id }) => !this.#outlived.has(id));
    const seen = new Map<string, string>();
    for (const { key, raw } of guarded) {
      expect(seen.get(key), `two jobs live under ${key}`).toBeUndefined();
      seen.set(key, raw);
    }
    for (const { key, id } of guarded)
      expect(locks.get(key) ?? "", `a job lives without its lock ${key}`).toMatch(new RegExp(`\\.${id}$`));
    for (const [key, value] of locks) {
      const ids = holders.filter((holder) => holder.key === key).map(({ id }) => id);
      expect(ids, `nobody lives under the lock ${key}`).toContain(value.slice(value.lastIndexOf(".") + 1));
    }
  }
}

/** What a job of the class is told: the newest wins only by more than its key. */
function argsOf({ class: className, key }: { class: string; key: number }, counter: number): unknown[] {
  return className === "Newest" ? [key, counter] : [key];
}
