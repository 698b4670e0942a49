/** Puts together what comes in parts. */
export interface ByteCollector {
  readonly size: number;
  add(part: Uint8Array): void;
  /** All that was added, and begins anew. */
  take(): Uint8Array<ArrayBuffer>;
}

/**
 * Bytes are copied as they come: a part would keep the chunk alive that it was cut from, a host may reuse its memory, and a body may come in
 * parts of a byte each (10 MB of them took 2.7 GB).
 *
 * @param maxBytes how many there usually are at most; more are taken, too
 */
export function createByteCollector(maxBytes: number): ByteCollector {
  let held = new Uint8Array(0);
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(part) {
      if (size + part.length > held.length) {
        const grown = new Uint8Array(Math.max(size + part.length, Math.min(held.length * 2, maxBytes)));
        grown.set(held.subarray(0, size));
        held = grown;
      }
      held.set(part, size);
      size += part.length;
    },
    take() {
      const bytes = held.subarray(0, size);
      held = new Uint8Array(0);
      size = 0;
      return bytes;
    },
  };
}
