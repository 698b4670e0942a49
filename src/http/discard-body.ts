/** How much of a refused body is still read, so that its client gets to hear of it. */
const DISCARD = { bytes: 64 * 1024 * 1024, ms: 1_000 } as const;

/**
 * Reads a body to its end, within limits. Many clients read no answer before they have sent all, and @hono/node-server closes
 * the connection half a second after an answer to a body that was only read in part (Node pauses it; 2.1.8), or at once if that is the
 * connection's last request.
 *
 * It is not cancelled: that could break the connection before the answer is sent. The host disposes of what is left.
 */
export async function discardBody(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let stopTimer = (): void => undefined;
  const expired = new Promise<undefined>((resolve) => {
    const timer = setTimeout(resolve, DISCARD.ms);
    stopTimer = () => clearTimeout(timer);
  });
  try {
    for (let bytes = 0; bytes < DISCARD.bytes; ) {
      const chunk = await Promise.race([reader.read(), expired]);
      if (chunk === undefined || chunk.done) return;
      bytes += chunk.value.length;
    }
  } catch {
    // It broke off; there is nothing left to read.
  } finally {
    stopTimer();
  }
}
