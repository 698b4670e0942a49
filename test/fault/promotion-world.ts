import type { Redis } from "ioredis";
import { expect } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { cancelDelayed, rescheduleDelayed } from "../../src/resque/cancel-delayed.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { delayCommands } from "../../src/resque/delay.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { encodePayload } from "../../src/resque/payload.ts";
import { promoteDue } from "../../src/resque/promote.ts";
import { carriedClient, type Letter } from "./carried-client.ts";

/** Who takes part. A program of each waits at a gate before every request, and proceeds when a step says so. */
export type Actor = "ours-1" | "ours-2" | "other";

export type Step =
  | {
      readonly kind: "delay";
      readonly form: "ours" | "node" | "retry" | "no-job";
      readonly second: number;
      readonly copies: number;
    }
  | { readonly kind: "proceed"; readonly actor: number; readonly fate: "delivered" | "request-lost" | "reply-lost" }
  /** A request of ours arrives once more. */
  | { readonly kind: "duplicate"; readonly ago: number }
  | { readonly kind: "cancel" | "reschedule"; readonly job: number; readonly second: number };

/** Which scheduler runs beside ours. */
export type Other = "node" | "ruby" | "none";

const keys = createKeys();
/** The seconds at which jobs are due, all of them past. */
export const SECONDS = 4;
const FIRST = 1_795_206_000;
const NOW_MS: number = (FIRST + SECONDS - 1) * 1_000;

/** Delayed jobs, those who promote them, and an unreliable network, on one real Redis. */
export class PromotionWorld {
  readonly #redis: Redis;
  readonly #client: RedisClient;
  readonly #theirs: Redis;
  readonly #other: Other;
  readonly #gates = new Map<Actor, (fate: "delivered" | "request-lost" | "reply-lost") => void>();
  #settled: (() => void) | undefined;
  readonly #sent: Letter[] = [];
  #jobs = 0;
  readonly #cancelled: number[] = [];
  #isEnding = false;

  constructor(redis: Redis, client: RedisClient, theirs: Redis, other: Other) {
    this.#redis = redis;
    this.#client = client;
    this.#theirs = theirs;
    this.#other = other;
  }

  async run(steps: readonly Step[]): Promise<void> {
    const running = [
      this.#start("ours-1", () => this.#ours("ours-1")),
      this.#start("ours-2", () => this.#ours("ours-2")),
    ];
    if (this.#other === "node") running.push(this.#start("other", () => this.#node()));
    if (this.#other === "ruby") running.push(this.#start("other", () => this.#ruby()));
    await this.#arrival(running.length);
    for (const step of steps) await this.#take(step);
    this.#isEnding = true;
    while (this.#gates.size > 0) await this.#proceed([...this.#gates.keys()][0] as Actor, "delivered");
    await Promise.all(running);
  }

  /** Promotes what is left, and looks whether each job is in one place, once, and nothing is left of the rest. */
  async finish(): Promise<void> {
    await this.#redis.del(keys.rubySchedulerLock);
    await promoteDue(this.#client, keys, { redisNowMs: NOW_MS, queues: [], usage: { commands: 0, requests: 0 } });
    const lists = await Promise.all([keys.queue("q"), keys.failed].map((key) => this.#redis.lrange(key, 0, -1)));
    const found = lists.flat().map((text) => Number(/#(\d+)#/.exec(text)?.[1]));
    const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);
    expect(sorted([...found, ...this.#cancelled])).toEqual(sorted(Array.from({ length: this.#jobs }, (_, id) => id)));
    const names = await this.#redis.keys("*");
    expect(names.filter((name) => /delayed|timestamps|retries/.test(name))).toEqual([]);
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case "delay":
        for (let copy = 0; copy < step.copies; copy++) await this.#delay(step.form, FIRST + step.second);
        return;
      case "proceed": {
        const waiting = [...this.#gates.keys()].toSorted();
        const actor = waiting[step.actor % waiting.length];
        if (actor) await this.#proceed(actor, actor === "other" ? "delivered" : step.fate);
        return;
      }
      case "duplicate":
        await this.#sent.at(-1 - step.ago)?.deliver();
        return;
      case "cancel":
      case "reschedule": {
        const id = step.job % Math.max(1, this.#jobs);
        const match = { queue: "q", class: "Job", args: [`#${id}#`] };
        if (step.kind === "reschedule") {
          await rescheduleDelayed(this.#client, keys, match, (FIRST + step.second) * 1_000);
        } else for (const _ of await cancelDelayed(this.#client, keys, match)) this.#cancelled.push(id);
        return;
      }
    }
  }

  async #delay(form: string, atSeconds: number): Promise<void> {
    const id = this.#jobs++;
    const args = [`#${id}#`];
    const payload = encodePayload("Job", args);
    if (form === "ours") {
      await this.#client.transaction(delayCommands(keys, { queue: "q", payload, atSeconds }));
      return;
    }
    if (form === "retry") {
      const member = `{"id":"d.${id}","queue":"q","attempt":2,"payload":${payload}}`;
      await this.#redis.zadd(keys.retries, atSeconds * 1_000, member);
      return;
    }
    const item =
      form === "node" ? JSON.stringify({ class: "Job", queue: "q", args }) : `{"no job":${JSON.stringify(args)}}`;
    await this.#redis
      .multi()
      .rpush(keys.delayed(atSeconds), item)
      .sadd(keys.timestamps(item), `delayed:${atSeconds}`)
      .zadd(keys.delayedSchedule, atSeconds, String(atSeconds))
      .exec();
  }

  async #ours(actor: Actor): Promise<void> {
    const client = carriedClient(this.#client, async (letter) => {
      const fate = await this.#gate(actor);
      if (fate === "request-lost") throw new StoreError("unavailable", "lost");
      this.#sent.push(letter);
      const reply = await letter.deliver();
      if (fate === "reply-lost") throw new StoreError("unavailable", "lost");
      return reply;
    });
    while (!this.#isEnding) {
      const usage = { commands: 0, requests: 0 };
      await promoteDue(client, keys, { redisNowMs: NOW_MS, queues: ["q"], usage, maxJobs: 3 }).catch(
        (error: unknown) => {
          expect(error).toBeInstanceOf(StoreError);
        },
      );
    }
  }

  /** node-resque 9.7.1's scheduler, request by request. */
  async #node(): Promise<void> {
    const theirs = this.#theirs;
    const gate = () => this.#gate("other");
    while (!this.#isEnding) {
      await gate();
      const [second] = await theirs.zrangebyscore(keys.delayedSchedule, 0, NOW_MS / 1_000, "LIMIT", 0, 1);
      if (second === undefined) continue;
      const list = keys.delayed(second);
      for (;;) {
        await gate();
        const item = await theirs.lpop(list);
        if (item === null) break;
        await gate();
        await theirs.srem(keys.timestamps(item), `delayed:${second}`);
        const { queue, ...job } = JSON.parse(item);
        await gate();
        // It drops what has no queue; here it is counted as failed, as it is not what is looked at.
        if (queue === undefined) await theirs.rpush(keys.failed, item);
        else await theirs.multi().sadd(keys.queues, queue).rpush(keys.queue(queue), JSON.stringify(job)).exec();
      }
      await gate();
      await theirs.watch(list, keys.delayedSchedule);
      const length = await theirs.llen(list);
      await gate();
      if (length === 0) await theirs.multi().del(list).zrem(keys.delayedSchedule, second).exec();
      await theirs.unwatch();
    }
  }

  /** resque-scheduler 5.0, request by request; a batch is 2 here. It takes the lead, and gives it up when nothing is due. */
  async #ruby(): Promise<void> {
    const theirs = this.#theirs;
    const gate = () => this.#gate("other");
    while (!this.#isEnding) {
      await gate();
      if ((await theirs.set(keys.rubySchedulerLock, "host:1", "EX", 180, "NX")) === null) continue;
      for (;;) {
        await gate();
        const [second] = await theirs.zrangebyscore(keys.delayedSchedule, "-inf", NOW_MS / 1_000, "LIMIT", 0, 1);
        if (second === undefined) break;
        await this.#rubyBatch(second);
      }
      await gate();
      await theirs.del(keys.rubySchedulerLock);
    }
  }

  async #rubyBatch(second: string): Promise<void> {
    const theirs = this.#theirs;
    const list = keys.delayed(second);
    await this.#gate("other");
    const items = await theirs.lrange(list, 0, 1);
    await this.#gate("other");
    await theirs.watch(list);
    await this.#gate("other");
    const batch = theirs.multi();
    for (const item of items) {
      batch.srem(keys.timestamps(item), `delayed:${second}`);
      const { queue, ...job } = JSON.parse(item);
      if (queue === undefined) batch.rpush(keys.failed, item);
      else batch.sadd(keys.queues, queue).rpush(keys.queue(queue), JSON.stringify(job));
    }
    const done = await batch.ltrim(list, 2, -1).exec();
    if (done === null || items.length === 2) return;
    await this.#gate("other");
    await theirs.watch(list);
    if ((await theirs.llen(list)) === 0) await theirs.multi().del(list).zrem(keys.delayedSchedule, second).exec();
    else await theirs.unwatch();
  }

  #gate(actor: Actor): Promise<"delivered" | "request-lost" | "reply-lost"> {
    return new Promise((resolve) => {
      this.#gates.set(actor, resolve);
      this.#settled?.();
    });
  }

  async #start(actor: Actor, program: () => Promise<void>): Promise<void> {
    try {
      await program();
    } finally {
      this.#gates.delete(actor);
      this.#settled?.();
    }
  }

  /** Waits until so many wait at their gates. */
  async #arrival(count: number): Promise<void> {
    while (this.#gates.size < count) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve;
      });
    }
    this.#settled = undefined;
  }

  /** Lets one proceed until it waits again, or has ended. */
  async #proceed(actor: Actor, fate: "delivered" | "request-lost" | "reply-lost"): Promise<void> {
    const open = this.#gates.get(actor);
    this.#gates.delete(actor);
    const settled = new Promise<void>((resolve) => {
      this.#settled = resolve;
    });
    open?.(fate);
    await settled;
    this.#settled = undefined;
  }
}
