import type { JobData } from "../resque/active-job-wrapper.ts";
import { attemptOffset } from "../resque/active-job-wrapper.ts";
import { RubyTime } from "./ruby-time.ts";

/** What Rails wrote about a job, beside its arguments. */
export interface ActiveJobInfo {
  /** Stays the same when Rails retries the job. */
  readonly jobId: string | undefined;
  readonly queueName: string | undefined;
  readonly priority: number | undefined;
  /** How often Rails has run the job before. `job.attempt` counts on from here. */
  readonly executions: number;
  /** How often each `retry_on` of the Ruby class has handled an error, by the list of its exceptions: `{ "[Timeout::Error]": 2 }`. */
  readonly exceptionExecutions: Readonly<Record<string, number>>;
  /** The locale in which Rails would run it. */
  readonly locale: string | undefined;
  /** The time zone in which Rails would run it. */
  readonly timezone: string | undefined;
  readonly enqueuedAt: RubyTime | undefined;
  readonly scheduledAt: RubyTime | undefined;
  /** All members as they came, those of the app's own and Rails' `continuation` among them. */
  readonly data: JobData;
}

/** What is not what Rails writes is passed over: a job need not fail for what its handler may never ask for. */
export function readJobInfo(data: JobData): ActiveJobInfo {
  const counts = Object.entries(Object(data["exception_executions"])).filter(([, count]) => typeof count === "number");
  return {
    jobId: textOf(data["job_id"]),
    queueName: textOf(data["queue_name"]),
    priority: typeof data["priority"] === "number" ? data["priority"] : undefined,
    executions: attemptOffset(data),
    exceptionExecutions: Object.fromEntries(counts) as Record<string, number>,
    locale: textOf(data["locale"]),
    timezone: textOf(data["timezone"]),
    enqueuedAt: timeOf(data["enqueued_at"]),
    scheduledAt: timeOf(data["scheduled_at"]),
    data,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function timeOf(value: unknown): RubyTime | undefined {
  try {
    return typeof value === "string" ? new RubyTime(value) : undefined;
  } catch {
    return undefined;
  }
}
