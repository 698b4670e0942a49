import { createByteCollector } from "../core/byte-collector.ts";

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
  const held = createByteCollector(maxLineBytes);

  function take(tail: Uint8Array): Line {
    if (held.size === 0) return { number: number++, bytes: tail };
    held.add(tail);
    return { number: number++, bytes: held.take() };
  }

  return {
    *push(chunk) {
      let start = 0;
      while (start < chunk.length) {
        const newline = chunk.indexOf(NEWLINE, start);
        const tail = chunk.subarray(start, newline === -1 ? chunk.length : newline);
        if (held.size + tail.length > maxLineBytes) {
          yield { number, bytes: undefined };
          return;
        }
        if (newline === -1) {
          held.add(tail);
          return;
        }
        yield take(tail);
        start = newline + 1;
      }
    },
    end() {
      return held.size === 0 ? undefined : take(new Uint8Array(0));
    },
  };
}
