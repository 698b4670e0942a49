import { UsageError } from "./errors.ts";
import type { AnyJobDefinition, JobDefinition } from "./job.ts";
import { type JobUses, mostUsesOf } from "./job-uses.ts";
import type { LimitOptions } from "./limit.ts";
import type { AnyMiddleware, ContextInside } from "./middleware.ts";
import type { ResourcesOf } from "./resources.ts";

export type { AnyJobDefinition } from "./job.ts";

/** The definitions that an app with this middleware and these resources can run. Of a list whose order is not known nothing is known. */
export type JobOf<Chain extends readonly AnyMiddleware[], Factories> = number extends Chain["length"]
  ? AnyJobDefinition
  : // biome-ignore lint/suspicious/noExplicitAny: as above; context and resources are what counts here
    JobDefinition<any, any, ContextInside<Chain, object>, ResourcesOf<Factories>>;

/** The classes that an app can run. */
export interface Registry {
  readonly classes: readonly string[];
  find(className: string): AnyJobDefinition | undefined;
  /** The longest time limit that a class asks for by itself; 0 if none does. */
  readonly longestTimeoutMs: number;
  /** Whether a class has none of its own. */
  readonly hasDefaultTimeout: boolean;
  readonly mostUses: Required<JobUses>;
  /** The limits of the classes that have one. */
  readonly limits: ReadonlyMap<string, LimitOptions>;
}

/** @throws UsageError if a class is defined twice */
export function createRegistry(definitions: readonly AnyJobDefinition[]): Registry {
  const jobs = definitions.map(withoutReceiversLimit);
  const byClass = new Map<string, AnyJobDefinition>();
  for (const job of jobs) {
    if (byClass.has(job.class)) throw new UsageError(`jobs: the class ${JSON.stringify(job.class)} is defined twice`);
    byClass.set(job.class, job);
  }
  return {
    classes: [...byClass.keys()],
    find: (className) => byClass.get(className),
    longestTimeoutMs: Math.max(0, ...jobs.map((job) => job.timeoutMs ?? 0)),
    hasDefaultTimeout: jobs.some((job) => job.timeoutMs === undefined && !job.perform.detaches),
    mostUses: mostUsesOf(jobs),
    limits: new Map(jobs.flatMap((job) => (job.limit ? [[job.class, job.limit]] : []))),
  };
}

function withoutReceiversLimit(job: AnyJobDefinition): AnyJobDefinition {
  if (!job.perform.detaches) return job;
  const { timeoutMs: _, ...others } = job;
  return others;
}
