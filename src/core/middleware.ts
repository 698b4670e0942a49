import { UsageError } from "./errors.ts";
import type { JobContext } from "./job-context.ts";

declare const ADDED: unique symbol;

/** What `next` resolves to: whatever the inside has returned. In types it tells what was added to the context. */
export interface Passed<out Added extends object> {
  readonly [ADDED]: Added;
}

/**
 * Runs what is inside: the further middleware, then the handler. To be called once.
 *
 * @param added members for `job.context` of those inside
 */
export type Next = <Added extends object = object>(added?: Added) => Promise<Passed<Added>>;

/**
 * Stands around the run of each job. What it returns is the job's result in the place of the handler's; if it returns nothing, the
 * inside's result or error stands. Without a call of `next` the handler does not run.
 */
export type Middleware<Context extends object = object, Resources extends object = object, Result = unknown> = (
  job: JobContext<Context, Resources>,
  next: Next,
) => Result;

/** A middleware with needs of any kind. */
export type AnyMiddleware = Middleware<never, never>;

/**
 * Types its argument, and returns it as it is. What a middleware needs of others stands in the type of its `job`; what it adds is
 * seen from what it returns, so return what `next` gives.
 *
 * @example
 * ```ts
 * const withTenant = defineMiddleware(async (job, next) => await next({ tenant: String(job.args[0]) }));
 * const timed = defineMiddleware(async (job: JobContext<{ tenant: string }>, next) => {
 *   const startedMs = Date.now();
 *   try {
 *     return await next();
 *   } finally {
 *     job.log.info("ran", { tenant: job.context.tenant, ms: Date.now() - startedMs });
 *   }
 * });
 * ```
 */
export function defineMiddleware<Result, Context extends object = object, Resources extends object = object>(
  middleware: Middleware<Context, Resources, Result>,
): Middleware<Context, Resources, Result> {
  return middleware;
}

/** The context inside of a chain of middleware, its outermost first. Of a list whose order is not known nothing is known. */
export type ContextInside<Chain extends readonly unknown[], Outside extends object> = Chain extends readonly [
  infer First,
  ...infer Rest,
]
  ? ContextInside<Rest, Merged<Outside, AddedBy<First>>>
  : Outside;

/** `unknown` if each middleware of the chain gets what it needs; else a type that nothing has, named after what is wrong. */
export type CheckedChain<
  Chain extends readonly unknown[],
  Outside extends object,
  Resources extends object,
> = Chain extends readonly [infer First, ...infer Rest]
  ? JobContext<Outside, Resources> extends NeededBy<First>
    ? CheckedChain<Rest, Merged<Outside, AddedBy<First>>, Resources>
    : { readonly "a middleware needs what nothing around it gives": NeededBy<First> }
  : unknown;

/** A function that was written into the list itself, its parameters without types, can need nothing. */
type NeededBy<M> = M extends (job: infer Job, ...rest: never) => unknown
  ? [Job] extends [JobContext<never, never>]
    ? unknown
    : Job
  : never;
type Merged<Outside, Added> = Omit<Outside, keyof Added> & Added;
type AddedBy<M> = M extends (...args: never) => infer Result
  ? AddedIn<Extract<Awaited<Result>, Passed<object>>>
  : object;
type AddedIn<P> = [P] extends [never] ? object : P extends Passed<infer Added> ? Added : object;

/**
 * Runs a handler inside its middleware.
 *
 * Named as the frame below which a failure's backtrace is cut (core/failure.ts): between the handler and the user's own middleware
 * there is nothing to see.
 */
export async function performJob(
  chain: readonly AnyMiddleware[],
  job: JobContext,
  perform: () => unknown,
  index = 0,
): Promise<unknown> {
  const middleware = chain[index];
  if (!middleware) return perform();
  // The job object is the handler's to spoil.
  const { log } = job;
  let inside: Promise<unknown> | undefined;
  let hasEnded = false;
  const next = (added?: object): Promise<unknown> => {
    if (inside !== undefined) {
      const of = `${JSON.stringify(job.class)}, middleware ${index + 1} of ${chain.length}`;
      return Promise.reject(new UsageError(`next: called twice (class ${of}); a job runs once`));
    }
    // A new object, as others may have kept the one that they were given.
    if (added) (job as { context: object }).context = { ...job.context, ...added };
    inside = performJob(chain, job, perform, index + 1);
    void inside.catch((error: unknown) => {
      if (hasEnded) log.error("a job failed after the middleware around it had ended", { error });
    });
    return inside;
  };
  try {
    const result = await middleware(job as JobContext<never, never>, next as Next);
    // Who returns nothing has nothing to say of the result: neither a directive nor an error gets lost on the way out.
    return result === undefined && inside !== undefined ? await inside : result;
  } finally {
    hasEnded = true;
  }
}
