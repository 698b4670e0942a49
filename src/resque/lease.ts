import type { RedisClient, RedisCommand, ScriptCall, Usage } from "./client.ts";
import { releaseLease as releaseLeaseScript } from "./generated/release-lease.generated.ts";

/** A key with a TTL that bears the id of its one holder. */
export interface Lease {
  /** Whether there may be something to release. */
  readonly isTaken: boolean;
  /** False if it has another holder. May be repeated. */
  take(): Promise<boolean>;
  /** Gives it up, if it is still ours. The reply's first number is the commands that it has called. */
  readonly releaseCall: ScriptCall;
}

export interface LeaseOptions {
  readonly client: RedisClient;
  readonly key: string;
  readonly ttlMs: number;
  /** One that no other holder has. */
  readonly holder: string;
  readonly usage: Usage;
  /** Deleted when the lease is given up. */
  readonly alsoFreed?: readonly string[];
}

export function createLease({ client, key, ttlMs, holder, usage, alsoFreed = [] }: LeaseOptions): Lease {
  const command = (of: RedisCommand) => client.command(of, { usage });
  let isTaken = false;
  return {
    get isTaken() {
      return isTaken;
    },
    async take() {
      const isRepeated = isTaken;
      isTaken = true;
      if ((await command(["SET", key, holder, "NX", "PX", ttlMs])) !== null) return true;
      // The reply of the first request may have been lost.
      isTaken = isRepeated && (await command(["GET", key])) === holder;
      return isTaken;
    },
    releaseCall: { script: releaseLeaseScript, keys: [key, ...alsoFreed], args: [holder] },
  };
}
