import type { Airlift } from "../airlift.ts";
import { isStoreError, type StoreError, UsageError } from "../core/errors.ts";
import { discardBody } from "./discard-body.ts";
import { addCounts, type EnqueueCounts, NO_COUNTS } from "./enqueue-counts.ts";
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
 * How a stream ended. What `counts` tells stays so, whatever the end.
 *
 * - `done`: all of it was read
 * - `bad-line`: that line is no job, those before it are enqueued, those after it are not
 * - `interrupted`: the body broke off
 * - `store`: the store failed; of `uncertain` more jobs it is not known whether they are enqueued
 */
export type EnqueueStreamResult =
  | { readonly kind: "done"; readonly counts: EnqueueCounts }
  | {
      readonly kind: "bad-line";
      readonly counts: EnqueueCounts;
      readonly line: number;
      readonly status: 400 | 403 | 413;
      readonly errors: readonly FieldError[];
    }
  | { readonly kind: "interrupted"; readonly counts: EnqueueCounts }
  | { readonly kind: "store"; readonly counts: EnqueueCounts; readonly uncertain: number; readonly error: StoreError };

/**
 * Enqueues each line of an NDJSON body. Holds at most a {@link CHUNK}, a line, and a chunk of the body: no more is read while
 * the store is busy. Empty lines are passed over.
 *
 * @throws what `enqueueAll` throws, if it is no StoreError
 */
export async function enqueueStream(params: EnqueueStreamParams): Promise<EnqueueStreamResult> {
  const splitter = createLineSplitter(params.maxLineBytes);
  const reader = params.body.getReader();
  let counts = NO_COUNTS;
  let jobs: EnqueueRequest[] = [];
  /** The line of each of them. */
  let lines: number[] = [];
  let bytes = 0;

  /** Undefined while there is nothing to stop for. */
  async function flush(): Promise<EnqueueStreamResult | undefined> {
    if (jobs.length === 0) return undefined;
    try {
      counts = addCounts(counts, await params.airlift.enqueueAll(jobs));
    } catch (error) {
      if (isStoreError(error)) {
        return { kind: "store", counts, uncertain: error.reason === "unavailable" ? jobs.length : 0, error };
      }
      if (!(error instanceof UsageError) || error.jobIndex === undefined) throw error;
      // Its class refuses it, and the chunk with it: what stands before it is as good as any other.
      const line = lines[error.jobIndex] as number;
      jobs = jobs.slice(0, error.jobIndex);
      return (
        (await flush()) ?? {
          kind: "bad-line",
          counts,
          line,
          status: 400,
          errors: [{ path: "", message: error.message }],
        }
      );
    }
    jobs = [];
    lines = [];
    bytes = 0;
    return undefined;
  }

  async function take(line: Line | OverlongLine): Promise<EnqueueStreamResult | undefined> {
    const read = readLine(line, params);
    const size = line.bytes?.length ?? 0;
    if (read.kind === "refused" || jobs.length === CHUNK.jobs || bytes + size > CHUNK.bytes) {
      const end = await flush();
      if (end) return end;
    }
    if (read.kind === "refused") {
      return { kind: "bad-line", counts, line: line.number, status: read.status, errors: read.errors };
    }
    jobs.push(read.job);
    lines.push(line.number);
    bytes += size;
    return undefined;
  }

  try {
    for (;;) {
      let chunk: ReadableStreamReadResult<Uint8Array>;
      try {
        chunk = await reader.read();
      } catch {
        return { kind: "interrupted", counts };
      }
      if (chunk.done) break;
      for (const line of splitter.push(chunk.value)) {
        if (isBlank(line)) continue;
        const end = await take(line);
        if (end) return end;
      }
    }
    const last = splitter.end();
    const end = last && !isBlank(last) ? await take(last) : undefined;
    if (end) return end;
    return (await flush()) ?? { kind: "done", counts };
  } finally {
    await discardBody(reader);
  }
}

type LineRead = JobRead | { readonly kind: "refused"; readonly status: 413; readonly errors: readonly FieldError[] };

/** Nothing, or blanks. Seen in the bytes: a body may hold millions of such lines. */
function isBlank({ bytes }: Line | OverlongLine): boolean {
  return bytes?.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d) ?? false;
}

function readLine(line: Line | OverlongLine, params: EnqueueStreamParams): LineRead {
  if (line.bytes === undefined) {
    return {
      kind: "refused",
      status: 413,
      errors: [{ path: "", message: `is longer than ${params.maxLineBytes} bytes` }],
    };
  }
  const text = decodeUtf8(line.bytes);
  if (text === undefined) return refused("is not valid UTF-8");
  const parsed = parseExactJson(text);
  return parsed.kind === "invalid" ? refused(parsed.message) : readJob(parsed.value, params.queue, params.classes);
}

function refused(message: string): LineRead {
  return { kind: "refused", status: 400, errors: [{ path: "", message }] };
}
