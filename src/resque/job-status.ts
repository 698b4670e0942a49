import { UsageError } from "../core/errors.ts";
import { type JobStatus, type StatusOptions, stateAfter } from "../core/job-status.ts";
import { type BigIntegers, parseJson, stringifyJson } from "../core/json.ts";
import type { Claim, Settlement } from "../core/store.ts";
import type { CallOptions, RedisClient, RedisCommand } from "./client.ts";
import type { EncodedJob } from "./encoded-job.ts";
import type { Keys } from "./keys.ts";
import { changeOwn, parsePayload, readOwn, type TailChange } from "./payload.ts";
import { typedMembers } from "./typed-members.ts";

/**
 * A job's status, `airlift:job:<id>`: JSON that begins with `enqueuedMs`, if that is known, `queue` and `class`; then `state` and what belongs
 * to it. Beside what is shown it bears the token of the claim that wrote it.
 */

/** What is kept of a failure's message: the failed list has all of it. */
const MAX_FAILURE_CHARS = 1_000;
const MAX_RESULT_CHARS = 16_000;
const ID = /^[\w.:-]{1,100}$/;

/** A UUID of version 7: sorted as texts, ids are in the order of their times. */
export function newJobId(nowMs: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const time = Math.floor(nowMs).toString(16).padStart(12, "0");
  const variant = ((bytes[2] as number) & 0x3f) | 0x80;
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(1, 4)}-${variant.toString(16)}${hex.slice(6, 8)}-${hex.slice(8)}`;
}

/** @throws UsageError unless it can be an id: up to 100 letters, digits and `_ . : -` */
export function checkJobId(what: string, id: unknown): asserts id is string {
  if (typeof id === "string" && ID.test(id)) return;
  const given = typeof id === "string" ? JSON.stringify(id.slice(0, 120)) : typeof id;
  throw new UsageError(`${what}: expected 1 to 100 letters, digits, or any of _ . : -, got ${given}`);
}

export interface EnqueuedStatus {
  readonly class: string;
  /** One of the caller's own. */
  readonly id: string | undefined;
  readonly ttlMs: number;
  readonly nowMs: number;
}

/**
 * A job on its way into its queue, now with a status.
 *
 * @throws UsageError if the id is none
 */
export function withStatus(keys: Keys, job: EncodedJob, given: EnqueuedStatus): EncodedJob {
  const { class: className, nowMs } = given;
  const id = given.id ?? newJobId(nowMs);
  checkJobId("id", id);
  // Airlift has just written the payload, and it ends in ASCII.
  const { cutBytes, append } = changeOwn(job.payload, { ...readOwn(job.payload), id }) as TailChange;
  const write = (atSeconds: number | undefined): RedisCommand => {
    const dueMs = atSeconds === undefined ? undefined : atSeconds * 1_000;
    const status = {
      ...{ enqueuedMs: Math.floor(nowMs), queue: job.queue, class: className },
      ...(dueMs === undefined ? { state: "queued" } : { state: "delayed", dueMs }),
    };
    const ttlMs = given.ttlMs + Math.max(0, Math.ceil((dueMs ?? 0) - nowMs));
    return ["SET", keys.job(id), JSON.stringify(status), "PX", ttlMs];
  };
  return { ...job, payload: job.payload.slice(0, -cutBytes) + append, status: { id, write } };
}

/** Writes that a job waits no more, as a newer one has taken its place. */
export function replacedCommand(keys: Keys, payload: string, queue: string): RedisCommand | undefined {
  const { id } = readOwn(payload);
  const job = parsePayload(payload);
  if (id === undefined || job.kind !== "job") return undefined;
  const status = { queue, class: job.class, state: "discarded", reason: "a newer job took its place" };
  // Its TTL is known only to who enqueued it.
  return ["SET", keys.job(id), JSON.stringify(status), "XX", "KEEPTTL"];
}

export interface AttemptOptions {
  readonly worker: string;
  /** Our clock to Redis'. */
  readonly toRedisMs: (ourMs: number) => number;
}

/** The status of a job whose handler runs, from its second member on. */
export function runningText(claim: Claim, startedMs: number, { worker, toRedisMs }: AttemptOptions): string {
  return textOf(claim, { state: "running", ...attemptOf(claim), worker, startedMs: toRedisMs(startedMs) });
}

/** The status of a job that is given back. */
export function queuedText(claim: Claim): string {
  return textOf(claim, { state: "queued" });
}

/** The status of a job whose attempt has ended. */
export function endedText(
  { claim, outcome, endedMs, durationMs }: Settlement,
  { results }: Pick<StatusOptions, "results">,
  { worker, toRedisMs, nowMs }: AttemptOptions & { readonly nowMs: number },
): string {
  const state = stateAfter(outcome);
  if (state === "queued") return queuedText(claim);
  // It runs on elsewhere.
  if (state === "running") return runningText(claim, (endedMs ?? nowMs) - (durationMs ?? 0), { worker, toRedisMs });
  const text = textOf(claim, {
    ...{ state, ...attemptOf(claim), worker },
    ...(endedMs !== undefined &&
      durationMs !== undefined && {
        ...{ startedMs: toRedisMs(endedMs - durationMs), endedMs: toRedisMs(endedMs), durationMs },
      }),
    ...("afterMs" in outcome && { dueMs: Math.ceil(nowMs + outcome.afterMs) }),
    ...("failure" in outcome && {
      failure: {
        exception: outcome.failure.exception,
        message: outcome.failure.message.slice(0, MAX_FAILURE_CHARS),
      },
    }),
    ...("reason" in outcome && outcome.reason !== undefined && { reason: outcome.reason.slice(0, MAX_FAILURE_CHARS) }),
  });
  return results && "result" in outcome ? `${text.slice(0, -1)}${resultMember(outcome.result)}}` : text;
}

function attemptOf({ job }: Claim): { readonly attempt?: number } {
  return job.kind === "job" ? { attempt: job.attempt } : {};
}

/** Without its brace; the claim's token follows the state, so that a reader of texts finds it. */
function textOf({ queue, token, job }: Claim, { state, ...rest }: Omit<JobStatus, "id" | "queue" | "class">): string {
  const className = job.kind === "job" ? { class: job.class } : {};
  return JSON.stringify({ queue, ...className, state, claim: token, ...rest }).slice(1);
}

function resultMember(result: unknown): string {
  let problem: string;
  try {
    const text = stringifyJson(result) as string | undefined;
    if (text === undefined) return "";
    if (text.length <= MAX_RESULT_CHARS) return `,"result":${text}`;
    problem = `its JSON has ${text.length} characters, more than ${MAX_RESULT_CHARS}`;
  } catch {
    problem = "it has no JSON form";
  }
  return `,"resultProblem":${JSON.stringify(problem)}`;
}

/** Reads statuses in one command; undefined for an id of which nothing is known (any more). */
export async function readStatuses(
  client: RedisClient,
  keys: Keys,
  ids: readonly string[],
  { bigIntegers, ...options }: CallOptions & { readonly bigIntegers: BigIntegers },
): Promise<readonly (JobStatus | undefined)[]> {
  for (const id of ids) checkJobId("id", id);
  if (ids.length === 0) return [];
  const texts = (await client.command(["MGET", ...ids.map(keys.job)], options)) as (string | null)[];
  return ids.map((id, index) => parseStatus(id, texts[index] ?? null, bigIntegers));
}

const MEMBERS = {
  ...({ state: "string", queue: "string", class: "string", enqueuedMs: "number", attempt: "number" } as const),
  ...({ startedMs: "number", endedMs: "number", durationMs: "number", dueMs: "number" } as const),
  ...({ worker: "string", reason: "string", resultProblem: "string" } as const),
};
const FAILURE = { exception: "string", message: "string" } as const;

function parseStatus(id: string, text: string | null, bigIntegers: BigIntegers): JobStatus | undefined {
  if (text === null) return undefined;
  try {
    const value = parseJson(text, bigIntegers);
    const { state, ...members } = typedMembers(value, MEMBERS);
    const { failure, result } = Object(value) as { readonly failure?: unknown; readonly result?: unknown };
    const { exception, message } = typedMembers(failure, FAILURE);
    if (state === undefined) return undefined;
    const status = {
      ...{ id, state, ...members },
      ...(exception !== undefined && message !== undefined && { failure: { exception, message } }),
      ...(result !== undefined && { result }),
    };
    // A version to come may have more states, and no other version leaves out the queue.
    return status as unknown as JobStatus;
  } catch {
    // What stands under the key is none of ours.
    return undefined;
  }
}
