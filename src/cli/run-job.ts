import type { Airlift } from "../airlift.ts";
import { AirliftError } from "../core/errors.ts";
import type { JobStatus } from "../core/job-status.ts";
import { stringifyAnswer } from "../http/stringify-answer.ts";
import { toInstant } from "./job-text.ts";
import { formatDuration } from "./report-text.ts";
import { type ShowOptions, show } from "./show.ts";
import { toLine } from "./terminal-text.ts";

/** Prints the status of a job. */
export async function runJob(id: string, options: ShowOptions): Promise<void> {
  const read = async (airlift: Airlift): Promise<JobStatus> => {
    const status = await airlift.job(id);
    if (!status) throw new AirliftError("ERR_UNKNOWN_JOB", `nothing is known of a job with the id ${id}`);
    return status;
  };
  await show(options, read, formatJob);
}

function formatJob(status: JobStatus): string {
  const { enqueuedMs, startedMs, endedMs, durationMs, dueMs, failure } = status;
  const rows: readonly (readonly [name: string, value: string | undefined])[] = [
    ["job", status.id],
    ["state", status.state],
    ["class", status.class ?? "(not a job)"],
    ["queue", status.queue],
    ["attempt", status.attempt?.toString()],
    ["enqueued", toTime(enqueuedMs)],
    ["due", toTime(dueMs)],
    ["started", toTime(startedMs)],
    ["ended", toTime(endedMs)],
    ["took", durationMs === undefined ? undefined : formatDuration(durationMs)],
    ["worker", status.worker],
    ["failure", failure && `${failure.exception}: ${failure.message}`],
    ["reason", status.reason],
    ["result", "result" in status ? stringifyAnswer(status.result) : undefined],
    ["result", status.resultProblem && `not kept: ${status.resultProblem}`],
  ];
  return rows
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(9)} ${toLine(value)}`]))
    .join("\n");
}

function toTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toInstant(ms);
}
