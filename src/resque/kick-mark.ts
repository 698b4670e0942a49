import type { Clock } from "../core/clock.ts";
import type { KickMark } from "../core/kicker.ts";
import { repeat } from "../core/repeat.ts";
import type { RedisClient, Usage } from "./client.ts";
import type { Keys } from "./keys.ts";
import { createLease } from "./lease.ts";

export interface KickMarkOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly ttlMs: number;
  /** One that no other kick has. */
  readonly holder: string;
  readonly usage: Usage;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Who enqueues does not wait long for a Redis that has just taken its jobs. */
const PATIENCE_MS = 1_000;

/** `airlift:kick`. To set it costs 1 command, to free it 3. */
export function createKickMark(options: KickMarkOptions): KickMark {
  const { client, keys, ttlMs, holder, clock, random, usage } = options;
  const mark = createLease({ client, key: keys.kick, ttlMs, holder, usage });
  const free = async (): Promise<void> => {
    try {
      const [commands] = (await client.script(mark.releaseCall, { usage })) as [number, number];
      usage.commands += commands - 1;
    } catch {
      // It has a TTL.
    }
  };
  return {
    async set() {
      const untilMs = clock.nowMs() + PATIENCE_MS;
      try {
        return await repeat(mark.take, { clock, random, untilMs: () => untilMs, onRetry: () => undefined });
      } catch (error) {
        // It may stand all the same, and nobody would come for it.
        void free();
        throw error;
      }
    },
    free,
  };
}
