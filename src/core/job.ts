import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { JobHooks } from "./hooks.ts";
import type { JobContext } from "./job-context.ts";
import type { StatusOptions } from "./job-status.ts";
import type { JobUses } from "./job-uses.ts";
import type { LimitOptions } from "./limit.ts";
import type { AnyMiddleware, CheckedChain, ContextInside } from "./middleware.ts";
import type { ResourceFactories, ResourcesOf } from "./resources.ts";
import type { RetryOptions } from "./retry.ts";
import type { UniqueOptions } from "./unique.ts";
import type { WireForm } from "./wire-form.ts";

export type { JobContext, Logger } from "./job-context.ts";

/**
 * Runs one job. It has failed if this throws or rejects; then the class's `retry` decides. It may return what `retry()`,
 * `discard()` or `release()` make (core/directive.ts); anything else that it returns means that the job is done.
 *
 * @param args the payload's `args`, or what decoder and schema make of them
 */
export interface Perform<
  Args = readonly unknown[],
  Context extends object = object,
  Resources extends object = object,
> {
  (args: Args, job: JobContext<Context, Resources>): unknown;
  /** Set by targets; a definition's own come first. */
  readonly uses?: JobUses;
  /** Set by targets that detach each job: its time limit is its receiver's, so no drain has to be as long. */
  readonly detaches?: true;
}

/**
 * Which handler runs the jobs of a class, and how.
 *
 * @typeParam Args what the handler takes
 * @typeParam Input what `enqueue` takes: the schema's input, or the same as `Args`
 * @typeParam Context what the app's middleware must give
 * @typeParam Resources what the app must share
 */
export interface JobDefinition<
  Args = readonly unknown[],
  Input extends readonly unknown[] = InputOf<Args>,
  Context extends object = object,
  Resources extends object = object,
> {
  /** The class name in the payload: for Ruby producers the Ruby class. */
  readonly class: string;
  /** The queue that `enqueue` uses when it is given this definition. */
  readonly queue?: string;
  /**
   * A schema for the arguments, of any library that implements Standard Schema (zod, valibot, arktype, …). The handler gets what it
   * puts out. A job that it refuses fails at once, without a retry, the message naming the path; `enqueue` throws a UsageError.
   */
  readonly args?: StandardSchemaV1<Input, Args>;
  /**
   * Makes the arguments from the payload's exact text, for payloads that mean more than their JSON says. If there is a schema, it
   * sees them afterwards. A job whose decoder throws fails at once, without a retry.
   */
  readonly decode?: (raw: string, job: JobContext) => Args | Input | PromiseLike<Args | Input>;
  /**
   * How long a run may take, in milliseconds. One that takes longer is failed, its signal aborted. A drain claims nothing when
   * less than this is left of its time, and refuses to start when it cannot fit.
   *
   * @default the app's `timeoutMs`, as a limit of the run alone: claiming goes on as long as the longest run so far would fit
   */
  readonly timeoutMs?: number;
  /** Whether and when a failed attempt is followed by another. @default it is not: a failed job goes to the failed list */
  readonly retry?: RetryOptions;
  /** Whether a job that is the same as one that waits, or runs, is enqueued. @default it is */
  readonly unique?: UniqueOptions<Input>;
  /** How many of its jobs may run at once, and start in a period, across all drains. @default any number */
  readonly limit?: LimitOptions;
  /** Whether the status of the class's jobs is kept, and how. @default as the app's `status` says */
  readonly status?: StatusOptions | false;
  /** What a run needs of a host that counts requests, as Cloudflare does. @default as its target says, or one request */
  readonly uses?: JobUses;
  /** Stands around each run, inside the app's own; the first is the outermost. */
  readonly middleware?: readonly AnyMiddleware[];
  /** Called beside the app's own, after them. */
  readonly hooks?: JobHooks;
  /** Set by `activeJob()` of "airlift/active-job". */
  readonly wire?: WireForm<Input>;
  readonly perform: Perform<Args, Context, Resources>;
}

/** What stands in a payload for these arguments, unless a schema says otherwise. */
export type InputOf<Args> = Args extends readonly unknown[] ? Args : readonly unknown[];

// biome-ignore lint/suspicious/noExplicitAny: definitions of different types stand in one list; what they take is checked by who defines them
export type AnyJobDefinition = JobDefinition<any, any, any, any>;

/** {@link defineJob} for the jobs of an app that gives this context and these resources. */
export type DefineJob<Context extends object, Resources extends object> = <
  Args = readonly unknown[],
  Input extends readonly unknown[] | [] = InputOf<Args>,
  const Chain extends readonly AnyMiddleware[] = readonly AnyMiddleware[],
>(
  definition: Omit<JobDefinition<Args, Input>, "middleware" | "perform"> & {
    readonly middleware?: Chain & CheckedChain<Chain, Context, Resources>;
    readonly perform: Perform<Args, ContextInside<Chain, Context>, Resources>;
  },
) => JobDefinition<Args, Input, Context, Resources>;

/**
 * Types its argument, and returns it as it is.
 *
 * @example
 * ```ts
 * const sendEmail = defineJob({
 *   class: "SendEmail",
 *   queue: "mail",
 *   args: z.tuple([z.email(), z.string()]),
 *   perform: async ([to, subject], job) => await deliver(to, subject, job.signal),
 * });
 * ```
 */
export const defineJob: DefineJob<object, object> = (definition) => definition as never;

/**
 * {@link defineJob} for an app's own middleware and resources: `perform` knows them, and `createAirlift` refuses, when it is
 * compiled, a job whose app does not give them.
 *
 * @example
 * ```ts
 * const shared = { middleware: [withTenant], resources: { db: () => openDb() } } as const;
 * const defineJob = defineJobsWith(shared);
 * const charge = defineJob({
 *   class: "Charge",
 *   perform: async ([order], job) => (await job.resources.db).charge(order, job.context.tenant),
 * });
 * const airlift = createAirlift({ ...shared, redis: upstash(), queues: ["billing"], jobs: [charge] });
 * ```
 */
export function defineJobsWith<
  const Chain extends readonly AnyMiddleware[] = readonly [],
  Factories extends ResourceFactories = Record<never, never>,
>(_shared: {
  readonly middleware?: Chain & CheckedChain<Chain, object, ResourcesOf<Factories>>;
  readonly resources?: Factories;
}): DefineJob<ContextInside<Chain, object>, ResourcesOf<Factories>> {
  return defineJob as never;
}
