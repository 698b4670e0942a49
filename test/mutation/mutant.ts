/** One small change of the source. */
export interface Mutant {
  /** Unique within a suite, and the same in every run as long as its file is the same. */
  readonly key: string;
  /** Path within the repository. */
  readonly file: string;
  readonly kind: string;
  readonly line: number;
  readonly column: number;
  readonly original: string;
  readonly replacement: string;
  readonly activation: Activation;
  /** Under which name the tests that reach it were recorded. */
  readonly coveredAs: string;
}

/** What a test process is told, to run with a mutant. */
export type Activation =
  | { readonly kind: "switch"; readonly id: string; readonly hitLimit: number }
  | { readonly kind: "scripts"; readonly scripts: readonly ReplacedScript[] };

export interface ReplacedScript {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
  readonly keyLockingSha1: string;
}

/**
 * - `killed`: a test failed, or something was thrown that nobody caught.
 * - `timeout`: a test did not end.
 * - `survived`: all tests that reach it passed.
 * - `uncovered`: no test reaches it.
 */
export type Ending = "killed" | "timeout" | "survived" | "uncovered";

export interface Verdict {
  readonly ending: Ending;
  readonly killer?: string;
  readonly tests: number;
  readonly ms: number;
}

/** A test as vitest names it, with how long it takes and which mutants it reaches. */
export interface KnownTest {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
  readonly covers: Readonly<Record<string, number>>;
}
