import type { RunStore } from "../core/run-once.ts";
import type { RedisClient } from "./client.ts";
import { renewRun as renewRunScript } from "./generated/renew-run.generated.ts";
import { hashKey } from "./hash-key.ts";
import type { Keys } from "./keys.ts";
import { forgetAttempts } from "./payload.ts";
import { freeLocks } from "./unique-lock.ts";

/**
 * Runs in Redis: `running.<token>`, and once it is done `done.<its result>`, each with a TTL. To begin costs one command, or two more if
 * it is not the first; to complete one; to renew or to abandon three.
 */
export function createRunStore(client: RedisClient, keys: Keys): RunStore {
  return {
    async keyOf(job, own) {
      if (own !== undefined) return keys.idempotency(job.class, await hashKey("key", own));
      const { cutBytes, append } = forgetAttempts(job.raw);
      const text = cutBytes === 0 ? job.raw : job.raw.slice(0, -cutBytes) + append;
      return keys.idempotency(job.class, await hashKey("payload", job.queue, text));
    },
    async begin(key, token, ttlMs) {
      const mark = `running.${token}`;
      for (;;) {
        if ((await client.command(["SET", key, mark, "NX", "PX", ttlMs])) !== null) return { kind: "begun" };
        const value = (await client.command(["GET", key])) as string | null;
        if (value?.startsWith("done.")) return { kind: "done", result: value.slice("done.".length) };
        // A lost reply: the request was carried out after all.
        if (value === mark) return { kind: "begun" };
        if (value !== null) return { kind: "running" };
      }
    },
    async renew(key, token, ttlMs) {
      await client.script({ script: renewRunScript, keys: [key], args: [`running.${token}`, ttlMs] });
    },
    async complete(key, result, ttlMs) {
      await client.command(["SET", key, `done.${result}`, "PX", ttlMs]);
    },
    async abandon(key, token) {
      await freeLocks(client, [{ key, id: token }]);
    },
  };
}
