import { UsageError } from "./errors.ts";
import type { JobDefinition } from "./job.ts";

// biome-ignore lint/suspicious/noExplicitAny: definitions of different argument types stand in one list; args are checked by who defines them
export type AnyJobDefinition = JobDefinition<any>;

/** The classes that an app can run. */
export interface Registry {
  readonly classes: readonly string[];
  find(className: string): AnyJobDefinition | undefined;
  /** The longest time limit that a class asks for by itself; 0 if none does. */
  readonly longestTimeoutMs: number;
}

/** @throws UsageError if a class is defined twice */
export function createRegistry(jobs: readonly AnyJobDefinition[]): Registry {
  const byClass = new Map<string, AnyJobDefinition>();
  for (const job of jobs) {
    if (byClass.has(job.class)) throw new UsageError(`jobs: the class ${JSON.stringify(job.class)} is defined twice`);
    byClass.set(job.class, job);
  }
  return {
    classes: [...byClass.keys()],
    find: (className) => byClass.get(className),
    longestTimeoutMs: Math.max(0, ...jobs.map((job) => job.timeoutMs ?? 0)),
  };
}
