import type { Redis } from "ioredis";
import type { Airlift } from "../../../../src/index.ts";
import type { Keys } from "../../../../src/resque/keys.ts";
import type { RunningPlan } from "../../harness/fault-plan.ts";
import type { Random } from "../../harness/random.ts";
import { REDIS_LOCK } from "../soak-faults.ts";
import type { Producer, Transaction } from "./feature.ts";

export interface ProducersOptions {
  readonly redis: Redis;
  readonly airlift: Airlift;
  readonly keys: Keys;
  readonly plan: RunningPlan;
  readonly forMs: number;
}

/** Producers that enqueue for as long as the faults last. */
export function openProducers(options: ProducersOptions): (random: Random) => Producer {
  const { airlift, keys, forMs } = options;
  const write = createWriter(options);
  const push: Producer["push"] = (queue, ...payloads) =>
    write((transaction) => transaction.sadd(keys.queues, queue).rpush(keys.queue(queue), ...payloads));

  const pace: Producer["pace"] = async (count, work) => {
    const startedMs = performance.now();
    const all: Promise<void>[] = [];
    for (let number = 0; number < count; number++) {
      const leftMs = startedMs + (number * forMs) / count - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      const working = work(number);
      // Whether it fails is asked at the end.
      working.catch(() => undefined);
      all.push(working);
    }
    await Promise.all(all);
  };
  return (random) => ({ random, airlift, keys, seconds: forMs / 1_000, nowMs: Date.now, write, push, pace });
}

/**
 * Writes as programs do that write to Redis themselves. They wait while it is away, as what becomes of a write that it does not answer is their own
 * affair; what has waited is written together.
 */
function createWriter({ redis, plan }: ProducersOptions): Producer["write"] {
  const waiting: ((transaction: Transaction) => unknown)[] = [];
  let writing: Promise<void> | undefined;

  const writeAll = (): Promise<void> =>
    plan.without(REDIS_LOCK, async () => {
      writing = undefined;
      const transaction = redis.multi();
      for (const change of waiting.splice(0)) change(transaction);
      const refusal = ((await transaction.exec()) ?? []).find(([error]) => error);
      if (refusal) throw refusal[0];
    });
  return (change) => {
    waiting.push(change);
    writing ??= writeAll();
    return writing;
  };
}
