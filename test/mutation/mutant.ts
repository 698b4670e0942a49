/** One small change of the source. */
export interface Mutant {
  /** The same in every run as long as its file is the same. */
  readonly id: string;
  /** Path within the repository. */
  readonly file: string;
  readonly kind: string;
  readonly line: number;
  readonly column: number;
  readonly original: string;
  readonly replacement: string;
  /** Under which name it is recorded that a test reaches it. */
  readonly coveredAs: string;
  /** Of a script: what is exchanged in its file's text. Others are switched on by their ids. */
  readonly edit?: { readonly from: number; readonly to: number };
}

/**
 * - `killed`: a test failed, or something was thrown that nobody caught.
 * - `timeout`: a test did not end.
 * - `survived`: the tests that reach it passed.
 * - `uncovered`: no test reaches it, or it works only while modules are loaded.
 */
export type Ending = "killed" | "timeout" | "survived" | "uncovered";

export interface Verdict {
  readonly ending: Ending;
  readonly killer?: string;
  /** Tests that it met, and how long they took. */
  readonly tests: number;
  readonly ms: number;
}

/** What the tests' thread is told, as a file. */
export interface ThreadPlan {
  readonly journal: string;
  readonly mutants: readonly (Pick<Mutant, "id" | "file" | "coveredAs" | "edit" | "replacement"> & {
    readonly budgetMs: number;
  })[];
  /** Mutants meet only tests that take so long without any. */
  readonly fromMs: number;
  readonly belowMs: number;
  /** Names of tests that are not run again. */
  readonly done: readonly string[];
  /** By names of tests: mutants that they have met already. */
  readonly met: Readonly<Record<string, readonly string[]>>;
}

/**
 * What the tests' thread writes down, a line each, before it goes on: so all is known if it never does.
 *
 * - `try`: the test begins, with the mutant or, if that is "", without any
 * - `base`: without a mutant the test passes in so many milliseconds; it reaches so many mutants
 * - `passed`, `killed`, `hung`: how it went with the mutant
 * - `odd`: the test does not pass without a mutant. If it did before, a mutant has left something behind: the thread must end
 * - `done`: the test has met all that it reaches
 */
export type Entry =
  | readonly ["try", test: string, mutant: string]
  | readonly ["base", test: string, ms: number, mutants: number]
  | readonly ["passed" | "killed" | "hung", test: string, mutant: string, ms: number]
  | readonly ["odd", test: string, why: string, wasPassing: boolean]
  | readonly ["done", test: string];
