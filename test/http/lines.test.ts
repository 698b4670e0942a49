import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createLineSplitter } from "../../src/http/lines.ts";

function split(chunks: readonly Uint8Array[], maxLineBytes = 1_000): (string | undefined)[] {
  const splitter = createLineSplitter(maxLineBytes);
  const lines: (string | undefined)[] = [];
  for (const chunk of chunks) {
    for (const { bytes } of splitter.push(chunk)) {
      lines.push(bytes && new TextDecoder().decode(bytes));
      if (bytes === undefined) return lines;
    }
  }
  const last = splitter.end();
  if (last) lines.push(new TextDecoder().decode(last.bytes));
  return lines;
}

test("the lines are the same, wherever the body is cut into chunks", async () => {
  const lines = fc.array(fc.string({ unit: "binary", maxLength: 20 }).map((line) => line.replaceAll("\n", "é")));
  const sameLines = fc.property(lines, fc.array(fc.nat({ max: 30 })), (texts, sizes) => {
    const body = new TextEncoder().encode(texts.map((line) => `${line}\n`).join(""));
    const chunks: Uint8Array[] = [];
    let start = 0;
    for (const size of sizes) {
      chunks.push(body.slice(start, start + size));
      start += size;
    }
    chunks.push(body.slice(start));
    expect(split(chunks)).toEqual(texts.map((line) => new TextDecoder().decode(new TextEncoder().encode(line))));
  });
  await fc.assert(sameLines);
});

test("the last line needs no newline, and lines are numbered from 1, empty ones too", () => {
  const splitter = createLineSplitter(100);
  const numbers = [...splitter.push(new TextEncoder().encode("a\n\nb\nc"))].map(({ number }) => number);
  expect([...numbers, splitter.end()?.number]).toEqual([1, 2, 3, 4]);
});

test("a line may be as long as the limit, and not a byte longer, in one chunk or many", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(split([bytes("12345\n12345")], 5)).toEqual(["12345", "12345"]);
  expect(split([bytes("12345\n123456\n")], 5)).toEqual(["12345", undefined]);
  expect(split([bytes("123"), bytes("45"), bytes("\n")], 5)).toEqual(["12345"]);
  expect(split([bytes("123"), bytes("45"), bytes("6")], 5)).toEqual([undefined]);
});

test("what is held of an unfinished line survives the reuse of its chunk's memory", () => {
  const splitter = createLineSplitter(100);
  const memory = new TextEncoder().encode("abc");
  expect([...splitter.push(memory)]).toEqual([]);
  memory.fill(0x78);
  const [line] = splitter.push(new TextEncoder().encode("d\n"));
  expect(new TextDecoder().decode(line?.bytes)).toBe("abcd");
});
