import { ACCEPTED, detach, isDirective, UNSENT } from "../core/directive.ts";
import type { JobContext, Perform } from "../core/job.ts";
import type { JobAck } from "../core/job-ack.ts";
import {
  type BatchEnding,
  encodeJobMessage,
  readJobBatchReply,
  readJobReply,
  toJobBatchMessage,
  toJobMessage,
} from "../core/job-message.ts";
import { type BatchItem, createBatcher } from "./batch.ts";
import { type CheckedEndpoint, checkEndpoint, type HttpEndpoint } from "./http-endpoint.ts";
import { checkHttpOptions, type HttpTargetOptions } from "./http-options.ts";
import { createHttpPost } from "./http-post.ts";

export type { BatchOptions } from "./batch.ts";
export type { HttpEndpoint } from "./http-endpoint.ts";
export { HttpError } from "./http-error.ts";
export type { HttpTargetOptions } from "./http-options.ts";

/** Where the jobs go whose endpoints differ. What it leaves out is as the options say. */
export type HttpEndpointOf<Args = readonly unknown[]> = (
  args: Args,
  job: JobContext,
) => OneEndpoint | PromiseLike<OneEndpoint>;
type OneEndpoint = string | URL | (Partial<HttpEndpoint> & Pick<HttpEndpoint, "url">);

/** What a request carries, so that receivers with the usual limits take it. One job may be larger. */
const MAX_BATCH_CHARS = 1_000_000;
/** An endpoint that will tell the end later has this long to say so. */
const ACCEPT_MS = 10_000;

/**
 * Runs jobs at an HTTP endpoint: each is POSTed as JSON, signed by Standard Webhooks. The endpoint may be Airlift's own receiver
 * (`toFetchJobHandler` of "airlift/platform/fetch") or anything else that checks the signature.
 *
 * - 2xx: done, unless Airlift's own receiver says otherwise
 * - 408, 425, 429, 5xx, no answer: `retry()`, after `Retry-After` if it is given
 * - any other answer, redirects too, which are not followed: failed, by an HttpError
 *
 * @example
 * ```ts
 * import { defineJob } from "airlift";
 * import { http } from "airlift/target/http";
 *
 * const resize = defineJob({
 *   class: "ResizeImage",
 *   timeoutMs: 30_000,
 *   perform: http("https://images.example.com/jobs", { secret: process.env.JOBS_SECRET ?? "" }),
 * });
 * ```
 * @param endpoint its address, or a function that tells where a job goes; refuse private addresses if it is a stranger who says so
 * @throws UsageError for a wrong address or option
 */
export function http<Args = readonly unknown[]>(
  endpoint: string | URL | HttpEndpointOf<Args>,
  options: HttpTargetOptions,
): Perform<Args> {
  checkHttpOptions(endpoint, options);
  const { batch, acknowledge, secret, headers, refusePrivateAddresses = false } = options;
  const post = createHttpPost(options);
  const leaseMs = acknowledge?.leaseMs;
  const limitMs =
    options.timeoutMs ?? (leaseMs === undefined ? Number.POSITIVE_INFINITY : Math.min(ACCEPT_MS, leaseMs));

  const check = (one: OneEndpoint): CheckedEndpoint => {
    const own = typeof one === "string" || one instanceof URL ? { url: one } : one;
    return checkEndpoint({ secret, headers, ...own }, refusePrivateAddresses);
  };
  const shared = typeof endpoint === "function" ? undefined : check(endpoint);
  const endpointOf = async (job: JobContext, args: Args): Promise<CheckedEndpoint> =>
    shared ?? check(await (endpoint as HttpEndpointOf<Args>)(args, job));

  const sendOne = async ({ job, args, ack, signal, deadlineMs }: Sent<Args>): Promise<unknown> => {
    const body = encodeJobMessage({ ...toJobMessage(job, ack), deadlineMs });
    const answer = await post({ endpoint: await endpointOf(job, args), id: messageId(job), body, signal, limitMs });
    if (isDirective(answer)) return answer;
    return ack && answer.status === 202 ? ACCEPTED : readJobReply(answer.reply);
  };

  const sendAll = async (items: readonly Sent<Args>[], signal: AbortSignal): Promise<readonly BatchEnding[]> => {
    const deadlineMs = Math.min(...items.map((item) => item.deadlineMs));
    const body = encodeJobMessage({ ...toJobBatchMessage(items), deadlineMs });
    const id = `batch_${crypto.randomUUID()}`;
    for (const { job } of items.slice(1)) job.used({ requests: leaseMs === undefined ? 0 : 1 });
    const answer = await post({ endpoint: shared as CheckedEndpoint, id, body, signal, limitMs });
    if (isDirective(answer)) return items.map(() => () => answer);
    if (leaseMs !== undefined && answer.status === 202) return items.map(() => () => ACCEPTED);
    return readJobBatchReply(answer.reply, items.length);
  };

  const charsOf = ({ job }: Sent<Args>): number => job.raw.length;
  const unsent = leaseMs === undefined ? undefined : UNSENT;
  const send = batch
    ? createBatcher<Sent<Args>>({ ...batch, maxChars: MAX_BATCH_CHARS, charsOf, send: sendAll, unsent })
    : sendOne;
  if (leaseMs === undefined) return (args, job) => send({ job, args, signal: job.signal, deadlineMs: job.deadlineMs });
  const perform: Perform<Args> = (args, job) => {
    // The lease begins a little later, so the receiver's time is never longer than it.
    const deadlineMs = Date.now() + leaseMs;
    return detach({ leaseMs, dispatch: (ack, { signal }) => send({ job, args, ack, signal, deadlineMs }) });
  };
  // To send it, and to take it back if that fails.
  return Object.assign(perform, { detaches: true as const, uses: { requests: 2, connections: 1 } });
}

/** A job on its way. */
interface Sent<Args> extends BatchItem {
  readonly job: JobContext;
  readonly args: Args;
  readonly ack?: JobAck;
  /** When nobody waits for the job's end any more. */
  readonly deadlineMs: number;
}

/**
 * By Standard Webhooks a message that is sent again has the same id, so that a receiver knows one that it has taken. Which job it is can be told
 * only by an id of its own: two jobs of the same payload are two jobs.
 */
function messageId({ id }: JobContext): string {
  // A dot would end it in what is signed.
  return id === undefined ? `msg_${crypto.randomUUID()}` : `job_${encodeURIComponent(id).replaceAll(".", "%2E")}`;
}
