import type { Redis } from "ioredis";
import type { Settlement } from "../../src/core/store.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { crashesOf, idIn, isUnchanged } from "./payload-forms.ts";

const keys = createKeys();
export const QUEUES = ["a", "b"] as const;
export type QueueName = (typeof QUEUES)[number];

/** Where a job is: `queue:a`, `slot:<drain>:<n>`, `failed`, `done`. */
export type Place = string;

/** Why a request may have moved jobs. */
export type Cause =
  | { readonly kind: "read" }
  | { readonly kind: "recover" }
  | { readonly kind: "close"; readonly drain: string }
  | {
      readonly kind: "exchange";
      readonly drain: string;
      readonly settle: readonly Settlement[];
      readonly fill: readonly number[];
    };

/** A slot that a drain of this run may use. */
export interface WatchedSlot {
  readonly drain: string;
  readonly slot: number;
  readonly key: string;
}

/**
 * Watches every job's place through a run, from outside, and fails when one is nowhere, in two places, changed, or moved by a
 * request that had no business with it.
 */
export class Ledger {
  readonly #redis: Redis;
  readonly #crashLimit: number;
  readonly #originals = new Map<number, string>();
  readonly #slots: WatchedSlot[] = [];
  #places = new Map<number, Place>();

  constructor(redis: Redis, crashLimit: number) {
    this.#redis = redis;
    this.#crashLimit = crashLimit;
  }

  watch(slots: readonly WatchedSlot[]): void {
    this.#slots.push(...slots);
  }

  placeOf(id: number): Place | undefined {
    return this.#places.get(id);
  }

  /** The jobs in places whose names begin so. */
  idsIn(prefix: string): number[] {
    return [...this.#places].filter(([, place]) => place.startsWith(prefix)).map(([id]) => id);
  }

  /** As a producer does it. */
  async enqueue(queue: QueueName, id: number, payload: Buffer): Promise<void> {
    await this.#redis.multi().sadd(keys.queues, queue).rpush(keys.queue(queue), payload).exec();
    this.#originals.set(id, payload.toString("latin1"));
    this.#places.set(id, `queue:${queue}`);
  }

  /** Looks at everything after a request has been carried out, and compares it with what was before. */
  async check(cause: Cause): Promise<void> {
    const now = await this.#look();
    for (const [id, from] of this.#places) {
      let to = now.get(id);
      if (to === undefined) {
        to = "done";
        now.set(id, to);
      }
      if (to !== from && !isAllowed(id, from, to, cause)) {
        throw new Error(`job ${id} moved from ${from} to ${to} by ${describe(cause)}`);
      }
    }
    for (const id of now.keys()) if (!this.#places.has(id)) throw new Error(`job ${id} came from nowhere`);
    this.#places = now;
  }

  /** Every key that is left, beside those that a Resque always has. */
  async traces(): Promise<string[]> {
    const usual = new Set([keys.queues, keys.processed, keys.failures, keys.failed]);
    return (await this.#redis.keys("*")).filter((key) => !usual.has(key));
  }

  async #look(): Promise<Map<number, Place>> {
    const pipeline = this.#redis.pipeline();
    for (const queue of QUEUES) pipeline.lrangeBuffer(keys.queue(queue), 0, -1);
    pipeline
      .lrangeBuffer(keys.failed, 0, -1)
      .mgetBuffer(keys.processed, keys.failures, ...this.#slots.map((s) => s.key));
    const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply as (Buffer | null)[]);
    const places = new Map<number, Place>();
    const put = (text: string, place: Place): void => {
      const id = idIn(text);
      if (id === undefined) throw new Error(`nobody's job in ${place}: ${text}`);
      const other = places.get(id);
      if (other) throw new Error(`job ${id} is in ${other} and in ${place}`);
      places.set(id, place);
    };
    for (const [index, queue] of QUEUES.entries()) {
      for (const payload of replies[index] ?? []) {
        this.#checkBytes(latin1(payload), `queue:${queue}`);
        put(latin1(payload), `queue:${queue}`);
      }
    }
    const failed = replies[QUEUES.length] ?? [];
    for (const entry of failed) {
      this.#checkFailed(entry as Buffer);
      put(latin1(entry), "failed");
    }
    const [processed, failures, ...entries] = replies[QUEUES.length + 1] ?? [];
    for (const [index, { drain, slot }] of this.#slots.entries()) {
      const entry = entries[index];
      if (!entry) continue;
      const payload = /^\{"claim":"[^"]*","queue":"[^"]*","run_at":"[^"]*","payload":(.*)\}$/s.exec(latin1(entry))?.[1];
      if (payload === undefined) throw new Error(`slot ${drain}:${slot} holds ${latin1(entry)}`);
      this.#checkBytes(payload, `slot:${drain}:${slot}`);
      put(payload, `slot:${drain}:${slot}`);
    }
    const done = [...this.#places.keys()].filter((id) => !places.has(id)).length;
    this.#checkCount("stat:processed", processed, done + failed.length);
    this.#checkCount("stat:failed", failures, failed.length);
    return places;
  }

  #checkCount(name: string, value: Buffer | null | undefined, expected: number): void {
    if (Number(value ?? 0) !== expected) throw new Error(`${name} is ${value ?? 0}, not ${expected}`);
  }

  #checkBytes(payload: string, place: Place): void {
    const original = this.#originals.get(idIn(payload) ?? -1) ?? "";
    if (!isUnchanged(payload, original)) throw new Error(`in ${place} ${original} became ${payload}`);
    if (crashesOf(payload) >= this.#crashLimit) throw new Error(`in ${place} beyond the crash limit: ${payload}`);
  }

  #checkFailed(entry: Buffer): void {
    const text = entry.toString("utf8");
    if (!Buffer.from(text, "utf8").equals(entry)) throw new Error(`a failed entry is no UTF-8: ${text}`);
    const { payload } = parse(text) as { payload: { class: unknown; args: unknown[] } };
    const original = this.#originals.get(idIn(text) ?? -1) ?? "";
    if (payload.class === "MalformedPayload") {
      const [shown] = payload.args as [string];
      const bytes = [shown, Buffer.from(shown, "utf8").toString("latin1")];
      if (!bytes.some((candidate) => isUnchanged(candidate, original))) throw new Error(`${original} became ${text}`);
    } else {
      const raw = /^\{"failed_at":"[^"]*","payload":(.*),"exception":"[^"]*","error":/s.exec(entry.toString("latin1"));
      const bytes = raw?.[1] ?? "";
      if (bytes !== original.trimEnd() && !isUnchanged(bytes, original)) throw new Error(`${original} became ${text}`);
    }
  }
}

function isAllowed(id: number, from: Place, to: Place, cause: Cause): boolean {
  if (from === "done" || from === "failed" || cause.kind === "read") return false;
  if (from.startsWith("queue:")) return cause.kind === "exchange" && to.startsWith(`slot:${cause.drain}:`);
  // From a slot.
  if (cause.kind === "recover") return to === "failed" || to.startsWith("queue:");
  if (!from.startsWith(`slot:${cause.drain}:`)) return false;
  if (cause.kind === "close") return to.startsWith("queue:");
  const settled = cause.settle.find(({ claim }) => idIn(claim.job.raw) === id);
  switch (settled?.outcome.kind) {
    case undefined:
      return false;
    case "ok":
      return to === "done";
    case "failed":
      return to === "failed";
    default:
      // Given back, and perhaps taken again in the same step.
      return to.startsWith("queue:") || to.startsWith(`slot:${cause.drain}:`);
  }
}

function describe(cause: Cause): string {
  if (cause.kind === "close") return `the close of ${cause.drain}`;
  if (cause.kind !== "exchange") return cause.kind;
  const settled = cause.settle.map(({ claim, outcome }) => `${claim.token} job ${idIn(claim.job.raw)} ${outcome.kind}`);
  return `an exchange of ${cause.drain} that settles [${settled.join(", ")}]`;
}

function latin1(bytes: Buffer | null): string {
  return bytes?.toString("latin1") ?? "";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`a failed entry is no JSON: ${text}`, { cause: error });
  }
}
