import type { BigIntegers } from "../core/json.ts";
import { isOver } from "../core/outcome.ts";
import type { Registry } from "../core/registry.ts";
import type { Claim, Settlement } from "../core/store.ts";
import type { RedisClient, Usage } from "./client.ts";
import type { Keys } from "./keys.ts";

export interface DrainLocksOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly registry: Registry;
  readonly usage: Usage;
  /** As the jobs' arguments were read. @default "bigint" */
  readonly bigIntegers?: BigIntegers | undefined;
}

/** Gives back the unique locks of a drain's jobs, each at the time that its job has agreed on. */
export interface DrainLocks {
  /** Undefined if none of these jobs can hold a lock: then there is nothing to load and nothing to do. */
  within(claims: readonly Claim[]): Promise<HeldLocks | undefined>;
}

export interface HeldLocks {
  /** The lock that the exchange frees in the step that ends the job. */
  heldBy(claim: Claim): { readonly key: string; readonly id: string } | undefined;
  /** Frees those that are held until the start, before any of the jobs runs. May be repeated. */
  freeBefore(claims: readonly Claim[]): Promise<void>;
  /** Frees those that the exchange could not know of: of jobs that bear no lock's id. */
  freeAfter(settled: readonly Settlement[], lost: readonly Settlement[]): Promise<void>;
}

export function createDrainLocks(options: DrainLocksOptions): DrainLocks {
  const { client, keys, registry, usage, bigIntegers = "bigint" } = options;
  const finder = { registry, keys, bigIntegers };
  const hasUnique = registry.classes.some((name) => registry.find(name)?.unique !== undefined);
  return {
    async within(claims) {
      // A lock's id is in Airlift's own member, whose end this is.
      const mayHold = hasUnique ? claims.length > 0 : claims.some(({ job }) => job.raw.endsWith("}}"));
      if (!mayHold) return undefined;
      const locks = await import("./unique-lock.ts");
      return {
        heldBy: (claim) => locks.lockFreedAtEnd(claim, keys),
        async freeBefore(claimed) {
          const free = await locks.locksFreedAtStart(claimed, finder);
          if (free.length > 0) await locks.freeLocks(client, free, { usage });
        },
        async freeAfter(settled, lost) {
          const over = settled.filter((settlement) => isOver(settlement.outcome) && !lost.includes(settlement));
          const claims = over.map(({ claim }) => claim);
          const free = await locks.unmarkedLocksFreedAtEnd(claims, finder);
          if (free.length > 0) await locks.freeLocks(client, free, { usage });
        },
      };
    },
  };
}
