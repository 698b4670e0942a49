import type { Airlift } from "../airlift.ts";
import { isStoreError, type StoreError } from "../core/errors.ts";
import { type EnqueueRequest, type JobRead, readJob } from "./job-request.ts";
import { createLineSplitter, type Line, type OverlongLine } from "./lines.ts";
import { decodeUtf8, parseExactJson } from "./parse-json.ts";
import type { FieldError } from "./problem.ts";

/** What goes to the store at once, before more of the body is read; less than `enqueueAll` sends in one transaction. */
export const CHUNK: Readonly<Record<"jobs" | "bytes", number>> = { jobs: 500, bytes: 524_288 };

export interface EnqueueStreamParams {
  readonly airlift: Pick<Airlift, "enqueueAll">;
  readonly queue: string;
  /** NDJSON, in chunks of any size. */
  readonly body: ReadableStream<Uint8Array>;
  readonly classes: ReadonlySet<string> | undefined;
  readonly maxLineBytes: number;
}

/**
 * How a stream ended. `enqueued` jobs are in the queue and stay there, whatever the end.
 *
 * - `done`: all of it was read
 * - `bad-line`: that line is no job, those before it are enqueued, those after it are not
 * - `interrupted`: the body broke off
 * - `store`: the store failed; of `uncertain` more jobs it is not known whether they are enqueued
 */
export type EnqueueStreamResult =
  | { readonly kind: "done"; readonly enqueued: number }
  | {
      readonly kind: "bad-line";
      readonly enqueued: number;
      readonly line: number;
      readonly status: 400 | 403 | 413;
      readonly errors: readonly FieldError[];
    }
  | { readonly kind: "interrupted"; readonly enqueued: number }
  | { readonly kind: "store"; readonly enqueued: number; readonly uncertain: number; readonly error: StoreError };

/**
 * Enqueues each line of an NDJSON body. Holds at most a {@link CHUNK}, a line, and a chunk of the body: no more is read while
 * the store is busy. Empty lines are passed over.
 *
 * @throws what `enqueueAll` throws, if it is no StoreError
 */
export async function enqueueStream(params: EnqueueStreamParams): Promise<EnqueueStreamResult> {
  const splitter = createLineSplitter(params.maxLineBytes);
  const reader = params.body.getReader();
  let enqueued = 0;
  let jobs: EnqueueRequest[] = [];
  let bytes = 0;

  async function flush(): Promise<StoreError | undefined> {
    if (jobs.length === 0) return undefined;
    try {
      await params.airlift.enqueueAll(jobs);
    } catch (error) {
      if (isStoreError(error)) return error;
      throw error;
    }
    enqueued += jobs.length;
    jobs = [];
    bytes = 0;
    return undefined;
  }

  const storeFailed = (error: StoreError): EnqueueStreamResult => ({
    kind: "store",
    enqueued,
    uncertain: error.reason === "unavailable" ? jobs.length : 0,
    error,
  });

  /** Undefined while there is nothing to stop for. */
  async function take(line: Line | OverlongLine): Promise<EnqueueStreamResult | undefined> {
    const read = readLine(line, params);
    if (read === undefined) return undefined;
    const size = line.bytes?.length ?? 0;
    if (read.kind === "refused" || jobs.length === CHUNK.jobs || bytes + size > CHUNK.bytes) {
      const error = await flush();
      if (error) return storeFailed(error);
    }
    if (read.kind === "refused") {
      return { kind: "bad-line", enqueued, line: line.number, status: read.status, errors: read.errors };
    }
    jobs.push(read.job);
    bytes += size;
    return undefined;
  }

  try {
    for (;;) {
      let chunk: ReadableStreamReadResult<Uint8Array>;
      try {
        chunk = await reader.read();
      } catch {
        return { kind: "interrupted", enqueued };
      }
      if (chunk.done) break;
      for (const line of splitter.push(chunk.value)) {
        const end = await take(line);
        if (end) return end;
      }
    }
    const last = splitter.end();
    const end = last && (await take(last));
    if (end) return end;
    const error = await flush();
    return error ? storeFailed(error) : { kind: "done", enqueued };
  } finally {
    // Not cancelled: on Node that would break the connection before the answer is sent. The host disposes of the rest.
    reader.releaseLock();
  }
}

type LineRead = JobRead | { readonly kind: "refused"; readonly status: 413; readonly errors: readonly FieldError[] };

/** Undefined for an empty line. */
function readLine(line: Line | OverlongLine, params: EnqueueStreamParams): LineRead | undefined {
  if (line.bytes === undefined) {
    return {
      kind: "refused",
      status: 413,
      errors: [{ path: "", message: `is longer than ${params.maxLineBytes} bytes` }],
    };
  }
  const text = decodeUtf8(line.bytes);
  if (text === undefined) return refused("is not valid UTF-8");
  if (/^[ \t\r]*$/.test(text)) return undefined;
  const parsed = parseExactJson(text);
  return parsed.kind === "invalid" ? refused(parsed.message) : readJob(parsed.value, params.queue, params.classes);
}

function refused(message: string): LineRead {
  return { kind: "refused", status: 400, errors: [{ path: "", message }] };
}
