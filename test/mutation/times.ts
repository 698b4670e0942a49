import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How long the longest test of a file takes, as earlier runs have found. */
export interface Times {
  longestMs(file: string): number | undefined;
  note(file: string, testsMs: readonly number[]): void;
  save(): void;
}

export function openTimes(path: string): Times {
  const longest = new Map<string, number>(read(path));
  return {
    longestMs: (file) => longest.get(file),
    note(file, testsMs) {
      if (testsMs.length > 0) longest.set(file, Math.max(longest.get(file) ?? 0, ...testsMs));
    },
    save() {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify([...longest], null, 1));
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
