import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { damaged } from "./hostile-json.ts";

const ROOT = fileURLToPath(new URL("corpus/", import.meta.url));

/** One text of the corpus. */
export interface CorpusFile {
  /** Without its ending: what it is about. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** The files of a folder of test/fuzz/corpus, by name. */
export function corpus(folder: string): readonly CorpusFile[] {
  const files = readdirSync(join(ROOT, folder)).filter((file) => file.endsWith(".bin"));
  return files
    .sort()
    .map((file) => ({ name: file.slice(0, -".bin".length), bytes: readFileSync(join(ROOT, folder, file)) }));
}

/** Texts of the corpus, damaged now and then, and pieces of two put together. */
export function mutated(folder: string): fc.Arbitrary<Buffer> {
  const one = fc.constantFrom(...corpus(folder)).map(({ bytes }) => bytes);
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const spliced = fc
    .tuple(one, share, one, share)
    .map(([head, until, tail, from]) =>
      Buffer.concat([head.subarray(0, Math.floor(head.length * until)), tail.subarray(Math.floor(tail.length * from))]),
    );
  return damaged(fc.oneof({ arbitrary: one, weight: 2 }, { arbitrary: spliced, weight: 1 }));
}
