import type { RawReply } from "../../src/redis/ioredis-connection.ts";
import type { RedisClient, Usage } from "../../src/resque/client.ts";
import { promoteDue } from "../../src/resque/promote.ts";
import type { PromotedJobs, PromoteOptions } from "../../src/resque/queue-due.ts";
import type { Setup } from "../support/setups.ts";
import { openWorld, type World } from "./world.ts";

/** Now, by Redis' clock, for the tests of delayed jobs. A whole second, so that due times can be told from it. */
export const NOW_SECONDS = 1_795_206_569;
export const NOW_MS: number = NOW_SECONDS * 1_000;

export type Promotion = PromotedJobs & Usage;

/** A world with delayed jobs in it. */
export interface DelayedWorld extends World {
  /** Writes items as resque-scheduler does. */
  delay(atSeconds: number, ...items: (string | Uint8Array)[]): Promise<void>;
  /** Writes a member of `airlift:retries`, and returns it. */
  wait(dueMs: number, queue: string, payload: string, more?: Record<string, unknown>): Promise<string>;
  promote(options?: Partial<PromoteOptions> & { readonly client?: RedisClient }): Promise<Promotion>;
  /** A list's entries, byte for byte, each as latin-1 text. */
  bytes(key: string): Promise<string[]>;
}

export async function openDelayedWorld(kind: Setup): Promise<DelayedWorld> {
  const world = await openWorld(kind);
  const { keys, send } = world;
  let waiting = 0;
  return {
    ...world,
    async delay(atSeconds, ...items) {
      for (const item of items) {
        const book = Buffer.concat([Buffer.from(keys.timestamps("")), Buffer.from(item)]);
        await send(
          ["RPUSH", keys.delayed(atSeconds), item],
          ["SADD", book, `delayed:${atSeconds}`],
          ["ZADD", keys.delayedSchedule, atSeconds, atSeconds],
        );
      }
    },
    async wait(dueMs, queue, payload, more = {}) {
      const head = JSON.stringify({ id: `d1.1.0-${waiting++}`, queue, attempt: 2, ...more });
      const member = `${head.slice(0, -1)},"payload":${payload}}`;
      await send(["ZADD", keys.retries, dueMs, member]);
      return member;
    },
    async promote({ client = world.client, ...options } = {}) {
      const usage = { commands: 0, requests: 0 };
      const result = await promoteDue(client, keys, { redisNowMs: NOW_MS, queues: ["q"], usage, ...options });
      return { ...result, ...usage };
    },
    async bytes(key) {
      const [entries] = await send(["LRANGE", key, 0, -1]);
      return (entries as RawReply[]).map((entry) => Buffer.from(entry as Uint8Array).toString("latin1"));
    },
  };
}

/** An item as resque-scheduler writes it. */
export function rubyItem(queue: string, ...args: unknown[]): string {
  return `{"class":"Noop","args":${JSON.stringify(args)},"queue":${JSON.stringify(queue)}}`;
}

/** An item as node-resque writes it. */
export function nodeItem(queue: string, ...args: unknown[]): string {
  return JSON.stringify({ class: "Noop", queue, args });
}
