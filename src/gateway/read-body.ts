import { setTimeout as delay } from "node:timers/promises";
import { createByteCollector } from "../core/byte-collector.ts";

/** A body over a limit. The message is the error text of the reply. */
export class BodyTooLargeError extends Error {}

/** How much of a refused body is still read: many clients read no answer before they have sent all. */
const DISCARD = { bytes: 64 * 1024 * 1024, ms: 1_000 } as const;

/** The whole body, without ever holding more than the limit of it. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  // An HTTP server ends a body at its declared length, so the limit holds without counting.
  if (declared !== null && Number(declared) <= maxBytes) return new Uint8Array(await request.arrayBuffer());
  const collector = createByteCollector(maxBytes);
  const reader = request.body?.getReader();
  for (let size = Number(declared ?? 0); size <= maxBytes; ) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return collector.take();
    size += value.length;
    if (size <= maxBytes) collector.add(value);
  }
  if (reader) await discard(reader);
  throw new BodyTooLargeError(`ERR max request size exceeded. Limit: ${maxBytes} bytes`);
}

/** Reads to the end, within limits. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const stop = new AbortController();
  const expired = delay(DISCARD.ms, undefined, { signal: stop.signal }).catch(() => undefined);
  try {
    for (let bytes = 0; bytes < DISCARD.bytes; ) {
      const chunk = await Promise.race([reader.read(), expired]);
      if (chunk === undefined || chunk.done) return;
      bytes += chunk.value.length;
    }
  } catch {
    // It broke off; there is nothing left to read.
  } finally {
    stop.abort();
  }
}
