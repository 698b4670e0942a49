import type { AnyJobDefinition, JobDefinition, Perform } from "./job.ts";

/**
 * The same jobs, run by a target: what the app that drains them is given, while `createJobFunction` of "airlift/job-function" is given the jobs
 * themselves. Time limits, retries and all else that a drain decides stay what they are; what stands around a handler, `middleware` and
 * `beforePerform`, is called where the handler is.
 *
 * @example
 * ```ts
 * import { createAirlift, runOn } from "airlift";
 * import { lambda } from "airlift/target/lambda";
 *
 * const airlift = createAirlift({ redis, queues: ["images"], jobs: runOn(lambda("image-worker"), jobs) });
 * ```
 */
export function runOn(target: Perform<never>, jobs: readonly AnyJobDefinition[]): readonly JobDefinition[] {
  return jobs.map(({ middleware: _middleware, uses: _uses, hooks, ...definition }) => {
    const { beforePerform: _beforePerform, ...others } = hooks ?? {};
    return { ...definition, ...(hooks && { hooks: others }), perform: target as Perform };
  });
}
