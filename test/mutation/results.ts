import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isFound } from "./judge.ts";
import type { Mutant, Verdict } from "./mutant.ts";

/** What this run and earlier ones have found. What was found stays so as long as the mutated file is the same. */
export interface Results {
  get(mutant: Mutant): Verdict | undefined;
  set(mutant: Mutant, verdict: Verdict): void;
  /** Those that survived may meet tests again. */
  renewSurvivors(): void;
  save(): void;
}

export function openResults(path: string, isFresh: boolean): Results {
  const verdicts = new Map<string, Verdict>(isFresh ? [] : read(path));
  return {
    get: ({ id }) => verdicts.get(id),
    set: ({ id }, verdict) => void verdicts.set(id, verdict),
    renewSurvivors() {
      for (const [id, verdict] of verdicts) if (!isFound(verdict)) verdicts.set(id, { ...verdict, tests: 0, ms: 0 });
    },
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
