import type { KnownTest, Mutant } from "./mutant.ts";
import type { Order } from "./worker.ts";

/** Which tests a mutant meets, in which order. */
export interface Plan {
  readonly order: Pick<Order, "files">;
  readonly tests: number;
  /** How long a test takes that does not hang. */
  msOf(id: string | undefined): number;
}

export interface Planner {
  planFor(mutant: Mutant): Plan;
  /** A test of this file has found a mutant of that one. */
  noteKill(mutant: Mutant, testFile: string): void;
}

/** What it costs to load a file of tests. */
const LOAD_MS = 150;
/** A file's own tests are taken for having found so many of its mutants. */
const NEAR_KILLS = 5;

/**
 * @param isNear whether the tests are the file's own, so that they come first
 * @param budgetMs the quickest tests that reach a mutant are run, up to so much in all
 */
export function createPlanner(
  tests: readonly KnownTest[],
  loads: Readonly<Record<string, number>>,
  mutants: readonly Mutant[],
  isNear: (file: string, testFile: string) => boolean,
  budgetMs: number,
): Planner {
  const quickestFirst = [...tests].sort((a, b) => a.ms - b.ms);
  const msByTest = new Map(tests.map(({ file, name, ms }) => [`${file}#${name}`, ms]));
  const reaching = new Map<string, KnownTest[]>();
  for (const test of quickestFirst) {
    for (const covered of Object.keys(test.covers)) {
      const known = reaching.get(covered);
      if (known) known.push(test);
      else reaching.set(covered, [test]);
    }
  }
  // What runs when its file is loaded matters to all tests that reach anything of the file.
  const byFile = new Map<string, Set<KnownTest>>();
  for (const { file, coveredAs } of mutants) {
    const reachingFile = byFile.get(file) ?? new Set();
    byFile.set(file, reachingFile);
    for (const test of reaching.get(coveredAs) ?? []) reachingFile.add(test);
  }
  const kills = new Map<string, number>();
  const killsOf = (mutant: Mutant, file: string): number => kills.get(`${mutant.file} ${file}`) ?? 0;

  return {
    planFor(mutant) {
      let candidates = reaching.get(mutant.coveredAs) ?? [];
      if (candidates.length === 0 && mutant.coveredAs in loads) {
        candidates = [...(byFile.get(mutant.file) ?? [])].sort((a, b) => a.ms - b.ms);
      }
      const byTestFile = new Map<string, { names: string[]; ms: number }>();
      let spentMs = 0;
      let count = 0;
      const near = candidates.filter(({ file }) => isNear(mutant.file, file));
      const far = candidates.filter(({ file }) => !isNear(mutant.file, file));
      for (const { file, name, ms } of [...near, ...far]) {
        if (count > 0 && spentMs + ms > budgetMs) break;
        spentMs += ms;
        count++;
        const chosen = byTestFile.get(file) ?? { names: [], ms: LOAD_MS };
        byTestFile.set(file, chosen);
        chosen.names.push(name);
        chosen.ms += ms;
      }
      const worth = ([file, { names, ms }]: [string, { names: string[]; ms: number }]): number =>
        (killsOf(mutant, file) + (isNear(mutant.file, file) ? NEAR_KILLS : 0) + names.length / 100 + 0.1) / ms;
      const sorted = [...byTestFile].sort((a, b) => worth(b) - worth(a));
      return {
        order: { files: sorted.map(([file, { names }]) => ({ file, names })) },
        tests: count,
        msOf: (id) => (id === undefined ? 0 : (msByTest.get(id) ?? 0)),
      };
    },
    noteKill(mutant, testFile) {
      kills.set(`${mutant.file} ${testFile}`, killsOf(mutant, testFile) + 1);
    },
  };
}
