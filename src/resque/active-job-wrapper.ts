/** The class of every payload that Rails' Resque adapter pushes: of Rails 4.2 to 8, and of the adapter that Resque 3 brings along. */
export const JOB_WRAPPER_CLASS = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper";

/** What Active Job's `serialize` makes of a job, the wrapper's only argument. */
export interface JobData {
  readonly job_class: string;
  readonly [member: string]: unknown;
}

/** The Active Job in a payload; undefined if it is none. One comparison of two strings for all other payloads. */
export function unwrapActiveJob(payload: {
  readonly class?: unknown;
  readonly args?: unknown;
}): { readonly jobClass: string; readonly jobData: JobData } | undefined {
  if (payload.class !== JOB_WRAPPER_CLASS || !Array.isArray(payload.args)) return undefined;
  const [jobData] = payload.args;
  return isJobData(jobData) ? { jobClass: jobData.job_class, jobData } : undefined;
}

export function isJobData(value: unknown): value is JobData {
  const { job_class: jobClass } = Object(value) as { job_class?: unknown };
  return typeof jobClass === "string" && jobClass !== "";
}

/** How often Rails has run the job before it put it into the queue again (`retry_on`): those attempts count too. */
export function attemptOffset({ executions }: JobData): number {
  return Number.isSafeInteger(executions) ? Math.max(0, executions as number) : 0;
}
