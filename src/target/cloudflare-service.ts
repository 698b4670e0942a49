import { type Directive, isDirective } from "../core/directive.ts";
import { UsageError } from "../core/errors.ts";
import type { JobContext, Perform } from "../core/job.ts";
import {
  type BatchEnding,
  encodeJobMessage,
  type JobBatchMessage,
  type JobMessage,
  readJobBatchReply,
  readJobReply,
  toJobBatchMessage,
  toJobMessage,
} from "../core/job-message.ts";
import { type BatchItem, type BatchOptions, checkBatchOptions, createBatcher } from "./batch.ts";
import { afterFault } from "./cloudflare-fault.ts";
import { readHttpAnswer } from "./http-answer.ts";
import { HttpError } from "./http-error.ts";
import { createFetchSend } from "./http-send-fetch.ts";

/** What `env` holds for a binding of `services`. */
export interface ServiceBinding {
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

/** @see serviceBinding */
export interface ServiceBindingOptions {
  /** Where jobs are POSTed to. @default "/" */
  readonly path?: string;
  /**
   * The method of a `WorkerEntrypoint` that is called with the message instead: what the internet cannot reach, whatever else its Worker does.
   *
   * @default none: jobs are POSTed
   */
  readonly method?: string;
  /** Several jobs in one call. A Worker may make some thirty calls in one invocation. @default one each */
  readonly batch?: BatchOptions;
}

const WHAT = "the service binding";
/** The text of an answer; only its path matters. */
const ORIGIN = "https://jobs.internal";
const HEADERS = { "content-type": "application/json", accept: "application/json" };
const MAX_REPLY_BYTES = 4_000_000;
const MAX_BATCH_CHARS = 10_000_000;

interface Sent extends BatchItem {
  readonly job: JobContext;
}

/** Makes one call; rejects with what {@link afterFault} makes of an error. */
type Call = (
  message: JobMessage | JobBatchMessage,
  signal: AbortSignal,
) => Promise<Directive | { readonly returned: unknown }>;

/**
 * Runs jobs in another Worker, by a service binding: Airlift's own receiver (`toJobWorker`, `toJobMethod`), or anything else that takes the message of
 * docs/targets.md.
 *
 * - 2xx, or the method returns: done, unless Airlift's own receiver says otherwise
 * - 408, 425, 429, 5xx: `retry()`, after `Retry-After` if it is given
 * - any other answer: failed, by an HttpError
 * - the Worker throws: failed, by its error's name and message
 * - it ran out of time or memory, or could not be started: `retry()`
 * - this Worker may make no more calls: again in some seconds, no attempt counted
 *
 * @param binding asked for at each job, as `() => env.IMAGES`
 * @example
 * ```ts
 * import { serviceBinding } from "airlift/target/cloudflare";
 *
 * const resize = defineJob({ class: "ResizeImage", timeoutMs: 30_000, perform: serviceBinding(() => env.IMAGES) });
 * ```
 * @throws UsageError for a wrong option
 */
export function serviceBinding(binding: () => ServiceBinding, options: ServiceBindingOptions = {}): Perform<unknown> {
  checkOptions(binding, options);
  const { batch } = options;
  const found = (): ServiceBinding => {
    const service = binding();
    // Of an entrypoint's stub each member is a function.
    if (typeof Object(service).fetch === "function") return service;
    throw new UsageError(
      `serviceBinding: expected the binding of a service, got ${typeof service}: is it in wrangler.jsonc?`,
    );
  };
  const send =
    options.method === undefined ? callByFetch(found, options.path ?? "/") : callByMethod(found, options.method);

  const call: Call = async (message, signal) => {
    try {
      return await send(message, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HttpError || error instanceof UsageError) throw error;
      return afterFault(error, WHAT);
    }
  };
  const sendOne = async ({ job, signal }: Sent): Promise<unknown> => {
    const answer = await call(toJobMessage(job), signal);
    return isDirective(answer) ? answer : readJobReply(answer.returned);
  };
  const sendAll = async (items: readonly Sent[], signal: AbortSignal): Promise<readonly BatchEnding[]> => {
    for (const { job } of items.slice(1)) job.used({});
    const answer = await call(toJobBatchMessage(items), signal);
    return isDirective(answer) ? items.map(() => () => answer) : readJobBatchReply(answer.returned, items.length);
  };
  const charsOf = ({ job }: Sent): number => job.raw.length;
  const run = batch ? createBatcher<Sent>({ ...batch, maxChars: MAX_BATCH_CHARS, charsOf, send: sendAll }) : sendOne;
  // A call of another Worker opens no connection.
  const uses = { requests: 1, connections: 0, invocations: 1 };
  return Object.assign((_args: unknown, job: JobContext) => run({ job, signal: job.signal }), { uses });
}

function callByFetch(found: () => ServiceBinding, path: string): Call {
  const send = createFetchSend((url, init) => found().fetch(url, init));
  const url = new URL(path, ORIGIN);
  return async (message, signal) => {
    const answer = await send({ url, body: encodeJobMessage(message), headers: HEADERS, signal });
    const options = { origin: WHAT, maxReplyBytes: MAX_REPLY_BYTES, secrets: [], nowMs: Date.now() };
    const taken = await readHttpAnswer(answer, options);
    return isDirective(taken) ? taken : { returned: taken.reply };
  };
}

function callByMethod(found: () => ServiceBinding, method: string): Call {
  return async (message) => {
    const stub = found() as unknown as Record<string, (message: unknown) => Promise<unknown>>;
    return { returned: await stub[method]?.(message) };
  };
}

const KNOWN = ["path", "method", "batch"];

/** @throws UsageError */
function checkOptions(binding: unknown, options: ServiceBindingOptions): void {
  const wrong = (what: string): UsageError => new UsageError(`serviceBinding: ${what}`);
  if (typeof binding !== "function") throw wrong(`expected a function, as () => env.IMAGES, got ${typeof binding}`);
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw wrong(`${unknown}: unknown option; known: ${KNOWN.join(", ")}`);
  const { path, method, batch } = options;
  if (path !== undefined && method !== undefined)
    throw wrong("method: expected none beside path: it is called instead");
  if (path !== undefined && !(typeof path === "string" && path.startsWith("/") && !path.startsWith("//"))) {
    throw wrong(`path: expected one that begins with a slash, got ${JSON.stringify(path)}`);
  }
  if (method !== undefined && !(typeof method === "string" && /^[\w$]+$/.test(method))) {
    throw wrong(`method: expected a method's name, got ${JSON.stringify(method)}`);
  }
  if (batch !== undefined) checkBatchOptions("serviceBinding", batch);
}
