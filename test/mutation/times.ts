import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How long the tests of a file take each, as earlier runs have found. */
export interface Times {
  meanMs(file: string): number | undefined;
  note(file: string, testsMs: readonly number[]): void;
  save(): void;
}

export function openTimes(path: string): Times {
  const means = new Map<string, number>(read(path));
  return {
    meanMs: (file) => means.get(file),
    note(file, testsMs) {
      if (testsMs.length > 0) means.set(file, testsMs.reduce((sum, ms) => sum + ms, 0) / testsMs.length);
    },
    save() {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify([...means], null, 1));
    },
  };
}

function read(path: string): [string, number][] {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as [string, number][];
  } catch {
    return [];
  }
}
