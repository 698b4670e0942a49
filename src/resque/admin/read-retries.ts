import type { RedisReply } from "../client.ts";
import { readRetries as readRetriesScript } from "../generated/read-retries.generated.ts";
import { readScore } from "../score.ts";
import type { AdminContext } from "./admin-context.ts";
import { isRecord, type JobSummary, readText, summarize } from "./listed-job.ts";

/** A job that waits for its next attempt. */
export interface WaitingJob extends JobSummary {
  readonly id: string;
  /** When it is due, in ms by Redis' clock. */
  readonly dueMs: number;
  readonly queue?: string;
  /** The number of the attempt that it waits for. */
  readonly attempt?: number;
  /** When the last attempt failed, as it was written; not here for a job that its handler only put off. */
  readonly failedAt?: string;
  readonly exception?: string;
  readonly error?: string;
  /** The payload's own text; not here for one of more than 1 MB. */
  readonly raw?: string;
  readonly bytes: number;
}

/** A place in the set: a score, and how many of that score are behind. */
export interface RetryCursor {
  readonly score: string;
  readonly ties: number;
}

export interface RetriesRead {
  readonly total: number;
  readonly looked: number;
  readonly jobs: readonly WaitingJob[];
  /** Undefined at the end. */
  readonly next: RetryCursor | undefined;
}

const MAX_MEMBERS_LOOKED_AT = 5_000;
const MAX_BYTES_LOOKED_AT = 16_000_000;
const MAX_BYTES_RETURNED = 4_000_000;
const MAX_WHOLE_BYTES = 1_000_000;

/** Reads the next members of the set, in the order in which they are due. */
export async function readRetries(
  { client, keys }: AdminContext,
  { score, ties }: RetryCursor,
  options: { readonly limit: number; readonly ids?: readonly string[]; readonly needles?: readonly string[] },
): Promise<RetriesRead> {
  const { limit, ids = [], needles = [] } = options;
  const bounds = [MAX_MEMBERS_LOOKED_AT, MAX_BYTES_LOOKED_AT, limit, MAX_BYTES_RETURNED, MAX_WHOLE_BYTES];
  const reply = await client.script({
    script: readRetriesScript,
    keys: [keys.retries],
    args: [score, ties, ...bounds, ids.length, ...ids, ...needles],
  });
  const [, total, looked, ended, nextScore, nextTies, flat] = reply as [
    ...[number, number, number, number, string, number],
    RedisReply[],
  ];
  const jobs: WaitingJob[] = [];
  for (let i = 0; i < flat.length; i += 4) {
    const [id, due, bytes, text] = flat.slice(i, i + 4) as [string, string, number, string];
    jobs.push({ id, dueMs: readScore(due), bytes, ...readMember(text, bytes > MAX_WHOLE_BYTES) });
  }
  return { total, looked, jobs, next: ended === 1 ? undefined : { score: String(nextScore), ties: nextTies } };
}

function readMember(text: string, isAbridged: boolean): Omit<WaitingJob, "id" | "dueMs" | "bytes"> {
  const read = readText(text);
  if ("problem" in read) return { problem: `the entry ${read.problem}` };
  if (!isRecord(read.value)) return { problem: "the entry is no object" };
  const { queue, attempt, failed_at: failedAt, exception, error, payload } = read.value;
  const { args, problem, ...job } = summarize(payload);
  // A quote within a text has a backslash before it, so the first of these is the member.
  const start = text.indexOf(',"payload":');
  return {
    ...job,
    ...(args && !isAbridged && { args }),
    ...(problem !== undefined && { problem: `the payload ${problem}` }),
    ...(typeof queue === "string" && { queue }),
    ...(typeof attempt === "number" && { attempt }),
    ...(typeof failedAt === "string" && { failedAt }),
    ...(typeof exception === "string" && { exception }),
    ...(typeof error === "string" && { error }),
    ...(!isAbridged && start >= 0 && { raw: text.slice(start + ',"payload":'.length, -1) }),
  };
}
