import { UsageError } from "./core/errors.ts";
import type { AnyJobDefinition } from "./core/job.ts";
import type { BigIntegers } from "./core/json.ts";
import { uniqueProblem } from "./core/unique.ts";
import { validateForEnqueue } from "./core/validate-args.ts";
import { toDelayedSeconds } from "./resque/delay.ts";
import type { EncodedJob, EnqueueRequest } from "./resque/encoded-job.ts";
import type { Keys } from "./resque/keys.ts";
import { encodePayload, parsePayload } from "./resque/payload.ts";

export interface EncodeContext {
  readonly keys: Keys;
  readonly bigIntegers: BigIntegers;
  readonly nowMs: number;
}

/**
 * Encodes a job as its class's definition wants it.
 *
 * @throws UsageError if the class's schema refuses its arguments
 */
export async function encodeKnown(
  job: EnqueueRequest,
  definition: AnyJobDefinition,
  { keys, bigIntegers, nowMs }: EncodeContext,
): Promise<EncodedJob> {
  const { wire, args: schema, unique } = definition;
  const atSeconds = dueSeconds(job, nowMs);
  const target = { queue: job.queue, nowMs, ...(atSeconds !== undefined && { at: atSeconds * 1_000 }) };
  const sent = wire ? { ...job, class: wire.class, args: wire.encode(job.args ?? [], target) } : job;
  const plain = encodeJob(sent, nowMs);
  if (!schema && !unique) return plain;
  // As the drain will read them: dates are texts by then, and numbers that were kept as they were written are numbers.
  const read = parsePayload(plain.payload, bigIntegers) as { readonly args: readonly unknown[] };
  const args = wire ? (job.args ?? []) : read.args;
  await validateForEnqueue(definition, args);
  if (!unique) return plain;
  const problem = uniqueProblem(unique);
  if (problem !== undefined) throw new UsageError(`class ${JSON.stringify(job.class)}: unique: ${problem}`);
  const { encodeUnique } = await import("./resque/encode-unique.ts");
  return { ...(await encodeUnique(sent, { unique, class: job.class, args, keys })), atSeconds };
}

/**
 * Encodes a job of which no more is known than it says itself.
 *
 * @throws UsageError if it has no queue, class, or JSON form, or wrong times
 */
export function encodeJob(job: EnqueueRequest, nowMs: number): EncodedJob {
  const { queue, class: className, args = [] } = job;
  if (typeof queue !== "string" || queue === "") {
    throw new UsageError(`queue: expected a non-empty string, got ${JSON.stringify(queue)} (class ${className})`);
  }
  return { queue, payload: encodePayload(className, args), atSeconds: dueSeconds(job, nowMs) };
}

/** 10^11 ms are in 1973: whoever means less than that means seconds. */
const LEAST_AT_MS = 1e11;

/** The second at which a job is due; undefined if it may be put into its queue at once, as resque-scheduler does with what is past. */
function dueSeconds({ at, inMs, class: className }: EnqueueRequest, nowMs: number): number | undefined {
  if (at === undefined && inMs === undefined) return undefined;
  const where = `(class ${className})`;
  if (at !== undefined && inMs !== undefined) throw new UsageError(`expected at or inMs, got both ${where}`);
  if (inMs !== undefined && !(Number.isFinite(inMs) && inMs >= 0)) {
    const given = typeof inMs === "string" ? JSON.stringify(inMs) : String(inMs);
    throw new UsageError(`inMs: expected a number of milliseconds from 0 on, got ${given} ${where}`);
  }
  const seconds = at === undefined ? toDelayedSeconds(nowMs + (inMs as number), "inMs") : toDelayedSeconds(at);
  if (typeof at === "number" && at < LEAST_AT_MS) {
    throw new UsageError(
      `at: expected milliseconds since the epoch, got ${at}, which is in 1970; are these seconds? ${where}`,
    );
  }
  return seconds > Math.floor(nowMs / 1_000) ? seconds : undefined;
}
