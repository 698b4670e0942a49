import { createReadStream, statSync } from "node:fs";
import type { Airlift, EnqueueRequest } from "../airlift.ts";
import { isStoreError, StoreError, UsageError } from "../core/errors.ts";
import { readJob } from "../http/job-request.ts";
import { createLineSplitter, type Line } from "../http/lines.ts";
import { decodeUtf8, parseExactJson } from "../http/parse-json.ts";
import { formatCount } from "./report-text.ts";

/** What one call enqueues, at most: enough to make a request worth its price, little enough to hold in memory. */
const BATCH_JOBS = 1_000;
const BATCH_BYTES = 1_000_000;
const MAX_LINE_BYTES = 10_000_000;

/**
 * Enqueues a file with one job a line, in order and in constant memory. Blank lines are passed over.
 *
 * @param file a path, or `-` for standard input
 * @param queue of the lines that name none
 * @param onProgress told how many bytes are read and how many jobs enqueued so far
 * @throws UsageError naming the first wrong line; all lines before it are enqueued, none after it
 */
export async function enqueueFile(
  airlift: Airlift,
  file: string,
  queue: string | undefined,
  onProgress: (bytes: number, jobs: number) => void = () => undefined,
): Promise<{ readonly enqueued: number }> {
  const label = file === "-" ? "standard input" : file;
  if (file !== "-") {
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found) throw new UsageError(`--file ${file}: no such file`);
    if (found.isDirectory()) throw new UsageError(`--file ${file}: a directory; expected a file of one job a line`);
  }
  let enqueued = 0;
  let batch: EnqueueRequest[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    try {
      enqueued += (await airlift.enqueueAll(batch)).enqueued;
    } catch (error) {
      throw describeBatchError(error, { label, enqueued, batch: batch.length });
    }
    batch = [];
    batchBytes = 0;
  };
  const take = async (line: { readonly number: number; readonly bytes: Uint8Array | undefined }): Promise<void> => {
    const read = line.bytes ? readLine(line as Line, queue) : { reason: `is longer than ${MAX_LINE_BYTES} bytes` };
    if (read === undefined) return;
    if ("reason" in read) {
      await flush();
      throw new UsageError(
        `${label}, line ${line.number}: ${read.reason}; ${formatCount(enqueued, "job")} enqueued, from the lines before it`,
      );
    }
    batch.push(read);
    batchBytes += line.bytes?.length ?? 0;
    if (batch.length >= BATCH_JOBS || batchBytes >= BATCH_BYTES) await flush();
  };

  const splitter = createLineSplitter(MAX_LINE_BYTES);
  const stream = file === "-" ? process.stdin : createReadStream(file);
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    for (const line of splitter.push(chunk)) await take(line);
    bytes += chunk.length;
    onProgress(bytes, enqueued);
  }
  const last = splitter.end();
  if (last) await take(last);
  await flush();
  return { enqueued };
}

/** A job, the reason why it is none, or undefined for a blank line. */
function readLine(line: Line, queue: string | undefined): EnqueueRequest | { readonly reason: string } | undefined {
  const text = decodeUtf8(line.bytes);
  if (text === undefined) return { reason: "is not UTF-8" };
  if (text.trim() === "") return undefined;
  const parsed = parseExactJson(text);
  if (parsed.kind === "invalid") return { reason: parsed.message };
  const { own, rest } = splitQueue(parsed.value);
  const target = own ?? queue;
  if (typeof target !== "string" || target === "") {
    return {
      reason: own === undefined ? "names no queue, and --queue is not given" : "queue must be a non-empty string",
    };
  }
  const job = readJob(rest, target, undefined);
  if (job.kind === "job") return job.job;
  return { reason: job.errors.map(({ path, message }) => `${path} ${message}`.trim()).join("; ") };
}

function splitQueue(value: unknown): { readonly own: unknown; readonly rest: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { own: undefined, rest: value };
  const { queue: own, ...rest } = value as { queue?: unknown };
  return { own, rest };
}

/** What is known of a file whose enqueueing broke off. */
function describeBatchError(error: unknown, at: { label: string; enqueued: number; batch: number }): unknown {
  const done = `${formatCount(at.enqueued, "job")} of ${at.label} enqueued before`;
  if (error instanceof UsageError) return new UsageError(`${error.message}; ${done}`, { cause: error });
  if (!isStoreError(error)) return error;
  const doubt = error.reason === "unavailable" ? `, the next ${at.batch} perhaps` : "";
  return new StoreError(error.reason, `${error.message}; ${done}${doubt}`, { cause: error });
}
