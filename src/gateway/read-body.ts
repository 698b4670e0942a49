/** A body over a limit. The message is the error text of the reply. */
export class BodyTooLargeError extends Error {}

/** The whole body, without ever holding more than the limit of it. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
    // An HTTP server ends a body at its declared length, so the limit holds without counting.
    return new Uint8Array(await request.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): BodyTooLargeError {
  return new BodyTooLargeError(`ERR max request size exceeded. Limit: ${maxBytes} bytes`);
}
