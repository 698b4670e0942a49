import type { Entry, Mutant, Verdict } from "./mutant.ts";
import type { Results } from "./results.ts";
import type { Runner } from "./runner.ts";
import type { Times } from "./times.ts";

export interface JudgeOptions {
  /** How long a test may take with a mutant beyond many times its usual time. */
  readonly slackMs: number;
  /** A mutant has survived when the tests that it met have taken so long. */
  readonly budgetMs: number;
  readonly times: Times;
  /** Only tests that take so long. */
  readonly fromMs: number;
  readonly belowMs: number;
  readonly isOver: () => boolean;
  readonly log: (line: string) => void;
}

const ENDINGS = { passed: "survived", killed: "killed", hung: "timeout" } as const;
/** Beyond what the thread itself sees of tests that hang. */
const HANG_FACTOR = 12;
/** Without a mutant, or between tests. */
const PATIENCE_MS = 120_000;
/** A test that fails, or hangs, without a mutant may do so because of what a mutant has left behind: it gets a new thread so often. */
const MAX_CHANCES = 2;

/** Runs a file of tests again and again, until each of its tests has met all mutants that it reaches and that are alive. */
export async function meet(
  runner: Runner,
  file: string,
  mutants: readonly Mutant[],
  results: Results,
  options: JudgeOptions,
): Promise<void> {
  const done = new Set<string>();
  const met: Record<string, string[]> = {};
  const chances = new Map<string, number>();
  const baseMs = new Map<string, number>();
  const byId = new Map(mutants.map((mutant) => [mutant.id, mutant]));
  const limitMs = (last: Entry | undefined): number =>
    last?.[0] === "try" && last[2] !== ""
      ? options.slackMs + HANG_FACTOR * (baseMs.get(last[1]) ?? 1_000)
      : PATIENCE_MS;
  const giveUp = (test: string, why: string): void => {
    const count = (chances.get(test) ?? 0) + 1;
    chances.set(test, count);
    if (count < MAX_CHANCES) return;
    done.add(test);
    options.log(`${file} > ${test} is left out: ${why.split("\n")[0]}`);
  };
  const note = (entry: Entry): void => {
    const [kind, test] = entry;
    if (kind === "base") baseMs.set(test, entry[2]);
    else if (kind === "done") done.add(test);
    else if (kind === "odd") {
      if (!entry[3]) giveUp(test, entry[2]);
    } else if (kind === "passed" || kind === "killed" || kind === "hung") {
      const mutant = byId.get(entry[2]);
      if (!mutant) return;
      const { tests = 0, ms = 0 } = results.get(mutant) ?? {};
      const spent = { tests: tests + 1, ms: Math.round(ms + entry[3]) };
      const killer = kind === "passed" ? {} : { killer: `${file} > ${test}` };
      results.set(mutant, { ending: ENDINGS[kind], ...killer, ...spent });
      met[test] ??= [];
      met[test].push(mutant.id);
    }
  };

  while (!options.isOver()) {
    const alive = mutants.filter((mutant) => !isFound(results.get(mutant)) && leftMs(results.get(mutant)) > 0);
    const planned = alive.map((mutant) => ({ ...pick(mutant), budgetMs: leftMs(results.get(mutant)) }));
    const { entries, hasHung, error } = await runner.run(
      file,
      { mutants: planned, done: [...done], met, fromMs: options.fromMs, belowMs: options.belowMs },
      { limitMs, onEntry: (entry) => entry[0] === "base" && baseMs.set(entry[1], entry[2]), isOver: options.isOver },
    );
    for (const entry of entries) note(entry);
    options.times.note(file, [...baseMs.values()]);
    if (error) return options.log(`${file} is left out: ${error.split("\n")[0]}`);
    const last = entries.at(-1);
    if (hasHung && !options.isOver()) {
      const [, test = "", id = ""] = last?.[0] === "try" ? last : [];
      const mutant = byId.get(id);
      if (mutant) {
        const { tests = 0, ms = 0 } = results.get(mutant) ?? {};
        results.set(mutant, { ending: "timeout", killer: `${file} > ${test}`, tests: tests + 1, ms });
      } else if (test === "") return options.log(`${file} is left out: it hangs`);
      else giveUp(test, "it hangs");
    }
    const isUnfinished = entries.some(([kind, test]) => (kind === "odd" || kind === "hung") && !done.has(test));
    if (!hasHung && !isUnfinished) return;
  }

  function leftMs(verdict: Verdict | undefined): number {
    return options.budgetMs - (verdict?.ms ?? 0);
  }
}

export const isFound = (verdict: Verdict | undefined): boolean =>
  verdict?.ending === "killed" || verdict?.ending === "timeout";

function pick({ id, file, coveredAs, edit, replacement }: Mutant) {
  return { id, file, coveredAs, replacement, ...(edit && { edit }) };
}
