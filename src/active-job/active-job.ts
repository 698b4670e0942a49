import { InvalidArgumentsError } from "../core/invalid-arguments.ts";
import type { InputOf, JobDefinition, Perform } from "../core/job.ts";
import type { JobContext } from "../core/job-context.ts";
import type { AnyMiddleware, CheckedChain, ContextInside, Next } from "../core/middleware.ts";
import type { ResourceFactories, ResourcesOf } from "../core/resources.ts";
import { isJobData, JOB_WRAPPER_CLASS, type JobData } from "../resque/active-job-wrapper.ts";
import type { ArgumentOptions } from "./argument-serializer.ts";
import { deserializeArguments } from "./deserialize.ts";
import { type ActiveJobInfo, readJobInfo } from "./job-info.ts";
import { createJobData, type JobDataOptions } from "./request.ts";

export type { ArgumentOptions, ArgumentSerializer } from "./argument-serializer.ts";
export { deserializeArguments } from "./deserialize.ts";
export { GlobalId, type GlobalIdParts } from "./global-id.ts";
export { indifferentAccess, keywords, symbolKeys } from "./hash-keys.ts";
export type { ActiveJobInfo } from "./job-info.ts";
export { type DurationPart, type DurationUnit, RailsDuration } from "./rails-duration.ts";
export { type ActiveJobRetryOptions, activeJobRequest, activeJobRetry, type JobDataOptions } from "./request.ts";
export { RubyDate, RubyTime, type RubyTimeKind, type RubyTimeOptions } from "./ruby-time.ts";
export { RubyBigDecimal, RubyFloat, RubyModule, RubyRange, RubySymbol } from "./ruby-values.ts";
export { serializeArguments } from "./serialize.ts";

/** What the handler of an Active Job finds in `job.context`, beside what middleware has given. */
export interface ActiveJobContext {
  readonly activeJob: ActiveJobInfo;
}

/** What `enqueue` writes for the jobs of the class that Rails should run: see {@link JobDataOptions}. */
export type ActiveJobOptions = ArgumentOptions & Pick<JobDataOptions, "priority" | "locale" | "timezone">;

/** {@link activeJob} for the jobs of an app that gives this context and these resources. */
export type DefineActiveJob<Context extends object, Resources extends object> = <
  Args = readonly unknown[],
  Input extends readonly unknown[] | [] = InputOf<Args>,
  const Chain extends readonly AnyMiddleware[] = readonly AnyMiddleware[],
>(
  definition: Omit<JobDefinition<Args, Input>, "decode" | "middleware" | "perform" | "wire"> & {
    readonly middleware?: Chain & CheckedChain<Chain, Context & ActiveJobContext, Resources>;
    readonly perform: Perform<Args, ContextInside<Chain, Context & ActiveJobContext>, Resources>;
  },
  options?: ActiveJobOptions,
) => JobDefinition<Args, Input, Context, Resources>;

/**
 * Defines the handler of a Rails job class. It runs the payloads of Rails' Resque adapter whose `job_class` is `class`, and gets the
 * arguments as `perform` gets them in Ruby, keyword arguments as the last one; `enqueue` writes what Rails can run. All other
 * members are those of `defineJob`; a schema sees the arguments, not their JSON.
 *
 * @example
 * ```ts
 * import { activeJob, type GlobalId } from "airlift/active-job";
 *
 * const invoiceJob = activeJob<[invoice: GlobalId, options: { format: string }]>({
 *   class: "InvoiceJob",
 *   queue: "mail",
 *   perform: async ([invoice, { format }], job) => await send(invoice.modelId, format, job.context.activeJob.locale),
 * });
 * ```
 */
export const activeJob: DefineActiveJob<object, object> = (definition, options = {}) => {
  const { middleware = [] } = definition;
  return {
    ...definition,
    wire: {
      class: JOB_WRAPPER_CLASS,
      encode: (args, target) => [createJobData(definition.class, args, { ...options, ...target })],
    },
    decode: (_raw, job) => deserializeArguments(dataOf(job)["arguments"], options) as never,
    middleware: [tellOfActiveJob, ...middleware],
    // What it asks for beyond the app's context, the middleware gives.
    perform: definition.perform as never,
  };
};

/** {@link activeJob} for an app's own middleware and resources, as `defineJobsWith` is for `defineJob`. */
export function activeJobsWith<
  const Chain extends readonly AnyMiddleware[] = readonly [],
  Factories extends ResourceFactories = Record<never, never>,
>(_shared: {
  readonly middleware?: Chain & CheckedChain<Chain, object, ResourcesOf<Factories>>;
  readonly resources?: Factories;
}): DefineActiveJob<ContextInside<Chain, object>, ResourcesOf<Factories>> {
  return activeJob as never;
}

const tellOfActiveJob: AnyMiddleware = (job: JobContext, next: Next) => next({ activeJob: readJobInfo(dataOf(job)) });

function dataOf({ args, class: className }: JobContext): JobData {
  const [data] = args;
  if (isJobData(data)) return data;
  throw new InvalidArgumentsError(
    `the class ${className} is Active Job's, but the payload is not one that Rails' adapter wrote`,
  );
}
