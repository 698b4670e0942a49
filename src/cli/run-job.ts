import { AirliftError } from "../core/errors.ts";
import type { JobStatus } from "../core/job-status.ts";
import { stringifyJson } from "../core/json.ts";
import { openRedis } from "./open-redis.ts";
import type { RedisOptions } from "./redis-options.ts";
import { formatDuration } from "./report-text.ts";

/** Options of `airlift job`. */
export interface JobOptions extends RedisOptions {
  readonly json?: true;
}

/** Prints the status of a job. */
export async function runJob(id: string, options: JobOptions): Promise<void> {
  const airlift = await openRedis(options);
  try {
    const status = await airlift.job(id);
    if (!status) throw new AirliftError("ERR_UNKNOWN_JOB", `nothing is known of a job with the id ${id}`);
    process.stdout.write(options.json ? `${stringifyJson(status)}\n` : `${formatJob(status)}\n`);
  } finally {
    await airlift.close();
  }
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
    ["result", "result" in status ? stringifyJson(status.result) : undefined],
    ["result", status.resultProblem && `not kept: ${status.resultProblem}`],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(9)} ${value}`])).join("\n");
}

function toTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
