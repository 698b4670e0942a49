import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Mutant, Verdict } from "./mutant.ts";

/** What earlier runs have found. A mutant that was killed stays so as long as its file is the same; others are tried again. */
export interface Results {
  get(mutant: Mutant): Verdict | undefined;
  set(mutant: Mutant, verdict: Verdict): void;
  save(): void;
}

export function openResults(path: string, isFresh: boolean): Results {
  const verdicts = new Map<string, Verdict>(isFresh ? [] : read(path));
  return {
    get: ({ file, key }) => verdicts.get(`${file} ${key}`),
    set: ({ file, key }, verdict) => void verdicts.set(`${file} ${key}`, verdict),
    save() {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify([...verdicts], null, 1));
    },
  };
}

function read(path: string): [string, Verdict][] {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as [string, Verdict][];
  } catch {
    return [];
  }
}
