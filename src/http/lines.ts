/** One line of a body, without its newline. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** A line longer than allowed; the stream cannot be read further. */
export interface OverlongLine {
  readonly number: number;
  readonly bytes: undefined;
}

export interface LineSplitter {
  /** The lines that end in `chunk`. They must be used before the next call. */
  push(chunk: Uint8Array): Generator<Line | OverlongLine, void, undefined>;
  /** The last line, if it has no newline. */
  end(): Line | undefined;
}

const NEWLINE = 0x0a;

/** Splits chunks of bytes into lines, holding never more than `maxLineBytes` of an unfinished one. */
export function createLineSplitter(maxLineBytes: number): LineSplitter {
  let number = 1;
  let held = new Uint8Array(0);
  let heldBytes = 0;

  // Copied: a slice would keep its whole chunk alive, and a host may reuse the chunk's memory.
  function hold(tail: Uint8Array): void {
    if (heldBytes + tail.length > held.length) {
      const grown = new Uint8Array(Math.max(heldBytes + tail.length, Math.min(held.length * 2, maxLineBytes)));
      grown.set(held.subarray(0, heldBytes));
      held = grown;
    }
    held.set(tail, heldBytes);
    heldBytes += tail.length;
  }

  function take(tail: Uint8Array): Line {
    if (heldBytes === 0) return { number: number++, bytes: tail };
    hold(tail);
    const bytes = held.subarray(0, heldBytes);
    held = new Uint8Array(0);
    heldBytes = 0;
    return { number: number++, bytes };
  }

  return {
    *push(chunk) {
      let start = 0;
      while (start < chunk.length) {
        const newline = chunk.indexOf(NEWLINE, start);
        const tail = chunk.subarray(start, newline === -1 ? chunk.length : newline);
        if (heldBytes + tail.length > maxLineBytes) {
          yield { number, bytes: undefined };
          return;
        }
        if (newline === -1) {
          hold(tail);
          return;
        }
        yield take(tail);
        start = newline + 1;
      }
    },
    end() {
      return heldBytes === 0 ? undefined : take(new Uint8Array(0));
    },
  };
}
