import { UsageError } from "../core/errors.ts";
import type { JobContext } from "../core/job.ts";
import { isJobData, JOB_WRAPPER_CLASS, type JobData } from "../resque/active-job-wrapper.ts";
import type { EnqueueRequest } from "../resque/encoded-job.ts";
import type { ArgumentOptions } from "./argument-serializer.ts";
import { readJobInfo } from "./job-info.ts";
import { RubyTime } from "./ruby-time.ts";
import { serializeArguments } from "./serialize.ts";

export interface JobDataOptions extends ArgumentOptions {
  readonly queue: string;
  /** Lower is sooner, for those of Rails' adapters that know priorities; Resque does not. */
  readonly priority?: number;
  /** The locale in which Rails runs it. @default the Rails app's own */
  readonly locale?: string;
  /** The name of the time zone in which Rails runs it. @default the Rails app's own */
  readonly timezone?: string;
  /** @default a random UUID */
  readonly jobId?: string;
  /** When the job may run: a date, or ms since the epoch. */
  readonly at?: Date | number;
  /** The time at which the job is enqueued, in ms since the epoch. @default now */
  readonly nowMs?: number;
}

/**
 * A job for Rails: what its Resque adapter pushes for `className.perform_later(*args)`, ready for `airlift.enqueue`.
 *
 * @example
 * ```ts
 * import { activeJobRequest, GlobalId, keywords } from "airlift/active-job";
 *
 * const invoice = GlobalId.of({ app: "shop", modelName: "Invoice", modelId: 17 });
 * await airlift.enqueue(activeJobRequest("InvoiceJob", [invoice, keywords({ format: "pdf" })], { queue: "mail" }));
 * ```
 * @throws UsageError if Rails could not read an argument
 */
export function activeJobRequest(className: string, args: readonly unknown[], options: JobDataOptions): EnqueueRequest {
  const { queue, at } = options;
  return {
    queue,
    class: JOB_WRAPPER_CLASS,
    args: [createJobData(className, args, options)],
    ...(at !== undefined && { at }),
  };
}

/** What a job becomes in its payload, member for member as Rails 7.1 and later write it; older ones pass over what they do not know. */
export function createJobData(className: string, args: readonly unknown[], options: JobDataOptions): JobData {
  if (typeof className !== "string" || className === "") throw new UsageError("class: expected a non-empty string");
  const { queue, priority, locale, timezone, jobId, at, nowMs = Date.now() } = options;
  return {
    job_class: className,
    job_id: jobId ?? crypto.randomUUID(),
    provider_job_id: null,
    queue_name: queue,
    priority: priority ?? null,
    arguments: serializeArguments(args, options),
    executions: 0,
    exception_executions: {},
    locale: locale ?? null,
    timezone: timezone ?? null,
    enqueued_at: RubyTime.from(nowMs).iso,
    scheduled_at: at === undefined ? null : RubyTime.from(at).iso,
  };
}

export interface ActiveJobRetryOptions extends Pick<JobDataOptions, "at" | "nowMs" | "priority"> {
  /** @default the queue from which the job came */
  readonly queue?: string;
  /**
   * Under which name the retry is counted: that of the Ruby class's `retry_on` which it stands for, the list of its exceptions as
   * Ruby prints it: `[Timeout::Error, IOError]`. @default it is counted only in `executions`
   */
  readonly exceptions?: string;
}

/**
 * The job once more, as Rails' `retry_job` enqueues it: the same id and arguments, byte for byte, one execution more. For jobs that
 * Rails and Airlift work side by side, so that either goes on with the other's count; Airlift's own retries leave `executions` as
 * they are.
 *
 * @throws UsageError if the job is none of Active Job's
 */
export function activeJobRetry(
  job: Pick<JobContext, "raw" | "queue">,
  options: ActiveJobRetryOptions = {},
): EnqueueRequest {
  const { queue = job.queue, priority, exceptions, at, nowMs = Date.now() } = options;
  const written = parseAsWritten(job.raw);
  const data = (JSON.parse(job.raw) as { args?: unknown[] }).args?.[0];
  if (!isJobData(data) || !written) throw new UsageError(`activeJobRetry: expected an Active Job`);
  const { executions, exceptionExecutions } = readJobInfo(data);
  const counted = exceptions === undefined ? {} : { [exceptions]: (exceptionExecutions[exceptions] ?? 0) + 1 };
  const changed = {
    queue_name: queue,
    ...(priority !== undefined && { priority }),
    executions: executions + 1,
    exception_executions: { ...exceptionExecutions, ...counted },
    enqueued_at: RubyTime.from(nowMs).iso,
    // Rails 7.0 has no such member.
    ...("scheduled_at" in data && { scheduled_at: at === undefined ? null : RubyTime.from(at).iso }),
  };
  return { queue, class: JOB_WRAPPER_CLASS, args: [{ ...written, ...changed }], ...(at !== undefined && { at }) };
}

/** The job data, each text and number in it to be written as it was: a Float stays one, an escape stays one. */
function parseAsWritten(raw: string): object | undefined {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  const keepText = (_key: string, value: unknown, { source }: { readonly source?: string }): unknown =>
    source === undefined ? value : rawJSON(source);
  const payload = JSON.parse(raw, keepText as (key: string, value: unknown) => unknown) as { args?: [object] };
  return payload.args?.[0];
}
