import type { Context } from "hono";
import { createByteCollector } from "../core/byte-collector.ts";
import { discardBody } from "./discard-body.ts";
import { problem } from "./problem.ts";

/** The whole body, never more than the limit of it; or what to answer: it is too large, or its sender is gone. */
export async function readBody(c: Context, maxBytes: number): Promise<Uint8Array | Response> {
  const declared = c.req.header("transfer-encoding") === undefined ? c.req.header("content-length") : undefined;
  try {
    // An HTTP server ends a body at its declared length, so the limit holds without counting.
    if (declared !== undefined && Number(declared) <= maxBytes) return new Uint8Array(await c.req.arrayBuffer());
    return (await readCounted(c.req.raw.body, Number(declared ?? 0), maxBytes)) ?? tooLarge(maxBytes);
  } catch {
    return problem({ kind: "interrupted", status: 400, title: "The body broke off" });
  }
}

/** Undefined if there is more. */
async function readCounted(
  body: ReadableStream<Uint8Array> | null,
  declared: number,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const collector = createByteCollector(maxBytes);
  const reader = body?.getReader();
  for (let size = declared; size <= maxBytes; ) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return collector.take();
    size += value.length;
    if (size <= maxBytes) collector.add(value);
  }
  if (reader) await discardBody(reader);
  return undefined;
}

function tooLarge(maxBytes: number): Response {
  return problem({
    kind: "too-large",
    status: 413,
    title: "The body is too large",
    detail: `At most ${maxBytes} bytes; send more jobs as application/x-ndjson.`,
  });
}
